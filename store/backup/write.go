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
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/store/blob"
)

const (
	pieceSize   = 4 << 20 // of a table, since tar wants each entry's size before its content
	sumsAtOnce  = 1000
	keysAtOnce  = 1000
	entryRights = 0o600
)

// Write writes a backup to w. h tells the program and the schema; the rest of it is found. Everything
// is of the moment at which Write begins, whatever a server does meanwhile; note is called now and
// then with how far it is.
func Write(ctx context.Context, w io.Writer, pool *pgxpool.Pool, bucket *blob.Bucket, h Header, note func(Summary)) (Summary, error) {
	a := &writer{ctx: ctx, tar: tar.NewWriter(w), bucket: bucket, note: note}
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return a.write(tx, h)
	})
	if err != nil {
		return a.Summary, fmt.Errorf("backup: %w", err)
	}
	return a.Summary, nil
}

// writer is a backup on its way out.
type writer struct {
	Summary

	ctx    context.Context // Write's
	tar    *tar.Writer
	bucket *blob.Bucket
	note   func(Summary)
	sums   []sum
	lists  int
}

func (a *writer) write(tx pgx.Tx, h Header) (err error) {
	h.Format = format
	if h.Tables, err = tables(a.ctx, tx); err != nil {
		return err
	}
	if h.Sequences, err = sequences(a.ctx, tx); err != nil {
		return err
	}
	if err := a.document(headerName, h); err != nil {
		return err
	}
	for _, t := range h.Tables {
		if err := a.table(tx, t); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	if err := a.objects(tx); err != nil {
		return err
	}
	if err := a.document(endName, a.Summary); err != nil {
		return err
	}
	if err := a.flushSums(); err != nil {
		return err
	}
	return a.tar.Close()
}

// tables lists what is kept: every table of ours but what lives for hours.
func tables(ctx context.Context, tx pgx.Tx) ([]Table, error) {
	rows, err := tx.Query(ctx, `
		SELECT c.relname AS name, array_agg(a.attname ORDER BY a.attnum) AS columns
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		  AND c.relname NOT LIKE 'river\_%' AND c.relname NOT IN ('goose_db_version', 'sessions', 'attempts', 'idempotency_keys')
		GROUP BY c.relname ORDER BY c.relname`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Table])
}

// sequences is read after the snapshot was taken, so that no id in it is beyond its sequence.
func sequences(ctx context.Context, tx pgx.Tx) ([]Sequence, error) {
	rows, err := tx.Query(ctx, `
		SELECT sequencename AS name, last_value AS last FROM pg_sequences
		WHERE schemaname = 'public' AND last_value IS NOT NULL AND sequencename NOT LIKE 'river\_%' AND sequencename NOT LIKE 'goose\_%'
		ORDER BY sequencename`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Sequence])
}

func (a *writer) table(tx pgx.Tx, t Table) error {
	pieces := &pieceWriter{writer: a, table: t.Name}
	packed, err := gzip.NewWriterLevel(pieces, gzip.BestSpeed)
	if err != nil {
		return err
	}
	// A partitioned table itself cannot be copied, what is selected from it can.
	sql := fmt.Sprintf("COPY (SELECT %s FROM %s) TO STDOUT", t.columnList(), pgx.Identifier{t.Name}.Sanitize())
	tag, err := tx.Conn().PgConn().CopyTo(a.ctx, packed, sql)
	if err != nil {
		return err
	}
	if err := packed.Close(); err != nil {
		return err
	}
	a.Tables++
	a.Rows += tag.RowsAffected()
	a.note(a.Summary)
	return pieces.flush()
}

func (t Table) columnList() string {
	names := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		names[i] = pgx.Identifier{name}.Sanitize()
	}
	return strings.Join(names, ", ")
}

// pieceWriter cuts a table into entries.
type pieceWriter struct {
	*writer

	table  string
	buffer bytes.Buffer
	number int
}

func (p *pieceWriter) Write(b []byte) (int, error) {
	p.buffer.Write(b)
	if p.buffer.Len() < pieceSize {
		return len(b), nil
	}
	return len(b), p.flush()
}

