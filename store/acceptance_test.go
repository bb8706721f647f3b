package store

import (
	"errors"
	"sync"
	"testing"
)

func accepting(r *AgreementRules) { r.AcceptAbove = new(0.9) }

func TestAcceptance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		before   func(*testing.T, *panel)
		votes    [][]DraftBox
		accepted bool
	}{
		{"alike", nil, [][]DraftBox{{{X: 1}}, {{X: 1}}}, true},
		{"nearly alike", nil, [][]DraftBox{{{X: 1}}, {{X: 2}}}, true},
		{"both empty", nil, [][]DraftBox{{}, {}}, true},
		{"not alike enough", nil, [][]DraftBox{{{X: 1}}, {{X: 6}}}, false},
		{"all from a prefill", func(t *testing.T, p *panel) {
			t.Helper()
			p.exec(t, `INSERT INTO predictions (item_id, purpose) VALUES ($1, 'prefill')`, p.items[0])
		}, [][]DraftBox{{{X: 1}}, {{X: 1}}}, false},
		{"in the sample", func(t *testing.T, p *panel) {
			t.Helper()
			p.exec(t, `UPDATE projects SET look_share = 1`)
		}, [][]DraftBox{{{X: 1}}, {{X: 1}}}, false},
		{"nothing is accepted", func(t *testing.T, p *panel) {
			t.Helper()
			p.exec(t, `UPDATE projects SET accept_above = NULL`)
		}, [][]DraftBox{{{X: 1}}, {{X: 1}}}, false},
		{"archived", func(t *testing.T, p *panel) {
			t.Helper()
			c := p.mustClaim(t, p.labelers[0])
			p.mustSubmit(t, p.labelers[0], c)
			p.mustSubmit(t, p.labelers[1], p.mustClaim(t, p.labelers[1]))
			if err := p.ArchiveProject(t.Context(), System(), p.project.ID); err != nil {
				t.Fatal(err)
			}
			p.work(t)
			if err := p.RestoreProject(t.Context(), System(), p.project.Slug); err != nil {
				t.Fatal(err)
			}
		}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPanel(t, 3, 1, 2, accepting)
			if tt.before != nil {
				tt.before(t, p)
			}
			for who, boxes := range tt.votes {
				for i := range boxes {
					boxes[i] = p.box(boxes[i].X)
				}
				p.vote(t, who, boxes...)
			}
			p.work(t)
			r := p.look(t, p.items[0])
			if (r.Truth != nil) != tt.accepted || (r.State == "adjudicated") != tt.accepted || (len(r.Decisions) == 1) != tt.accepted {
				t.Fatalf("state %s, truth %+v, decisions %+v", r.State, r.Truth, r.Decisions)
			}
			p.mustHold(t)
			if !tt.accepted {
				return
			}
			if d := r.Decisions[0]; d.Kind != Accepted || d.Reviewer != "" || !d.Standing {
				t.Errorf("%+v", d)
			}
			if s := p.score(t, p.items[0]); !s.Truth {
				t.Errorf("%+v", s)
			}
			var events int
			p.scan(t, &events, `SELECT count(*) FROM audit_events WHERE action = 'review.accepted' AND person_id IS NULL AND token_id IS NULL`)
			if events != 1 {
				t.Errorf("%d audit events", events)
			}
		})
	}
}

// What is accepted is the middle of what was drawn, under the oldest definition that it was drawn under.
func TestAcceptedTruthIsTheMergedAnswers(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 3, 1, 3, accepting)
	p.vote(t, 0, p.box(1))
	p.exec(t, `UPDATE annotation_boxes SET definition_version = 1`)
	p.vote(t, 1, p.box(1.5))
	p.vote(t, 2, p.box(2))
	p.work(t)
	truth, err := p.CurrentTruth(t.Context(), p.reviewer, p.items[0])
	if err != nil || len(truth.Boxes) != 1 || truth.Annotation != 0 {
		t.Fatalf("%+v, %v", truth, err)
	}
	if b := truth.Boxes[0]; b.X != 1.5 || b.W != 20 || b.ClassID != p.class || *b.DefinitionVersion != 1 {
		t.Fatalf("%+v", b)
	}
}

