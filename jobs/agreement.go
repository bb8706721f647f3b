package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// scoreItem compares the answers to one item, and does what the project's rules make of it.
type scoreItem struct {
	river.WorkerDefaults[jobargs.ScoreItem]
	deps
}

func (w *scoreItem) Work(ctx context.Context, job *river.Job[jobargs.ScoreItem]) error {
	return w.store.ScoreItem(ctx, job.Args.ItemID)
}

// scoringTime is how long one job scores a project's items before it leaves the rest to another, which a
// restart then does not begin from the start.
const scoringTime = time.Minute

// scoreProject scores every item of a project again.
type scoreProject struct {
	river.WorkerDefaults[jobargs.ScoreProject]
	deps
}

func (w *scoreProject) Work(ctx context.Context, job *river.Job[jobargs.ScoreProject]) error {
	end := time.Now().Add(scoringTime)
	for after := job.Args.After; ; {
		last, err := w.store.ScoreSome(ctx, job.Args.ProjectID, after)
		if err != nil {
			return err
		}
		if last == 0 {
			return nil
		}
		if time.Now().After(end) {
			return w.store.GoOnScoring(ctx, job.Args.ProjectID, last)
		}
		after = last
	}
}

