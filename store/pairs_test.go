package store

import (
	"math"
	"testing"
)

// sumUp scores every item, and sums the project up.
func (b *book) sumUp(tb testing.TB) {
	tb.Helper()
	for _, item := range b.items {
		if err := b.ScoreItem(tb.Context(), item); err != nil {
			tb.Fatal(err)
		}
	}
	if err := b.SummarizeAgreement(tb.Context(), AgreementScope{Project: b.project.ID}); err != nil {
		tb.Fatal(err)
	}
}

// A pair that a sharper definition has told apart still has figures: none of so many, and what it was before.
func TestPairThatIsConfusedNoMore(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2, 3, 2)
	for _, says := range [][2]int64{{b.class, b.other}, {b.class, b.class}, {b.other, b.other}} {
		b.says(t, 0, says[0])
		b.says(t, 1, says[1])
	}
	b.sumUp(t)
	pair, err := b.Pair(t.Context(), b.reviewer, b.project.ID, b.other, b.class)
	if err != nil || pair.Count != 1 || pair.Votes.N != 3 || math.Abs(pair.Votes.Value-1./3) > 1e-9 || pair.Before != nil {
		t.Fatalf("%+v, %v", pair, err)
	}
	b.run(t, b.sharpen(t, SendBack{Others: []int64{b.other}}))
	for who := range 2 {
		b.saysTo(t, who, b.mustClaim(t, b.labelers[who]), b.class)
	}
	b.sumUp(t)
	pair, err = b.Pair(t.Context(), b.reviewer, b.project.ID, b.class, b.other)
	if err != nil || pair.Count != 0 || !pair.Votes.Defined || pair.Votes.N != 3 || pair.Votes.Value != 0 || pair.Votes.High < 0.5 {
		t.Errorf("%+v, %v", pair, err)
	}
	if pair.Before == nil || pair.Before.Count != 1 || pair.Version != 3 {
		t.Errorf("before: %+v", pair.Before)
	}
	list, _, err := b.Pairs(t.Context(), b.reviewer, b.project.ID)
	if err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
