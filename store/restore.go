package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// ResumeWork puts back into the queue what the rows say is unfinished: a backup holds no jobs.
// Imports need none of this, a periodic job takes them up.
func (s *Store) ResumeWork(ctx context.Context) (jobs int, err error) {
	unfinished := []struct {
		query string
		args  func(id int64) river.JobArgs
	}{
		{`SELECT id FROM items WHERE state = 'processing'`, func(id int64) river.JobArgs { return jobargs.RenderItem{ItemID: id} }},
		{`SELECT id FROM dataset_versions WHERE state = 'freezing'`, func(id int64) river.JobArgs { return jobargs.FreezeVersion{VersionID: id} }},
		{`SELECT id FROM dataset_verifications WHERE state = 'queued'`, func(id int64) river.JobArgs { return jobargs.VerifyVersion{VerificationID: id} }},
		{`SELECT id FROM projects WHERE archived_at IS NULL`, func(id int64) river.JobArgs { return jobargs.ScoreProject{ProjectID: id} }},
		{`SELECT id FROM batches WHERE settling IS NOT NULL`, func(id int64) river.JobArgs { return jobargs.SettleBatch{BatchID: id} }},
		{`SELECT id FROM rounds WHERE state = 'drawing'`, func(id int64) river.JobArgs { return jobargs.DrawRound{RoundID: id} }},
		{`SELECT id FROM projects`, func(id int64) river.JobArgs { return jobargs.DropMetadata{ProjectID: id} }},
		{`SELECT id FROM erasures WHERE state = 'collecting'`, func(id int64) river.JobArgs { return jobargs.CollectErasure{ErasureID: id} }},
		{`SELECT id FROM erasures WHERE state IN ('queued', 'erasing')`, func(id int64) river.JobArgs { return jobargs.Erase{ErasureID: id} }},
		{`UPDATE access_requests SET state = 'queued' WHERE state IN ('queued', 'running', 'done') RETURNING id`, func(id int64) river.JobArgs { return jobargs.WriteAccess{RequestID: id} }},
		{`SELECT id FROM exports WHERE state IN ('queued', 'running')`, func(id int64) river.JobArgs { return jobargs.WriteExport{ExportID: id} }},
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		for _, u := range unfinished {
			rows, err := tx.Query(ctx, u.query)
			if err != nil {
				return err
			}
			insert, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (river.InsertManyParams, error) {
				id, err := pgx.RowTo[int64](row)
				return river.InsertManyParams{Args: u.args(id)}, err
			})
			if err != nil {
				return err
			}
			if len(insert) == 0 {
				continue // River refuses to insert nothing
			}
			if _, err := s.queue.InsertManyFastTx(ctx, tx, insert); err != nil {
				return err
			}
			jobs += len(insert)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("resume work: %w", err)
	}
	return jobs, nil
}

// VerifyVersions verifies every frozen version, without its media, and calls each with what was found.
func (s *Store) VerifyVersions(ctx context.Context, each func(DatasetVersion, Verification) error) error {
	rows, err := s.pool.Query(ctx, `SELECT id FROM dataset_versions WHERE state = 'frozen' ORDER BY id`)
	if err != nil {
		return fmt.Errorf("verify versions: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("verify versions: %w", err)
	}
	for _, id := range ids {
		version, err := s.versionByID(ctx, System(), id)
		if err != nil {
			return err
		}
		asked, err := s.Verify(ctx, System(), version, false)
		if err != nil {
			return err
		}
		if err := s.RunVerification(ctx, asked.ID); err != nil { // the job then finds it done
			return err
		}
		found, _, err := s.Verification(ctx, System(), asked.ID)
		if err != nil {
			return err
		}
		if err := each(version, found); err != nil {
			return err
		}
	}
	return nil
}
