package store

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"testing"

	"fiducial/internal/speech"
	"fiducial/store/storetest"
)

// studio is a project of sound with people at work on it: each item is five seconds of a recording of two channels.
type studio struct{ *panel }

func newStudio(tb testing.TB, labelers, items, overlap int, change func(*AgreementRules)) *studio {
	tb.Helper()
	st, err := New(storetest.Pool(tb), storetest.Bucket(tb))
	if err != nil {
		tb.Fatal(err)
	}
	f := newFloorOf(tb, st, labelers, items, overlap)
	b := &studio{&panel{bench: &bench{floor: f}}}
	b.reviewer = b.engage(tb, "reviewer")
	b.exec(tb, `UPDATE projects SET kind = 'audio' WHERE id = $1`, f.project.ID)
	b.exec(tb, `
		INSERT INTO recordings (project_id, source_id, key_hash, state, encoding, rate, channels, frames)
		SELECT $1, s.id, 'one', 'ready', 'pcm16', 8000, 2, 8000000 FROM sources s`, f.project.ID)
	b.exec(tb, `UPDATE items SET width = NULL, height = NULL, recording_id = (SELECT id FROM recordings), begins = id * 5, ends = id * 5 + 5`)
	b.scan(tb, &b.other, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'laughter', 1) RETURNING id`, f.project.ID)
	rules := DefaultAgreementRules()
	rules.LookShare = 0
	if change != nil {
		change(&rules)
	}
	if err := b.SetAgreementRules(tb.Context(), System(), f.project.ID, rules); err != nil {
		tb.Fatal(err)
	}
	b.exec(tb, `DELETE FROM river_job`)
	return b
}

func uttered(text string) speech.Transcript { return speech.Transcript{{Begin: 0, End: 5, Text: text}} }

// moment is one of the first class, on all channels.
func (b *studio) moment(begin, end float64) DraftBox {
	return DraftBox{ID: "m", ClassID: b.class, X: begin, W: end - begin, H: 1}
}

// say has a labeler answer their next item with a text and moments.
func (b *studio) say(tb testing.TB, who int, text string, moments ...DraftBox) (annotation int64) {
	tb.Helper()
	c := b.mustClaim(tb, b.labelers[who])
	receipt, err := b.Submit(tb.Context(), b.labelers[who], NewAnnotation{Task: c.Task, Assignment: c.Assignment, Boxes: moments, Transcript: uttered(cmp.Or(text, "nothing"))})
	if err != nil {
		tb.Fatal(err)
	}
	b.exec(tb, `INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT item_id, 'annotation', id, $2 FROM annotations WHERE id = $1
		ON CONFLICT (item_id, kind, of_id) DO UPDATE SET segments = excluded.segments`, receipt.Annotation, uttered(text))
	b.exec(tb, `UPDATE annotations SET rules_version = 1 WHERE id = $1`, receipt.Annotation)
	return receipt.Annotation
}

// words are those of the current truth, and the rules that they were written under: 0 for none.
func (b *studio) words(tb testing.TB, item int64) (text string, rules int) {
	tb.Helper()
	truth, err := b.CurrentTruth(tb.Context(), b.reviewer, item)
	if errors.Is(err, ErrNotFound) {
		return "none", 0
	}
	if err != nil {
		tb.Fatal(err)
	}
	if truth.Rules != nil {
		rules = *truth.Rules
	}
	return truth.Transcript.Text(), rules
}

// decision is one of a kind about the item as it is, of which there are three answers.
func (b *studio) decision(tb testing.TB, kind DecisionKind) Adjudication {
	tb.Helper()
	r := b.look(tb, b.items[0])
	a := Adjudication{Item: r.Item, Version: r.Version, Kind: kind}
	switch kind {
	case Approved:
		a.Annotation = r.Answers[0].ID
	case Amended:
		a.Transcript = uttered("the cat sat  down")
	case Rejected:
		a.Marks = []NewMark{{Annotation: r.Answers[0].ID, X: new(2.5), Y: new(0.0), Fault: WrongWords}}
	case Discarded:
		a.Note = "Nobody can tell."
	default:
	}
	return a
}

func TestDecisionsAboutWords(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		kind  DecisionKind
		text  string
		rules int
	}{
		{Approved, "the cat sat", 1}, {Amended, "the cat sat down", 2}, {Merged, "The cat sad.", 1}, {Rejected, "none", 0}, {Discarded, "none", 0},
	}
	for _, first := range kinds {
		for _, then := range kinds {
			if first.kind == Rejected {
				continue
			}
			t.Run(string(first.kind)+" "+string(then.kind), func(t *testing.T) {
				t.Parallel()
				b := newStudio(t, 3, 1, 3, nil)
				b.exec(t, `INSERT INTO transcription_rules (project_id, version, published_at) VALUES ($1, 1, now()), ($1, 2, now())`, b.project.ID)
				b.say(t, 0, "the cat sat", b.moment(1, 2))
				b.say(t, 1, "The cat sad.", b.moment(1, 2))
				b.say(t, 2, "a cat sad", b.moment(1, 2))
				item := b.items[0]
				stale := b.decision(t, then.kind)
				check := func(text string, rules int) {
					t.Helper()
					if gotText, gotRules := b.words(t, item); gotText != text || gotRules != rules {
						t.Errorf("%q under rules %d, want %q under %d", gotText, gotRules, text, rules)
					}
				}
				earlier, err := b.Adjudicate(t.Context(), b.reviewer, b.decision(t, first.kind))
				if err != nil {
					t.Fatal(err)
				}
				check(first.text, first.rules)
				if _, err := b.Adjudicate(t.Context(), b.reviewer, stale); !errors.Is(err, ErrConflict) {
					t.Errorf("decided over a decision that was not seen: %v", err)
				}
				later, err := b.Adjudicate(t.Context(), b.reviewer, b.decision(t, then.kind))
				if err != nil {
					t.Fatal(err)
				}
				check(then.text, then.rules)
				b.mustUndo(t, later)
				check(first.text, first.rules)
				b.mustUndo(t, earlier)
				check("none", 0)
				if r := b.look(t, item); len(r.Answers) != 3 || r.Answers[2].Transcript.Text() != "a cat sad" || len(r.Answers[2].Boxes) != 1 {
					t.Errorf("answers %+v", r.Answers)
				}
				b.mustHold(t)
			})
		}
	}
}

func TestDecisionIsNamedByItsWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		moments    []DraftBox
		kind       DecisionKind
		origins    WordOrigins
	}{
		{"what most say", "The cat sad.", nil, Merged, WordOrigins{Merged: 3}},
		{"one answer's", "the cat sat", nil, Approved, WordOrigins{Merged: 2, Taken: map[int64]int{1: 1}}},
		{"the reviewer's own", "the cat stood up", nil, Amended, WordOrigins{Merged: 2, Written: 2}},
		{"what most say, with a moment more", "The cat sad.", []DraftBox{{ID: "x", X: 1, W: 1, H: 1}}, Amended, WordOrigins{Merged: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newStudio(t, 3, 1, 3, nil)
			ids := []int64{b.say(t, 0, "the cat sat"), b.say(t, 1, "The cat sad."), b.say(t, 2, "a cat sad")}
			for i := range tt.moments {
				tt.moments[i].ClassID = b.class
			}
			a := b.decision(t, Amended)
			a.Transcript, a.Boxes = uttered(tt.text), tt.moments
			if _, err := b.Adjudicate(t.Context(), b.reviewer, a); err != nil {
				t.Fatal(err)
			}
			d := b.look(t, b.items[0]).Decisions[0]
			taken := 0
			for id, n := range d.Origins.Words.Taken {
				if id == ids[0] {
					taken = n
				}
			}
			if d.Kind != tt.kind || d.Origins.Words.Merged != tt.origins.Merged || d.Origins.Words.Written != tt.origins.Written || taken != tt.origins.Taken[1] {
				t.Errorf("%s from %+v, want %s from %+v", d.Kind, d.Origins.Words, tt.kind, tt.origins)
			}
		})
	}
}

func TestAdjudicateRefusesWords(t *testing.T) {
	t.Parallel()
	b := newStudio(t, 1, 1, 1, nil)
	answer := b.say(t, 0, "the cat sat")
	for name, change := range map[string]func(*Adjudication){
		"words past the end":   func(a *Adjudication) { a.Transcript = speech.Transcript{{Begin: 4, End: 6, Text: "out"}} },
		"no such channel":      func(a *Adjudication) { a.Transcript = speech.Transcript{{Begin: 4, End: 5, Channel: 3, Text: "out"}} },
		"moment past the end":  func(a *Adjudication) { a.Boxes = []DraftBox{b.moment(4, 5.5)} },
		"moment of no length":  func(a *Adjudication) { a.Boxes = []DraftBox{b.moment(4, 4)} },
		"moment of no channel": func(a *Adjudication) { a.Boxes = []DraftBox{{ClassID: b.class, X: 1, Y: 3, W: 1, H: 1}} },
		"moment of no number":  func(a *Adjudication) { a.Boxes = []DraftBox{b.moment(math.NaN(), 4)} },
		"fault of an image": func(a *Adjudication) {
			a.Kind, a.Marks = Rejected, []NewMark{{Annotation: answer, Fault: LooseBox}}
		},
		"mark past the end": func(a *Adjudication) {
			a.Kind, a.Marks = Rejected, []NewMark{{Annotation: answer, X: new(5.5), Y: new(0.0), Fault: WrongTime}}
		},
	} {
		a := b.decision(t, Amended)
		change(&a)
		if _, err := b.Adjudicate(t.Context(), b.reviewer, a); !isInvalid(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := newBench(t, 1, 1, 1)
	p.labeled(t)
	a := p.adjudication(t, p.items[0], Amended)
	a.Transcript = uttered("words")
	if _, err := p.Adjudicate(t.Context(), p.reviewer, a); !isInvalid(err) {
		t.Errorf("words for an image: %v", err)
	}
}

// What goes back goes back with its words, to be mended.
func TestReworkBeginsFromTheWords(t *testing.T) {
	t.Parallel()
	b := newStudio(t, 1, 1, 1, nil)
	b.say(t, 0, "the cat sat", b.moment(1, 2))
	if _, err := b.Adjudicate(t.Context(), b.reviewer, b.decision(t, Rejected)); err != nil {
		t.Fatal(err)
	}
	var text string
	b.scan(t, &text, `SELECT w.segments->0->>'text' FROM transcripts w JOIN assignments a ON a.id = w.of_id WHERE w.kind = 'draft' AND a.reason = 'rework'`)
	if text != "the cat sat" {
		t.Errorf("draft %q", text)
	}
}

func TestHypothesesThatAReviewerSaw(t *testing.T) {
	t.Parallel()
	b := newStudio(t, 1, 1, 1, nil)
	b.say(t, 0, "the cat sat")
	item := b.items[0]
	b.exec(t, `INSERT INTO models (name, kind) VALUES ('ear', 'asr')`)
	b.exec(t, `INSERT INTO model_versions (model_id, version) SELECT id, '1' FROM models`)
	b.exec(t, `INSERT INTO predictions (item_id, model_version_id, purpose) SELECT $1, id, 'prediction' FROM model_versions`, item)
	b.exec(t, `INSERT INTO hypotheses (item_id, prediction_id, text) SELECT item_id, id, 'a cat sat down' FROM predictions`)
	views := func(where string) (n int) {
		t.Helper()
		b.scan(t, &n, `SELECT count(*) FROM hypothesis_views WHERE how = 'review' AND `+where)
		return n
	}
	if r := b.look(t, item); r.Hypotheses != 1 || r.SawThem || views("true") != 0 {
		t.Fatalf("looking at the item showed them: %+v", r)
	}
	for range 2 {
		list, err := b.RevealHypotheses(t.Context(), b.reviewer, item)
		if err != nil || len(list) != 1 || list[0].Text != "a cat sat down" || list[0].Model != "ear 1" {
			t.Fatalf("%+v, %v", list, err)
		}
	}
	if !b.look(t, item).SawThem || views("review_id IS NULL") != 1 {
		t.Error("that they were seen is not kept")
	}
	decision, err := b.Adjudicate(t.Context(), b.reviewer, b.decision(t, Approved))
	if err != nil {
		t.Fatal(err)
	}
	if b.look(t, item).SawThem || views("review_id IS NOT NULL AND edits = 2 AND words = 3") != 1 {
		t.Error("the decision does not have what was seen before it")
	}
	b.mustUndo(t, decision)
	if _, err := b.Adjudicate(t.Context(), b.reviewer, b.decision(t, Approved)); err != nil || views("true") != 1 {
		t.Errorf("%d views after a decision without a look, %v", views("true"), err)
	}
	if _, err := b.RevealHypotheses(t.Context(), b.labelers[0], item); !errors.Is(err, ErrDenied) {
		t.Errorf("a labeler looks: %v", err)
	}
}

func (b *studio) figures(tb testing.TB, item int64) (score, wer float64, worst string) {
	tb.Helper()
	b.scan(tb, &score, `SELECT coalesce(score, -1) FROM item_agreements WHERE item_id = $1`, item)
	b.scan(tb, &wer, `SELECT coalesce(wer, -1) FROM item_agreements WHERE item_id = $1`, item)
	b.scan(tb, &worst, `SELECT worst FROM item_agreements WHERE item_id = $1`, item)
	return score, wer, worst
}

func TestScoreOfWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		texts      []string
		moments    [][2]float64 // of each answer; none where both are 0
		score, wer float64
		worst      string
	}{
		{"alike but for case and points", []string{"The cat sat.", "the cat sat"}, nil, 1, 0, "agreed"},
		{"one word of four", []string{"the cat sat down", "the cat sat up"}, nil, 0.75, 0.25, "words"},
		{"a word more", []string{"the cat sat", "the cat sat down there"}, nil, 0.5, 0.5, "words"},
		{"nothing and something", []string{"", "the cat"}, nil, 0, 2, "words"},
		{"nothing at all", []string{"", ""}, nil, 1, 0, "agreed"},
		{"the same moment, other words", []string{"a", "b"}, [][2]float64{{1, 2}, {1, 2}}, 0.5, 1, "words"},
		{"a moment that one missed", []string{"a", "a"}, [][2]float64{{1, 2}, {}}, 0.5, 0, "missed"},
		{"half of a moment", []string{"a", "a"}, [][2]float64{{1, 3}, {1, 2}}, 0.75, 0, "loose"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newStudio(t, 2, 1, 2, nil)
			for i, text := range tt.texts {
				var moments []DraftBox
				if tt.moments != nil && tt.moments[i] != [2]float64{} {
					moments = append(moments, b.moment(tt.moments[i][0], tt.moments[i][1]))
				}
				b.say(t, i, text, moments...)
			}
			b.work(t)
			if score, wer, worst := b.figures(t, b.items[0]); math.Abs(score-tt.score) > 1e-12 || math.Abs(wer-tt.wer) > 1e-12 || worst != tt.worst {
				t.Errorf("score %v, WER %v, %s, want %v, %v, %s", score, wer, worst, tt.score, tt.wer, tt.worst)
			}
		})
	}
}

func TestRulesOnWords(t *testing.T) {
	t.Parallel()
	b := newStudio(t, 3, 2, 2, func(r *AgreementRules) { r.AcceptAbove, r.AskBelow = new(0.95), new(0.6) })
	for _, texts := range [][]string{{"The cat sat.", "the cat sat"}, {"the cat sat", "a dog ran"}} {
		for who, text := range texts {
			b.say(t, who, text)
		}
	}
	b.work(t)
	if text, _ := b.words(t, b.items[0]); text != "The cat sat." || b.state(t, b.tasks[0], b.labelers[0]).State != "adjudicated" {
		t.Errorf("accepted %q", text)
	}
	if got := b.state(t, b.tasks[1], b.labelers[0]); got.State != "open" || b.look(t, b.items[1]).Overlap != 3 {
		t.Errorf("no third labeler was asked: %+v", got)
	}
	decision := b.look(t, b.items[0]).Decisions[0]
	b.mustUndo(t, decision.ID)
	if text, _ := b.words(t, b.items[0]); text != "none" {
		t.Errorf("%q after the rule's acceptance was undone", text)
	}
}

func TestSummaryAndFiguresOfWords(t *testing.T) {
	t.Parallel()
	b := newStudio(t, 2, 2, 2, nil)
	for _, texts := range [][]string{{"the cat sat down", "the cat sat up"}, {"yes", "yes"}} {
		for who, text := range texts {
			b.say(t, who, text)
		}
	}
	a := b.decision(t, Approved)
	if _, err := b.Adjudicate(t.Context(), b.reviewer, a); err != nil {
		t.Fatal(err)
	}
	b.work(t)
	if err := b.SummarizeAgreement(t.Context(), AgreementScope{Project: b.project.ID}); err != nil {
		t.Fatal(err)
	}
	sum, err := b.Agreement(t.Context(), b.reviewer, AgreementScope{Project: b.project.ID})
	if err != nil {
		t.Fatal(err)
	}
	w := sum.Words
	if w.Mean.Value != 0.125 || w.Corpus.Value != 0.2 || w.Truth.Value != 0.125 || w.Same.Value != 0.5 || sum.Score.Value != 0.875 {
		t.Errorf("mean %v, corpus %v, truth %v, same %v, score %v", w.Mean, w.Corpus, w.Truth, w.Same, sum.Score)
	}
	if len(w.Labelers) != 2 || len(w.Pairs) != 1 || w.Labelers[1].Truth.Value != 0.25 || sum.Histogram[7] != 1 || sum.Histogram[9] != 1 {
		t.Errorf("labelers %+v, pairs %+v, histogram %v", w.Labelers, w.Pairs, sum.Histogram)
	}
	if err := b.RefreshLabeler(t.Context(), b.project.ID, b.labelers[1].PersonID); err != nil {
		t.Fatal(err)
	}
	figures, err := b.Figures(t.Context(), b.reviewer, b.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := figures[0].Words
	if got.TruthErrors != 1 || got.TruthWords != 4 || got.PeerErrors != 1 || got.PeerWords != 10 {
		t.Errorf("figures %+v", got)
	}
}

func TestGoldOfWords(t *testing.T) {
	t.Parallel()
	b := newStudio(t, 2, 2, 1, nil)
	b.say(t, 0, "the cat sat down", b.moment(1, 2))
	if _, err := b.Adjudicate(t.Context(), b.reviewer, b.decision(t, Approved)); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `INSERT INTO gold_items (item_id, task_id, project_id) VALUES ($1, $2, $3)`, b.items[0], b.tasks[0], b.project.ID)
	var answer int64
	b.scan(t, &answer, `
		WITH a AS (INSERT INTO assignments (task_id, project_id, person_id, reason, state) VALUES ($1, $2, $3, 'gold', 'submitted') RETURNING id)
		INSERT INTO annotations (assignment_id, task_id, item_id, person_id, gold, superseded_at) SELECT a.id, $1, $4, $3, true, now() FROM a RETURNING id`,
		b.tasks[0], b.project.ID, b.labelers[1].PersonID, b.items[0])
	b.exec(t, `INSERT INTO transcripts (item_id, kind, of_id, segments) VALUES ($1, 'annotation', $2, $3)`, b.items[0], answer, uttered("the cat sat up"))
	if err := b.ScoreGold(t.Context(), b.items[0]); err != nil {
		t.Fatal(err)
	}
	var score float64
	var faults, words int
	b.scan(t, &score, `SELECT score FROM gold_results`)
	b.scan(t, &faults, `SELECT word_errors FROM gold_results`)
	b.scan(t, &words, `SELECT words FROM gold_results`)
	if score != 0.375 || faults != 1 || words != 4 { // 0.75 for the words, 0 for the moment
		t.Errorf("score %v, %d errors in %d words", score, faults, words)
	}
}

func TestBatchApprovalOfWords(t *testing.T) {
	t.Parallel()
	b := newStudio(t, 2, 2, 2, nil)
	for _, texts := range [][]string{{"the cat sat", "The cat sat."}, {"the cat sat", "a cat sat"}} {
		for who, text := range texts {
			b.say(t, who, text)
		}
	}
	var batch int64
	b.scan(t, &batch, `
		INSERT INTO batches (project_id, number, priority, state, settling, settle_by, of_items) VALUES ($1, 1, 0, 'in_review', 'approve', $2, 2) RETURNING id`,
		b.project.ID, b.reviewer.PersonID)
	b.exec(t, `INSERT INTO batch_items (batch_id, item_id, task_id, position, settle_version, former_priority) SELECT $1, t.item_id, t.id, t.item_id, t.version, 0 FROM tasks t`, batch)
	if err := b.SettleBatch(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	one, _ := b.words(t, b.items[0])
	two, _ := b.words(t, b.items[1])
	if one != "the cat sat" || two != "none" {
		t.Errorf("%q and %q", one, two)
	}
	var left []string
	b.scan(t, &left, `SELECT array_agg(left_because ORDER BY position) FROM batch_items`)
	if !slices.Equal(left, []string{"", string(LeftConflict)}) {
		t.Errorf("left because %q", left)
	}
}
