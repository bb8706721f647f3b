package main

import (
	"context"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/discussion"
	"fiducial/internal/steel"
	"fiducial/store"
)

// demoGold is how many decided items of the strip project are mixed in.
const demoGold = 18

// watch lets gold items measure the labelers, people talk about what came back, and a reviewer pause somebody.
func (f *demoFill) watch(ctx context.Context) error {
	strip, err := f.Store.Project(ctx, f.admin(), demoStrip)
	if err != nil {
		return err
	}
	if err := f.Store.SetGold(ctx, f.admin(), strip.ID, store.GoldSettings{Share: 0.05, Limit: 0.75, Least: 8}); err != nil {
		return err
	}
	if _, err := f.Store.AddGoldFromTruth(ctx, f.reviewer(), strip.ID, demoGold); err != nil {
		return err
	}
	for n, d := range demoPeople {
		if d.habit != "" {
			if err := f.answerGold(ctx, strip.ID, d, uint64(n)); err != nil {
				return err
			}
		}
	}
	if err := f.scoreGold(ctx, strip.ID); err != nil {
		return err
	}
	if err := f.talk(ctx); err != nil {
		return err
	}
	calibration, err := f.Store.Project(ctx, f.admin(), demoCalibration)
	if err != nil {
		return err
	}
	err = f.Store.PauseMember(ctx, f.reviewer(), calibration.ID, f.actors["Inês Ferreira"].PersonID, "Let us look at three of the strips together before you go on.")
	if err != nil {
		return err
	}
	for {
		if n, err := f.Store.RefreshFigures(ctx); err != nil || n == 0 {
			return err
		}
	}
}

// goldTask is a gold item that was handed to somebody.
type goldTask struct{ Task, Item, Assignment int64 }

// answerGold hands a labeler every gold item that they never had, as claims would over weeks, and lets them answer.
func (f *demoFill) answerGold(ctx context.Context, project int64, d demoPerson, seed uint64) error {
	rows, err := f.Pool.Query(ctx, `
		INSERT INTO assignments (task_id, project_id, person_id, reason, state, lease_until)
		SELECT g.task_id, g.project_id, $2, 'gold', 'leased', now() + interval '30 minutes' FROM gold_items g
		WHERE g.project_id = $1 AND NOT EXISTS (SELECT FROM assignments a WHERE a.task_id = g.task_id AND a.person_id = $2)
		RETURNING task_id AS task, (SELECT item_id FROM tasks WHERE id = task_id) AS item, id AS assignment`, project, f.actors[d.name].PersonID)
	if err != nil {
		return err
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowToStructByName[goldTask])
	if err != nil {
		return err
	}
	for _, t := range tasks {
		strip, err := f.stripOf(ctx, t.Item)
		if err != nil {
			return err
		}
		boxes := f.boxes(demoStrip, steel.Answer(strip, d.habit, seed+uint64(t.Item))) //nolint:gosec // an id is not negative
		_, err = f.Store.Submit(ctx, f.actors[d.name], store.NewAnnotation{
			Task: t.Task, Assignment: t.Assignment, Boxes: boxes, ActiveMS: int64(9000 + 6500*len(boxes)),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// scoreGold spreads the gold answers over the days before, and has them scored now rather than by the jobs.
func (f *demoFill) scoreGold(ctx context.Context, project int64) error {
	_, err := f.Pool.Exec(ctx, `
		WITH spread AS (
			UPDATE annotations SET submitted_at = submitted_at - (1 + id % 9) * interval '26 hours', active_ms = 12000 + id * 7919 % 20000
			WHERE gold RETURNING assignment_id, submitted_at, active_ms)
		UPDATE assignments a SET finished_at = s.submitted_at, claimed_at = s.submitted_at - s.active_ms * interval '1 millisecond', active_ms = s.active_ms
		FROM spread s WHERE s.assignment_id = a.id`)
	if err != nil {
		return err
	}
	items, err := f.Store.GoldItems(ctx, f.reviewer(), project, 0, demoGold)
	if err != nil {
		return err
	}
	for _, g := range items {
		if err := f.Store.ScoreGold(ctx, g.Item); err != nil {
			return err
		}
	}
	return nil
}

// returnedTask is an answer that came back, with the first box that a reviewer marked in it; nil for none.
type returnedTask struct {
	goldTask

	Box *string
}

// talk lets the reviewer and the labeler of an answer that came back speak about it, and contests another remark.
func (f *demoFill) talk(ctx context.Context) error {
	rows, err := f.Pool.Query(ctx, `
		SELECT DISTINCT ON (a.id) a.task_id AS task, t.item_id AS item, a.id AS assignment, k.position::text AS box
		FROM assignments a JOIN tasks t ON t.id = a.task_id JOIN annotations an ON an.task_id = t.id AND an.person_id = a.person_id
		JOIN review_marks k ON k.annotation_id = an.id AND k.review_id = a.review_id
		WHERE a.reason = 'rework' AND a.state = 'returned' AND a.person_id = $1 ORDER BY a.id, k.id LIMIT 2`, f.actors["Jonas Weber"].PersonID)
	if err != nil {
		return err
	}
	back, err := pgx.CollectRows(rows, pgx.RowToStructByName[returnedTask])
	if err != nil || len(back) == 0 {
		return err
	}
	jonas, first := f.actors["Jonas Weber"], back[0]
	for _, line := range []struct {
		who  store.Actor
		text string
	}{
		{jonas, "The end fades out over some 20 px. @Tomasz Król, where do we stop?"},
		{f.reviewer(), "Where you would still call it a scratch at 100 %. The book has an example: look at the second crop."},
	} {
		people := []discussion.Person{{ID: f.reviewer().PersonID, Name: "Tomasz Król"}}
		body, _ := discussion.Encode(line.text, people)
		if _, err := f.Store.AddComment(ctx, line.who, store.NewComment{Item: first.Item, Body: body}); err != nil {
			return err
		}
	}
	last := back[len(back)-1]
	return f.Store.Dispute(ctx, jonas, last.Task, last.Assignment, last.Box, "The lip of the defect goes on to the edge of my box.")
}
