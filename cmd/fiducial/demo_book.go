package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/steel"
	"fiducial/store"
)

// sharpen publishes second versions of two definitions in the calibration round: of a class that labelers confuse with
// another, whose older labels stay on the list for a visitor to send back, and of a third, whose labels go back.
func (f *demoFill) sharpen(ctx context.Context) error {
	if err := f.untilNone(ctx, `
		SELECT count(*) FROM river_job
		WHERE kind IN ('score_item', 'summarize_project') AND state IN ('available', 'scheduled', 'running', 'retryable')`); err != nil {
		return err
	}
	var class, other int64
	err := f.Pool.QueryRow(ctx, `
		SELECT f.class_a, f.class_b FROM confusions f JOIN projects p ON p.id = f.project_id
		WHERE p.slug = $1 AND f.annotations_a <> '{}' AND f.annotations_b <> '{}' GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT 1`, demoCalibration).Scan(&class, &other)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if err == nil {
		sharper := fmt.Sprintf("Where it could be either, it is a %s if the edges are sharp.", f.definitionOf(other).Name)
		if err := f.republish(ctx, class, sharper, []int64{other}, store.SendBack{}); err != nil {
			return err
		}
	}
	// What is confused stays in sight: the labels that go back are on other items.
	var third int64
	err = f.Pool.QueryRow(ctx, `
		SELECT c.id FROM classes c JOIN projects p ON p.id = c.project_id AND p.slug = $1
		JOIN annotation_boxes b ON b.class_id = c.id JOIN annotations an ON an.id = b.annotation_id AND an.superseded_at IS NULL
		WHERE c.id NOT IN ($2, $3)
		GROUP BY c.id HAVING NOT bool_or(an.item_id IN (SELECT item_id FROM confusions)) ORDER BY count(*) DESC, c.id LIMIT 1`, demoCalibration, class, other).Scan(&third)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	const note = "Each one is a box of its own, drawn to its edges."
	if err := f.republish(ctx, third, note, nil, store.SendBack{All: true, Note: note}); err != nil {
		return err
	}
	return f.untilNone(ctx, `SELECT count(*) FROM relabels WHERE state <> 'done'`)
}

// republish adds a sentence to the definition of a class of the calibration round.
func (f *demoFill) republish(ctx context.Context, class int64, sentence string, confused []int64, back store.SendBack) error {
	defined := f.definitionOf(class)
	if confused == nil {
		for _, other := range defined.ConfusedWith {
			confused = append(confused, f.classes[demoCalibration][other])
		}
	}
	if err := f.Store.SaveDefinition(ctx, f.reviewer(), class, 0, defined.Markdown+"\n\n"+sentence, confused); err != nil {
		return err
	}
	_, _, err := f.Store.PublishAndSendBack(ctx, f.reviewer(), class, 2, back)
	return err
}

// definitionOf is what a class of the calibration round was defined as.
func (f *demoFill) definitionOf(class int64) steel.Definition {
	for _, d := range steel.Definitions() {
		if f.classes[demoCalibration][d.Class] == class {
			return d
		}
	}
	return steel.Definition{}
}

// untilNone waits until the query counts nothing any more.
func (f *demoFill) untilNone(ctx context.Context, query string) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var n int
		if err := f.Pool.QueryRow(ctx, query).Scan(&n); err != nil || n == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
