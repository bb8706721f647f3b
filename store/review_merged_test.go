package store

import (
	"cmp"
	"reflect"
	"slices"
	"testing"
)

// votedOn has each labeler answer the first item with these boxes and returns the answers' ids.
func (b *bench) votedOn(tb testing.TB, answers ...[]DraftBox) (ids []int64) {
	tb.Helper()
	for i, boxes := range answers {
		c := b.mustClaim(tb, b.labelers[i])
		receipt, err := b.Submit(tb.Context(), b.labelers[i], NewAnnotation{Task: c.Task, Assignment: c.Assignment, Boxes: boxes})
		if err != nil {
			tb.Fatal(err)
		}
		ids = append(ids, receipt.Annotation)
	}
	return ids
}

func (b *bench) draftBox(x, y, w, h float64) DraftBox {
	return DraftBox{ClassID: b.class, X: x, Y: y, W: w, H: h}
}

// threeVotes are answers that have one object in common and one that only the first has.
func (b *bench) threeVotes(tb testing.TB) []int64 {
	tb.Helper()
	return b.votedOn(tb,
		[]DraftBox{b.draftBox(10, 10, 30, 40), b.draftBox(70, 60, 10, 10)},
		[]DraftBox{b.draftBox(11, 10, 30, 40)},
		[]DraftBox{b.draftBox(12, 10, 31, 40)})
}

func TestMergedDecisions(t *testing.T) {
	t.Parallel()
	merged := func(b *bench) Box { return Box{ClassID: b.class, X: 11, Y: 10, W: 30, H: 40} }
	lone := func(b *bench) Box { return Box{ClassID: b.class, X: 70, Y: 60, W: 10, H: 10} }
	own := func(b *bench) Box { return Box{ClassID: b.class, X: 20, Y: 70, W: 8, H: 9} }
	tests := []struct {
		name    string
		kind    DecisionKind
		boxes   func(*bench) []Box // of Amended
		want    DecisionKind
		taken   int // the answer that the truth is tied to, 0 for none
		truth   func(*bench) []Box
		origins func(ids []int64) Origins
	}{
		{
			"merged", Merged, nil, Merged, 0, func(b *bench) []Box { return []Box{merged(b)} },
			func(ids []int64) Origins { return Origins{Answers: ids, Merged: 1} },
		},
		{
			"the same by hand", Amended, func(b *bench) []Box { return []Box{merged(b)} }, Merged, 0, func(b *bench) []Box { return []Box{merged(b)} },
			func(ids []int64) Origins { return Origins{Answers: ids, Merged: 1} },
		},
		{
			"one answer by hand", Amended, func(b *bench) []Box { return []Box{lone(b), {ClassID: b.class, X: 10, Y: 10, W: 30, H: 40}} }, Approved, 1,
			func(b *bench) []Box { return []Box{lone(b), {ClassID: b.class, X: 10, Y: 10, W: 30, H: 40}} },
			func(ids []int64) Origins { return Origins{Answers: ids, Taken: map[int64]int{ids[0]: 2}} },
		},
		{
			"some of each", Amended, func(b *bench) []Box { return []Box{merged(b), lone(b), own(b)} }, Amended, 0,
			func(b *bench) []Box { return []Box{merged(b), lone(b), own(b)} },
			func(ids []int64) Origins {
				return Origins{Answers: ids, Merged: 1, Taken: map[int64]int{ids[0]: 1}, Drawn: 1}
			},
		},
		{
			"nothing", Amended, func(*bench) []Box { return nil }, Amended, 0, func(*bench) []Box { return []Box{} },
			func(ids []int64) Origins { return Origins{Answers: ids} },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 3, 1, 3)
			ids, item := b.threeVotes(t), b.items[0]
			a := Adjudication{Item: item, Version: b.look(t, item).Version, Kind: tt.kind}
			if tt.boxes != nil {
				for _, box := range tt.boxes(b) {
					a.Boxes = append(a.Boxes, DraftBox{ID: "o1", ClassID: box.ClassID, X: box.X, Y: box.Y, W: box.W, H: box.H})
				}
			}
			decision, err := b.Adjudicate(t.Context(), b.reviewer, a)
			if err != nil {
				t.Fatal(err)
			}
			r := b.look(t, item)
			if d := r.Decisions[0]; d.Kind != tt.want || d.Origins == nil || !reflect.DeepEqual(*d.Origins, tt.origins(ids)) {
				t.Errorf("decided %s from %+v, want %s from %+v", d.Kind, d.Origins, tt.want, tt.origins(ids))
			}
			answer := int64(0)
			if tt.taken > 0 {
				answer = ids[tt.taken-1]
			}
			if r.Truth.Annotation != answer {
				t.Errorf("the truth is answer %d, want %d", r.Truth.Annotation, answer)
			}
			byPlace := func(x, y Box) int { return cmp.Compare(x.X, y.X) }
			if got := b.truth(t, item); !slices.Equal(slices.SortedFunc(slices.Values(got), byPlace), slices.SortedFunc(slices.Values(tt.truth(b)), byPlace)) {
				t.Errorf("truth %+v, want %+v", got, tt.truth(b))
			}
			b.mustUndo(t, decision)
			if b.truth(t, item) != nil || b.look(t, item).State != "in_review" {
				t.Error("the decision stands after its undo")
			}
		})
	}
}

func TestMergingNeedsAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 1, 1)
	b.labeled(t)
	a := Adjudication{Item: b.items[0], Version: b.look(t, b.items[0]).Version, Kind: Merged}
	if _, err := b.Adjudicate(t.Context(), b.reviewer, a); !isInvalid(err) {
		t.Errorf("a single answer was merged: %v", err)
	}
}

func TestMergedBoxesKeepTheOldestDefinition(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3, 1, 3)
	ids, item := b.threeVotes(t), b.items[0]
	for i, version := range []int{3, 2, 4} {
		b.exec(t, `UPDATE annotation_boxes SET definition_version = $2 WHERE annotation_id = $1`, ids[i], version)
	}
	a := Adjudication{Item: item, Version: b.look(t, item).Version, Kind: Amended, Boxes: []DraftBox{b.draftBox(11, 10, 30, 40), b.draftBox(70, 60, 10, 10)}}
	if _, err := b.Adjudicate(t.Context(), b.reviewer, a); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 3} {
		if got := b.look(t, item).Truth.Boxes[i].DefinitionVersion; got == nil || *got != want {
			t.Errorf("box %d is under definition %v, want %d", i, got, want)
		}
	}
}
