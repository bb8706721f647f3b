package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
)

// Schedule starts evaluations by itself: by the clock, or after a release of one of its models.
type Schedule struct {
	ID        int64
	ChainID   int64
	Chain     string
	Name      string
	Request   EvaluationRequest
	Every     string // "day", "week", "month", or "" for not by the clock
	Hour      int    // UTC
	OnRelease bool
	NextAt    *time.Time
	Fault     string // why the last one could not be started, a sentence
	CreatedBy string
	CreatedAt time.Time
	StoppedAt *time.Time
	PausedAt  *time.Time // nil: it goes on
	LastRun   int64      // the newest evaluation that it started, 0 for none
}

const scheduleColumns = `x.id, x.chain_id, c.name AS chain, x.name, x.request, x.every, x.hour, x.on_release, x.next_at, x.fault,
	coalesce(pi.name, pe.pseudonym, t.name, '') AS created_by, x.created_at, x.stopped_at, x.paused_at,
	coalesce((SELECT max(e.id) FROM evaluations e WHERE e.schedule_id = x.id), 0) AS last_run`

const scheduleTables = `evaluation_schedules x JOIN chains c ON c.id = x.chain_id LEFT JOIN people pe ON pe.id = x.created_by
	LEFT JOIN person_identities pi ON pi.person_id = x.created_by LEFT JOIN api_tokens t ON t.id = x.token_id`

// Schedules returns the schedules that are not stopped, of one chain or, for 0, of all.
func (s *Store) Schedules(ctx context.Context, actor Actor, chain int64) ([]Schedule, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+scheduleColumns+` FROM `+scheduleTables+`
		WHERE x.stopped_at IS NULL AND ($1::bigint = 0 OR x.chain_id = $1) ORDER BY lower(c.name), x.id`, chain)
	if err != nil {
		return nil, fmt.Errorf("schedules: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Schedule])
	if err != nil {
		return nil, fmt.Errorf("schedules: %w", err)
	}
	return list, nil
}

// NewSchedule is what a schedule needs.
type NewSchedule struct {
	Name      string
	Request   EvaluationRequest
	Every     string
	Hour      int
	OnRelease bool
}

func (n *NewSchedule) check() error {
	n.Name = strings.TrimSpace(n.Name)
	switch {
	case n.Name == "" || len([]rune(n.Name)) > titleLimit:
		return invalid("name", fmt.Sprintf("Give the schedule a name of at most %d letters, such as weekly.", titleLimit))
	case !slices.Contains([]string{"", "day", "week", "month"}, n.Every):
		return invalid("every", "Choose day, week or month, or nothing for not by the clock.")
	case n.Hour < 0 || n.Hour > 23:
		return invalid("hour", "Choose an hour between 0 and 23, in UTC.")
	case n.Every == "" && !n.OnRelease:
		return invalid("every", "Choose when it starts: by the clock, after a release, or both.")
	}
	return nil
}

// nextStart is when a schedule starts next after a time: at its hour, each day, on Mondays, or on the first of a month.
func nextStart(every string, hour int, after time.Time) *time.Time {
	after = after.UTC()
	next := time.Date(after.Year(), after.Month(), after.Day(), hour, 0, 0, 0, time.UTC)
	switch every {
	case "day":
		for !next.After(after) {
			next = next.AddDate(0, 0, 1)
		}
	case "week":
		for !next.After(after) || next.Weekday() != time.Monday {
			next = next.AddDate(0, 0, 1)
		}
	case "month":
		for !next.After(after) || next.Day() != 1 {
			next = next.AddDate(0, 0, 1)
		}
	default:
		return nil
	}
	return &next
}

// AddSchedule makes a schedule. What it asks for is checked as if it were to start now.
func (s *Store) AddSchedule(ctx context.Context, actor Actor, n NewSchedule) (id int64, err error) {
	if err := actor.may(access.EditChains); err != nil {
		return 0, err
	}
	if err := n.check(); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		asked, err := checkEvaluation(ctx, tx, actor, n.Request)
		if err != nil {
			return err
		}
		n.Request.Chain, n.Request.Slots = asked.chain.Name, nil
		request, err := json.Marshal(n.Request)
		if err != nil {
			return fmt.Errorf("add schedule: %w", err)
		}
		var now time.Time
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
			return fmt.Errorf("add schedule: %w", err)
		}
		err = tx.QueryRow(ctx, `
			INSERT INTO evaluation_schedules (chain_id, name, request, every, hour, on_release, next_at, created_by, token_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
			asked.chain.ID, n.Name, request, n.Every, n.Hour, n.OnRelease, nextStart(n.Every, n.Hour, now), orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
		if err != nil {
			return fmt.Errorf("add schedule: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "schedule.add", ObjectType: "schedule", ObjectID: id, Detail: map[string]any{"chain": asked.chain.ID, "every": n.Every, "on_release": n.OnRelease},
		})
	})
	return id, err
}

// StopSchedule stops a schedule. What it started stays.
func (s *Store) StopSchedule(ctx context.Context, actor Actor, id int64) error {
	if err := actor.may(access.EditChains); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE evaluation_schedules SET stopped_at = now(), next_at = NULL WHERE id = $1 AND stopped_at IS NULL`, id)
		if err != nil {
			return fmt.Errorf("stop schedule %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("schedule %d: %w", id, ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "schedule.stop", ObjectType: "schedule", ObjectID: id})
	})
}

