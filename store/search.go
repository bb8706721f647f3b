package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Hit is one thing that a search found. Sort is project, class, item, dataset or person; Slug is its
// project's, where it has one.
type Hit struct {
	Sort  string
	ID    int64
	Name  string
	Slug  string
	Place string // what it belongs to
}

// hitsEach is how many of each sort a search gives.
const hitsEach = 8

// searches lists what can be found, each under the action that a role needs to open it.
var searches = []struct {
	action access.Action
	sql    string
}{
	{access.ReadProjects, `
		SELECT 'project' AS sort, p.id, p.name, p.slug, p.slug AS place FROM projects p
		WHERE p.archived_at IS NULL AND (lower(p.name) LIKE @part OR p.slug LIKE @part) AND ` + sees + ` ORDER BY lower(p.name) LIMIT @most`},
	{access.ReadProjects, `
		SELECT 'class' AS sort, c.id, c.name, p.slug, p.name AS place FROM classes c JOIN projects p ON p.id = c.project_id
		WHERE p.archived_at IS NULL AND c.retired_at IS NULL AND lower(c.name) LIKE @part AND ` + sees + ` ORDER BY lower(c.name), c.id LIMIT @most`},
	// Keys are found by how they begin, project by project, which an index answers.
	{access.ReadItems, `
		SELECT 'item' AS sort, x.item_id AS id, x.external_key AS name, p.slug, p.name AS place
		FROM projects p CROSS JOIN LATERAL (
			SELECT item_id, external_key COLLATE "C" AS external_key FROM item_texts
			WHERE project_id = p.id AND external_key COLLATE "C" >= @key AND external_key COLLATE "C" < @key_end
			ORDER BY external_key COLLATE "C", item_id LIMIT @most) x
		WHERE p.archived_at IS NULL AND ` + sees + ` ORDER BY x.external_key, x.item_id LIMIT @most`},
	{access.ReadDatasets, `
		SELECT 'dataset' AS sort, d.id, d.name, '' AS slug, '' AS place FROM datasets d
		WHERE lower(d.name) LIKE @part AND (@role = 'admin' AND @scope::bigint IS NULL OR EXISTS (
			SELECT FROM dataset_versions v JOIN dataset_version_projects w ON w.version_id = v.id JOIN projects p ON p.id = w.project_id
			WHERE v.dataset_id = d.id AND ` + sees + `)) ORDER BY d.name LIMIT @most`},
	{access.ManagePeople, `
		SELECT 'person' AS sort, q.id, d.name, '' AS slug, d.email AS place FROM people q JOIN person_identities d ON d.person_id = q.id
		WHERE q.left_at IS NULL AND lower(d.name || ' ' || d.email) LIKE @part ORDER BY lower(d.name), q.id LIMIT @most`},
}

// Search finds what the actor may open by a part of its name, items by how their external key begins.
func (s *Store) Search(ctx context.Context, actor Actor, query string) ([]Hit, error) {
	query = strings.TrimSpace(query)
	if query == "" {
		return nil, nil
	}
	args := actor.args(pgx.NamedArgs{
		"part": "%" + likeLiteral(strings.ToLower(query)) + "%", "key": query, "key_end": query + "\U0010FFFF", "most": hitsEach,
	})
	var hits []Hit
	for _, search := range searches {
		if !actor.Allowed(search.action) {
			continue
		}
		rows, err := s.pool.Query(ctx, search.sql, args)
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Hit])
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		hits = append(hits, found...)
	}
	return hits, nil
}

// likeLiteral takes the meaning from LIKE's own signs.
func likeLiteral(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
