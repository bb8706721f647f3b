package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// expire has what is due erased, and announces what is soon to hurt a test split.
type expire struct {
	river.WorkerDefaults[jobargs.Expire]
	deps
}

func (w *expire) Work(ctx context.Context, _ *river.Job[jobargs.Expire]) error {
	done, err := w.store.ExpireDue(ctx)
	if len(done.Erasures) > 0 {
		w.log.InfoContext(ctx, "items expire", slog.Int("items", done.Items), slog.Any("erasures", done.Erasures))
	}
	return errors.Join(err, w.store.AnnounceLosses(ctx))
}

// daily is a schedule: every day at that hour, in UTC.
type daily int

// Next implements river.PeriodicSchedule.
func (d daily) Next(now time.Time) time.Time {
	now = now.UTC()
	next := time.Date(now.Year(), now.Month(), now.Day(), int(d), 0, 0, 0, time.UTC)
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	return next
}

// atHour is a job that runs every day at that hour (UTC), and once at the start, for a day on which nobody was there at that hour.
func atHour(hour int, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(daily(hour), func() (river.JobArgs, *river.InsertOpts) { return args, nil }, &river.PeriodicJobOpts{RunOnStart: true})
}