// PauseSchedule lets a schedule rest: it starts nothing until it is resumed. What it started goes on.
func (s *Store) PauseSchedule(ctx context.Context, actor Actor, id int64) error {
	return s.changeSchedule(ctx, actor, id, "schedule.pause", func(tx pgx.Tx, x pausedSchedule) error {
		if x.Paused {
			return invalid("", "This schedule rests already.")
		}
		_, err := tx.Exec(ctx, `UPDATE evaluation_schedules SET paused_at = now(), next_at = NULL WHERE id = $1`, id)
		return err
	})
}

// ResumeSchedule has a schedule go on that rests. What was due meanwhile is not made up for.
func (s *Store) ResumeSchedule(ctx context.Context, actor Actor, id int64) error {
	return s.changeSchedule(ctx, actor, id, "schedule.resume", func(tx pgx.Tx, x pausedSchedule) error {
		if !x.Paused {
			return invalid("", "This schedule does not rest.")
		}
		_, err := tx.Exec(ctx, `UPDATE evaluation_schedules SET paused_at = NULL, next_at = $2 WHERE id = $1`, id, nextStart(x.Every, x.Hour, x.Now))
		return err
	})
}

// pausedSchedule is what pausing a schedule looks at.
type pausedSchedule struct {
	Every  string
	Hour   int
	Paused bool
	Now    time.Time
}

// changeSchedule changes a schedule that is not stopped, whose row is locked.
func (s *Store) changeSchedule(ctx context.Context, actor Actor, id int64, action string, change func(pgx.Tx, pausedSchedule) error) error {
	if err := actor.may(access.EditChains); err != nil {
		return err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var x pausedSchedule
		err := tx.QueryRow(ctx, `
			SELECT every, hour, paused_at IS NOT NULL, now() FROM evaluation_schedules WHERE id = $1 AND stopped_at IS NULL FOR UPDATE`, id).
			Scan(&x.Every, &x.Hour, &x.Paused, &x.Now)
		if err != nil {
			return notFound(err)
		}
		if err := change(tx, x); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: action, ObjectType: "schedule", ObjectID: id})
	})
	if err != nil {
		return fmt.Errorf("%s %d: %w", action, id, err)
	}
	return nil
}

// dueSchedule is a schedule that is to start a run, with whoever made it.
type dueSchedule struct {
	ID      int64
	Every   string
	Hour    int
	Request EvaluationRequest
	Person  int64
	Token   int64
	Role    access.Role
	Scope   int64
	Now     time.Time
}

// actor is whoever made the schedule, with what they may do today; the zero role of who has left may do nothing.
func (d *dueSchedule) actor() Actor {
	if d.Person == 0 && d.Token == 0 {
		return System()
	}
	return Actor{PersonID: d.Person, TokenID: d.Token, Role: d.Role, Scope: d.Scope}
}

const dueSchedules = `
	SELECT x.id, x.every, x.hour, x.request, coalesce(x.created_by, 0) AS person, coalesce(x.token_id, 0) AS token,
		coalesce(CASE WHEN p.left_at IS NULL THEN p.role END, CASE WHEN t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()) THEN t.role END, '') AS role,
		coalesce(t.project_id, 0) AS scope, now() AS now
	FROM evaluation_schedules x LEFT JOIN people p ON p.id = x.created_by LEFT JOIN api_tokens t ON t.id = x.token_id
	JOIN chains c ON c.id = x.chain_id AND c.archived_at IS NULL WHERE x.stopped_at IS NULL AND x.paused_at IS NULL`

