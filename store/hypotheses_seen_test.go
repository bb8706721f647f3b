package store

import (
	"errors"
	"slices"
	"testing"

	"fiducial/store/storetest"
)

// view is a row of hypothesis_views.
type view struct {
	How          string
	Version      int64
	Answered     bool
	Edits, Words int
}

func (f *floor) views(tb testing.TB) (views []view) {
	tb.Helper()
	rows, err := f.pool.Query(tb.Context(), `
		SELECT how, coalesce(model_version_id, 0), annotation_id IS NOT NULL, coalesce(edits, -1), coalesce(words, -1) FROM hypothesis_views
		ORDER BY annotation_id NULLS LAST, model_version_id`)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v view
		if err := rows.Scan(&v.How, &v.Version, &v.Answered, &v.Edits, &v.Words); err != nil {
			tb.Fatal(err)
		}
		views = append(views, v)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return views
}

func TestBlindLabelersSeeNothing(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	f.hear(t, f.items[0], f.modelVersion(t, "5.2"), "hello my name")
	f.hear(t, f.items[0], 0, "hello")
	f.exec(t, `INSERT INTO prediction_boxes (prediction_id, position, class_id, x, y, w, h) SELECT max(id), 0, $1, 0, 0, 1, 1 FROM predictions`, f.class)
	c := f.mustClaim(t, anna)
	work, err := f.Work(t.Context(), anna, c.Task)
	if err != nil || work.Mode != Blind || len(work.Heard) != 0 || work.Picked != nil || work.Transcript.Text() != "" || len(work.Boxes) != 0 {
		t.Fatalf("%+v, %v", work, err)
	}
	if _, err := f.Reveal(t.Context(), anna, c.Task, c.Assignment); !errors.Is(err, ErrNotFound) {
		t.Errorf("revealed: %v", err)
	}
	f.mustWrite(t, anna, c, "hello my name")
	if v := f.views(t); len(v) != 0 {
		t.Errorf("%+v", v)
	}
}

func TestEditsOfAHypothesisAreCounted(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	f.exec(t, `UPDATE projects SET prefill_mode = 'edit'`)
	older, newer := f.modelVersion(t, "5.1"), f.modelVersion(t, "5.2")
	f.hear(t, f.items[0], older, "hello nine is anna")
	f.hear(t, f.items[0], newer, "Hello my name is anna", HeardWord{Word: "Hello", Start: 0.1, End: 0.4, Confidence: new(0.9)})
	c := f.mustClaim(t, anna)
	for range 2 {
		work, err := f.Work(t.Context(), anna, c.Task)
		if err != nil || work.Mode != Edit || work.Transcript.Text() != "Hello my name is anna" || len(work.Heard) != 2 || work.Heard[0].Model != "asr-en 5.2" || len(work.Heard[0].Words) != 1 {
			t.Fatalf("%+v, %v", work, err)
		}
	}
	f.mustWrite(t, anna, c, "hello, my name was anna")
	want := []view{{Edit, older, true, 3, 5}, {Edit, newer, true, 1, 5}}
	if got := f.views(t); !slices.Equal(got, want) {
		t.Fatalf("%+v", got)
	}
	var begun bool
	if f.scan(t, &begun, `SELECT bool_and(prefilled) FROM annotations`); !begun {
		t.Error("the answer does not say that it was begun from a hypothesis")
	}
	// Taken back and given again, it is another answer, to what was seen once more.
	if err := f.Recall(t.Context(), anna, c.Task); err != nil {
		t.Fatal(err)
	}
	f.mustWrite(t, anna, c, "hello my name is anna")
	want = append(want, view{Edit, older, true, 2, 5}, view{Edit, newer, true, 0, 5})
	if got := f.views(t); !slices.Equal(got, want) {
		t.Fatalf("%+v", got)
	}
}

