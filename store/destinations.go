package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Destination is a place outside that data can reach. Exports have no name.
type Destination struct {
	Kind DestinationKind
	Name string
}

// forbidding returns the names of the sources that have data in a version still and do not let it reach a destination, by name.
func forbidding(ctx context.Context, q querier, version int64, to Destination) ([]string, error) {
	rows, err := q.Query(ctx, `
		SELECT s.name FROM sources s
		WHERE NOT ($2 = ANY (s.open_to)) AND NOT EXISTS (SELECT FROM source_destinations d WHERE d.source_id = s.id AND d.kind = $2 AND d.name = $3)
		  AND EXISTS (SELECT FROM dataset_version_sources v WHERE v.version_id = $1 AND v.source_id = s.id AND v.erased < v.items)
		ORDER BY lower(s.name), s.id`, version, to.Kind, to.Name)
	if err != nil {
		return nil, fmt.Errorf("destinations of version %d: %w", version, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("destinations of version %d: %w", version, err)
	}
	return names, nil
}

// destinationAllowed refuses that a version reaches a destination which a source of its data forbids, and says which. A version
// is never handed out without the items of such a source: it would be smaller than what its name promises.
func destinationAllowed(ctx context.Context, q querier, version int64, to Destination) error {
	names, err := forbidding(ctx, q, version, to)
	if err != nil || len(names) == 0 {
		return err
	}
	return invalid("", refusalOfDestination(names, to))
}

// mostNamed is how many sources a sentence names.
const mostNamed = 5

func refusalOfDestination(sources []string, to Destination) string {
	more := ""
	if len(sources) > mostNamed {
		more = fmt.Sprintf(" and %d more", len(sources)-mostNamed)
		sources = sources[:mostNamed]
	}
	what := "exports"
	switch to.Kind {
	case ToConsumers:
		what = "the consumer " + to.Name
	case ToModels:
		what = "the server of the model " + to.Name
	case ToExports:
	}
	return fmt.Sprintf("This version holds data of %s%s, which may not reach %s. Freeze a version without it, or change the destinations on the source's page.",
		strings.Join(sources, ", "), more, what)
}

// countVersionSources notes how much of a version came from which source, while it is freezing and its lines are written.
func countVersionSources(ctx context.Context, tx pgx.Tx, version int64) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO dataset_version_sources (version_id, source_id, split, items)
		SELECT l.version_id, i.source_id, l.split, count(*) FROM dataset_lines l JOIN items i ON i.id = l.item_id
		WHERE l.version_id = $1 GROUP BY 1, 2, 3`, version)
	if err != nil {
		return fmt.Errorf("sources of version %d: %w", version, err)
	}
	return nil
}