// RunSchedules starts the evaluations that are due by the clock, each in the transaction that puts its schedule on, and so once. One that
// cannot be started says why on its page, and is tried again when it is due next.
func (s *Store) RunSchedules(ctx context.Context) error {
	for {
		var again bool
		err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
			rows, err := tx.Query(ctx, dueSchedules+` AND x.next_at <= now() ORDER BY x.next_at, x.id LIMIT 1 FOR UPDATE OF x SKIP LOCKED`)
			if err != nil {
				return err
			}
			due, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[dueSchedule])
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
			again = true
			return s.startDue(ctx, tx, due, "schedule")
		})
		if err != nil {
			return fmt.Errorf("schedules: %w", err)
		}
		if !again {
			return nil
		}
	}
}

// startDue starts the run of a schedule, or notes why it could not be.
func (s *Store) startDue(ctx context.Context, tx pgx.Tx, due dueSchedule, by string) error {
	due.Request.StartedBy, due.Request.Schedule = by, due.ID
	actor := due.actor()
	start, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	err = actor.may(access.RunEvaluations)
	if err == nil {
		_, err = s.startEvaluation(ctx, start, actor, due.Request)
	}
	fault := ""
	inv, refused := errors.AsType[*InvalidError](err)
	switch {
	case err == nil:
		err = start.Commit(ctx)
	case errors.Is(err, ErrDenied):
		fault, err = "Whoever made this schedule may not start evaluations any more. Stop it, and make another one.", start.Rollback(ctx)
	case refused:
		fault, err = inv.Reason, start.Rollback(ctx)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE evaluation_schedules SET fault = $2, next_at = CASE WHEN next_at <= now() THEN $3 ELSE next_at END WHERE id = $1`,
		due.ID, fault, nextStart(due.Every, due.Hour, due.Now))
	return err
}

// releaseSettles is how long a release is given before its runs begin: how its model is asked is said right after it.
const releaseSettles = 2 * time.Minute

// runAfterRelease has the schedules started that wait for a release of this model, in the transaction of the release.
func (s *Store) runAfterRelease(ctx context.Context, tx pgx.Tx, version int64) error {
	rows, err := tx.Query(ctx, `
		SELECT x.id FROM evaluation_schedules x JOIN chains c ON c.id = x.chain_id AND c.archived_at IS NULL
		JOIN model_versions v ON v.id = $1 JOIN models m ON m.id = v.model_id
		WHERE x.stopped_at IS NULL AND x.paused_at IS NULL AND x.on_release AND jsonb_path_exists(x.request, '$.models[*][*] ? (@ == $name)', jsonb_build_object('name', m.name || '@latest'))
		ORDER BY x.id`, version)
	if err != nil {
		return fmt.Errorf("schedules after release %d: %w", version, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("schedules after release %d: %w", version, err)
	}
	var now time.Time
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return fmt.Errorf("schedules after release %d: %w", version, err)
	}
	for _, id := range ids {
		opts := &river.InsertOpts{ScheduledAt: now.Add(releaseSettles)}
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.RunSchedule{ScheduleID: id, ModelVersionID: version}, opts); err != nil {
			return fmt.Errorf("enqueue schedule %d: %w", id, err)
		}
	}
	return nil
}

// RunSchedule starts the run that a schedule wants after a release, once however often it is called: a run that it has started with this
// version already is enough.
func (s *Store) RunSchedule(ctx context.Context, id, version int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, dueSchedules+` AND x.id = @id AND NOT EXISTS (
			SELECT FROM evaluations e JOIN evaluation_models em ON em.evaluation_id = e.id WHERE e.schedule_id = x.id AND em.model_version_id = @version)
			FOR UPDATE OF x`, pgx.NamedArgs{"id": id, "version": version})
		if err != nil {
			return err
		}
		due, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[dueSchedule])
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.startDue(ctx, tx, due, "release")
	})
	if err != nil {
		return fmt.Errorf("schedule %d: %w", id, err)
	}
	return nil
}
