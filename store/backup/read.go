package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/store/blob"
)

// Archive is a backup that is being read.
type Archive struct {
	Header

	tar   *tar.Reader
	entry *tar.Header // the present one; nil at the end of the file
	hash  hash.Hash   // of what was read of it
	sums  []sum       // of the entries that no list has confirmed yet
	end   *Summary    // what was written, once that was read
	total Summary
}

// Open reads the header of a backup. The error is ErrNotBackup if r is none.
func Open(r io.Reader) (*Archive, error) {
	a := &Archive{tar: tar.NewReader(r)}
	if err := a.next(); err != nil || a.entry == nil || a.entry.Name != headerName {
		return nil, errors.Join(ErrNotBackup, err)
	}
	if err := json.NewDecoder(a).Decode(&a.Header); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotBackup, err)
	}
	if a.Format != format {
		return nil, fmt.Errorf("%w: its format is %d, not %d: use the version of the program that made it (%s)", ErrNotBackup, a.Format, format, a.Program)
	}
	return a, nil
}

// Empty returns ErrNotEmpty if there is anything of value behind pool, whose schema must exist, and
// ErrServed if a process beside this one, whose connections are named own, is at work on it.
func Empty(ctx context.Context, pool *pgxpool.Pool, own string) error {
	var filled, served bool
	err := pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM people) OR EXISTS (SELECT FROM projects),
			EXISTS (SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND application_name LIKE 'fiducial-%' AND application_name <> $1)`, own).Scan(&filled, &served)
	switch {
	case err != nil:
		return fmt.Errorf("restore: %w", err)
	case served:
		return ErrServed
	case filled:
		return ErrNotEmpty
	}
	return nil
}

// Load brings everything in: the objects into bucket, and the rows into the tables behind pool in one
// transaction, which is committed when the whole file was read and found to be what was written.
// The schema must be that of the header. Load is called once; note as in Write.
func (a *Archive) Load(ctx context.Context, pool *pgxpool.Pool, bucket *blob.Bucket, note func(Summary)) (Summary, error) {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return a.load(ctx, tx, bucket, note) })
	if err != nil {
		return a.total, fmt.Errorf("restore: %w", err)
	}
	return a.total, nil
}

func (a *Archive) load(ctx context.Context, tx pgx.Tx, bucket *blob.Bucket, note func(Summary)) error {
	links, err := dropLinks(ctx, tx)
	if err != nil {
		return err
	}
	if err := a.onTables(ctx, tx, "TRUNCATE %s"); err != nil {
		return err
	}
	// What triggers keep, such as counts, is in the backup itself.
	if err := a.onTables(ctx, tx, "ALTER TABLE %s DISABLE TRIGGER USER"); err != nil {
		return err
	}
	if err := a.next(); err != nil {
		return err
	}
	for a.entry != nil {
		if err := a.loadEntry(ctx, tx, bucket); err != nil {
			return err
		}
		note(a.total)
	}
	if a.end == nil || len(a.sums) > 0 || *a.end != a.total {
		return fmt.Errorf("%w: its end is missing", ErrDamaged)
	}
	if err := a.setSequences(ctx, tx); err != nil {
		return err
	}
	if err := a.onTables(ctx, tx, "ALTER TABLE %s ENABLE TRIGGER USER"); err != nil {
		return err
	}
	for _, link := range links {
		if _, err := tx.Exec(ctx, link); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return nil
}

// onTables runs a statement about each table of the backup.
func (a *Archive) onTables(ctx context.Context, tx pgx.Tx, statement string) error {
	for _, t := range a.Tables {
		if _, err := tx.Exec(ctx, fmt.Sprintf(statement, pgx.Identifier{t.Name}.Sanitize())); err != nil {
			return err
		}
	}
	return nil
}

// dropLinks removes the foreign keys, since tables may refer to each other in circles, and returns what
// makes them again, which checks every row.
func dropLinks(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
		       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS add
		FROM pg_constraint
		WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'river\_%'
		ORDER BY conrelid, conname`)
	if err != nil {
		return nil, err
	}
	type link struct{ Drop, Add string }
	links, err := pgx.CollectRows(rows, pgx.RowToStructByName[link])
	if err != nil {
		return nil, err
	}
	var again []string
	for _, l := range links {
		if _, err := tx.Exec(ctx, l.Drop); err != nil {
			return nil, err
		}
		again = append(again, l.Add)
	}
	return again, nil
}

