package store

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/access"
)

func TestRejectedAnswerComesBackToItsLabelerFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, 1, 1)
	b.labeled(t)
	b.addItems(t, 3, 9) // more urgent than the rework
	a := b.adjudication(t, b.items[0], Rejected)
	a.Marks = append(a.Marks, NewMark{Annotation: a.Marks[0].Annotation, X: new(80.0), Y: new(70.0), Fault: MissedDefect, Note: "A line here."})
	rejected, err := b.Adjudicate(t.Context(), b.reviewer, a)
	if err != nil {
		t.Fatal(err)
	}
	labeler := b.labelers[0]
	for range 3 {
		if c := b.mustClaim(t, b.labelers[1]); c.Task == b.tasks[0] {
			t.Fatal("somebody else was given the rework")
		} else {
			b.mustSubmit(t, b.labelers[1], c)
		}
	}
	if _, err := b.Claim(t.Context(), b.labelers[1], b.project.Slug, 0); !errors.Is(err, ErrQueueEmpty) {
		t.Errorf("a place that is held is claimed: %v", err)
	}
	c := b.mustClaim(t, labeler)
	work, err := b.Work(t.Context(), labeler, c.Task)
	if err != nil {
		t.Fatal(err)
	}
	if c.Task != b.tasks[0] || work.Reason != "rework" || len(work.Boxes) != 2 || len(work.Marks) != 2 || *work.Marks[0].Box != work.Boxes[0].ID {
		t.Errorf("claimed %+v with %+v", c, work)
	}
	if err := b.Dispute(t.Context(), labeler, c.Task, c.Assignment, work.Marks[0].Box, "It is tight."); err != nil {
		t.Fatal(err)
	}
	b.mustHold(t)
	mended := b.answer(c)
	mended.Version = work.DraftVersion
	if _, err := b.Submit(t.Context(), labeler, mended); err != nil {
		t.Fatal(err)
	}
	r := b.look(t, b.items[0])
	if r.State != "in_review" || len(r.Answers) != 1 || r.Answers[0].Reason != "rework" || r.Answers[0].Labeler != "" {
		t.Errorf("after the rework: %+v", r)
	}
	if marks := r.Decisions[0].Marks; len(marks) != 2 || marks[0].Dispute != "It is tight." || *marks[0].W != 30 || *marks[1].X != 80 {
		t.Errorf("marks %+v", marks)
	}
	queues, err := b.ReviewQueues(t.Context(), b.reviewer)
	if err != nil || queues[0].Waiting != 4 || queues[0].Reworked != 1 || queues[0].Disputed != 1 || queues[0].Undecided != 0 || queues[0].Oldest == nil {
		t.Errorf("queues %+v, %v", queues, err)
	}
	// What was handed in stays, whatever becomes of the rejection.
	b.mustUndo(t, rejected)
	if after := b.look(t, b.items[0]); after.State != "in_review" || len(after.Answers) != 1 || after.Answers[0].ID != r.Answers[0].ID {
		t.Errorf("after undo: %+v", after)
	}
	b.mustHold(t)
}

func TestUndoneRejectionTakesTheReworkAway(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 1, 1)
	answer := b.labeled(t)
	rejected := b.mustDecide(t, b.items[0], Rejected)
	c := b.mustClaim(t, b.labelers[0])
	b.mustUndo(t, rejected)
	if _, err := b.Submit(t.Context(), b.labelers[0], b.answer(c)); !errors.Is(err, ErrGone) {
		t.Errorf("submitted: %v", err)
	}
	if r := b.look(t, b.items[0]); len(r.Answers) != 1 || r.Answers[0].ID != answer {
		t.Errorf("answers %+v", r.Answers)
	}
	b.mustHold(t)
	notices, err := b.Notices(t.Context(), b.labelers[0], 0, 10)
	if err != nil || len(notices) != 2 || notices[0].Kind != RejectionUndone || notices[1].Kind != AnswerRejected || notices[1].ObjectID != b.tasks[0] {
		t.Errorf("notices %+v, %v", notices, err)
	}
	if err := b.ReadNotices(t.Context(), b.labelers[0], notices[1].ID); err != nil {
		t.Fatal(err)
	}
	if n, err := b.UnreadNotices(t.Context(), b.labelers[0]); err != nil || n != 1 {
		t.Errorf("%d unread, %v", n, err)
	}
}

