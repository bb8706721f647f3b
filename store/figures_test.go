package store

import (
	"errors"
	"testing"
	"time"

	"fiducial/store/storetest"
)

// figures returns what reviewers see of a labeler, of all classes.
func (f *floor) figures(tb testing.TB, reviewer, who Actor) (of LabelerFigures) {
	tb.Helper()
	for {
		n, err := f.RefreshFigures(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	all, err := f.Figures(tb.Context(), reviewer, f.project.ID)
	if err != nil {
		tb.Fatal(err)
	}
	for _, l := range all {
		if l.Person == who.PersonID && l.ClassID == 0 {
			of = l
		}
	}
	return of
}

// Whatever happens to a labeler's answers is in their figures after the next look, and gold items are not answers.
func TestFiguresFollowWhatHappens(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 40, 2)
	reviewer, who := f.reviewerOf(t), f.labelers[0]
	first := f.mustClaim(t, who)
	f.mustSubmit(t, who, first)
	other := f.mustClaim(t, f.labelers[1])
	wrong := f.answer(other)
	wrong.Boxes = append(wrong.Boxes, DraftBox{ID: "b", ClassID: f.class, X: 60, Y: 40, W: 20, H: 20})
	if _, err := f.Submit(t.Context(), f.labelers[1], wrong); err != nil {
		t.Fatal(err)
	}
	got := f.figures(t, reviewer, who)
	if got.Answers != 1 || got.PeerObjects != 2 || got.PeerAgreed != 1 || got.TruthObjects != 0 || got.GoldItems != 0 {
		t.Errorf("after two answers: %+v", got.Figures)
	}
	seen, err := f.ReviewItem(t.Context(), reviewer, f.items[0])
	if err != nil {
		t.Fatal(err)
	}
	decision, err := f.Adjudicate(t.Context(), reviewer, Adjudication{Item: f.items[0], Version: seen.Version, Kind: Approved, Annotation: seen.Answers[0].ID})
	if err != nil {
		t.Fatal(err)
	}
	if got = f.figures(t, reviewer, who); got.Approved != 1 || got.TruthObjects != 1 || got.TruthAgreed != 1 {
		t.Errorf("after approval: %+v", got.Figures)
	}
	if got = f.figures(t, reviewer, f.labelers[1]); got.Approved != 0 || got.TruthObjects != 2 || got.TruthAgreed != 1 {
		t.Errorf("the other, after approval: %+v", got.Figures)
	}
	if _, err := f.Undo(t.Context(), reviewer, decision); err != nil {
		t.Fatal(err)
	}
	position := 0
	_, err = f.Adjudicate(t.Context(), reviewer, Adjudication{
		Item: f.items[0], Version: seen.Version + 2, Kind: Rejected, Marks: []NewMark{{Annotation: seen.Answers[0].ID, Position: &position, Fault: LooseBox}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got = f.figures(t, reviewer, who); got.Approved != 0 || got.Rejected != 1 || got.Reasons["loose_box"] != 1 || got.TruthObjects != 0 {
		t.Errorf("after rejection: %+v", got.Figures)
	}
	back, err := f.MyRejections(t.Context(), who, 0, 10)
	if err != nil || len(back) != 1 || !back[0].Open || back[0].Fault != LooseBox || *back[0].W != 30 || back[0].ClassName != "scratch" {
		t.Errorf("what came back: %+v, %v", back, err)
	}
	if back, err = f.MyRejections(t.Context(), f.labelers[1], 0, 10); err != nil || len(back) != 0 {
		t.Errorf("another's rejections: %+v, %v", back, err)
	}
	if _, err := f.FaultCrop(t.Context(), f.labelers[1], 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("another's picture: %v", err)
	}
	f.mustSubmit(t, who, f.mustClaim(t, who)) // the rework
	f.mustSubmit(t, who, f.mustClaim(t, who)) // an ordinary one, after which gold may come
	before := f.figures(t, reviewer, who)
	f.addGold(t, 10)
	f.answerGold(t, who, true)
	after := f.figures(t, reviewer, who)
	if after.GoldItems != 1 || after.GoldScore == nil || *after.GoldScore != 1 || after.GoldAgreed != 1 || after.Answers < before.Answers {
		t.Errorf("after a gold item: %+v, before %+v", after.Figures, before.Figures)
	}
}

// A labeler's own figures end with the day before, and show gold items from ten on, all together.
func TestOwnFiguresTellNoItemApart(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 200, 1)
	f.addGold(t, 40)
	reviewer, who := f.reviewerOf(t), f.labelers[0]
	for range GoldShown - 1 {
		f.answerGold(t, who, true)
	}
	own := func() LabelerFigures {
		t.Helper()
		f.exec(t, `INSERT INTO stale_figures (project_id, person_id) VALUES ($1, $2)`, f.project.ID, who.PersonID)
		f.figures(t, reviewer, who)
		list, err := f.MyFigures(t.Context(), who)
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	if got := own(); got.Answers != 0 || got.GoldItems != 0 || got.MedianMS != nil {
		t.Errorf("of today: %+v", got.Figures)
	}
	yesterday := func() {
		f.exec(t, `UPDATE annotations SET submitted_at = submitted_at - interval '1 day'`)
		f.exec(t, `UPDATE gold_results SET answered_at = answered_at - interval '1 day'`)
	}
	yesterday()
	if got := own(); got.Answers == 0 || got.GoldItems != 0 || got.GoldScore != nil {
		t.Errorf("of %d gold items: %+v", GoldShown-1, got.Figures)
	}
	f.answerGold(t, who, false)
	if got := own(); got.GoldItems != 0 {
		t.Errorf("with one of today: %+v", got.Figures)
	}
	yesterday()
	got := own()
	if got.GoldItems != GoldShown || got.GoldScore == nil || *got.GoldScore != 0.9 || got.GoldObjects != 0 {
		t.Errorf("of %d gold items: %+v", GoldShown, got.Figures)
	}
	if time.Since(got.ComputedAt) > time.Hour {
		t.Error("worked out at", got.ComputedAt)
	}
}