func (p *pieceWriter) flush() error {
	p.number++
	name := fmt.Sprintf("%s%s/%06d", tablePrefix, p.table, p.number)
	err := p.entry(name, int64(p.buffer.Len()), &p.buffer, "")
	p.buffer.Reset()
	return err
}

// objectKeys are the objects that the snapshot speaks of. A key that ends with a slash stands for
// whatever is below it: the parts of an upload that somebody may still finish.
const objectKeys = `
	DECLARE object_keys NO SCROLL CURSOR FOR
	SELECT 'items/' || item_id || '/' || kind FROM assets
	UNION ALL SELECT 'exports/' || id FROM exports WHERE state = 'done'
	UNION ALL SELECT 'imports/' || id || '/' FROM imports WHERE state IN ('uploading', 'queued', 'running')`

// recordingKeys are more of them, of a schema that knows recordings.
const recordingKeys = ` UNION ALL SELECT 'recordings/' || recording_id || '/' || kind FROM recording_assets`

// launchKeys are those of a schema that knows evaluations: what model servers wrote.
const launchKeys = ` UNION ALL SELECT 'launches/' || id FROM model_launches WHERE log_bytes IS NOT NULL`

func (a *writer) objects(tx pgx.Tx) error {
	var sound, launches bool
	err := tx.QueryRow(a.ctx, `SELECT to_regclass('recording_assets') IS NOT NULL, to_regclass('model_launches') IS NOT NULL`).Scan(&sound, &launches)
	if err != nil {
		return err
	}
	declare := objectKeys
	if sound {
		declare += recordingKeys
	}
	if launches {
		declare += launchKeys
	}
	if _, err := tx.Exec(a.ctx, declare); err != nil {
		return err
	}
	for {
		rows, err := tx.Query(a.ctx, fmt.Sprintf(`FETCH %d FROM object_keys`, keysAtOnce))
		if err != nil {
			return err
		}
		keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(keys) == 0 {
			return err
		}
		for _, key := range keys {
			if err := a.objectsAt(key); err != nil {
				return err
			}
		}
		a.note(a.Summary)
	}
}

func (a *writer) objectsAt(key string) error {
	if !strings.HasSuffix(key, "/") {
		return a.object(key)
	}
	for info, err := range a.bucket.List(a.ctx, key) {
		if err != nil {
			return err
		}
		if err := a.object(info.Key); err != nil {
			return err
		}
	}
	return nil
}

func (a *writer) object(key string) (err error) {
	object, err := a.bucket.Get(a.ctx, key)
	if errors.Is(err, blob.ErrNotFound) {
		a.Missing++ // deleted since the snapshot
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	a.Objects++
	a.Bytes += object.Size
	return a.entry(objectPrefix+key, object.Size, object, object.ContentType)
}

func (a *writer) document(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.entry(name, int64(len(raw)), bytes.NewReader(raw), "")
}

// entry adds one entry and remembers its checksum.
func (a *writer) entry(name string, size int64, content io.Reader, contentType string) error {
	header := &tar.Header{Name: name, Mode: entryRights, Size: size}
	if contentType != "" {
		header.PAXRecords = map[string]string{contentTypeRecord: contentType}
	}
	if err := a.tar.WriteHeader(header); err != nil {
		return err
	}
	digest := sha256.New()
	if _, err := io.Copy(io.MultiWriter(a.tar, digest), content); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a.sums = append(a.sums, sum{Name: name, SHA256: digest.Sum(nil)})
	if len(a.sums) == sumsAtOnce {
		return a.flushSums()
	}
	return nil
}

func (a *writer) flushSums() error {
	raw, err := json.Marshal(a.sums)
	if err != nil {
		return err
	}
	a.lists++
	header := &tar.Header{Name: fmt.Sprintf("%s%06d", sumPrefix, a.lists), Mode: entryRights, Size: int64(len(raw))}
	if err := a.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err = a.tar.Write(raw)
	a.sums = a.sums[:0]
	return err
}