func (a *Archive) setSequences(ctx context.Context, tx pgx.Tx) error {
	for _, s := range a.Sequences {
		if _, err := tx.Exec(ctx, `SELECT setval(to_regclass(quote_ident($1)), $2)`, s.Name, s.Last); err != nil {
			return fmt.Errorf("sequence %s: %w", s.Name, err)
		}
	}
	return nil
}

// loadEntry brings in the present entry, or all entries of its table, and goes on to the next.
func (a *Archive) loadEntry(ctx context.Context, tx pgx.Tx, bucket *blob.Bucket) error {
	name := a.entry.Name
	if table, ok := strings.CutPrefix(name, tablePrefix); ok {
		table, _, _ = strings.Cut(table, "/")
		return a.loadTable(ctx, tx, table)
	}
	var err error
	if key, ok := strings.CutPrefix(name, objectPrefix); ok {
		_, err = bucket.Put(ctx, key, a, a.entry.Size, a.entry.PAXRecords[contentTypeRecord])
		a.total.Objects++
		a.total.Bytes += a.entry.Size
	} else if name == endName {
		err = json.NewDecoder(a).Decode(&a.end)
	} else {
		err = fmt.Errorf("%w: nobody knows what %q is", ErrDamaged, name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if a.end != nil {
		a.total.Missing = a.end.Missing
	}
	return a.next()
}

func (a *Archive) loadTable(ctx context.Context, tx pgx.Tx, name string) error {
	for _, t := range a.Tables {
		if t.Name != name {
			continue
		}
		rows, err := gzip.NewReader(&pieceReader{Archive: a, table: tablePrefix + name + "/"})
		if err != nil {
			return fmt.Errorf("%w: table %s: %w", ErrDamaged, name, err)
		}
		rows.Multistream(false)
		tag, err := tx.Conn().PgConn().CopyFrom(ctx, rows, fmt.Sprintf("COPY %s (%s) FROM STDIN", pgx.Identifier{name}.Sanitize(), t.columnList()))
		if err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
		a.total.Tables++
		a.total.Rows += tag.RowsAffected()
		return a.next()
	}
	return fmt.Errorf("%w: the header does not speak of table %s", ErrDamaged, name)
}

// pieceReader reads the entries of one table as if they were one.
type pieceReader struct {
	*Archive

	table string
}

func (p *pieceReader) Read(b []byte) (int, error) {
	for {
		n, err := p.Archive.Read(b)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := p.next(); err != nil {
			return 0, err
		}
		if p.entry == nil || !strings.HasPrefix(p.entry.Name, p.table) {
			return 0, io.ErrUnexpectedEOF
		}
	}
}

// Read reads the present entry.
func (a *Archive) Read(b []byte) (int, error) {
	n, err := a.tar.Read(b)
	a.hash.Write(b[:n])
	return n, err
}

// next reads the present entry to its end, goes on to the next one that is no list of checksums, and
// compares what such a list says with what was read.
func (a *Archive) next() error {
	for {
		if err := a.finish(); err != nil {
			return err
		}
		header, err := a.tar.Next()
		if errors.Is(err, io.EOF) {
			a.entry = nil
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if !strings.HasPrefix(header.Name, sumPrefix) {
			a.entry, a.hash = header, sha256.New()
			return nil
		}
		a.entry = nil
		if err := a.confirm(); err != nil {
			return err
		}
	}
}

// finish closes the present entry and notes its checksum.
func (a *Archive) finish() error {
	if a.entry == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, a); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	a.sums = append(a.sums, sum{Name: a.entry.Name, SHA256: a.hash.Sum(nil)})
	return nil
}

func (a *Archive) confirm() error {
	var written []sum
	if err := json.NewDecoder(a.tar).Decode(&written); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(written) != len(a.sums) {
		return fmt.Errorf("%w: %d entries where %d were written", ErrDamaged, len(a.sums), len(written))
	}
	for i, read := range a.sums {
		if written[i].Name != read.Name || !bytes.Equal(written[i].SHA256, read.SHA256) {
			return fmt.Errorf("%w: %s is not what was written", ErrDamaged, read.Name)
		}
	}
	a.sums = a.sums[:0]
	return nil
}
