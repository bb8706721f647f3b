package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/formats"
	"fiducial/store/blob"
)

const (
	// ImportPart is the most that one part of an uploaded file may hold, in bytes.
	ImportPart = 8 << 20
	// importFile and importTotal bound what one import takes, in bytes.
	importFile  = 64 << 30
	importTotal = 256 << 30
	// importFiles bounds how many files one import takes; a zip counts as one.
	importFiles = 500_000
)

// NewImportFile announces a file: its relative path and its size in bytes.
type NewImportFile struct {
	Name string
	Size int64
}

// ImportFile is one uploaded file, or the part of it that has arrived.
type ImportFile struct {
	ID       int64
	Name     string
	Size     int64
	Received int64
	Complete bool
}

// UploadProgress says how much of an import's files has arrived.
type UploadProgress struct {
	Files, Complete int
	Bytes, Received int64
}

// UploadProgress returns how much of an import's files has arrived.
func (s *Store) UploadProgress(ctx context.Context, actor Actor, id int64) (UploadProgress, error) {
	if _, err := s.Import(ctx, actor, id); err != nil {
		return UploadProgress{}, err
	}
	return uploadProgress(ctx, s.pool, id)
}

func uploadProgress(ctx context.Context, q querier, id int64) (p UploadProgress, err error) {
	err = q.QueryRow(ctx, `
		SELECT count(*), count(*) FILTER (WHERE complete), coalesce(sum(size), 0)::bigint, coalesce(sum(received), 0)::bigint
		FROM import_files WHERE import_id = $1`, id).Scan(&p.Files, &p.Complete, &p.Bytes, &p.Received)
	if err != nil {
		return p, fmt.Errorf("files of import %d: %w", id, err)
	}
	return p, nil
}

