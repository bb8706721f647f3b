package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// PeopleFilter selects people; its zero value is everybody who is here.
type PeopleFilter struct {
	Role  access.Role
	Query string // part of a name, an address or a pseudonym
	Left  bool   // those who left, instead of those who are here
	After PersonPlace
	Limit int
}

// PersonPlace is a place in the order of People: after the person with this name and id.
type PersonPlace struct {
	Name string
	ID   int64
}

// PersonLine is a person in a list. Projects counts those in which they are a member; CanSignIn is
// false until they have a password.
type PersonLine struct {
	ID        int64
	Role      access.Role
	Name      string
	Email     string
	CanSignIn bool
	Projects  int
	CreatedAt time.Time
	LeftAt    *time.Time
}

// Place is where this person stands in the order of People.
func (l PersonLine) Place() PersonPlace { return PersonPlace{Name: strings.ToLower(l.Name), ID: l.ID} }

// People lists people by name.
func (s *Store) People(ctx context.Context, actor Actor, f PeopleFilter) ([]PersonLine, error) {
	if err := actor.may(access.ManagePeople); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT p.id, p.role, coalesce(i.name, p.pseudonym) AS name, coalesce(i.email, '') AS email,
			i.password_hash IS NOT NULL AS can_sign_in,
			(SELECT count(*) FROM members m JOIN projects j ON j.id = m.project_id
			 WHERE m.person_id = p.id AND j.archived_at IS NULL) AS projects,
			p.created_at, p.left_at
		FROM people p LEFT JOIN person_identities i ON i.person_id = p.id
		WHERE (p.left_at IS NOT NULL) = @left AND (@role = '' OR p.role = @role)
		  AND (@query = '' OR strpos(lower(coalesce(i.name, '') || ' ' || coalesce(i.email, '') || ' ' || p.pseudonym), lower(@query)) > 0)
		  AND (lower(coalesce(i.name, p.pseudonym)), p.id) > (@name, @id)
		ORDER BY lower(coalesce(i.name, p.pseudonym)), p.id
		LIMIT @limit`, pgx.NamedArgs{
		"left": f.Left, "role": string(f.Role), "query": strings.TrimSpace(f.Query),
		"name": strings.ToLower(f.After.Name), "id": f.After.ID, "limit": f.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	people, err := pgx.CollectRows(rows, pgx.RowToStructByName[PersonLine])
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	return people, nil
}

// PersonByID returns one person, whether here or gone.
func (s *Store) PersonByID(ctx context.Context, actor Actor, id int64) (Person, error) {
	if err := actor.may(access.ManagePeople); err != nil {
		return Person{}, err
	}
	return s.person(ctx, id)
}

// PersonByEmail returns the id of the person who is here with an address, in whatever case.
func (s *Store) PersonByEmail(ctx context.Context, actor Actor, email string) (id int64, err error) {
	if err := actor.may(access.ManagePeople); err != nil {
		return 0, err
	}
	err = s.pool.QueryRow(ctx, `SELECT person_id FROM person_identities WHERE lower(email) = lower($1)`, strings.TrimSpace(email)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("person by address: %w", notFound(err))
	}
	return id, nil
}

// ProjectsOf lists the projects in which a person is a member, by name.
func (s *Store) ProjectsOf(ctx context.Context, actor Actor, id int64) ([]Project, error) {
	if err := actor.may(access.ManagePeople); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+projectColumns+` FROM projects p JOIN members m ON m.project_id = p.id
		WHERE m.person_id = $1 AND p.archived_at IS NULL ORDER BY lower(p.name), p.id`, id)
	if err != nil {
		return nil, fmt.Errorf("projects of person %d: %w", id, err)
	}
	projects, err := pgx.CollectRows(rows, pgx.RowToStructByName[Project])
	if err != nil {
		return nil, fmt.Errorf("projects of person %d: %w", id, err)
	}
	return projects, nil
}

// SetRole changes what a person may do, and ends their sessions. The last admin stays one.
func (s *Store) SetRole(ctx context.Context, actor Actor, id int64, role access.Role) error {
	if err := actor.may(access.ManagePeople); err != nil {
		return err
	}
	if _, err := access.ParseRole(string(role)); err != nil {
		return invalid("role", "Choose a role.")
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		before, err := presentRole(ctx, tx, id)
		if err != nil || before == role {
			return err
		}
		if before == access.Admin {
			if err := keepAnAdmin(ctx, tx, id, "become a "+string(role)); err != nil {
				return err
			}
			if err := revokeInvitationsBy(ctx, tx, id); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE people SET role = $2 WHERE id = $1`, id, role); err != nil {
			return fmt.Errorf("set role: %w", err)
		}
		if _, err := endSessions(ctx, tx, id); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "person.role", ObjectType: "person", ObjectID: id, Detail: map[string]any{"from": before, "to": role},
		})
	})
}

// presentRole locks a person who is here and returns their role.
func presentRole(ctx context.Context, tx pgx.Tx, id int64) (role access.Role, err error) {
	err = tx.QueryRow(ctx, `SELECT role FROM people WHERE id = $1 AND left_at IS NULL FOR NO KEY UPDATE`, id).Scan(&role)
	if err != nil {
		return "", fmt.Errorf("person %d: %w", id, notFound(err))
	}
	return role, nil
}

