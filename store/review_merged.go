package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/agreement"
)

// Origins say where the boxes of a decision come from.
type Origins struct {
	// Answers are those that the reviewer had before them.
	Answers []int64 `json:"answers,omitempty"`
	// Merged boxes are what several answers make together.
	Merged int `json:"merged,omitempty"`
	// Taken are boxes as they stand in one answer, by its id.
	Taken map[int64]int `json:"taken,omitempty"`
	// Kept are the former truth's.
	Kept int `json:"kept,omitempty"`
	// Drawn are the reviewer's own, or changed by them.
	Drawn int `json:"drawn,omitempty"`
	// Words are those of the decision, nil for an image.
	Words *WordOrigins `json:"words,omitempty"`
}

// votes are the answers to an item that count at present, by id, and what they make together.
type votes struct {
	ids      []int64
	boxes    [][]Box
	matching agreement.Matching
	spoken   *spoken // nil for an image
}

// votesFor reads the answers to a task that count.
func votesFor(ctx context.Context, tx pgx.Tx, u *undecided) (v votes, err error) {
	rows, err := tx.Query(ctx, `SELECT an.id FROM annotations an WHERE an.task_id = $1 AND `+counts+` ORDER BY an.id`, u.Task)
	if err != nil {
		return votes{}, fmt.Errorf("answers: %w", err)
	}
	if v.ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		return votes{}, fmt.Errorf("answers: %w", err)
	}
	if v.boxes, err = boxesOfAnswers(ctx, tx, v.ids); err != nil {
		return votes{}, err
	}
	v.matching = MatchAnswers(v.boxes, u.limits(0))
	if u.audio() {
		v.spoken = &spoken{normalizer: u.normalizer()}
		v.spoken.answers, err = wordingsOf(ctx, tx, u.Item, v.ids)
	}
	return v, err
}

// MatchAnswers finds out which boxes of several answers are one object.
func MatchAnswers(answers [][]Box, limits agreement.Limits) agreement.Matching {
	shapes := make([][]agreement.Box, len(answers))
	for i, boxes := range answers {
		shapes[i] = make([]agreement.Box, len(boxes))
		for j, b := range boxes {
			shapes[i][j] = b.shape()
		}
	}
	return agreement.Match(shapes, limits)
}

// shape is the box without what it was made under.
func (b Box) shape() agreement.Box {
	return agreement.Box{Class: b.ClassID, X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation, Crowd: b.Crowd}
}

