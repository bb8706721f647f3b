package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/manifest"
	"fiducial/internal/steel"
	"fiducial/store"
)

// label lets each labeler answer in their own habit: a part of the strip project, nearly all of the
// calibration. One of them is left in the middle of an item, so that its draft is there to go on with.
func (f *demoFill) label(ctx context.Context) error {
	for n, d := range demoPeople {
		if d.habit == "" {
			continue
		}
		for _, part := range []struct {
			slug    string
			answers int
		}{{demoStrip, 12}, {demoCalibration, 10}} {
			for range part.answers {
				if err := f.answer(ctx, part.slug, d, uint64(n)); err != nil {
					return err
				}
			}
		}
	}
	return f.beginOne(ctx, demoPeople[0])
}

// answer claims the labeler's next item and submits what they see in it.
func (f *demoFill) answer(ctx context.Context, slug string, d demoPerson, seed uint64) error {
	work, boxes, err := f.claim(ctx, slug, d, seed)
	if errors.Is(err, store.ErrQueueEmpty) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Store.Submit(ctx, f.actors[d.name], store.NewAnnotation{
		Task: work.Task, Assignment: work.Assignment, Boxes: boxes, ActiveMS: int64(9000 + 6500*len(boxes)),
	})
	return err
}

func (f *demoFill) claim(ctx context.Context, slug string, d demoPerson, seed uint64) (store.Work, []store.DraftBox, error) {
	claimed, err := f.Store.Claim(ctx, f.actors[d.name], slug, 0)
	if err != nil {
		return store.Work{}, nil, err
	}
	work, err := f.Store.Work(ctx, f.actors[d.name], claimed.Task)
	if err != nil {
		return store.Work{}, nil, err
	}
	strip, err := f.stripOf(ctx, work.Item)
	if err != nil {
		return store.Work{}, nil, err
	}
	return work, f.boxes(slug, steel.Answer(strip, d.habit, seed+uint64(work.Item))), nil //nolint:gosec // an id is not negative
}

func (f *demoFill) stripOf(ctx context.Context, item int64) (steel.Strip, error) {
	var name string
	err := f.Pool.QueryRow(ctx, `SELECT external_key FROM item_texts WHERE item_id = $1`, item).Scan(&name)
	return f.strips[name], err
}

func (f *demoFill) boxes(slug string, defects []steel.Defect) []store.DraftBox {
	boxes := make([]store.DraftBox, len(defects))
	for i, d := range defects {
		boxes[i] = store.DraftBox{
			ID: "new-" + strconv.Itoa(i), ClassID: f.classes[slug][d.Class],
			X: float64(d.X), Y: float64(d.Y), W: float64(d.W), H: float64(d.H),
		}
	}
	return boxes
}

func (f *demoFill) beginOne(ctx context.Context, d demoPerson) error {
	work, boxes, err := f.claim(ctx, demoStrip, d, 0)
	if err != nil {
		return err
	}
	_, err = f.Store.SaveDraft(ctx, f.actors[d.name], work.Task, work.Assignment, 0, boxes[:min(1, len(boxes))], nil)
	return err
}

// demoWaiting is how many answers of the strip project are left for a visitor to review, beside those of a batch.
const demoWaiting = 4

// waiting is one answer that waits for review.
type waiting struct {
	Item, Annotation int64
	Version, Boxes   int
	Author           string
}

// review decides most of what waits beside the batches, each answer on its merits: tight ones are approved, loose ones
// go back with the box marked, wrong ones are put right.
func (f *demoFill) review(ctx context.Context) error {
	rows, err := f.Pool.Query(ctx, `
		SELECT t.item_id AS item, a.id AS annotation, t.version, i.name AS author,
			(SELECT count(*) FROM annotation_boxes b WHERE b.annotation_id = a.id) AS boxes
		FROM tasks t JOIN projects p ON p.id = t.project_id
		JOIN annotations a ON a.task_id = t.id JOIN person_identities i ON i.person_id = a.person_id
		WHERE p.slug = $1 AND t.state = 'in_review' AND t.batch_id IS NULL ORDER BY t.id`, demoStrip)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[waiting])
	if err != nil {
		return err
	}
	rejected := 0
	for i, w := range list[:max(0, len(list)-demoWaiting)] {
		decision, err := f.judge(ctx, w, rejected < 3)
		if err != nil {
			return err
		}
		if i == 5 {
			decision = store.Adjudication{Kind: store.Discarded, Note: "Water on the strip: nobody can tell."}
		}
		if decision.Kind == store.Rejected {
			rejected++
		}
		decision.Item, decision.Version, decision.ActiveMS = w.Item, w.Version, 7000
		if _, err := f.Store.Adjudicate(ctx, f.reviewer(), decision); err != nil {
			return err
		}
	}
	return nil
}