// stays reports whether a person is here, and keeps them from leaving until the transaction ends: what is written of them then is
// there for their leaving to delete.
func stays(ctx context.Context, tx pgx.Tx, id int64) (here bool, err error) {
	err = tx.QueryRow(ctx, `SELECT left_at IS NULL FROM people WHERE id = $1 FOR SHARE`, id).Scan(&here)
	if err != nil {
		return false, fmt.Errorf("person %d: %w", id, notFound(err))
	}
	return here, nil
}

// adminsLock is the advisory lock under which admins become fewer, one at a time.
const adminsLock = 0x61646d696e // "admin"

// keepAnAdmin refuses that person id stops being an admin, unless another one can sign in. Two admins
// who demote each other at once are asked one after the other.
func keepAnAdmin(ctx context.Context, tx pgx.Tx, id int64, what string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, adminsLock); err != nil {
		return fmt.Errorf("lock admins: %w", err)
	}
	var others bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT FROM people p JOIN person_identities i ON i.person_id = p.id
			WHERE p.role = 'admin' AND p.left_at IS NULL AND i.password_hash IS NOT NULL AND p.id <> $1)`, id).Scan(&others)
	if err != nil {
		return fmt.Errorf("other admins: %w", err)
	}
	if !others {
		return invalid("", "This is the last admin who can sign in, so they cannot "+what+". Make someone else an admin first.")
	}
	return nil
}

// Leave pseudonymises a person for good: name, address and password are deleted, sessions and links
// end, and what they had on their desk returns to the queue. Their work stays under the pseudonym, and
// the API tokens that they made stay until somebody revokes them. The last admin cannot leave.
func (s *Store) Leave(ctx context.Context, actor Actor, id int64) error {
	if err := actor.may(access.ManagePeople); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		role, err := presentRole(ctx, tx, id)
		if err != nil {
			return err
		}
		if role == access.Admin {
			if err := keepAnAdmin(ctx, tx, id, "leave"); err != nil {
				return err
			}
		}
		// Nothing more is handed to them from here on.
		if _, err := tx.Exec(ctx, `SELECT FROM members WHERE person_id = $1 FOR UPDATE`, id); err != nil {
			return fmt.Errorf("memberships of person %d: %w", id, err)
		}
		if err := clearDesk(ctx, tx, id); err != nil {
			return err
		}
		if _, err := endSessions(ctx, tx, id); err != nil {
			return err
		}
		if err := forgetPerson(ctx, tx, id); err != nil {
			return err
		}
		if err := s.dropAccess(ctx, tx, nil, id); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "person.leave", ObjectType: "person", ObjectID: id})
	})
}

// forgetPerson deletes what is only about the person, and nothing of what they made.
func forgetPerson(ctx context.Context, tx pgx.Tx, id int64) error {
	if err := revokeInvitationsBy(ctx, tx, id); err != nil {
		return err
	}
	for _, sql := range []string{
		`DELETE FROM person_identities WHERE person_id = $1`,
		`DELETE FROM members WHERE person_id = $1`,
		`DELETE FROM notices WHERE person_id = $1`,
		`DELETE FROM labeler_figures WHERE person_id = $1`,
		`DELETE FROM concerns WHERE person_id = $1`,
		`UPDATE invitations SET revoked_at = now() WHERE person_id = $1 AND used_at IS NULL AND revoked_at IS NULL`,
		`UPDATE people SET left_at = now(), preferences = '{}' WHERE id = $1`,
	} {
		if _, err := tx.Exec(ctx, sql, id); err != nil {
			return fmt.Errorf("forget person %d: %w", id, err)
		}
	}
	return nil
}

// clearDesk takes back what a person was given and has not answered; the places that they held return
// to the queue.
func clearDesk(ctx context.Context, tx pgx.Tx, id int64) error {
	rows, err := tx.Query(ctx, `
		SELECT id FROM tasks WHERE id IN (
			SELECT task_id FROM assignments WHERE person_id = $1 AND state IN ('leased', 'returned', 'expired'))
		ORDER BY id FOR NO KEY UPDATE`, id)
	if err != nil {
		return fmt.Errorf("desk of person %d: %w", id, err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("desk of person %d: %w", id, err)
	}
	held, err := cancelAssignments(ctx, tx, id, tasks)
	if err != nil {
		return err
	}
	for _, project := range slices.Sorted(maps.Keys(held)) {
		if err := vacate(ctx, tx, project, held[project]); err != nil {
			return err
		}
	}
	return nil
}

// cancelAssignments ends what a person has on these tasks, and returns by project on which of them
// they held a place.
func cancelAssignments(ctx context.Context, tx pgx.Tx, id int64, tasks []int64) (held map[int64][]int64, err error) {
	rows, err := tx.Query(ctx, `
		WITH desk AS MATERIALIZED (
			SELECT id, state FROM assignments
			WHERE person_id = $1 AND task_id = ANY($2) AND state IN ('leased', 'returned', 'expired') FOR NO KEY UPDATE)
		UPDATE assignments a SET state = 'cancelled', lease_until = NULL, finished_at = now()
		FROM desk WHERE desk.id = a.id RETURNING a.project_id, a.task_id, desk.state <> 'expired' AND a.reason <> 'gold'`, id, tasks)
	if err != nil {
		return nil, fmt.Errorf("cancel assignments of person %d: %w", id, err)
	}
	type place struct {
		Project, Task int64
		Held          bool
	}
	places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[place])
	if err != nil {
		return nil, fmt.Errorf("cancel assignments of person %d: %w", id, err)
	}
	held = map[int64][]int64{}
	for _, p := range places {
		if p.Held {
			held[p.Project] = append(held[p.Project], p.Task)
		}
	}
	return held, nil
}
