package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// SourceLine is a source in a list with what is held of it, as far as the actor sees its projects.
type SourceLine struct {
	Source

	Items  int64
	Due    int64      // items whose time is up
	Next   *time.Time // the earliest date to come
	Moving bool       // dates still follow the last change of the retention
}

// SourceLines lists the sources that the actor is told of, by name.
func (s *Store) SourceLines(ctx context.Context, actor Actor) ([]SourceLine, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		WITH seen AS MATERIALIZED (SELECT p.id FROM projects p WHERE `+sees+`),
		held AS (SELECT source_id, count(*) AS n FROM items WHERE project_id IN (SELECT id FROM seen) GROUP BY source_id)
		SELECT `+sourceColumns+`, coalesce(h.n, 0) AS items,
			(SELECT count(*) FROM items i WHERE i.source_id = s.id AND i.retain_until <= now() AND i.project_id IN (SELECT id FROM seen)) AS due,
			(SELECT i.retain_until FROM items i WHERE i.source_id = s.id AND i.retain_until > now() AND i.project_id IN (SELECT id FROM seen)
			 ORDER BY i.retain_until LIMIT 1) AS next,
			EXISTS (SELECT FROM source_changes c WHERE c.source_id = s.id AND c.state = 'moving') AS moving
		FROM sources s LEFT JOIN held h ON h.source_id = s.id
		WHERE @every OR h.n > 0 ORDER BY lower(s.name), s.id`, actor.args(pgx.NamedArgs{"every": actor.Allowed(access.Import)}))
	if err != nil {
		return nil, fmt.Errorf("source lines: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByName[SourceLine])
	if err != nil {
		return nil, fmt.Errorf("source lines: %w", err)
	}
	return lines, nil
}

// SourceHolding is what is held of a source, as far as the actor sees its projects and versions.
type SourceHolding struct {
	Projects []SourceProject
	Due      int64 // items whose time is up
	Weeks    []ExpiryWeek
	Versions []SourceVersion
	Exports  []SourceExport
}

// SourceProject is how much of a source lies in a project.
type SourceProject struct {
	Slug  string
	Name  string
	Items int64
}

// ExpiryWeek is how many items reach their date in the week that begins on a Monday, UTC.
type ExpiryWeek struct {
	Monday time.Time
	Items  int64
}

// SourceVersion is a dataset version with what one side of it holds of a source.
type SourceVersion struct {
	Dataset string
	Number  int
	Split   string
	Size    int // of the side when it was frozen
	Items   int // of the source then
	Erased  int // of these since
}

// SourceExport is an archive that holds data of a source.
type SourceExport struct {
	ID      int64
	Dataset string
	Number  int
	Format  string
	Media   bool
	Bytes   int64
	At      time.Time
}

// expiryWeeks is how far ahead a source's page looks.
const expiryWeeks = 12

// mostHeld is how many versions, and how many archives, a source's page lists.
const mostHeld = 50

// SourceHolding returns what is held of a source, which came from a method that checked who asks.
func (s *Store) SourceHolding(ctx context.Context, actor Actor, source Source) (h SourceHolding, err error) {
	args := actor.args(pgx.NamedArgs{"source": source.ID, "weeks": expiryWeeks, "most": mostHeld})
	if h.Projects, err = collect[SourceProject](ctx, s.pool, `
		SELECT p.slug, p.name, i.items FROM (SELECT project_id, count(*) AS items FROM items WHERE source_id = @source GROUP BY project_id) i
		JOIN projects p ON p.id = i.project_id WHERE `+sees+` ORDER BY lower(p.name), p.id`, args); err != nil {
		return h, fmt.Errorf("projects of source %d: %w", source.ID, err)
	}
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM items i JOIN projects p ON p.id = i.project_id
		WHERE i.source_id = @source AND i.retain_until <= now() AND `+sees, args).Scan(&h.Due)
	if err != nil {
		return h, fmt.Errorf("due of source %d: %w", source.ID, err)
	}
	if h.Weeks, err = collect[ExpiryWeek](ctx, s.pool, `
		SELECT date_trunc('week', i.retain_until, 'UTC') AS monday, count(*) AS items FROM items i JOIN projects p ON p.id = i.project_id
		WHERE i.source_id = @source AND i.retain_until > now() AND i.retain_until < now() + @weeks * interval '7 days' AND `+sees+`
		GROUP BY 1 ORDER BY 1`, args); err != nil {
		return h, fmt.Errorf("weeks of source %d: %w", source.ID, err)
	}
	if h.Versions, err = collect[SourceVersion](ctx, s.pool, `
		SELECT d.name AS dataset, v.number, vs.split, coalesce(c.items, 0) AS size, vs.items, vs.erased
		FROM dataset_version_sources vs JOIN dataset_versions v ON v.id = vs.version_id JOIN datasets d ON d.id = v.dataset_id
		LEFT JOIN dataset_version_counts c ON c.version_id = v.id AND c.split = vs.split AND c.class_id IS NULL
		WHERE vs.source_id = @source AND v.state = 'frozen' AND `+seesVersion+`
		ORDER BY v.id DESC, vs.split LIMIT @most`, args); err != nil {
		return h, fmt.Errorf("versions of source %d: %w", source.ID, err)
	}
	if h.Exports, err = collect[SourceExport](ctx, s.pool, `
		SELECT e.id, d.name AS dataset, v.number, e.format, e.media, coalesce(e.bytes, 0) AS bytes, e.created_at AS at
		FROM exports e JOIN dataset_versions v ON v.id = e.version_id JOIN datasets d ON d.id = v.dataset_id
		WHERE e.state = 'done' AND EXISTS (SELECT FROM dataset_version_sources vs WHERE vs.version_id = v.id AND vs.source_id = @source AND vs.erased < vs.items)
		  AND `+seesVersion+` ORDER BY e.id DESC LIMIT @most`, args); err != nil {
		return h, fmt.Errorf("exports of source %d: %w", source.ID, err)
	}
	return h, nil
}

// collect reads all rows of a query into structs by the names of their columns.
func collect[T any](ctx context.Context, q querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}
