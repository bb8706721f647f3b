package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// returnAnswers supersedes the answers, and begins a pass for each labeler who gets one back, with it as draft.
func (s *relabelStep) returnAnswers(ctx context.Context) error {
	var superseded, tasks, people, answers []int64
	batch := &pgx.Batch{}
	const reason = `INSERT INTO relabel_answers (assignment_id, relabel_id, annotation_id, positions) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	positions := map[int64][]int32{}
	for _, a := range s.answers {
		switch {
		case s.tasks[a.Item].outcome != "sent":
		case a.Waiting != 0:
			batch.Queue(reason, a.Waiting, s.ID, a.Annotation, a.Positions)
		default:
			superseded = append(superseded, a.Annotation)
			if a.returned {
				tasks, people, answers = append(tasks, a.Task), append(people, a.Person), append(answers, a.Annotation)
				positions[a.Annotation] = a.Positions
			}
		}
	}
	if err := s.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("reasons: %w", err)
	}
	if len(superseded) == 0 {
		return nil
	}
	if _, err := s.tx.Exec(ctx, `UPDATE annotations SET superseded_at = now() WHERE id = ANY($1)`, superseded); err != nil {
		return fmt.Errorf("supersede answers: %w", err)
	}
	passes, err := beginPasses(ctx, s.tx, s.Project, tasks, people, answers)
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(passes))
	for _, p := range passes {
		rows = append(rows, []any{p.Assignment, s.ID, p.Annotation, positions[p.Annotation]})
	}
	_, err = s.tx.CopyFrom(ctx, pgx.Identifier{"relabel_answers"}, []string{"assignment_id", "relabel_id", "annotation_id", "positions"}, pgx.CopyFromRows(rows))
	if err != nil {
		return fmt.Errorf("reasons: %w", err)
	}
	return nil
}

// relabelPass is an assignment that begins with a former answer.
type relabelPass struct{ Assignment, Annotation int64 }

// beginPasses gives each of these people the task again, to go on from the answer.
func beginPasses(ctx context.Context, tx pgx.Tx, project int64, tasks, people, answers []int64) ([]relabelPass, error) {
	rows, err := tx.Query(ctx, `
		WITH back AS (
			SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS u (task, person, answer)
		), made AS (
			INSERT INTO assignments (task_id, project_id, person_id, reason, state, pass, mode)
			SELECT task, $1, person, 'relabel', 'returned', last.pass + 1, last.mode
			FROM back CROSS JOIN LATERAL (
				SELECT a.pass, a.mode FROM assignments a WHERE a.task_id = back.task AND a.person_id = back.person ORDER BY a.pass DESC LIMIT 1) last
			RETURNING id, task_id, person_id
		), begun AS (
			INSERT INTO drafts (assignment_id, boxes)
			SELECT made.id, (
				SELECT coalesce(jsonb_agg(jsonb_build_object('id', b.position::text, 'class', b.class_id, 'x', b.x, 'y', b.y, 'w', b.w, 'h', b.h, 'rotation', b.rotation) ORDER BY b.position), '[]')
				FROM annotation_boxes b WHERE b.annotation_id = back.answer)
			FROM made JOIN back ON back.task = made.task_id AND back.person = made.person_id
		), said AS (
			INSERT INTO transcripts (item_id, kind, of_id, segments)
			SELECT s.item_id, 'draft', made.id, s.segments
			FROM made JOIN back ON back.task = made.task_id AND back.person = made.person_id JOIN tasks t ON t.id = made.task_id
			JOIN transcripts s ON s.item_id = t.item_id AND s.kind = 'annotation' AND s.of_id = back.answer)
		SELECT made.id AS assignment, back.answer AS annotation FROM made JOIN back ON back.task = made.task_id AND back.person = made.person_id`,
		project, tasks, people, answers)
	if err != nil {
		return nil, fmt.Errorf("begin passes: %w", err)
	}
	passes, err := pgx.CollectRows(rows, pgx.RowToStructByName[relabelPass])
	if err != nil {
		return nil, fmt.Errorf("begin passes: %w", err)
	}
	return passes, nil
}
