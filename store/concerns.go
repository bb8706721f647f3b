package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Outcome is what a reviewer decided about a concern.
type Outcome string

// The outcomes.
const (
	ToPause   Outcome = "paused"    // the labeler gets nothing new in the project
	ToTalk    Outcome = "talked"    // the labeler is told that somebody would like to talk
	ToDismiss Outcome = "dismissed" // nothing follows
)

// Concern is a labeler who fell under a project's limit, while a reviewer has not said what is to be done.
type Concern struct {
	ID       int64
	Person   int64
	Name     string
	Score    float64 // the mean of Results scores
	Results  int
	Limit    float64
	RaisedAt time.Time
}

// raiseConcern brings a labeler before the project's reviewers if the mean of their newest gold scores lies under
// the limit. What was judged before counts no more: after an answer of a reviewer it takes as many new scores again.
func raiseConcern(ctx context.Context, tx pgx.Tx, project, person int64) error {
	var concern int64
	err := tx.QueryRow(ctx, `
		INSERT INTO concerns (project_id, person_id, score, results, gold_limit)
		SELECT p.id, m.person_id, r.score, r.n, p.gold_limit
		FROM projects p JOIN members m ON m.project_id = p.id AND m.person_id = $2 AND m.paused_at IS NULL CROSS JOIN LATERAL (
			SELECT avg(score) AS score, count(*) AS n FROM (
				SELECT score FROM gold_results
				WHERE project_id = p.id AND person_id = $2 AND answered_at > coalesce(
					(SELECT max(settled_at) FROM concerns c WHERE c.project_id = p.id AND c.person_id = $2), '-infinity')
				ORDER BY answered_at DESC, annotation_id DESC LIMIT p.gold_least) newest) r
		WHERE p.id = $1 AND r.n >= p.gold_least AND r.score < p.gold_limit
		ON CONFLICT DO NOTHING RETURNING id`, project, person).Scan(&concern)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("raise concern: %w", err)
	}
	reviewers, err := reviewersOf(ctx, tx, project)
	if err != nil {
		return err
	}
	for _, id := range reviewers {
		if id == person {
			continue // nobody is asked about themselves
		}
		if err := notify(ctx, tx, id, ConcernRaised, "concern", concern, project); err != nil {
			return err
		}
	}
	return audit(ctx, tx, System(), auditEvent{
		Action: "concern.raise", ObjectType: "concern", ObjectID: concern, ProjectID: project, Detail: map[string]any{"person": person},
	})
}

