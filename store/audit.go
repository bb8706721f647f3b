package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// auditEvent says what was done to which object. Detail holds ids, counts and names of settings,
// never content.
type auditEvent struct {
	Action     string // "project.update"
	ObjectType string // "project"
	ObjectID   int64
	ProjectID  int64
	Detail     map[string]any
}

// audit records ev as done by actor, in the transaction of the change itself.
func audit(ctx context.Context, tx pgx.Tx, actor Actor, ev auditEvent) error {
	detail := ev.Detail
	if detail == nil {
		detail = map[string]any{}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO audit_events (person_id, token_id, action, object_type, object_id, project_id, request_id, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		orNull(actor.PersonID), orNull(actor.TokenID), ev.Action, ev.ObjectType, orNull(ev.ObjectID), orNull(ev.ProjectID),
		actor.RequestID, detail)
	if err != nil {
		return fmt.Errorf("audit %s: %w", ev.Action, err)
	}
	return nil
}

// NoteJobsChange records that the actor is about to change background jobs by River's own pages; act
// is the address of the change there, such as /api/jobs/retry.
func (s *Store) NoteJobsChange(ctx context.Context, actor Actor, act string) error {
	if err := actor.may(access.ManageJobs); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		return audit(ctx, tx, actor, auditEvent{Action: "jobs.change", ObjectType: "jobs", Detail: map[string]any{"act": act}})
	})
}

// AuditFilter selects audit events; its zero value is all of them.
type AuditFilter struct {
	Person     string // an id, or part of a name, an address or a pseudonym
	TokenID    int64
	Action     string
	ObjectType string
	ObjectID   int64
	ProjectID  int64
	From, To   time.Time // To is not included
	Before     int64     // events with a smaller id
	Limit      int
}

// AuditEvent is something that was done, by whom and to what.
type AuditEvent struct {
	ID         int64
	At         time.Time
	PersonID   int64  // 0: no person did it
	Person     string // their name, or pseudonym
	TokenID    int64
	Token      string
	Action     string
	ObjectType string
	ObjectID   int64
	ProjectID  int64
	Project    string
	RequestID  string
	Detail     json.RawMessage // ids, counts and names of settings
}

// AuditEvents lists what was done, newest first.
func (s *Store) AuditEvents(ctx context.Context, actor Actor, f AuditFilter) ([]AuditEvent, error) {
	if err := actor.may(access.ReadAudit); err != nil {
		return nil, err
	}
	people, err := s.peopleMeant(ctx, f.Person)
	if err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT e.id, e.at, coalesce(e.person_id, 0) AS person_id, coalesce(i.name, p.pseudonym, '') AS person,
			coalesce(e.token_id, 0) AS token_id, coalesce(t.name, '') AS token, e.action, e.object_type,
			coalesce(e.object_id, 0) AS object_id, coalesce(e.project_id, 0) AS project_id, coalesce(j.name, '') AS project,
			e.request_id, e.detail
		FROM (
			SELECT * FROM audit_events e WHERE `+auditConditions(f)+` ORDER BY e.id DESC LIMIT @limit
		) e
		LEFT JOIN people p ON p.id = e.person_id LEFT JOIN person_identities i ON i.person_id = e.person_id
		LEFT JOIN api_tokens t ON t.id = e.token_id LEFT JOIN projects j ON j.id = e.project_id
		ORDER BY e.id DESC`, pgx.NamedArgs{
		"people": people, "token": f.TokenID, "action": f.Action, "type": f.ObjectType, "object": f.ObjectID,
		"project": f.ProjectID, "from": f.From, "to": f.To, "before": f.Before, "limit": f.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("audit events: %w", err)
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByName[AuditEvent])
	if err != nil {
		return nil, fmt.Errorf("audit events: %w", err)
	}
	return events, nil
}

// auditConditions names only what is asked for, so that the planner picks the index for it.
func auditConditions(f AuditFilter) string {
	conditions := []string{"true"}
	add := func(asked bool, condition string) {
		if asked {
			conditions = append(conditions, condition)
		}
	}
	add(strings.TrimSpace(f.Person) != "", "e.person_id = ANY(@people)")
	add(f.TokenID != 0, "e.token_id = @token")
	add(f.Action != "", "e.action = @action")
	add(f.ObjectType != "", "e.object_type = @type")
	add(f.ObjectID != 0, "e.object_id = @object")
	add(f.ProjectID != 0, "e.project_id = @project")
	add(!f.From.IsZero(), "e.at >= @from")
	add(!f.To.IsZero(), "e.at < @to")
	add(f.Before != 0, "e.id < @before")
	return strings.Join(conditions, " AND ")
}

// peopleMeant returns the ids of the people whom text means, at most 100.
func (s *Store) peopleMeant(ctx context.Context, text string) ([]int64, error) {
	text = strings.TrimSpace(text)
	if id, err := strconv.ParseInt(text, 10, 64); err == nil || text == "" {
		return []int64{id}, nil
	}
	rows, err := s.pool.Query(ctx, `
		SELECT p.id FROM people p LEFT JOIN person_identities i ON i.person_id = p.id
		WHERE strpos(lower(coalesce(i.name, '') || ' ' || coalesce(i.email, '') || ' ' || p.pseudonym), lower($1)) > 0
		ORDER BY p.id LIMIT 100`, text)
	if err != nil {
		return nil, fmt.Errorf("people meant: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("people meant: %w", err)
	}
	return ids, nil
}

// AuditActions lists every action that was ever recorded. It hops from one to the next through the
// index, so it costs as many steps as there are actions, not events.
func (s *Store) AuditActions(ctx context.Context, actor Actor) ([]string, error) {
	if err := actor.may(access.ReadAudit); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		WITH RECURSIVE hop AS (
			(SELECT action FROM audit_events ORDER BY action LIMIT 1)
			UNION ALL
			SELECT (SELECT e.action FROM audit_events e WHERE e.action > hop.action ORDER BY e.action LIMIT 1)
			FROM hop WHERE hop.action IS NOT NULL
		)
		SELECT action FROM hop WHERE action IS NOT NULL`)
	if err != nil {
		return nil, fmt.Errorf("audit actions: %w", err)
	}
	actions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("audit actions: %w", err)
	}
	return actions, nil
}