func TestReworkOfWhoLeftGoesToOthers(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 2, 1, 1)
			answer := b.labeled(t)
			leave := func() {
				if err := b.Leave(t.Context(), System(), b.labelers[0].PersonID); err != nil {
					t.Fatal(err)
				}
			}
			if when == "before" {
				leave()
			}
			rejected := b.mustDecide(t, b.items[0], Rejected)
			if when == "after" {
				leave()
			}
			b.mustHold(t)
			c := b.mustClaim(t, b.labelers[1])
			if c.Task != b.tasks[0] {
				t.Fatalf("claimed %+v", c)
			}
			// Its place being taken, the answer counts beside the wanted one.
			b.mustUndo(t, rejected)
			b.mustHold(t)
			r := b.look(t, b.items[0])
			if len(r.Answers) != 1 || r.Answers[0].ID != answer || !r.Answers[0].Surplus {
				t.Errorf("answers %+v", r.Answers)
			}
			if b.mustSubmit(t, b.labelers[1], c).Surplus {
				t.Error("the answer to a lease is a surplus vote")
			}
			b.mustHold(t)
		})
	}
}

func TestSurplusAnswerIsSetAside(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, 1, 1)
	late := b.mustClaim(t, b.labelers[0])
	b.runOut(t, late.Assignment)
	b.mustSubmit(t, b.labelers[1], b.mustClaim(t, b.labelers[1]))
	if !b.mustSubmit(t, b.labelers[0], late).Surplus {
		t.Fatal("a late answer is wanted")
	}
	r := b.look(t, b.items[0])
	decision, err := b.Adjudicate(t.Context(), b.reviewer, Adjudication{
		Item: r.Item, Version: r.Version, Kind: Rejected, Marks: []NewMark{{Annotation: r.Answers[1].ID, Fault: WrongClass}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.mustHold(t)
	if r := b.look(t, b.items[0]); r.State != "in_review" || len(r.Answers) != 1 {
		t.Errorf("%+v", r)
	}
	b.mustUndo(t, decision)
	b.mustHold(t)
	if r := b.look(t, b.items[0]); len(r.Answers) != 2 || !r.Answers[1].Surplus {
		t.Errorf("%+v", r)
	}
}

func TestUndecidedItemIsDrawnByTheReviewer(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 1, 1)
	c := b.mustClaim(t, b.labelers[0])
	if _, err := b.Skip(t.Context(), b.labelers[0], c.Task, c.Assignment, CannotDecide, "Glare."); err != nil {
		t.Fatal(err)
	}
	r := b.look(t, b.items[0])
	if len(r.Skips) != 1 || r.Skips[0].Note != "Glare." || r.State != "in_review" {
		t.Errorf("%+v", r)
	}
	decision := b.mustDecide(t, b.items[0], Amended)
	if got := b.truth(t, b.items[0]); !slices.Equal(got, []Box{b.first(), b.drawn()}) {
		t.Errorf("truth %+v", got)
	}
	b.mustUndo(t, decision)
	if r := b.look(t, b.items[0]); r.State != "in_review" || r.Truth != nil {
		t.Errorf("after undo %+v", r)
	}
	// No box at all is an answer too.
	r = b.look(t, b.items[0])
	if _, err := b.Adjudicate(t.Context(), b.reviewer, Adjudication{Item: r.Item, Version: r.Version, Kind: Amended}); err != nil {
		t.Fatal(err)
	}
	if r := b.look(t, b.items[0]); r.Truth == nil || len(r.Truth.Boxes) != 0 || r.Decisions[0].Kind != Amended {
		t.Errorf("%+v", r)
	}
}

// importedTruth gives an item that was never in the queue a truth of one box.
func (b *bench) importedTruth(t *testing.T) (item int64) {
	t.Helper()
	b.scan(t, &item, `INSERT INTO items (project_id, source_id, key_hash, width, height) SELECT $1, id, 'k', 100, 80 FROM sources RETURNING id`, b.project.ID)
	b.exec(t, `
		WITH i AS (INSERT INTO imports (project_id, format, purpose, source_id) SELECT $1, 'voc', 'truth', id FROM sources RETURNING id),
		t AS (INSERT INTO truths (item_id, import_id) SELECT $2, id FROM i RETURNING id)
		INSERT INTO truth_boxes (truth_id, position, class_id, x, y, w, h) SELECT id, 0, $3, 1, 2, 30, 40 FROM t`, b.project.ID, item, b.class)
	return item
}

func TestImportedTruthIsOpenedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 0, 1)
	item := b.importedTruth(t)
	r := b.look(t, item)
	if r.Version != 0 || r.State != "" || r.Truth == nil || len(r.Truth.Boxes) != 1 {
		t.Fatalf("%+v", r)
	}
	a := b.adjudication(t, item, Amended)
	amended, err := b.Adjudicate(t.Context(), b.reviewer, a)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.truth(t, item); !slices.Equal(got, []Box{b.first(), b.drawn()}) {
		t.Errorf("truth %+v", got)
	}
	if _, err := b.Adjudicate(t.Context(), b.reviewer, a); !errors.Is(err, ErrConflict) {
		t.Errorf("decided twice: %v", err)
	}
	b.mustDecide(t, item, Approved)
	b.mustUndo(t, b.mustDecide(t, item, Discarded))
	b.mustUndo(t, b.look(t, item).Decisions[2].ID)
	b.mustUndo(t, amended)
	if got := b.look(t, item); got.State != "adjudicated" || got.Truth == nil || got.Truth.ID != r.Truth.ID {
		t.Errorf("after all undone: %+v", got)
	}
	b.mustHold(t)
}

