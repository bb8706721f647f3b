package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fiducial/internal/speech"
	"fiducial/store/storetest"
)

func TestSubmitStoresWhatWasSaid(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 2, 1)
	anna := f.labelers[0]
	f.exec(t, `INSERT INTO transcription_rules (project_id, version, published_at) VALUES ($1, 1, now()), ($1, 3, now()), ($1, NULL, NULL)`, f.project.ID)
	c := f.mustClaim(t, anna)
	work, err := f.Work(t.Context(), anna, c.Task)
	if err != nil || work.Seconds != 2 || work.Mode != Blind || len(work.Transcript) != 1 || work.Transcript[0] != (speech.Segment{End: 2}) {
		t.Fatalf("%+v, %v", work, err)
	}
	draft := speech.Transcript{{End: 1, Text: "hello  my ", Speaker: "A"}, {Begin: 1, End: 2, Channel: 2}}
	saved, err := f.SaveDraft(t.Context(), anna, c.Task, c.Assignment, 0, nil, draft)
	if err != nil {
		t.Fatal(err)
	}
	if work, err = f.Work(t.Context(), anna, c.Task); err != nil || !slices.Equal(work.Transcript, draft) {
		t.Fatalf("the draft comes back as %+v, %v", work.Transcript, err)
	}
	a := f.write(c, "")
	a.Version, a.Transcript = saved.Version, draft
	r, err := f.Submit(t.Context(), anna, a)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := transcriptOf(t.Context(), f.pool, f.items[0], annotationTranscript, r.Annotation)
	if want := (speech.Transcript{{End: 1, Text: "hello my", Speaker: "A"}}); err != nil || !slices.Equal(kept, want) {
		t.Fatalf("kept %+v, %v", kept, err)
	}
	var facts struct {
		Prefilled bool
		Rules     *int
		Drafts    int
		Moments   int
	}
	for into, sql := range map[any]string{
		&facts.Prefilled: `SELECT prefilled FROM annotations WHERE id = $1`,
		&facts.Rules:     `SELECT rules_version FROM annotations WHERE id = $1`,
		&facts.Drafts:    `SELECT count(*)::int FROM transcripts WHERE kind = 'draft' AND $1 > 0`,
		&facts.Moments:   `SELECT count(*)::int FROM annotation_boxes WHERE annotation_id = $1 AND x = 0 AND w = 2`,
	} {
		f.scan(t, into, sql, r.Annotation)
	}
	if facts.Prefilled || facts.Rules == nil || *facts.Rules != 3 || facts.Drafts != 0 || facts.Moments != 1 {
		t.Errorf("%+v", facts)
	}

	again, err := f.Submit(t.Context(), anna, a)
	if err != nil || again != r {
		t.Fatalf("the same again: %+v, %v", again, err)
	}
	a.Transcript = utter("goodbye")
	if _, err := f.Submit(t.Context(), anna, a); err == nil || !strings.Contains(err.Error(), "another answer") {
		t.Fatalf("another answer: %v", err)
	}
	if err := f.Recall(t.Context(), anna, c.Task); err != nil {
		t.Fatal(err)
	}
	if work, err = f.Work(t.Context(), anna, c.Task); err != nil || !slices.Equal(work.Transcript, kept) || len(work.Boxes) != 1 {
		t.Fatalf("taken back: %+v, %v", work.Transcript, err)
	}
}

