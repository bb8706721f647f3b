package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Source is whose data it is: a customer, a production line.
type Source struct {
	ID            int64
	Name          string
	RetentionDays *int // nil: kept without a time limit
	CreatedAt     time.Time
}

// longestRetention is 100 years, beyond which a policy is a mistyped one.
const longestRetention = 36_500

// everySource is the condition that the actor is told of source s: whoever can import chooses among all of them, everybody
// else sees those that have items in their projects.
const everySource = `(@every OR EXISTS (SELECT FROM projects p WHERE ` + sees + ` AND EXISTS (
	SELECT FROM items i WHERE i.project_id = p.id AND i.source_id = s.id)))`

// Sources returns the sources that the actor is told of, by name.
func (s *Store) Sources(ctx context.Context, actor Actor) ([]Source, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT s.id, s.name, s.retention_days, s.created_at FROM sources s WHERE `+everySource+` ORDER BY lower(s.name), s.id`,
		actor.args(pgx.NamedArgs{"every": actor.Allowed(access.Import)}))
	if err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	sources, err := pgx.CollectRows(rows, pgx.RowToStructByName[Source])
	if err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	return sources, nil
}

// AddSource makes a source. days of nil keeps its items without a time limit.
func (s *Store) AddSource(ctx context.Context, actor Actor, name string, days *int) (source Source, err error) {
	if err := actor.manages(name, days); err != nil {
		return Source{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO sources (name, retention_days) VALUES ($1, $2) RETURNING id, name, retention_days, created_at`,
			strings.TrimSpace(name), days).Scan(&source.ID, &source.Name, &source.RetentionDays, &source.CreatedAt)
		if violates(err, "sources_name_key") {
			return invalid("name", "There is a source with this name already.")
		}
		if err != nil {
			return fmt.Errorf("add source: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "source.add", ObjectType: "source", ObjectID: source.ID, Detail: map[string]any{"retention_days": days},
		})
	})
	return source, err
}

// manages checks the actor and what they ask of a source.
func (a Actor) manages(name string, days *int) error {
	if err := a.may(access.ManageSources); err != nil {
		return err
	}
	switch {
	case a.Scope != 0: // a source belongs to no project
		return fmt.Errorf("sources: %w", ErrDenied)
	case strings.TrimSpace(name) == "":
		return invalid("name", "Give the source a name: whose data it is.")
	case days != nil && (*days < 1 || *days > longestRetention):
		return invalid("retention_days", "Choose a retention between 1 day and 36500, or leave it empty for no limit.")
	}
	return nil
}

// UpdateSource renames a source and sets its policy. A changed policy moves the date of every item
// of the source at once, whether it was imported before or comes later; items is how many moved.
func (s *Store) UpdateSource(ctx context.Context, actor Actor, source Source) (items int64, err error) {
	if err := actor.manages(source.Name, source.RetentionDays); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE sources SET name = $2, retention_days = $3 WHERE id = $1`,
			source.ID, strings.TrimSpace(source.Name), source.RetentionDays)
		if violates(err, "sources_name_key") {
			return invalid("name", "There is a source with this name already.")
		}
		if err != nil {
			return fmt.Errorf("update source: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("source %d: %w", source.ID, ErrNotFound)
		}
		tag, err = tx.Exec(ctx, `
			UPDATE items i SET retain_until = item_retain_until(i.own_retain_until, i.captured_at, i.imported_at, $2)
			WHERE i.source_id = $1
			  AND i.retain_until IS DISTINCT FROM item_retain_until(i.own_retain_until, i.captured_at, i.imported_at, $2)`,
			source.ID, source.RetentionDays)
		if err != nil {
			return fmt.Errorf("source %d: dates of its items: %w", source.ID, err)
		}
		items = tag.RowsAffected()
		return audit(ctx, tx, actor, auditEvent{
			Action: "source.update", ObjectType: "source", ObjectID: source.ID,
			Detail: map[string]any{"retention_days": source.RetentionDays, "items": items},
		})
	})
	return items, err
}

// SourcesOf returns the sources that have items in a project, by name.
func (s *Store) SourcesOf(ctx context.Context, actor Actor, project int64) ([]Source, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		WITH RECURSIVE used AS ( -- steps from one source to the next in the index, past all the items between
			(SELECT i.source_id FROM items i JOIN projects p ON p.id = i.project_id
			 WHERE i.project_id = @project AND `+sees+` ORDER BY i.source_id LIMIT 1)
			UNION ALL
			SELECT (SELECT i.source_id FROM items i WHERE i.project_id = @project AND i.source_id > used.source_id ORDER BY i.source_id LIMIT 1)
			FROM used WHERE used.source_id IS NOT NULL
		)
		SELECT s.id, s.name, s.retention_days, s.created_at FROM sources s JOIN used ON used.source_id = s.id ORDER BY lower(s.name), s.id`,
		actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("sources of project %d: %w", project, err)
	}
	sources, err := pgx.CollectRows(rows, pgx.RowToStructByName[Source])
	if err != nil {
		return nil, fmt.Errorf("sources of project %d: %w", project, err)
	}
	return sources, nil
}
