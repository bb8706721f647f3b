package store

import (
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
)

// answered draws a task in review that has all its answers, and at least so many.
func (q *queueModel) answered(rt *rapid.T, least int) *modelTask {
	var all []*modelTask
	for _, m := range q.tasks {
		if m.state == "in_review" && m.votes() >= max(m.overlap, least) {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		rt.Skip("nothing in review has all its answers")
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(rt, "task")]
}

// obey does to a task what a verdict does.
func (q *queueModel) obey(rt *rapid.T, m *modelTask, do func(pgx.Tx, *scored) error) {
	ctx := q.t.Context()
	err := q.inTx(ctx, func(tx pgx.Tx) error {
		var item int64
		if err := tx.QueryRow(ctx, `SELECT item_id FROM tasks WHERE id = $1`, m.id).Scan(&item); err != nil {
			return err
		}
		u, err := lockScored(ctx, tx, item)
		if err != nil {
			return err
		}
		return do(tx, u)
	})
	if err != nil {
		rt.Fatal(err)
	}
}

// askAnother is what a low score does.
func (q *queueModel) askAnother(rt *rapid.T) {
	m := q.answered(rt, 1)
	if m.overlap == 9 {
		rt.Skip("no more than 9 are asked")
	}
	q.obey(rt, m, func(tx pgx.Tx, u *scored) error { return askOneMore(q.t.Context(), tx, u) })
	m.overlap++
	m.state = "open"
}

// accept is what a high score does.
func (q *queueModel) accept(rt *rapid.T) {
	m := q.answered(rt, 2)
	q.obey(rt, m, func(tx pgx.Tx, u *scored) error {
		v, err := ballotsOn(q.t.Context(), tx, u)
		if err != nil {
			return err
		}
		_, err = accept(q.t.Context(), tx, u, v, v.compare(u.AgreementRules))
		return err
	})
	m.state = "adjudicated"
}
