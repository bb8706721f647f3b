package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// SummaryPending reports whether a project is being summed up, or will be soon.
func (s *Store) SummaryPending(ctx context.Context, actor Actor, project int64) (pending bool, err error) {
	if err := actor.may(access.ReadAgreement); err != nil {
		return false, err
	}
	err = s.pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM river_job WHERE kind IN ('score_project', 'summarize_project') AND state IN ('available', 'running', 'scheduled', 'retryable')
			AND (args->>'project_id')::bigint = $1)`, project).Scan(&pending)
	if err != nil {
		return false, fmt.Errorf("summary pending: %w", err)
	}
	return pending, nil
}

// ItemAgreement is how far the answers to one item coincide.
type ItemAgreement struct {
	Item       int64
	Name       string
	State      string // of its task
	Answers    int
	Score      *float64 // nil for a single answer
	TruthScore *float64 // nil without a truth
	IoU        *float64 `db:"iou"`
	Worst      string
	Objects    int
	Agreed     int
	Missed     int
	Class      int
	Loose      int
	Split      int
	ComputedAt time.Time
}

// AgreementFilter selects scored items of a project, the worst first.
type AgreementFilter struct {
	Project int64
	// AfterScore and After are score and id of the item that the list goes on after; After 0 begins it. A nil score
	// is that of the items with a single answer, which come last.
	AfterScore *float64
	After      int64
	Limit      int
}

// ItemAgreements lists the items whose answers were compared, the worst first.
func (s *Store) ItemAgreements(ctx context.Context, actor Actor, f AgreementFilter) ([]ItemAgreement, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	scored := `g.score IS NOT NULL`
	switch {
	case f.After != 0 && f.AfterScore != nil:
		scored = `(g.score, g.item_id) > (@score::float8, @after)`
	case f.After != 0:
		scored = `false`
	}
	rest := `g.score IS NULL`
	if f.After != 0 && f.AfterScore == nil {
		rest = `g.score IS NULL AND g.item_id > @after`
	}
	list := func(where, order string) string {
		return `(SELECT g.* FROM item_agreements g WHERE g.project_id = @project AND ` + where + ` ORDER BY ` + order + ` LIMIT @limit)`
	}
	rows, err := s.pool.Query(ctx, `
		SELECT g.item_id AS item, `+itemName+` AS name, t.state, g.answers, g.score, g.truth_score, g.iou, g.worst, g.objects,
			g.agreed, g.missed, g.class, g.loose, g.split, g.computed_at
		FROM (`+list(scored, `g.score, g.item_id`)+` UNION ALL `+list(rest, `g.item_id`)+`) g
		JOIN tasks t ON t.id = g.task_id JOIN projects p ON p.id = g.project_id LEFT JOIN item_texts x ON x.item_id = g.item_id
		WHERE `+sees+` ORDER BY g.score, g.item_id LIMIT @limit`,
		actor.args(pgx.NamedArgs{"project": f.Project, "score": f.AfterScore, "after": f.After, "limit": f.Limit}))
	if err != nil {
		return nil, fmt.Errorf("item agreements: %w", err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowToStructByName[ItemAgreement])
	if err != nil {
		return nil, fmt.Errorf("item agreements: %w", err)
	}
	return items, nil
}
