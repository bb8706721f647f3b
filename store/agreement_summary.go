package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// summaryPeriod is how long changes are gathered before a project with so many compared items is summed up: long
// beside the time that this takes.
func summaryPeriod(items int) time.Duration {
	switch {
	case items < 2_000:
		return 4 * time.Second
	case items < 50_000:
		return time.Minute
	}
	return 10 * time.Minute
}

// summaryMargin is how long after the end of a period its changes are summed up, so that all are there by then.
const summaryMargin = time.Second

// askForSummary has the project summed up soon. Whatever asks within the same period asks once: a job that waits, or
// ran, for an earlier period does not stand in for it.
func (s *Store) askForSummary(ctx context.Context, tx pgx.Tx, project int64) error {
	var items int
	err := tx.QueryRow(ctx, `SELECT items FROM project_agreements WHERE project_id = $1 AND round_id IS NULL AND batch_id IS NULL`, project).Scan(&items)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("ask for the summary of project %d: %w", project, err)
	}
	period := summaryPeriod(items)
	_, err = s.queue.InsertTx(ctx, tx, jobargs.SummarizeProject{ProjectID: project}, &river.InsertOpts{
		ScheduledAt: time.Now().Truncate(period).Add(period + summaryMargin),
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByPeriod: period},
	})
	if err != nil {
		return fmt.Errorf("ask for the summary of project %d: %w", project, err)
	}
	return nil
}
