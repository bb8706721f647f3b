package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/formats"
)

// What became of a record.
const (
	OutcomeAdded     = "added"
	OutcomeChanged   = "changed"
	OutcomeUnchanged = "unchanged"
	OutcomeRefused   = "refused"
	// OutcomeLost is of what came in otherwise than it stood in its file: clipped, rounded, renamed, or left out in part.
	OutcomeLost = "lost"
)

// ImportResult says what became of one record of an import.
type ImportResult struct {
	ID      int64
	Name    string // the file, and the place inside it
	Outcome string
	Reason  string // why it was refused, or what is odd about it
	ItemID  int64  // 0 where no item came of it
	Boxes   int
	Thumb   bool // the item's small picture is there
}

// ImportCounts sums up the results of an import.
type ImportCounts struct {
	Added, Changed, Unchanged, Refused int
	Lost                               int // places at which something was lost, beside these
	Boxes                              int // of what was added, changed or found unchanged
}

// Total is how many results there are, losses left out.
func (c ImportCounts) Total() int { return c.Added + c.Changed + c.Unchanged + c.Refused }

// ImportCounts sums up the results of each of these imports, which the caller has read as actor. One
// without results is missing from the map.
func (s *Store) ImportCounts(ctx context.Context, actor Actor, ids ...int64) (map[int64]ImportCounts, error) {
	if err := actor.may(access.Import); err != nil {
		return nil, err
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT r.import_id, r.outcome, count(*)::int, sum(r.boxes)::int
		FROM import_results r JOIN imports i ON i.id = r.import_id JOIN projects p ON p.id = i.project_id
		WHERE r.import_id = ANY(@ids) AND `+sees+` GROUP BY r.import_id, r.outcome`, actor.args(pgx.NamedArgs{"ids": ids}))
	if err != nil {
		return nil, fmt.Errorf("count results: %w", err)
	}
	counts := map[int64]ImportCounts{}
	var id int64
	var outcome string
	var n, boxes int
	_, err = pgx.ForEachRow(rows, []any{&id, &outcome, &n, &boxes}, func() error {
		c := counts[id]
		switch outcome {
		case OutcomeAdded:
			c.Added = n
		case OutcomeChanged:
			c.Changed = n
		case OutcomeUnchanged:
			c.Unchanged = n
		case OutcomeRefused:
			c.Refused = n
			boxes = 0
		case OutcomeLost:
			c.Lost, boxes = n, 0
		}
		c.Boxes += boxes
		counts[id] = c
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count results: %w", err)
	}
	return counts, nil
}

// ImportResults returns up to limit results of an import with this outcome ("" for every one), in the
// order in which they came; after is the id of the last one that was seen, 0 at the start.
func (s *Store) ImportResults(ctx context.Context, actor Actor, id int64, outcome string, after int64, limit int) ([]ImportResult, error) {
	if _, err := s.Import(ctx, actor, id); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT r.id, r.name, r.outcome, r.reason, coalesce(r.item_id, 0), r.boxes, a.item_id IS NOT NULL
		FROM import_results r LEFT JOIN assets a ON a.item_id = r.item_id AND a.kind = 'thumb'
		WHERE r.import_id = $1 AND ($2 = '' OR r.outcome = $2) AND r.id > $3 ORDER BY r.id LIMIT $4`, id, outcome, after, limit)
	if err != nil {
		return nil, fmt.Errorf("results of import %d: %w", id, err)
	}
	results, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ImportResult])
	if err != nil {
		return nil, fmt.Errorf("results of import %d: %w", id, err)
	}
	return results, nil
}

// Losses makes results of what a report on a file refused and lost.
func Losses(file string, report formats.Report) []ImportResult {
	results := make([]ImportResult, 0, len(report.Losses))
	listed := map[formats.Kind]int{}
	for _, loss := range report.Losses {
		listed[loss.Kind] += loss.Count
		result := ImportResult{Name: file, Outcome: OutcomeRefused, Reason: loss.Reason}
		if loss.ID != "" {
			result.Name += ": " + loss.ID
		}
		if loss.Kind != formats.Refused {
			result.Outcome, result.Reason = OutcomeLost, loss.Kind.Words()+": "+loss.Reason
		}
		if loss.Count > 1 {
			result.Reason = fmt.Sprintf("%s (%d times)", result.Reason, loss.Count)
		}
		results = append(results, result)
	}
	for _, kind := range slices.Sorted(maps.Keys(report.Counts)) {
		more := report.Counts[kind] - listed[kind]
		if more <= 0 {
			continue
		}
		result := ImportResult{Name: file, Outcome: OutcomeRefused, Reason: fmt.Sprintf("%d more were %s, which are not listed one by one.", more, kind.Words())}
		if kind != formats.Refused {
			result.Outcome = OutcomeLost
		}
		results = append(results, result)
	}
	return results
}

func insertResults(ctx context.Context, tx pgx.Tx, id int64, results []ImportResult) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"import_results"}, []string{"import_id", "name", "outcome", "reason", "item_id", "boxes"},
		pgx.CopyFromSlice(len(results), func(i int) ([]any, error) {
			r := results[i]
			return []any{id, r.Name, r.Outcome, r.Reason, orNull(r.ItemID), r.Boxes}, nil
		}))
	if err != nil {
		return fmt.Errorf("results of import %d: %w", id, err)
	}
	return nil
}
