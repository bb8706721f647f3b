package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Progress counts what a project holds. Items that wait for their media or are broken have no place
// in the queue yet, so Open may hold more than can be claimed.
type Progress struct {
	Items     int // of any state
	Awaiting  int // media that has not come yet, or is being looked at
	Broken    int
	Open      int
	InReview  int
	Done      int // adjudicated
	Discarded int
	Mine      int // held by, or returned to, the actor
}

// Progress returns how far each of these projects is, of those that the actor sees. Nothing is
// scanned that grows with the projects.
func (s *Store) Progress(ctx context.Context, actor Actor, projects []int64) (map[int64]Progress, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT p.id, c.counted, c.state, c.n
		FROM projects p CROSS JOIN LATERAL (
			SELECT counted, state, sum(change)::bigint AS n FROM project_counts WHERE project_id = p.id GROUP BY counted, state
			UNION ALL
			SELECT 'mine', '', count(*) FROM assignments a
			WHERE a.person_id = @person AND a.project_id = p.id AND a.state IN ('leased', 'returned')) c
		WHERE p.id = ANY(@projects) AND `+sees, actor.args(pgx.NamedArgs{"projects": projects}))
	if err != nil {
		return nil, fmt.Errorf("progress: %w", err)
	}
	counts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[projectCount])
	if err != nil {
		return nil, fmt.Errorf("progress: %w", err)
	}
	progress := map[int64]Progress{}
	for _, c := range counts {
		p := progress[c.Project]
		p.add(c)
		progress[c.Project] = p
	}
	return progress, nil
}

// projectCount is how many of one sort are in one state.
type projectCount struct {
	Project        int64
	Counted, State string
	N              int
}

func (p *Progress) add(c projectCount) {
	if c.Counted == "items" {
		p.Items += c.N
	}
	switch c.Counted + " " + c.State {
	case "items awaiting_media", "items processing":
		p.Awaiting += c.N
	case "items broken":
		p.Broken += c.N
	case "tasks open":
		p.Open += c.N
	case "tasks in_review":
		p.InReview += c.N
	case "tasks adjudicated":
		p.Done += c.N
	case "tasks discarded":
		p.Discarded += c.N
	case "mine ":
		p.Mine += c.N
	}
}

// Waiting is how much waits for somebody: items to review in their projects, and answers that came back to them.
// Returned counts no further than returnedTop.
type Waiting struct {
	Review   int
	Returned int
}

const returnedTop = 100

// Waiting returns how much waits for the actor, from what is counted beforehand or kept in an index of their own.
func (s *Store) Waiting(ctx context.Context, actor Actor) (w Waiting, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT coalesce((SELECT sum(c.change) FROM projects p JOIN project_counts c ON c.project_id = p.id
				WHERE @reviews AND c.counted = 'tasks' AND c.state = 'in_review' AND p.archived_at IS NULL AND `+sees+`), 0),
			(SELECT count(*) FROM (
				SELECT FROM assignments a JOIN tasks t ON t.id = a.task_id JOIN projects p ON p.id = a.project_id
				WHERE @labels AND a.person_id = @person AND a.state = 'returned' AND t.state IN ('open', 'in_review')
				  AND p.archived_at IS NULL AND `+stillMember+` LIMIT @top) mine)`,
		actor.args(pgx.NamedArgs{
			"reviews": access.Allows(actor.Role, access.Review), "labels": access.Allows(actor.Role, access.Label), "top": returnedTop,
		})).Scan(&w.Review, &w.Returned)
	if err != nil {
		return Waiting{}, fmt.Errorf("what waits: %w", err)
	}
	return w, nil
}

// sumCounts replaces the changes of one count in a table by their sum. What has no changes since is not written again.
const sumCounts = `
	WITH gone AS (DELETE FROM %[1]s WHERE ctid = ANY (ARRAY(
		SELECT unnest(array_agg(ctid)) FROM %[1]s GROUP BY %[2]s HAVING count(*) > 1 OR sum(change) = 0)) RETURNING %[2]s, change)
	INSERT INTO %[1]s (%[2]s, change) SELECT %[2]s, sum(change) FROM gone GROUP BY %[2]s HAVING sum(change) <> 0`

// SumCounts replaces the changes of every project's, class's and source's counts by their sums.
func (s *Store) SumCounts(ctx context.Context) error {
	for _, counts := range [...]struct{ table, of string }{
		{"project_counts", "project_id, counted, state"},
		{"label_counts", "class_id, definition_version, counted"},
		{"retention_counts", "project_id, source_id, week"},
	} {
		if _, err := s.pool.Exec(ctx, fmt.Sprintf(sumCounts, counts.table, counts.of)); err != nil {
			return fmt.Errorf("sum %s: %w", counts.table, err)
		}
	}
	return nil
}