func (f *demoFill) judge(ctx context.Context, w waiting, mayReject bool) (store.Adjudication, error) {
	strip, err := f.stripOf(ctx, w.Item)
	if err != nil {
		return store.Adjudication{}, err
	}
	first := 0
	switch {
	case w.Author != "Mara Lindqvist" && mayReject && w.Boxes > 0:
		return store.Adjudication{Kind: store.Rejected, Annotation: w.Annotation, Marks: []store.NewMark{
			{Annotation: w.Annotation, Position: &first, Fault: store.LooseBox, Note: "The right edge runs past the end of the defect. Tighten with t."},
		}}, nil
	case w.Author == "Mara Lindqvist" || len(strip.Defects) == 0:
		return store.Adjudication{Kind: store.Approved, Annotation: w.Annotation}, nil
	default:
		return store.Adjudication{Kind: store.Amended, Annotation: w.Annotation, Boxes: f.boxes(demoStrip, strip.Defects)}, nil
	}
}

// backdate spreads the work over the days before, as if it had taken people's time: a page of hours
// shows nothing of a demo that was labeled within a second. What is under way keeps its times.
func (f *demoFill) backdate(ctx context.Context) error {
	const ago = `(SELECT (max(n.id) - t.id + 1) * interval '2 hours' FROM tasks n WHERE n.project_id = t.project_id)`
	batch := &pgx.Batch{}
	batch.Queue(`
		UPDATE annotations a SET submitted_at = a.submitted_at - ` + ago + `,
			active_ms = 9000 + 6500 * (SELECT count(*) FROM annotation_boxes b WHERE b.annotation_id = a.id) + a.id * 7919 % 5000
		FROM tasks t WHERE t.id = a.task_id`)
	batch.Queue(`
		UPDATE assignments s SET active_ms = a.active_ms, finished_at = a.submitted_at,
			claimed_at = a.submitted_at - a.active_ms * interval '1 millisecond'
		FROM annotations a WHERE a.assignment_id = s.id AND s.state = 'submitted'`)
	batch.Queue(`
		UPDATE reviews r SET decided_at = r.decided_at - ` + ago + ` + interval '40 minutes' FROM tasks t WHERE t.id = r.task_id`)
	batch.Queue(`UPDATE truths h SET created_at = r.decided_at FROM reviews r WHERE r.id = h.review_id`)
	batch.Queue(`
		UPDATE tasks t SET changed_at = (SELECT max(a.submitted_at) FROM annotations a WHERE a.task_id = t.id) WHERE t.state = 'in_review'`)
	// A round that was opened before all of it: what was looked at counts from when its sample was drawn.
	batch.Queue(`UPDATE rounds SET created_at = created_at - interval '9 days'`)
	batch.Queue(`UPDATE batches SET created_at = created_at - interval '9 days', planned_at = planned_at - interval '8 days' WHERE round_id IS NOT NULL`)
	return f.Pool.SendBatch(ctx, batch).Close()
}

// freeze makes two versions of one dataset, so that there is something to compare, and exports both.
func (f *demoFill) freeze(ctx context.Context) error {
	recipe := manifest.Default()
	recipe.Projects = []string{demoStrip}
	for _, format := range []string{"coco", "voc"} {
		version, err := f.Store.Freeze(ctx, f.admin(), "hot-strip-train", recipe)
		if err != nil {
			return err
		}
		if version, err = f.untilFrozen(ctx, version); err != nil {
			return err
		}
		export, err := f.Store.AddExport(ctx, f.admin(), version, store.ExportAsk{Format: format, Media: format == "coco"})
		if err != nil {
			return err
		}
		if format == "coco" {
			if err := f.untilExported(ctx, export.ID); err != nil {
				return err
			}
			if err := f.eraseAfter(ctx, version); err != nil {
				return err
			}
		}
		recipe.Shares = manifest.Shares{Training: 700, Validation: 100, Test: 200}
	}
	return f.freezeBalanced(ctx)
}

// freezeBalanced makes a test set that wants the same of every class, more than there is of most.
func (f *demoFill) freezeBalanced(ctx context.Context) error {
	recipe := manifest.Default()
	recipe.Projects, recipe.Seed = []string{demoStrip}, 7
	recipe.Shares = manifest.Shares{Training: 400, Validation: 100, Test: 500}
	recipe.Filter = &manifest.Filter{Definition: 1}
	recipe.Strata, recipe.Sizes = []manifest.StratumKey{manifest.PerClass}, &manifest.Sizes{Test: 2}
	version, err := f.Store.Freeze(ctx, f.admin(), "hot-strip-test", recipe)
	if err != nil {
		return err
	}
	_, err = f.untilFrozen(ctx, version)
	return err
}

// untilFrozen waits until the job has frozen version, and returns it as it is then.
func (f *demoFill) untilFrozen(ctx context.Context, version store.DatasetVersion) (store.DatasetVersion, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := f.Store.DatasetVersion(ctx, f.admin(), version.Dataset, version.Number)
		switch {
		case err != nil:
			return now, err
		case now.State == store.VersionFrozen:
			return now, nil
		case now.State == store.VersionFailed:
			return now, fmt.Errorf("freezing: %s", now.Error)
		}
		select {
		case <-ctx.Done():
			return now, ctx.Err()
		case <-tick.C:
		}
	}
}
