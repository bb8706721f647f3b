package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// ProjectAgreement is what pages show of the agreement of a project, a round or a batch. Who may not read items gets
// it without items and labelers.
type ProjectAgreement struct {
	AgreementSummary

	ComputedAt time.Time
	Names      map[int64]string // of the labelers
}

// Agreement returns the last summary of the scope. It returns ErrNotFound if the actor does not see the project, or
// nothing was summed up yet.
func (s *Store) Agreement(ctx context.Context, actor Actor, scope AgreementScope) (a ProjectAgreement, err error) {
	if err := actor.may(access.ReadAgreement); err != nil {
		return a, err
	}
	err = s.pool.QueryRow(ctx, `
		SELECT g.summary, g.computed_at FROM project_agreements g JOIN projects p ON p.id = g.project_id
		WHERE p.id = @project AND g.round_id IS NOT DISTINCT FROM @round::bigint AND g.batch_id IS NOT DISTINCT FROM @batch::bigint AND `+sees,
		actor.args(pgx.NamedArgs{"project": scope.Project, "round": orNull(scope.Round), "batch": orNull(scope.Batch)})).Scan(&a.AgreementSummary, &a.ComputedAt)
	if err != nil {
		return a, fmt.Errorf("agreement of project %d: %w", scope.Project, notFound(err))
	}
	if !actor.Allowed(access.ReadItems) {
		a.Labelers, a.Pairs, a.Differ = nil, nil, nil
		if a.Words != nil {
			a.Words.Labelers, a.Words.Pairs = nil, nil
		}
		return a, nil
	}
	ids := make([]int64, len(a.Labelers))
	for i, l := range a.Labelers {
		ids[i] = l.Labeler
	}
	if a.Names, err = peopleNames(ctx, s.pool, ids); err != nil {
		return a, err
	}
	return a, nameItems(ctx, s.pool, a.Differ)
}

// nameItems fills in what people know the items by.
func nameItems(ctx context.Context, q querier, list []ClassDifference) error {
	ids := make([]int64, len(list))
	for i, d := range list {
		ids[i] = d.Item
	}
	names, err := namesOf(ctx, q, `SELECT x.item_id, `+itemName+` FROM item_texts x WHERE x.item_id = ANY($1)`, ids)
	for i := range list {
		list[i].Name = names[list[i].Item]
	}
	return err
}

// AgreementRound is a round whose agreement was summed up.
type AgreementRound struct {
	ID     int64
	Number int
}

// AgreementRounds lists the rounds of a project whose agreement was summed up.
func (s *Store) AgreementRounds(ctx context.Context, actor Actor, project int64) ([]AgreementRound, error) {
	if err := actor.may(access.ReadAgreement); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT r.id, r.number FROM rounds r JOIN project_agreements g ON g.round_id = r.id AND g.project_id = r.project_id
		JOIN projects p ON p.id = r.project_id WHERE p.id = @project AND `+sees+` ORDER BY r.number`, actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("rounds of project %d: %w", project, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[AgreementRound])
}

// peopleNames returns what people are called: their names, or the pseudonyms of those who left.
func peopleNames(ctx context.Context, q querier, ids []int64) (map[int64]string, error) {
	return namesOf(ctx, q, `
		SELECT p.id, coalesce(n.name, p.pseudonym) FROM people p LEFT JOIN person_identities n ON n.person_id = p.id WHERE p.id = ANY($1)`, ids)
}

// SummaryPending reports whether a project is being summed up, or will be soon.
func (s *Store) SummaryPending(ctx context.Context, actor Actor, project int64) (pending bool, err error) {
	if err := actor.may(access.ReadAgreement); err != nil {
		return false, err
	}
	err = s.pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM river_job WHERE kind IN ('score_project', 'summarize_project') AND state IN ('available', 'running', 'scheduled', 'retryable')
			AND (args->>'project_id')::bigint = p.id) FROM projects p WHERE p.id = @project AND `+sees, actor.args(pgx.NamedArgs{"project": project})).Scan(&pending)
	if err != nil {
		return false, fmt.Errorf("summary pending: %w", notFound(err))
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
	WER        *float64 `db:"wer"`       // mean word error rate between the answers; nil for an image
	TruthWER   *float64 `db:"truth_wer"` // and beside the truth
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
			g.agreed, g.missed, g.class, g.loose, g.split, g.computed_at, g.wer, g.truth_wer
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