func TestNextReview(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 3, 1)
	other := b.engage(t, access.Reviewer)
	next := func(who Actor, after int64) int64 {
		t.Helper()
		item, err := b.NextReview(t.Context(), who, b.project.Slug, after)
		if err != nil && !errors.Is(err, ErrQueueEmpty) {
			t.Fatal(err)
		}
		return item
	}
	if next(b.reviewer, 0) != 0 {
		t.Error("something waits that nobody answered")
	}
	for range 3 {
		b.mustSubmit(t, b.labelers[0], b.mustClaim(t, b.labelers[0]))
	}
	b.exec(t, `UPDATE tasks SET priority = 1 WHERE id = $1`, b.tasks[2])
	first, second, third := b.items[2], b.items[0], b.items[1]
	if got := next(b.reviewer, 0); got != first {
		t.Errorf("first %d, want %d", got, first)
	}
	if got := next(other, 0); got != second {
		t.Errorf("another reviewer: %d, want %d", got, second)
	}
	if got := next(b.reviewer, 0); got != first {
		t.Errorf("asked again: %d, want the same %d", got, first)
	}
	if got := next(b.reviewer, first); got != third {
		t.Errorf("after the first: %d, want %d", got, third)
	}
	if got := next(other, second); got != first {
		t.Errorf("nothing else is left: %d, want %d all the same", got, first)
	}
	b.exec(t, `UPDATE review_looks SET at = now() - interval '10 minutes'`)
	if got := next(other, 0); got != first {
		t.Errorf("after a while: %d, want %d", got, first)
	}
	waiting, err := b.WaitingForReview(t.Context(), b.reviewer, "", 2)
	if err != nil || len(waiting) != 2 || waiting[0].Item != first || waiting[1].Item != second || waiting[0].Boxes != 1 || !slices.Equal(waiting[0].Classes, []string{"scratch"}) {
		t.Errorf("waiting %+v, %v", waiting, err)
	}
	decision := b.mustDecide(t, first, Approved)
	b.mustUndo(t, b.mustDecide(t, second, Discarded))
	day, err := b.MyReviewDay(t.Context(), b.reviewer)
	if err != nil || day.Counts[Approved] != 1 || day.Counts[Undone] != 1 || len(day.Decisions) != 2 || day.Decisions[1].ID != decision ||
		!day.Decisions[1].Standing || !day.Decisions[0].Undone || day.Decisions[0].Standing {
		t.Errorf("day %+v, %v", day, err)
	}
}

// Whatever labelers, reviewers and admins do in whatever order, places and votes add up.
func TestQueueAndReviewTogether(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3, 2, 1)
	rapid.Check(t, func(r *rapid.T) {
		b.startOver(t, rapid.IntRange(1, 3).Draw(r, "overlap"))
		open := map[int64][]Claimed{}
		actions := b.actions(t, open)
		actions[""] = func(r *rapid.T) {
			if err := b.breaches(t.Context()); err != nil {
				r.Fatal(err)
			}
		}
		r.Repeat(actions)
	})
}

// startOver empties the project and fills it with two items.
func (b *bench) startOver(t *testing.T, overlap int) {
	t.Helper()
	b.exec(t, `TRUNCATE tasks, assignments, drafts, annotations, reviews, review_marks, truths, notices, queue_cursors, items CASCADE`)
	b.exec(t, `UPDATE projects SET overlap = $1`, overlap)
	b.items, b.tasks = nil, nil
	b.addItems(t, 2, 0)
}

// tolerable are the refusals that a person may meet at any time.
func tolerable(err error) bool {
	_, refused := errors.AsType[*InvalidError](err)
	return err == nil || refused || errors.Is(err, ErrQueueEmpty) || errors.Is(err, ErrGone) || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound)
}