// reviewersOf returns who answers for the quality of a project: those of its members who may, or else the admins.
func reviewersOf(ctx context.Context, tx pgx.Tx, project int64) ([]int64, error) {
	rows, err := tx.Query(ctx, `
		WITH may AS (SELECT id, role FROM people WHERE role = ANY($2) AND left_at IS NULL),
		own AS (SELECT id FROM may JOIN members m ON m.person_id = may.id AND m.project_id = $1)
		SELECT id FROM own UNION ALL SELECT id FROM may WHERE role = 'admin' AND NOT EXISTS (SELECT FROM own) ORDER BY id`,
		project, rolesThat(access.ManageQuality))
	if err != nil {
		return nil, fmt.Errorf("reviewers of project %d: %w", project, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// Concerns returns the labelers of a project whom a reviewer should think about, the oldest concern first.
func (s *Store) Concerns(ctx context.Context, actor Actor, project int64) ([]Concern, error) {
	if err := actor.may(access.ReadQuality); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT c.id, c.person_id AS person, coalesce(n.name, q.pseudonym) AS name, c.score, c.results, c.gold_limit AS limit, c.raised_at
		FROM concerns c JOIN projects p ON p.id = c.project_id JOIN people q ON q.id = c.person_id
		JOIN members m ON m.project_id = c.project_id AND m.person_id = c.person_id
		LEFT JOIN person_identities n ON n.person_id = q.id
		WHERE c.project_id = @project AND c.settled_at IS NULL AND `+sees+` ORDER BY c.id`, actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("concerns: %w", err)
	}
	concerns, err := pgx.CollectRows(rows, pgx.RowToStructByName[Concern])
	if err != nil {
		return nil, fmt.Errorf("concerns: %w", err)
	}
	return concerns, nil
}

// SettleConcern says what is to be done about a labeler who fell under the limit. Reason is for them to read, and
// needed for ToPause. It returns ErrConflict if somebody has said so before.
func (s *Store) SettleConcern(ctx context.Context, actor Actor, project, concern int64, outcome Outcome, reason string) error {
	if err := actor.may(access.ManageQuality); err != nil {
		return err
	}
	if !slices.Contains([]Outcome{ToPause, ToTalk, ToDismiss}, outcome) {
		return invalid("outcome", "Choose to pause, to talk or to dismiss.")
	}
	reason, err := pauseReason(reason, outcome == ToPause)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, project); err != nil {
			return err
		}
		var person int64
		var settled bool
		err := tx.QueryRow(ctx, `SELECT person_id, settled_at IS NOT NULL FROM concerns WHERE id = $1 AND project_id = $2 FOR NO KEY UPDATE`,
			concern, project).Scan(&person, &settled)
		switch {
		case err != nil:
			return notFound(err)
		case settled:
			return ErrConflict
		}
		if err := settleConcerns(ctx, tx, actor, project, person, outcome); err != nil {
			return err
		}
		switch outcome {
		case ToPause:
			return pauseMember(ctx, tx, actor, project, person, reason)
		case ToTalk:
			return notify(ctx, tx, person, TalkWanted, "project", project, project)
		case ToDismiss:
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle concern %d: %w", concern, err)
	}
	return nil
}

// settleConcerns settles what is open about a labeler of a project.
func settleConcerns(ctx context.Context, tx pgx.Tx, actor Actor, project, person int64, outcome Outcome) error {
	rows, err := tx.Query(ctx, `
		UPDATE concerns SET settled_at = now(), settled_by = $3, outcome = $4
		WHERE project_id = $1 AND person_id = $2 AND settled_at IS NULL RETURNING id`, project, person, orNull(actor.PersonID), outcome)
	if err != nil {
		return err
	}
	settled, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for _, id := range settled {
		err := audit(ctx, tx, actor, auditEvent{
			Action: "concern." + string(outcome), ObjectType: "concern", ObjectID: id, ProjectID: project, Detail: map[string]any{"person": person},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pauseReason refuses what cannot be told a labeler.
func pauseReason(reason string, needed bool) (string, error) {
	reason = strings.TrimSpace(reason)
	switch {
	case needed && reason == "":
		return "", invalid("reason", "Say why, in a sentence that they will read.")
	case len([]rune(reason)) > noteLimit:
		return "", invalid("reason", fmt.Sprintf("Keep the reason under %d characters.", noteLimit))
	}
	return reason, nil
}

// PauseMember lets a member of a project get nothing new there. What they have open stays theirs to finish. Reason
// is for them to read.
func (s *Store) PauseMember(ctx context.Context, actor Actor, project, person int64, reason string) error {
	if err := actor.may(access.ManageQuality); err != nil {
		return err
	}
	reason, err := pauseReason(reason, true)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, project); err != nil {
			return err
		}
		if err := settleConcerns(ctx, tx, actor, project, person, ToPause); err != nil {
			return err
		}
		return pauseMember(ctx, tx, actor, project, person, reason)
	})
	if err != nil {
		return fmt.Errorf("pause person %d in project %d: %w", person, project, err)
	}
	return nil
}

func pauseMember(ctx context.Context, tx pgx.Tx, actor Actor, project, person int64, reason string) error {
	if actor.PersonID == 0 {
		return invalid("", "A pause bears a person's name. Sign in to pause somebody.")
	}
	tag, err := tx.Exec(ctx, `
		UPDATE members SET paused_at = coalesce(paused_at, now()), paused_by = $3, pause_reason = $4 WHERE project_id = $1 AND person_id = $2`,
		project, person, actor.PersonID, reason)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	if err := notify(ctx, tx, person, MemberPaused, "project", project, project); err != nil {
		return err
	}
	return audit(ctx, tx, actor, auditEvent{Action: "member.pause", ObjectType: "person", ObjectID: person, ProjectID: project})
}

// ResumeMember lets a paused member get work again; it does nothing if they are not paused.
func (s *Store) ResumeMember(ctx context.Context, actor Actor, project, person int64) error {
	if err := actor.may(access.ManageQuality); err != nil {
		return err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, project); err != nil {
			return err
		}
		var paused bool
		err := tx.QueryRow(ctx, `SELECT paused_at IS NOT NULL FROM members WHERE project_id = $1 AND person_id = $2 FOR NO KEY UPDATE`,
			project, person).Scan(&paused)
		if err != nil {
			return notFound(err)
		}
		if !paused {
			return nil
		}
		_, err = tx.Exec(ctx, `
			UPDATE members SET paused_at = NULL, paused_by = NULL, pause_reason = '' WHERE project_id = $1 AND person_id = $2`, project, person)
		if err != nil {
			return err
		}
		if err := notify(ctx, tx, person, MemberResumed, "project", project, project); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "member.resume", ObjectType: "person", ObjectID: person, ProjectID: project})
	})
	if err != nil {
		return fmt.Errorf("resume person %d in project %d: %w", person, project, err)
	}
	return nil
}
