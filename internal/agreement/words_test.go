package agreement

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// The score of words is the same to the last bit whatever order the labelers come in.
func TestWordScoreIsSymmetric(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "answers")
		var w Words
		for b := range n {
			for a := range b {
				words := rapid.IntRange(0, 40).Draw(t, "words")
				w.Pairs = append(w.Pairs, WordPair{a, b, rapid.IntRange(0, words).Draw(t, "errors"), words})
			}
			words := rapid.IntRange(0, 20).Draw(t, "true words")
			w.Truth = append(w.Truth, WordErrors{rapid.IntRange(0, 25).Draw(t, "errors"), words})
		}
		score, rate, truth := w.Score(), w.Rate(), w.TruthScore()
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Shuffle(len(w.Pairs), func(i, j int) { w.Pairs[i], w.Pairs[j] = w.Pairs[j], w.Pairs[i] })
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2)).Shuffle(len(w.Truth), func(i, j int) { w.Truth[i], w.Truth[j] = w.Truth[j], w.Truth[i] })
		if w.Score() != score || w.Rate() != rate || w.TruthScore() != truth {
			t.Fatalf("%v, %v, %v after %v, %v, %v", w.Score(), w.Rate(), w.TruthScore(), score, rate, truth)
		}
		if score < 0 || score > 1 {
			t.Fatalf("score %v", score)
		}
	})
}

// A wide moment of another class, such as noise over two coughs, needs no splitting; one of the same class does.
func TestMomentsOfOtherClassesLieOverEachOther(t *testing.T) {
	t.Parallel()
	moment := func(class int64, begin, end float64) Box { return Box{Class: class, X: begin, W: end - begin, H: 1} }
	coughs := []Box{moment(1, 1, 2), moment(1, 3, 4)}
	for _, tt := range []struct {
		class int64
		want  Finding
	}{{1, Split}, {2, Missed}} {
		m := Match([][]Box{coughs, {moment(tt.class, 0, 5)}}, Limits{Moments: true})
		if m.Worst() != tt.want {
			t.Errorf("class %d: %s, want %s", tt.class, m.Worst(), tt.want)
		}
	}
	whole := Match([][]Box{{moment(1, 0, 5)}, {moment(1, 0, 5)}}, Limits{Moments: true})
	if whole.Worst() != Agreed || whole.Score != 1 {
		t.Errorf("the same whole utterance: %s, %v", whole.Worst(), whole.Score)
	}
	apart := Match([][]Box{{{Class: 1, X: 1, Y: 1, W: 1, H: 1}}, {{Class: 1, X: 1, Y: 2, W: 1, H: 1}}}, Limits{Moments: true})
	if len(apart.Objects) != 2 {
		t.Errorf("moments of two channels became %d objects", len(apart.Objects))
	}
}