func TestSubmitRefusesTranscripts(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	c := f.mustClaim(t, anna)
	good := f.write(c, "hello")
	with := func(change func(*NewAnnotation)) NewAnnotation {
		a := good
		a.Boxes, a.Transcript = slices.Clone(a.Boxes), slices.Clone(a.Transcript)
		change(&a)
		return a
	}
	tests := []struct {
		name   string
		answer NewAnnotation
		says   string
	}{
		{"nothing", with(func(a *NewAnnotation) { a.Transcript = nil }), "[no speech]"},
		{"spaces", with(func(a *NewAnnotation) { a.Transcript = utter(" \t") }), "[no speech]"},
		{"beyond the end", with(func(a *NewAnnotation) { a.Transcript[0].End = 2.1 }), "Segment 1: it reaches out of the utterance"},
		{"a third channel", with(func(a *NewAnnotation) { a.Transcript[0].Channel = 3 }), "no such channel"},
		{"NUL", with(func(a *NewAnnotation) { a.Transcript[0].Text = "a\x00b" }), "cannot be kept"},
		{"too many segments", with(func(a *NewAnnotation) { a.Transcript = make(speech.Transcript, speech.MostSegments+1) }), "segments fit"},
		{"a moment beyond the end", with(func(a *NewAnnotation) { a.Boxes[0].X = 0.1 }), "Moment 1: it reaches out of the recording"},
		{"a moment on a third channel", with(func(a *NewAnnotation) { a.Boxes[0].Y = 3 }), "no such channel"},
		{"a turned moment", with(func(a *NewAnnotation) { a.Boxes[0].Rotation = 4 }), "no such channel"},
	}
	for _, tt := range tests {
		_, err := f.Submit(t.Context(), anna, tt.answer)
		inv, ok := errors.AsType[*InvalidError](err)
		if !ok || !strings.Contains(inv.Reason, tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := f.SaveDraft(t.Context(), anna, c.Task, c.Assignment, 0, nil, nil); err == nil {
		t.Error("a draft of an utterance without a transcript was kept")
	}
	if _, err := f.Submit(t.Context(), anna, with(func(a *NewAnnotation) { a.Transcript = utter("[no speech]") })); err != nil {
		t.Error(err)
	}
	images := newFloor(t, storetest.Pool(t), 1, 1, 1)
	i := images.mustClaim(t, images.labelers[0])
	answer := images.answer(i)
	answer.Transcript = utter("hello")
	if _, err := images.Submit(t.Context(), images.labelers[0], answer); err == nil {
		t.Error("an image was given a transcript")
	}
}

func TestDraftsOfTwoWindowsConflict(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	c := f.mustClaim(t, anna)
	for range 2 { // the same save again is the same success
		if s, err := f.SaveDraft(t.Context(), anna, c.Task, c.Assignment, 0, nil, utter("one")); err != nil || s.Version != 1 {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	_, err := f.SaveDraft(t.Context(), anna, c.Task, c.Assignment, 0, nil, utter("two"))
	conflict, ok := errors.AsType[*DraftConflictError](err)
	if !ok || conflict.Version != 1 || !slices.Equal(conflict.Transcript, utter("one")) {
		t.Fatalf("%+v, %v", conflict, err)
	}
	a := f.write(c, "two")
	if _, err = f.Submit(t.Context(), anna, a); !errors.Is(err, ErrConflict) {
		t.Fatalf("an answer over another window's draft: %v", err)
	}
}

// The text of whoever mends an answer, or gives it again under another definition, is theirs from before.
func TestAnswersThatComeBackBeginWithTheirWords(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	f.exec(t, `UPDATE projects SET prefill_mode = 'reveal'`)
	c := f.mustClaim(t, anna)
	r := f.mustWrite(t, anna, c, "what I heard")
	tx, err := f.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := beginPasses(t.Context(), tx, f.project.ID, []int64{c.Task}, []int64{anna.PersonID}, []int64{r.Annotation}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.exec(t, `UPDATE tasks SET state = 'open', live = 1, votes = 0`)
	work, err := f.Work(t.Context(), anna, c.Task)
	if err != nil || !slices.Equal(work.Transcript, utter("what I heard")) || work.Mode != Reveal || work.DraftVersion != 1 {
		t.Fatalf("%+v, %v", work, err)
	}
}

// What is decided of the utterances that a labeler hears around theirs is shown, but for what they may be asked themselves.
func TestNeighborsAreWhatIsHeardAndDecided(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 5, 1)
	f.exec(t, `UPDATE projects SET context_seconds = 2.5`)
	f.exec(t, `INSERT INTO imports (project_id, format, purpose, source_id) SELECT $1, 'nemo', 'truth', min(id) FROM sources`, f.project.ID)
	for i, item := range f.items {
		f.exec(t, `WITH u AS (INSERT INTO truths (item_id, import_id) SELECT $1, max(id) FROM imports RETURNING id)
			INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT $1, 'truth', id, jsonb_build_array(jsonb_build_object('begin', 0, 'end', 2, 'text', $2::text)) FROM u`,
			item, string(rune('a'+i)))
	}
	shown := func() (texts string) {
		work, err := f.Work(t.Context(), f.labelers[0], f.tasks[2])
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range work.Neighbors {
			texts += fmt.Sprintf("%s from %v to %v. ", n.Transcript.Text(), n.Begins, n.Ends)
		}
		return texts
	}
	f.exec(t, `INSERT INTO assignments (task_id, project_id, person_id, state, lease_until, mode) VALUES ($1, $2, $3, 'leased', now() + interval '1 hour', 'blind')`,
		f.tasks[2], f.project.ID, f.labelers[0].PersonID)
	if got := shown(); got != "" {
		t.Errorf("of what is not decided: %s", got)
	}
	f.exec(t, `UPDATE tasks SET state = 'adjudicated' WHERE id <> $1`, f.tasks[2])
	if got := shown(); got != "b from -2 to 0. d from 2 to 4. " {
		t.Errorf("of what is decided: %s", got)
	}
	f.exec(t, `INSERT INTO gold_items (item_id, task_id, project_id) VALUES ($1, $2, $3)`, f.items[1], f.tasks[1], f.project.ID)
	f.exec(t, `UPDATE items SET channel = CASE WHEN id = $1 THEN 1 ELSE 2 END WHERE id <> $2`, f.items[2], f.items[4])
	if got := shown(); got != "" {
		t.Errorf("of gold, and of another channel: %s", got)
	}
}