func (b *bench) actions(t *testing.T, open map[int64][]Claimed) map[string]func(*rapid.T) {
	t.Helper()
	must := func(r *rapid.T, err error) {
		if !tolerable(err) {
			r.Fatal(err)
		}
	}
	labeler := func(r *rapid.T) Actor { return rapid.SampledFrom(b.labelers).Draw(r, "labeler") }
	mine := func(r *rapid.T) (Actor, Claimed) {
		who := labeler(r)
		if len(open[who.PersonID]) == 0 {
			r.Skip("nothing was claimed")
		}
		return who, rapid.SampledFrom(open[who.PersonID]).Draw(r, "claimed")
	}
	return map[string]func(*rapid.T){
		"claim": func(r *rapid.T) {
			who := labeler(r)
			c, err := b.Claim(t.Context(), who, b.project.Slug, 0)
			must(r, err)
			if err == nil && !slices.Contains(open[who.PersonID], c) {
				open[who.PersonID] = append(open[who.PersonID], c)
			}
		},
		"submit": func(r *rapid.T) {
			who, c := mine(r)
			a := b.answer(c)
			b.scan(t, &a.Version, `SELECT coalesce(max(version), 0) FROM drafts WHERE assignment_id = $1`, c.Assignment)
			_, err := b.Submit(t.Context(), who, a)
			must(r, err)
		},
		"skip": func(r *rapid.T) {
			who, c := mine(r)
			_, err := b.Skip(t.Context(), who, c.Task, c.Assignment, rapid.SampledFrom([]SkipReason{CannotDecide, NotMine}).Draw(r, "why"), "")
			must(r, err)
		},
		"recall": func(r *rapid.T) {
			who, c := mine(r)
			must(r, b.Recall(t.Context(), who, c.Task))
		},
		"run out": func(r *rapid.T) {
			_, c := mine(r)
			b.runOut(t, c.Assignment)
			_, err := b.ReleaseLeases(t.Context())
			must(r, err)
		},
		"overlap": func(r *rapid.T) {
			must(r, b.SetOverlap(t.Context(), System(), b.project.ID, rapid.IntRange(1, 3).Draw(r, "overlap")))
		},
		"decide": func(r *rapid.T) { must(r, b.decideAnything(t, r)) },
		"undo": func(r *rapid.T) {
			decisions := b.look(t, rapid.SampledFrom(b.items).Draw(r, "item")).Decisions
			if len(decisions) == 0 {
				r.Skip("nothing was decided")
			}
			_, err := b.Undo(t.Context(), b.reviewer, rapid.SampledFrom(decisions).Draw(r, "decision").ID)
			must(r, err)
		},
	}
}

func (b *bench) decideAnything(t *testing.T, r *rapid.T) error {
	t.Helper()
	item := rapid.SampledFrom(b.items).Draw(r, "item")
	kind := rapid.SampledFrom([]DecisionKind{Approved, Amended, Rejected, Discarded}).Draw(r, "decision")
	a := b.adjudication(t, item, kind)
	answers := b.look(t, item).Answers
	if kind == Rejected {
		a.Marks = nil
		for _, answer := range answers {
			if rapid.Bool().Draw(r, "marked") {
				a.Marks = append(a.Marks, NewMark{Annotation: answer.ID, Fault: WrongClass})
			}
		}
	}
	_, err := b.Adjudicate(t.Context(), b.reviewer, a)
	if err == nil && (kind == Approved || kind == Amended) && b.truth(t, item) == nil {
		r.Fatal("decided, and without a truth")
	}
	return err
}

// What the database must never hold, beside what the queue says.
func init() {
	broken["adjudicated without a truth"] = `SELECT t.id FROM tasks t
		WHERE state = 'adjudicated' AND NOT EXISTS (SELECT FROM truths WHERE item_id = t.item_id AND current)`
	broken["a truth of what is undecided"] = `SELECT t.id FROM tasks t
		WHERE state <> 'adjudicated' AND EXISTS (SELECT FROM truths WHERE item_id = t.item_id AND current)
		  AND (state = 'discarded' OR NOT EXISTS (SELECT FROM relabel_items r WHERE r.item_id = t.item_id AND r.state IN ('sent', 'review')))`
	broken["two answers of one person"] = `SELECT min(id) FROM annotations WHERE superseded_at IS NULL AND recalled_at IS NULL
		GROUP BY task_id, person_id HAVING count(*) > 1`
}
