package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/agreement"
)

// writeScore replaces what is kept of an item's agreement, and says whether that changed anything. Rows that
// would come out the same stay, with their ids: pages are read by them.
func writeScore(ctx context.Context, tx pgx.Tx, u *scored, v ballots, c comparison) (changed bool, err error) {
	if !v.comparable() {
		tag, err := tx.Exec(ctx, `DELETE FROM item_agreements WHERE item_id = $1`, u.Item)
		changed = tag.RowsAffected() > 0
		if err != nil {
			return false, err
		}
	} else if changed, err = writeAgreement(ctx, tx, u, v, c); err != nil {
		return false, err
	}
	confused, err := writeConfusions(ctx, tx, u, v.confusions(c.withTruth))
	if err != nil {
		return false, err
	}
	order := c.score
	if u.Undecided || u.Disputed {
		order = new(0.0)
	}
	_, err = tx.Exec(ctx, `UPDATE tasks SET agreement = $2 WHERE id = $1 AND agreement IS DISTINCT FROM $2`, u.Task, order)
	return changed || confused, err
}

func writeAgreement(ctx context.Context, tx pgx.Tx, u *scored, v ballots, c comparison) (changed bool, err error) {
	counts := map[agreement.Finding]int{}
	for i := range c.Objects {
		counts[c.Objects[i].Worst()]++
	}
	words := c.wordFigures()
	tag, err := tx.Exec(ctx, `
		INSERT INTO item_agreements AS g (item_id, project_id, task_id, answers, truth_id, objects, score, truth_score, iou, worst, agreed, missed, class, loose, split,
			wer, word_errors, words, truth_wer, truth_word_errors, truth_words)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
		ON CONFLICT (item_id) DO UPDATE SET answers = excluded.answers, truth_id = excluded.truth_id, objects = excluded.objects, score = excluded.score,
			truth_score = excluded.truth_score, iou = excluded.iou, worst = excluded.worst, agreed = excluded.agreed, missed = excluded.missed,
			class = excluded.class, loose = excluded.loose, split = excluded.split, wer = excluded.wer, word_errors = excluded.word_errors, words = excluded.words,
			truth_wer = excluded.truth_wer, truth_word_errors = excluded.truth_word_errors, truth_words = excluded.truth_words, computed_at = now()
		WHERE (g.answers, g.truth_id, g.objects, g.score, g.truth_score, g.iou, g.worst, g.agreed, g.missed, g.class, g.loose, g.split,
				g.wer, g.word_errors, g.words, g.truth_wer, g.truth_word_errors, g.truth_words) IS DISTINCT FROM
			(excluded.answers, excluded.truth_id, excluded.objects, excluded.score, excluded.truth_score, excluded.iou, excluded.worst, excluded.agreed,
			 excluded.missed, excluded.class, excluded.loose, excluded.split, excluded.wer, excluded.word_errors, excluded.words, excluded.truth_wer,
			 excluded.truth_word_errors, excluded.truth_words)`,
		u.Item, u.Project, u.Task, len(v.answers), orNull(v.truth.ID), len(c.Objects), c.score, c.truthScore, c.iou, string(c.worst()),
		counts[agreement.Agreed], counts[agreement.Missed], counts[agreement.Class], counts[agreement.Loose], counts[agreement.Split],
		words.rate, words.errors, words.words, words.truthRate, words.truthErrors, words.truthWords)
	if err != nil {
		return false, fmt.Errorf("agreement: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

// wordFigures are what is kept of a comparison of words; all nil where there is none.
type wordFigures struct {
	rate, truthRate                        *float64
	errors, words, truthErrors, truthWords *int
}

func (c comparison) wordFigures() (f wordFigures) {
	if c.words == nil {
		return f
	}
	if len(c.words.Pairs) > 0 {
		f.rate, f.errors, f.words = new(c.words.Rate()), new(0), new(0)
		for _, p := range c.words.Pairs {
			*f.errors += p.Errors
			*f.words += p.Words
		}
	}
	if len(c.words.Truth) > 0 {
		f.truthRate, f.truthErrors, f.truthWords = new(c.words.TruthRate()), new(0), new(0)
		for _, e := range c.words.Truth {
			*f.truthErrors += e.Errors
			*f.truthWords += e.Words
		}
	}
	return f
}

// confusion is an object that was given two classes, ClassA the one with the lower id.
type confusion struct {
	ClassA, ClassB int64
	A, B           saying
	TruthID        *int64
	TruthPosition  *int
	TruthClass     *int64
	Decided        bool
	X, Y, W, H     float64
	Rotation       float64
}

// saying is who gave an object a class, and by which box.
type saying struct {
	Annotations []int64
	Positions   []int
	People      []int64
}

func (s saying) equal(o saying) bool {
	return slices.Equal(s.Annotations, o.Annotations) && slices.Equal(s.Positions, o.Positions) && slices.Equal(s.People, o.People)
}

func (c confusion) equal(o confusion) bool {
	equal := func(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
	return c.ClassA == o.ClassA && c.ClassB == o.ClassB && c.A.equal(o.A) && c.B.equal(o.B) && equal(c.TruthID, o.TruthID) &&
		(c.TruthID == nil || *c.TruthPosition == *o.TruthPosition) && equal(c.TruthClass, o.TruthClass) && c.Decided == o.Decided &&
		c.X == o.X && c.Y == o.Y && c.W == o.W && c.H == o.H && c.Rotation == o.Rotation
}

// confusions are the pairs of classes that objects were given, by answers or by one and the truth.
func (v ballots) confusions(m agreement.Matching) (all []confusion) {
	for i := range m.Objects {
		all = append(all, v.confusionsOn(&m.Objects[i])...)
	}
	return all
}

func (v ballots) confusionsOn(o *agreement.Object) (all []confusion) {
	said := map[int64]*saying{}
	var classes []int64
	of := func(class int64) *saying {
		if said[class] == nil {
			said[class] = &saying{Annotations: []int64{}, Positions: []int{}, People: []int64{}}
			classes = append(classes, class)
		}
		return said[class]
	}
	var truth *agreement.Ref
	for _, ref := range o.Members {
		if ref.Answer == len(v.answers) {
			truth = &ref
			of(v.truth.Boxes[ref.Box].ClassID)
			continue
		}
		a := v.answers[ref.Answer]
		s := of(a.Boxes[ref.Box].ClassID)
		s.Annotations, s.Positions, s.People = append(s.Annotations, a.ID), append(s.Positions, ref.Box), append(s.People, a.Person)
	}
	slices.Sort(classes)
	for i, a := range classes {
		for _, b := range classes[i+1:] {
			c := confusion{
				ClassA: a, ClassB: b, A: *said[a], B: *said[b], Decided: v.truth.ID != 0, X: o.Box.X, Y: o.Box.Y, W: o.Box.W, H: o.Box.H, Rotation: o.Box.Rotation,
			}
			if truth != nil {
				if class := v.truth.Boxes[truth.Box].ClassID; class == a || class == b {
					c.TruthID, c.TruthPosition, c.TruthClass = new(v.truth.ID), new(truth.Box), new(class)
				}
			}
			all = append(all, c)
		}
	}
	return all
}

// writeConfusions replaces an item's rows if they differ.
func writeConfusions(ctx context.Context, tx pgx.Tx, u *scored, found []confusion) (changed bool, err error) {
	rows, err := tx.Query(ctx, `
		SELECT class_a, class_b, annotations_a, positions_a, people_a, annotations_b, positions_b, people_b, truth_id, truth_position, truth_class, decided,
			x, y, w, h, rotation
		FROM confusions WHERE item_id = $1 ORDER BY id`, u.Item)
	if err != nil {
		return false, err
	}
	kept, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c confusion, err error) {
		return c, row.Scan(&c.ClassA, &c.ClassB, &c.A.Annotations, &c.A.Positions, &c.A.People, &c.B.Annotations, &c.B.Positions, &c.B.People,
			&c.TruthID, &c.TruthPosition, &c.TruthClass, &c.Decided, &c.X, &c.Y, &c.W, &c.H, &c.Rotation)
	})
	if err != nil {
		return false, fmt.Errorf("confusions: %w", err)
	}
	if slices.EqualFunc(kept, found, confusion.equal) {
		return false, nil
	}
	if _, err := tx.Exec(ctx, `DELETE FROM confusions WHERE item_id = $1`, u.Item); err != nil {
		return false, fmt.Errorf("confusions: %w", err)
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"confusions"}, []string{
		"project_id", "item_id", "class_a", "class_b", "annotations_a", "positions_a", "people_a", "annotations_b", "positions_b", "people_b",
		"truth_id", "truth_position", "truth_class", "decided", "x", "y", "w", "h", "rotation",
	}, pgx.CopyFromSlice(len(found), func(i int) ([]any, error) {
		c := found[i]
		return []any{
			u.Project, u.Item, c.ClassA, c.ClassB, c.A.Annotations, c.A.Positions, c.A.People, c.B.Annotations, c.B.Positions, c.B.People,
			c.TruthID, c.TruthPosition, c.TruthClass, c.Decided, c.X, c.Y, c.W, c.H, c.Rotation,
		}, nil
	}))
	if err != nil {
		return false, fmt.Errorf("confusions: %w", err)
	}
	return true, nil
}
