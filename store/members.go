package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Member is a person in a project. Held counts what they have in hand there.
type Member struct {
	PersonID int64
	Role     access.Role
	Name     string
	Email    string
	AddedAt  time.Time
	Held     int
}

// Members returns the members of a project by name, for those who manage it.
func (s *Store) Members(ctx context.Context, actor Actor, project int64) ([]Member, error) {
	if err := actor.may(access.EditProjects); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT m.person_id, q.role, coalesce(i.name, q.pseudonym) AS name, coalesce(i.email, '') AS email, m.added_at,
			(SELECT count(*) FROM assignments a WHERE a.person_id = m.person_id AND a.project_id = p.id AND a.state IN ('leased', 'returned')) AS held
		FROM members m JOIN projects p ON p.id = m.project_id JOIN people q ON q.id = m.person_id
		LEFT JOIN person_identities i ON i.person_id = q.id
		WHERE m.project_id = @project AND `+sees+`
		ORDER BY lower(coalesce(i.name, q.pseudonym)), m.person_id`, actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("members: %w", err)
	}
	members, err := pgx.CollectRows(rows, pgx.RowToStructByName[Member])
	if err != nil {
		return nil, fmt.Errorf("members: %w", err)
	}
	return members, nil
}

// Standing is how ready a project is to be labeled, and whether the actor may do so.
type Standing struct {
	Member   bool // the actor is one
	Labelers int  // members whose role labels
	Classes  int  // that can be chosen
}

// Standing returns how ready a project is to be labeled.
func (s *Store) Standing(ctx context.Context, actor Actor, project int64) (st Standing, err error) {
	labeling := []string{}
	for _, role := range access.Roles() {
		if access.Allows(role, access.Label) {
			labeling = append(labeling, string(role))
		}
	}
	err = s.pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM members m WHERE m.project_id = p.id AND m.person_id = @person),
			(SELECT count(*) FROM members m JOIN people q ON q.id = m.person_id WHERE m.project_id = p.id AND q.role = ANY(@labeling)),
			(SELECT count(*) FROM classes c WHERE c.project_id = p.id AND c.retired_at IS NULL)
		FROM projects p WHERE p.id = @project AND `+sees,
		actor.args(pgx.NamedArgs{"project": project, "labeling": labeling})).Scan(&st.Member, &st.Labelers, &st.Classes)
	if err != nil {
		return Standing{}, fmt.Errorf("standing of project %d: %w", project, notFound(err))
	}
	return st, nil
}

// RemoveMember takes a person out of a project. What they hold there returns to the queue, and waits for them
// should they come back; their answers stay.
func (s *Store) RemoveMember(ctx context.Context, actor Actor, project, person int64) error {
	if err := actor.may(access.EditProjects); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, project); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `DELETE FROM members WHERE project_id = $1 AND person_id = $2`, project, person)
		if err != nil {
			return fmt.Errorf("remove member: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("member %d: %w", person, ErrNotFound)
		}
		held, err := letGo(ctx, tx, project, person)
		if err != nil {
			return fmt.Errorf("remove member: %w", err)
		}
		err = audit(ctx, tx, actor, auditEvent{
			Action: "member.remove", ObjectType: "person", ObjectID: person, ProjectID: project, Detail: map[string]any{"returned": len(held)},
		})
		if err != nil || len(held) == 0 {
			return err
		}
		return vacate(ctx, tx, project, held)
	})
}

// letGo ends a person's leases in a project and returns the tasks whose places they held, locked.
func letGo(ctx context.Context, tx pgx.Tx, project, person int64) ([]int64, error) {
	rows, err := tx.Query(ctx, `
		WITH held AS MATERIALIZED (
			SELECT t.id FROM tasks t
			WHERE t.id IN (SELECT task_id FROM assignments WHERE person_id = $2 AND project_id = $1 AND state IN ('leased', 'returned'))
			ORDER BY t.id FOR NO KEY UPDATE)
		SELECT id FROM held`, project, person)
	if err != nil {
		return nil, err
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(tasks) == 0 {
		return nil, err
	}
	// What moved on between looking and locking holds no place any more.
	rows, err = tx.Query(ctx, `
		WITH ended AS (
			UPDATE assignments SET state = 'expired', lease_until = NULL
			WHERE person_id = $1 AND task_id = ANY($2) AND state IN ('leased', 'returned') RETURNING task_id, reason)
		SELECT task_id FROM ended WHERE reason <> 'gold'`, person, tasks)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
