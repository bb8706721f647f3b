package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func (b *book) wantCounts(tb testing.TB, want ...string) {
	tb.Helper()
	if got := b.counts(tb); !slices.Equal(got, want) {
		tb.Errorf("labels %q, want %q", got, want)
	}
}

// counts are the labels of the first class by version, as "v2 3+1": answers and truth.
func (b *book) counts(tb testing.TB) (counts []string) {
	tb.Helper()
	list, err := b.LabelCounts(tb.Context(), b.reviewer, b.project.ID)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range list {
		if c.Class == b.class {
			counts = append(counts, fmt.Sprintf("v%d %d+%d", c.Version, c.Answers, c.Truth))
		}
	}
	return counts
}

// The sums that pages read are what counting the labels gives, whatever happens to answers and items.
func TestLabelCountsFollowTheLabels(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2, 4, 2)
	b.says(t, 0, b.class, b.class)
	b.says(t, 1, b.class)
	b.wantCounts(t, "v2 3+0")
	if err := b.Recall(t.Context(), b.labelers[1], b.tasks[0]); err != nil {
		t.Fatal(err)
	}
	b.wantCounts(t, "v2 2+0")
	b.says(t, 1, b.class)
	discarded := b.mustDecide(t, b.items[0], Discarded)
	b.wantCounts(t)
	b.mustUndo(t, discarded)
	b.wantCounts(t, "v2 3+0")
	rejected := b.mustDecide(t, b.items[0], Rejected)
	b.wantCounts(t, "v2 1+0")
	b.mustUndo(t, rejected)
	b.mustDecide(t, b.items[0], Approved)
	b.wantCounts(t, "v2 3+2")
	if err := b.SumCounts(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantCounts(t, "v2 3+2")
	b.exec(t, `DELETE FROM annotation_boxes`)
	b.exec(t, `DELETE FROM truth_boxes`)
	b.wantCounts(t)
}

func TestPairsAreMeasuredAgainstTheLastDefinition(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2, 3, 2)
	var answers [2][3]int64
	for item := range 3 {
		answers[0][item] = b.says(t, 0, b.class).Annotation
		answers[1][item] = b.says(t, 1, b.other).Annotation
		b.confuse(t, b.items[item], answers[0][item], answers[1][item])
	}
	sum := func(value float64) {
		b.exec(t, `INSERT INTO project_agreements (project_id, items, summary) VALUES ($1, 3, jsonb_build_object('confused', jsonb_build_array(jsonb_build_object(
			'a', $2::bigint, 'b', $3::bigint, 'count', 3, 'truth_count', 0, 'votes', jsonb_build_object('value', $4::float8, 'defined', true, 'n', 9, 'low', 0, 'high', 1)))))
			ON CONFLICT (project_id, round_id, batch_id) DO UPDATE SET summary = excluded.summary`, b.project.ID, b.class, b.other, value)
	}
	if pairs, computed, err := b.Pairs(t.Context(), b.reviewer, b.project.ID); err != nil || pairs != nil || computed != nil {
		t.Errorf("pairs %+v, %v", pairs, err)
	}
	sum(0.75)
	pair, err := b.Pair(t.Context(), b.reviewer, b.project.ID, b.other, b.class)
	if err != nil || pair.Before != nil || pair.Count != 3 || pair.A != b.class {
		t.Errorf("pair %+v, %v", pair, err)
	}
	b.sharpen(t, SendBack{})
	sum(0.25)
	pairs, _, err := b.Pairs(t.Context(), b.reviewer, b.project.ID)
	if err != nil || len(pairs) != 1 || pairs[0].Before == nil || pairs[0].Before.Votes.Value != 0.75 || pairs[0].Votes.Value != 0.25 || pairs[0].Class != b.class || pairs[0].Version != 3 {
		t.Errorf("pairs %+v, %v", pairs, err)
	}
	with, err := b.ConfusedWith(t.Context(), b.reviewer, b.other)
	if err != nil || !slices.Equal(with, []ConfusedWith{{b.class, 3}}) {
		t.Errorf("confused with %+v, %v", with, err)
	}
	first, err := b.Confusions(t.Context(), b.reviewer, b.project.ID, b.other, b.class, 0, 2)
	if err != nil || len(first) != 2 || first[0].Item != b.items[2] || !slices.Equal(first[0].AnswersA, []int32{0}) || !slices.Equal(first[0].AnswersB, []int32{1}) {
		t.Fatalf("confusions %+v, %v", first, err)
	}
	rest, err := b.Confusions(t.Context(), b.reviewer, b.project.ID, b.class, b.other, first[1].ID, 2)
	if err != nil || len(rest) != 1 || rest[0].Item != b.items[0] {
		t.Errorf("the rest %+v, %v", rest, err)
	}
}

func TestLabelsOfAClassPageByPage(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 3, 1)
	for range b.items {
		b.says(t, 0, b.class, b.class, b.other)
	}
	b.mustDecide(t, b.items[0], Approved)
	for _, of := range []struct {
		answers bool
		want    int
	}{{true, 6}, {false, 2}} {
		seen := map[[2]int64]bool{}
		filter := ClassBoxFilter{Class: b.class, Answers: of.answers, Limit: 4}
		for {
			boxes, err := b.ClassBoxes(t.Context(), b.reviewer, filter)
			if err != nil {
				t.Fatal(err)
			}
			if len(boxes) == 0 {
				break
			}
			for _, box := range boxes {
				seen[[2]int64{box.Owner, int64(box.Position)}] = true
				if box.Version != 2 || box.W != 15 || box.Decided != (box.Item == b.items[0]) {
					t.Errorf("label %+v", box)
				}
			}
			last := boxes[len(boxes)-1]
			filter.Owner, filter.Position = last.Owner, last.Position
		}
		if len(seen) != of.want {
			t.Errorf("answers %v: %d labels, want %d", of.answers, len(seen), of.want)
		}
	}
	if boxes, err := b.ClassBoxes(t.Context(), b.reviewer, ClassBoxFilter{Class: b.class, Below: 2, Limit: 4}); err != nil || len(boxes) != 0 {
		t.Errorf("older than they are: %+v, %v", boxes, err)
	}
	if _, err := b.ClassBoxes(t.Context(), b.labelers[0], ClassBoxFilter{Class: b.class, Limit: 4}); !errors.Is(err, ErrDenied) {
		t.Errorf("a labeler looks: %v", err)
	}
}