func TestRevealComesAfterOwnWords(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 2, 1, 2)
	anna, ben := f.labelers[0], f.labelers[1]
	f.exec(t, `UPDATE projects SET prefill_mode = 'reveal'`)
	f.hear(t, f.items[0], f.modelVersion(t, "5.2"), "hello world")
	c := f.mustClaim(t, anna)
	if work, err := f.Work(t.Context(), anna, c.Task); err != nil || len(work.Heard) != 0 || work.Transcript.Text() != "" {
		t.Fatalf("%+v, %v", work, err)
	}
	reveal := func() ([]Hypothesis, error) { return f.Reveal(t.Context(), anna, c.Task, c.Assignment) }
	for _, before := range []string{"", "  "} {
		if _, err := reveal(); err == nil {
			t.Fatalf("revealed after %q", before)
		}
		if _, err := f.SaveDraft(t.Context(), anna, c.Task, c.Assignment, 0, nil, utter("  ")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.SaveDraft(t.Context(), anna, c.Task, c.Assignment, 1, nil, utter("hello word")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if heard, err := reveal(); err != nil || len(heard) != 1 || heard[0].Text != "hello world" {
			t.Fatalf("%+v, %v", heard, err)
		}
	}
	if _, err := f.Reveal(t.Context(), ben, c.Task, c.Assignment); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else's: %v", err)
	}
	if work, err := f.Work(t.Context(), anna, c.Task); err != nil || len(work.Heard) != 1 {
		t.Fatalf("after a reload: %+v, %v", work.Heard, err)
	}
	other := f.mustClaim(t, ben)
	if work, err := f.Work(t.Context(), ben, other.Task); err != nil || len(work.Heard) != 0 {
		t.Fatalf("the other labeler: %+v, %v", work.Heard, err)
	}
	f.mustWrite(t, anna, c, "hello word")
	if got := f.views(t); len(got) != 1 || got[0].How != Reveal || got[0].Edits != 1 || got[0].Words != 2 {
		t.Fatalf("%+v", got)
	}
}

// A plan says how many of an item's labelers see its model version's hypothesis, in its order.
func TestModesFollowThePlan(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 5, 1, 5)
	version := f.modelVersion(t, "5.2")
	f.hear(t, f.items[0], version, "planned")
	f.hear(t, f.items[0], f.modelVersion(t, "6.0"), "newer, but not the plan's")
	f.exec(t, `INSERT INTO plans (project_id, number, model_version_id, settings, modes) VALUES ($1, 1, $2, '{}', '{edit,blind,blind,reveal}')`, f.project.ID, version)
	f.exec(t, `UPDATE tasks SET plan_id = (SELECT id FROM plans)`)
	f.exec(t, `INSERT INTO plan_items (item_id, plan_id, arm, stratum, decile, confidence) SELECT $1, id, 'chosen', 0, 1, 0.2 FROM plans`, f.items[0])
	var modes []string
	for i, who := range f.labelers {
		c := f.mustClaim(t, who)
		work, err := f.Work(t.Context(), who, c.Task)
		if err != nil {
			t.Fatal(err)
		}
		modes = append(modes, work.Mode)
		if work.Mode == Edit && (len(work.Heard) != 1 || work.Heard[0].Text != "planned" || work.Picked == nil || work.Picked.Decile != 1) {
			t.Errorf("%+v, %+v", work.Heard, work.Picked)
		}
		if i == 1 { // whoever passes it over leaves their mode to the next
			if _, err := f.Skip(t.Context(), who, c.Task, c.Assignment, NotMine, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := []string{Edit, Blind, Blind, Blind, Reveal}; !slices.Equal(modes, want) {
		t.Errorf("modes %v, want %v", modes, want)
	}
}

// What a page fetches before it is worked on is neither seen nor heard until it says that it is shown; an answer says so at the latest.
func TestFetchedAheadIsNotSeen(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 2, 1)
	anna := f.labelers[0]
	f.exec(t, `UPDATE projects SET prefill_mode = 'edit'`)
	version := f.modelVersion(t, "5.2")
	f.hear(t, f.items[0], version, "hello world")
	f.hear(t, f.items[1], version, "good bye")
	first := f.mustClaim(t, anna)
	second, err := f.Claim(t.Context(), anna, f.project.Slug, first.Assignment)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Claimed{first, second} {
		if work, err := f.WorkAhead(t.Context(), anna, c.Task); err != nil || len(work.Heard) != 1 || work.Transcript.Text() != work.Heard[0].Text {
			t.Fatalf("%+v, %v", work, err)
		}
	}
	var reads int
	f.scan(t, &reads, `SELECT count(*) FROM media_reads`)
	if got := f.views(t); len(got) != 0 || reads != 0 {
		t.Fatalf("%+v seen, %d heard", got, reads)
	}
	for range 2 {
		if err := f.Shown(t.Context(), anna, first.Task); err != nil {
			t.Fatal(err)
		}
	}
	f.scan(t, &reads, `SELECT count(*) FROM media_reads WHERE kind = 'sound'`)
	if got := f.views(t); len(got) != 1 || got[0].How != Edit || reads != 1 {
		t.Fatalf("%+v seen, %d heard", got, reads)
	}
	if _, err := f.Submit(t.Context(), anna, f.write(second, "good buy")); err != nil {
		t.Fatal(err)
	}
	var begun bool
	f.scan(t, &begun, `SELECT prefilled FROM annotations`)
	if got := f.views(t); len(got) != 2 || !begun {
		t.Errorf("%+v, prefilled %t", got, begun)
	}
}
