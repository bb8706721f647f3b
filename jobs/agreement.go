package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
	"fiducial/store"
)

// scoreItem compares the answers to one item, and does what the project's rules make of it. Those that were given
// to it as a gold item are measured by its truth.
type scoreItem struct {
	river.WorkerDefaults[jobargs.ScoreItem]
	deps
}

func (w *scoreItem) Work(ctx context.Context, job *river.Job[jobargs.ScoreItem]) error {
	if err := w.store.ScoreItem(ctx, job.Args.ItemID); err != nil {
		return err
	}
	return w.store.ScoreGold(ctx, job.Args.ItemID)
}

// scoringSteps is how often one job scores some of a project's items before it leaves the rest to another, which a
// restart then does not begin from the start.
const scoringSteps = 50

// scoreProject scores every item of a project again.
type scoreProject struct {
	river.WorkerDefaults[jobargs.ScoreProject]
	deps
}

func (w *scoreProject) Work(ctx context.Context, job *river.Job[jobargs.ScoreProject]) error {
	after := job.Args.After
	for range scoringSteps {
		last, err := w.store.ScoreSome(ctx, job.Args.ProjectID, after)
		if err != nil {
			return err
		}
		if last == 0 {
			return w.store.SummarizeAgreement(ctx, store.AgreementScope{Project: job.Args.ProjectID})
		}
		after = last
	}
	return w.store.GoOnScoring(ctx, job.Args.ProjectID, after)
}

// summarizeProject sums up how far the answers of a project, a round or a batch agree.
type summarizeProject struct {
	river.WorkerDefaults[jobargs.SummarizeProject]
	deps
}

func (w *summarizeProject) Work(ctx context.Context, job *river.Job[jobargs.SummarizeProject]) error {
	return w.store.SummarizeAgreement(ctx, store.AgreementScope{Project: job.Args.ProjectID, Round: job.Args.RoundID, Batch: job.Args.BatchID})
}