// boxesOfAnswers reads the boxes of answers in their order, all at once.
func boxesOfAnswers(ctx context.Context, q querier, ids []int64) ([][]Box, error) {
	answers := make([][]Box, len(ids))
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `
		SELECT annotation_id, class_id, definition_version, x, y, w, h, rotation, crowd FROM annotation_boxes
		WHERE annotation_id = ANY($1) ORDER BY annotation_id, position`, ids)
	if err != nil {
		return nil, fmt.Errorf("boxes of answers: %w", err)
	}
	var id int64
	var b Box
	_, err = pgx.ForEachRow(rows, []any{&id, &b.ClassID, &b.DefinitionVersion, &b.X, &b.Y, &b.W, &b.H, &b.Rotation, &b.Crowd}, func() error {
		at := slices.Index(ids, id)
		answers[at] = append(answers[at], b)
		b = Box{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("boxes of answers: %w", err)
	}
	return answers, nil
}

// merged returns what the answers make together.
func (v votes) merged() content { return content{v.mergedBoxes(), v.spoken.merged()} }

// mergedBoxes returns the boxes that the answers make together. A box is under the oldest definition under which one of
// those that say its class was drawn, so that it is known to be stale when any of them is.
func (v votes) mergedBoxes() []Box {
	proposal := v.matching.Proposal()
	boxes := make([]Box, len(proposal))
	for i, p := range proposal {
		boxes[i] = Box{ClassID: p.Class, X: p.X, Y: p.Y, W: p.W, H: p.H, Rotation: p.Rotation, Crowd: p.Crowd}
		for _, o := range v.matching.Objects {
			if o.Box == p {
				boxes[i].DefinitionVersion = v.oldest(o)
			}
		}
	}
	return boxes
}

func (v votes) oldest(o agreement.Object) (version *int) {
	for _, r := range o.Members {
		b := v.boxes[r.Answer][r.Box]
		if b.ClassID == o.Box.Class && b.DefinitionVersion != nil && (version == nil || *b.DefinitionVersion < *version) {
			version = b.DefinitionVersion
		}
	}
	return version
}

// source is where a box of a decision may have come from.
type source struct {
	box    Box
	answer int64 // 0 for none
	merged bool
}

// sources are all boxes that a decision can take over, by their shape. The base of the decision goes before all: an answer's
// boxes, or with 0 the former truth's; then what several answers make together goes before one answer's own.
func (v votes) sources(base []Box, answer int64) map[agreement.Box]source {
	known := map[agreement.Box]source{}
	for i, boxes := range slices.Backward(v.boxes) {
		for _, b := range boxes {
			known[b.shape()] = source{box: b, answer: v.ids[i]}
		}
	}
	for _, o := range v.matching.Objects {
		if len(o.Members) > 1 {
			b := Box{ClassID: o.Box.Class, X: o.Box.X, Y: o.Box.Y, W: o.Box.W, H: o.Box.H, Rotation: o.Box.Rotation, Crowd: o.Box.Crowd, DefinitionVersion: v.oldest(o)}
			known[o.Box] = source{box: b, merged: true}
		}
	}
	for _, b := range base {
		known[b.shape()] = source{box: b, answer: answer}
	}
	return known
}

// origins says where a decision comes from whose boxes go out from base, and gives those that were taken over the
// definition version that they were made under.
func (v votes) origins(truth content, base []Box, answer int64) *Origins {
	o := &Origins{Answers: v.ids, Words: v.spoken.origins(v.ids, truth.words)}
	boxes := truth.boxes
	known := v.sources(base, answer)
	for i, b := range boxes {
		from, ok := known[b.shape()]
		if !ok && !b.Crowd { // the workbench does not know of crowds
			b.Crowd = true
			from, ok = known[b.shape()]
		}
		switch {
		case !ok:
			o.Drawn++
			continue
		case from.merged:
			o.Merged++
		case from.answer != 0:
			if o.Taken == nil {
				o.Taken = map[int64]int{}
			}
			o.Taken[from.answer]++
		default:
			o.Kept++
		}
		boxes[i] = from.box
	}
	return o
}

// settle names the decision of a reviewer who had several answers before them by what it came to: what
// the answers make together is merged, one answer as it stands approves it. It returns what the boxes go out from.
func (v votes) settle(a *Adjudication, truth, base content) content {
	if merged := v.merged(); sameShapes(truth.boxes, merged.boxes) && sameWords(truth.words, merged.words) {
		a.Kind = Merged
		truth.take(merged.words)
		return content{}
	}
	for i, answer := range v.boxes {
		if words := v.spoken.of(i); sameShapes(truth.boxes, answer) && sameWords(truth.words, words) {
			a.Kind, a.Annotation = Approved, v.ids[i]
			truth.take(words)
			return content{answer, words}
		}
	}
	return base
}

// take has words that are the same as others bear the rules that those were written under.
func (c content) take(words *wording) {
	if c.words != nil {
		c.words.Rules = words.Rules
	}
}

// sameShapes reports whether both hold the same boxes, in whatever order.
func sameShapes(a, b []Box) bool {
	if len(a) != len(b) {
		return false
	}
	left := map[agreement.Box]int{}
	for _, box := range a {
		left[box.shape()]++
	}
	for _, box := range b {
		if left[box.shape()]--; left[box.shape()] < 0 {
			return false
		}
	}
	return true
}
