package store

import (
	"slices"
	"testing"

	"fiducial/internal/scoring"
)

// Scores of words that were kept before the classes of moments were, stand in for lines that are gone as those do that have them.
func TestWordsKeptWithoutClasses(t *testing.T) {
	t.Parallel()
	at := func(position int, hits int32) scoring.Score {
		return scoring.Score{Position: position, Words: scoring.Words{Hits: hits}}
	}
	failed := scoring.Failure()
	said := at(2, 9)
	said.Marks = []scoring.Mark{{Truth: 0, Said: -1, TruthAt: 0, SaidAt: -1}}
	kept := scoring.Sheet{Task: scoring.Speech, Scores: []scoring.Score{at(0, 5), at(1, 6), at(2, 7)}}
	merged := withKept(scoring.Sheet{Task: scoring.Speech, Classes: []string{"joy"}, Scores: []scoring.Score{failed, said}}, kept)
	var hits []int32
	for _, s := range merged.Scores {
		hits = append(hits, s.Words.Hits)
	}
	if !slices.Equal(hits, []int32{5, 6, 9}) || !slices.Equal(merged.Classes, []string{"joy"}) || len(merged.Scores[2].Marks) != 1 {
		t.Errorf("%+v", merged)
	}
	labels := withKept(scoring.Sheet{Task: scoring.Labels, Classes: []string{"joy"}}, scoring.Sheet{Task: scoring.Labels, Scores: []scoring.Score{at(0, 1)}})
	if len(labels.Scores) != 0 {
		t.Errorf("labels of other classes were kept: %+v", labels)
	}
}
