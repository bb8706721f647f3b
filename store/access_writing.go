package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/jobargs"
	"fiducial/store/blob"
)

// BeginAccess returns a request whose archive its job now writes. ok is false if there is nothing to do any more; what an earlier
// run may have stored is gone then.
func (s *Store) BeginAccess(ctx context.Context, id int64) (request AccessRequest, ok bool, err error) {
	tag, err := s.pool.Exec(ctx, `UPDATE access_requests SET state = 'running', records = 0 WHERE id = $1 AND state IN ('queued', 'running')`, id)
	if err != nil {
		return AccessRequest{}, false, fmt.Errorf("begin access %d: %w", id, err)
	}
	request, err = s.AccessRequest(ctx, System(), id)
	if err != nil || tag.RowsAffected() == 1 {
		return request, err == nil, err
	}
	if request.State == AccessDeleted {
		return request, false, s.deleteAccess(ctx, request)
	}
	return request, false, nil
}

// NoteAccess says how many records of an archive are written.
func (s *Store) NoteAccess(ctx context.Context, id, records int64) error {
	if _, err := s.pool.Exec(ctx, `UPDATE access_requests SET records = $2 WHERE id = $1 AND state = 'running'`, id, records); err != nil {
		return fmt.Errorf("progress of access %d: %w", id, err)
	}
	return nil
}

// FinishAccess records that the archive lies in object storage. It returns ErrConflict when something in it was erased meanwhile, or
// the person left: then it must be written again, or not at all.
func (s *Store) FinishAccess(ctx context.Context, id int64, a Archive, records int64) error {
	tag, err := s.pool.Exec(ctx, `
		UPDATE access_requests SET state = 'done', bytes = $2, sha256 = $3, records = $4, finished_at = now() WHERE id = $1 AND state = 'running'`,
		id, a.Bytes, a.SHA256, records)
	if err != nil {
		return fmt.Errorf("finish access %d: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("finish access %d: %w", id, ErrConflict)
	}
	return nil
}

// FailAccess gives up on a request; reason is a sentence for people.
func (s *Store) FailAccess(ctx context.Context, id int64, reason string) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE access_requests SET state = 'failed', error = $2, finished_at = now() WHERE id = $1 AND state IN ('queued', 'running')`, id, reason)
	if err != nil {
		return fmt.Errorf("fail access %d: %w", id, err)
	}
	return nil
}

// dropAccess withdraws the archives of what is held on sources of which something is erased, or on a person who leaves. What is being
// written on a source is written again without it.
func (s *Store) dropAccess(ctx context.Context, tx pgx.Tx, sources []int64, person int64) error {
	tag, err := tx.Exec(ctx, `
		UPDATE access_requests SET state = CASE WHEN state = 'running' AND source_id IS NOT NULL THEN 'queued' ELSE 'deleted' END
		WHERE source_id = ANY($1) AND state IN ('running', 'done') OR person_id = $2 AND state IN ('queued', 'running', 'done', 'failed')`,
		sources, orNull(person))
	if err != nil {
		return fmt.Errorf("drop access archives: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.SweepAccess{}, nil); err != nil {
		return fmt.Errorf("enqueue deletion of access archives: %w", err)
	}
	return nil
}

// SweepAccess deletes the archives whose week has passed, and those that were withdrawn. Doing it again changes nothing.
func (s *Store) SweepAccess(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `UPDATE access_requests SET state = 'deleted' WHERE state = 'done' AND finished_at < now() - $1::interval`, accessKept)
	if err != nil {
		return fmt.Errorf("sweep access archives: %w", err)
	}
	gone, err := accessWhere(ctx, s.pool, System(), `a.state = 'deleted' AND a.deleted_at IS NULL`, pgx.NamedArgs{})
	if err != nil {
		return err
	}
	for _, request := range gone {
		err = errors.Join(err, s.deleteAccess(ctx, request))
	}
	return err
}

func (s *Store) deleteAccess(ctx context.Context, request AccessRequest) error {
	if err := s.blobs.Delete(ctx, request.Blob()); err != nil && !errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("access archive %d: %w", request.ID, err)
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE access_requests SET deleted_at = now() WHERE id = $1 AND state = 'deleted' AND deleted_at IS NULL`, request.ID)
		if err != nil {
			return fmt.Errorf("access archive %d: %w", request.ID, err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		return audit(ctx, tx, System(), auditEvent{Action: "access.delete", ObjectType: "access_request", ObjectID: request.ID})
	})
}