// AddImportFiles announces files of an import and returns them in the same order, with what of each
// has arrived already: announcing them again after a broken upload says where to go on. A file whose
// size has changed since begins anew.
func (s *Store) AddImportFiles(ctx context.Context, actor Actor, id int64, files []NewImportFile) (added []ImportFile, err error) {
	names, sizes, err := announced(files)
	if err != nil {
		return nil, err
	}
	if err := actor.may(access.Import); err != nil {
		return nil, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := uploading(ctx, tx, actor, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			INSERT INTO import_files AS f (import_id, name, size, complete)
			SELECT $1, name, size, size = 0 FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS u (name, size, position) ORDER BY position
			ON CONFLICT (import_id, name) DO UPDATE SET size = EXCLUDED.size,
				received = CASE f.size WHEN EXCLUDED.size THEN f.received ELSE 0 END,
				complete = CASE f.size WHEN EXCLUDED.size THEN f.complete ELSE EXCLUDED.size = 0 END
			RETURNING id, name, size, received, complete`, id, names, sizes)
		if err != nil {
			return fmt.Errorf("announce files: %w", err)
		}
		if added, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ImportFile]); err != nil {
			return fmt.Errorf("announce files: %w", err)
		}
		progress, err := uploadProgress(ctx, tx, id)
		if err != nil {
			return err
		}
		if progress.Files > importFiles || progress.Bytes > importTotal {
			return invalid("files", "This is too much for one import: at most 500,000 files and 256 GB. Pack the files into a zip, or import them in several steps.")
		}
		return nil
	})
	return added, err
}

// announced checks names and sizes. A name may stand in the list once.
func announced(files []NewImportFile) (names []string, sizes []int64, err error) {
	seen := map[string]bool{}
	for _, f := range files {
		name, err := formats.CleanKey(f.Name)
		switch {
		case err != nil:
			return nil, nil, invalid("files", fmt.Sprintf("%q cannot be uploaded: %v.", f.Name, err))
		case f.Size < 0 || f.Size > importFile:
			return nil, nil, invalid("files", fmt.Sprintf("%q is too large: a file may have 64 GB.", f.Name))
		case seen[name]:
			return nil, nil, invalid("files", fmt.Sprintf("%q is there twice. Names must differ in more than their spelling in Unicode.", f.Name))
		}
		seen[name] = true
		names, sizes = append(names, name), append(sizes, f.Size)
	}
	return names, sizes, nil
}

// uploading locks an import against its start and fails unless it still takes files.
func uploading(ctx context.Context, tx pgx.Tx, actor Actor, id int64) error {
	if _, err := tx.Exec(ctx, `SELECT FROM imports WHERE id = $1 FOR SHARE`, id); err != nil {
		return fmt.Errorf("import %d: %w", id, err)
	}
	i, err := visibleImport(ctx, tx, actor, id)
	if err != nil {
		return err
	}
	if i.State != ImportUploading {
		return invalid("", "This import takes no more files. Begin a new one.")
	}
	return nil
}

// PutImportPart stores length bytes of body as the part of a file that begins at offset, and returns
// the file as it is then. A part that begins elsewhere than where the file stands is not stored: the
// returned Received says where to go on.
func (s *Store) PutImportPart(ctx context.Context, actor Actor, id, file, offset, length int64, body io.Reader) (ImportFile, error) {
	f, err := s.importFile(ctx, actor, id, file)
	if err != nil {
		return ImportFile{}, err
	}
	if offset != f.Received || f.Complete {
		return f, nil
	}
	if length <= 0 || length > ImportPart || offset+length > f.Size {
		return ImportFile{}, invalid("", "A part has 1 byte to 8 MiB and ends within its file.")
	}
	if _, err := s.blobs.Put(ctx, importPartKey(id, file, offset), body, length, "application/octet-stream"); err != nil {
		return ImportFile{}, fmt.Errorf("part of import %d: %w", id, err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := uploading(ctx, tx, actor, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE import_files SET received = received + $3, complete = received + $3 = size WHERE id = $1 AND received = $2`,
			file, offset, length); err != nil {
			return fmt.Errorf("part of import %d: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return ImportFile{}, err
	}
	// Apart from the transaction above, so that parts that arrive together do not wait for each other.
	if _, err := s.pool.Exec(ctx, `
		UPDATE imports SET active_at = now() WHERE id = $1 AND active_at < now() - interval '1 minute'`, id); err != nil {
		return ImportFile{}, fmt.Errorf("part of import %d: %w", id, err)
	}
	return s.importFile(ctx, actor, id, file)
}

func (s *Store) importFile(ctx context.Context, actor Actor, id, file int64) (ImportFile, error) {
	if _, err := s.Import(ctx, actor, id); err != nil {
		return ImportFile{}, err
	}
	rows, err := s.pool.Query(ctx, `SELECT id, name, size, received, complete FROM import_files WHERE import_id = $1 AND id = $2`, id, file)
	if err != nil {
		return ImportFile{}, fmt.Errorf("file %d: %w", file, err)
	}
	f, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ImportFile])
	if err != nil {
		return ImportFile{}, fmt.Errorf("file %d: %w", file, notFound(err))
	}
	return f, nil
}

func importPrefix(id int64) string { return fmt.Sprintf("imports/%d/", id) }

// importPartKey names a part by where it begins.
func importPartKey(id, file, offset int64) string {
	return fmt.Sprintf("%s%d/%d", importPrefix(id), file, offset)
}

// ErrIncomplete means that the parts of an uploaded file are not what was announced.
var ErrIncomplete = errors.New("the upload is incomplete: import the file again")

// uploadReader reads the parts of a file one after the other.
type uploadReader struct {
	ctx    context.Context // Open's, since io.Reader has no place for one
	blobs  *blob.Bucket
	id     int64
	file   ImportFile
	offset int64 // where part begins
	part   *blob.Object
}

// Read implements io.Reader.
func (u *uploadReader) Read(p []byte) (int, error) {
	for {
		if u.part == nil {
			if u.offset == u.file.Size {
				return 0, io.EOF
			}
			if err := u.next(); err != nil {
				return 0, err
			}
		}
		n, err := u.part.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		u.offset += u.part.Size
		if err := u.Close(); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// next opens the part at offset.
func (u *uploadReader) next() error {
	part, err := u.blobs.Get(u.ctx, importPartKey(u.id, u.file.ID, u.offset))
	if errors.Is(err, blob.ErrNotFound) {
		return ErrIncomplete
	}
	if err != nil {
		return err
	}
	if part.Size == 0 || u.offset+part.Size > u.file.Size {
		return errors.Join(ErrIncomplete, part.Close())
	}
	u.part = part
	return nil
}

// Close implements io.Closer.
func (u *uploadReader) Close() error {
	if u.part == nil {
		return nil
	}
	err := u.part.Close()
	u.part = nil
	return err
}