func TestNoAcceptanceAfterAPerson(t *testing.T) {
	t.Parallel()
	t.Run("undone", func(t *testing.T) {
		t.Parallel()
		p := newPanel(t, 2, 1, 2, accepting)
		p.vote(t, 0, p.box(1))
		p.vote(t, 1, p.box(1))
		p.work(t)
		accepted := p.look(t, p.items[0])
		p.mustUndo(t, accepted.Decisions[0].ID)
		p.work(t)
		r := p.look(t, p.items[0])
		if r.State != "in_review" || r.Truth != nil || !r.Decisions[1].Undone {
			t.Fatalf("state %s, decisions %+v", r.State, r.Decisions)
		}
		p.mustHold(t)
		// And the next decision is the reviewer's.
		p.mustDecide(t, p.items[0], Approved)
		if n := p.work(t); n != 1 {
			t.Fatalf("%d jobs", n)
		}
	})
	t.Run("sent back", func(t *testing.T) {
		t.Parallel()
		p := newPanel(t, 2, 1, 2, func(r *AgreementRules) { r.AcceptAbove = new(0.99) })
		p.vote(t, 0, p.box(1))
		p.vote(t, 1, p.box(5))
		p.mustDecide(t, p.items[0], Rejected) // the first answer
		p.vote(t, 0, p.box(5))
		p.work(t)
		if r := p.look(t, p.items[0]); r.State != "in_review" || r.Truth != nil {
			t.Fatalf("state %s", r.State)
		}
	})
	t.Run("undecided", func(t *testing.T) {
		t.Parallel()
		p := newPanel(t, 3, 1, 2, accepting)
		first, second := p.mustClaim(t, p.labelers[0]), p.mustClaim(t, p.labelers[1])
		if _, err := p.Skip(t.Context(), p.labelers[0], first.Task, first.Assignment, CannotDecide, ""); err != nil {
			t.Fatal(err)
		}
		p.mustSubmit(t, p.labelers[1], second)
		p.exec(t, `UPDATE tasks SET state = 'open'`) // as if a third labeler were let at it
		third := p.mustClaim(t, p.labelers[2])
		p.mustSubmit(t, p.labelers[2], third)
		p.work(t)
		r := p.look(t, p.items[0])
		var order float64
		p.scan(t, &order, `SELECT agreement FROM tasks`)
		if r.State != "in_review" || r.Truth != nil || order != 0 {
			t.Fatalf("state %s, order %v", r.State, order)
		}
	})
}

func TestSampleOfTheAccepted(t *testing.T) {
	t.Parallel()
	secret, another := []byte("a secret of thirty-two bytes 123"), []byte("another one of thirty-two bytes!")
	seen, same := 0, 0
	const items = 20_000
	for item := range int64(items) {
		looks := looksAt(secret, item, 0.1)
		if looks != looksAt(secret, item, 0.1) || looks && !looksAt(secret, item, 0.2) || looksAt(secret, item, 0) || !looksAt(secret, item, 1) {
			t.Fatalf("item %d", item)
		}
		if looks {
			seen++
			if looksAt(another, item, 0.1) {
				same++
			}
		}
	}
	if seen < 1850 || seen > 2150 || same < 130 || same > 270 {
		t.Errorf("%d of %d are looked at, %d of them under another secret too", seen, items, same)
	}
}

func TestAskingAnother(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 5, 1, 2, func(r *AgreementRules) { r.AskBelow, r.OverlapMost = new(0.5), 4 })
	task := p.tasks[0]
	for who, x := range []float64{1, 70, 35} {
		if s := p.state(t, task, p.labelers[who]); s.State != "open" || s.Overlap != max(2, who+1) {
			t.Fatalf("before answer %d: %+v", who+1, s)
		}
		p.vote(t, who, p.box(x))
		p.work(t)
		p.mustHold(t)
	}
	if s := p.state(t, task, p.labelers[3]); s.Overlap != 4 || s.State != "open" {
		t.Fatalf("%+v", s)
	}
	p.vote(t, 3, p.dent(1))
	p.work(t)
	if s := p.state(t, task, p.labelers[4]); s.Overlap != 4 || s.State != "in_review" || s.Votes != 4 {
		t.Fatalf("beyond the most: %+v", s)
	}
	p.mustHold(t)
}

// Nobody is asked where nobody is left, nor twice for the same answers.
func TestAskingNobody(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 2, 1, 2, func(r *AgreementRules) { r.AskBelow = new(0.5) })
	p.vote(t, 0, p.box(1))
	p.vote(t, 1, p.box(70))
	p.work(t)
	if s := p.state(t, p.tasks[0], p.labelers[0]); s.State != "in_review" || s.Overlap != 2 {
		t.Fatalf("%+v", s)
	}
	p.hire(t)
	if err := p.ScoreItem(t.Context(), p.items[0]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if s := p.state(t, p.tasks[0], p.labelers[2]); s.State != "open" || s.Overlap != 3 {
			t.Fatalf("%+v", s)
		}
		if err := p.ScoreItem(t.Context(), p.items[0]); err != nil {
			t.Fatal(err)
		}
	}
	p.mustHold(t)
}

// A reviewer who decides at the moment of an acceptance wins, or is told; there are never two decisions.
func TestReviewerAndRuleAtOnce(t *testing.T) {
	t.Parallel()
	const items = 12
	p := newPanel(t, 3, items, 2, accepting)
	for range items {
		p.vote(t, 0, p.box(1))
		p.vote(t, 1, p.box(1))
	}
	var all sync.WaitGroup
	won := make([]bool, items)
	for i, item := range p.items {
		decision := p.adjudication(t, item, Discarded)
		all.Go(func() {
			if err := p.ScoreItem(t.Context(), item); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			_, err := p.Adjudicate(t.Context(), p.reviewer, decision)
			if won[i] = err == nil; err != nil && !errors.Is(err, ErrConflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, item := range p.items {
		r := p.look(t, item)
		want := map[bool]string{true: "discarded", false: "adjudicated"}[won[i]]
		if len(r.Decisions) != 1 || r.State != want || (r.Truth == nil) != won[i] {
			t.Errorf("item %d: reviewer won %v, state %s, decisions %+v", item, won[i], r.State, r.Decisions)
		}
	}
	p.mustHold(t)
}
