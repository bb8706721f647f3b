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
	ID   int64
	Name string
	Policy

	Version   int // of name and policy, counted up by each change
	CreatedAt time.Time
}

const sourceColumns = `s.id, s.name, s.retention_days, s.expiry_action, s.open_to,
	ARRAY(SELECT d.name FROM source_destinations d WHERE d.source_id = s.id AND d.kind = 'consumers' ORDER BY d.name) AS consumers,
	ARRAY(SELECT d.name FROM source_destinations d WHERE d.source_id = s.id AND d.kind = 'models' ORDER BY d.name) AS models,
	s.version, s.created_at`

func sourcesWhere(ctx context.Context, q querier, where string, args pgx.NamedArgs) ([]Source, error) {
	rows, err := q.Query(ctx, `SELECT `+sourceColumns+` FROM sources s WHERE `+where, args)
	if err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	sources, err := pgx.CollectRows(rows, pgx.RowToStructByName[Source])
	if err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	return sources, nil
}

// everySource is the condition that the actor is told of source s: whoever can import chooses among all of them, everybody
// else sees those that have items in their projects.
const everySource = `(@every OR EXISTS (SELECT FROM projects p WHERE ` + sees + ` AND EXISTS (
	SELECT FROM items i WHERE i.project_id = p.id AND i.source_id = s.id)))`

// Sources returns the sources that the actor is told of, by name.
func (s *Store) Sources(ctx context.Context, actor Actor) ([]Source, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	return sourcesWhere(ctx, s.pool, everySource+` ORDER BY lower(s.name), s.id`, actor.args(pgx.NamedArgs{"every": actor.Allowed(access.Import)}))
}

// Source returns one source, or ErrNotFound if the actor is not told of it.
func (s *Store) Source(ctx context.Context, actor Actor, id int64) (Source, error) {
	return s.oneSource(ctx, actor, `s.id = @id`, pgx.NamedArgs{"id": id})
}

// SourceByName is Source by its name.
func (s *Store) SourceByName(ctx context.Context, actor Actor, name string) (Source, error) {
	return s.oneSource(ctx, actor, `s.name = @name`, pgx.NamedArgs{"name": strings.TrimSpace(name)})
}

func (s *Store) oneSource(ctx context.Context, actor Actor, where string, args pgx.NamedArgs) (Source, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return Source{}, err
	}
	args["every"] = actor.Allowed(access.Import)
	sources, err := sourcesWhere(ctx, s.pool, where+` AND `+everySource, actor.args(args))
	if err != nil {
		return Source{}, err
	}
	if len(sources) == 0 {
		return Source{}, fmt.Errorf("source: %w", ErrNotFound)
	}
	return sources[0], nil
}

// AddSource makes a source. days of nil keeps its items without a time limit.
func (s *Store) AddSource(ctx context.Context, actor Actor, name string, days *int) (source Source, err error) {
	return s.AddSourceUnder(ctx, actor, name, DefaultPolicy(days))
}

// AddSourceUnder makes a source under a policy.
func (s *Store) AddSourceUnder(ctx context.Context, actor Actor, name string, policy Policy) (source Source, err error) {
	name = strings.TrimSpace(name)
	if err := actor.manages(name, &policy); err != nil {
		return Source{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := policy.fits(ctx, tx); err != nil {
			return err
		}
		var id int64
		err := tx.QueryRow(ctx, `INSERT INTO sources (name, retention_days, expiry_action, open_to) VALUES ($1, $2, $3, $4) RETURNING id`,
			name, policy.RetentionDays, policy.ExpiryAction, policy.OpenTo).Scan(&id)
		if violates(err, "sources_name_key") {
			return invalid("name", "There is a source with this name already.")
		}
		if err != nil {
			return fmt.Errorf("add source: %w", err)
		}
		if err := setDestinations(ctx, tx, id, policy); err != nil {
			return err
		}
		sources, err := sourcesWhere(ctx, tx, `s.id = @id`, pgx.NamedArgs{"id": id})
		if err != nil {
			return err
		}
		source = sources[0]
		if _, err := noteChange(ctx, tx, actor, nil, source, "done"); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "source.add", ObjectType: "source", ObjectID: source.ID, Detail: map[string]any{"retention_days": policy.RetentionDays},
		})
	})
	return source, err
}

// manages checks the actor and what they ask of a source, and puts the policy in order.
func (a Actor) manages(name string, policy *Policy) error {
	if err := a.may(access.ManageSources); err != nil {
		return err
	}
	switch {
	case a.Scope != 0: // a source belongs to no project
		return fmt.Errorf("sources: %w", ErrDenied)
	case name == "":
		return invalid("name", "Give the source a name: whose data it is.")
	}
	return policy.complete()
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
		SELECT `+sourceColumns+` FROM sources s JOIN used ON used.source_id = s.id ORDER BY lower(s.name), s.id`,
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
