package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// doomed are items with what is theirs, as far as places are found by it: the arguments of every query of an erasure.
// Each query goes from these to the rows through an index, so that its cost is theirs and not the table's.
type doomed struct {
	Items, Tasks, Assignments, Annotations, Predictions, Reviews, Truths, Comments []int64
}

func (d *doomed) args(own pgx.NamedArgs) pgx.NamedArgs {
	all := pgx.NamedArgs{
		"items": d.Items, "tasks": d.Tasks, "assignments": d.Assignments, "annotations": d.Annotations,
		"predictions": d.Predictions, "reviews": d.Reviews, "truths": d.Truths, "comments": d.Comments,
	}
	for k, v := range own {
		all[k] = v
	}
	return all
}

// find fills d from the items that are there among d.Items. lock keeps everybody else away from them until the end of the
// transaction: tasks before items before assignments, as everybody locks them. Nothing can come to refer to what is locked, since
// that needs a lock of its own on what it refers to.
func (d *doomed) find(ctx context.Context, q querier, lock bool) error {
	suffix := ""
	if lock {
		suffix = ` FOR UPDATE`
	}
	for _, step := range []struct {
		ids   *[]int64
		query string
	}{
		{&d.Tasks, `SELECT id FROM tasks WHERE item_id = ANY(@items) ORDER BY id` + suffix},
		{&d.Items, `SELECT id FROM items WHERE id = ANY(@items) ORDER BY id` + suffix},
		{&d.Tasks, `SELECT id FROM tasks WHERE item_id = ANY(@items) ORDER BY id` + suffix}, // one may have been made before its item was locked
		{&d.Assignments, `SELECT id FROM assignments WHERE task_id = ANY(@tasks) ORDER BY id` + suffix},
		{&d.Annotations, `SELECT id FROM annotations WHERE item_id = ANY(@items)`},
		{&d.Predictions, `SELECT id FROM predictions WHERE item_id = ANY(@items)`},
		{&d.Reviews, `SELECT id FROM reviews WHERE item_id = ANY(@items)`},
		{&d.Truths, `SELECT id FROM truths WHERE item_id = ANY(@items)`},
		{&d.Comments, `SELECT id FROM comments WHERE item_id = ANY(@items)`},
	} {
		rows, err := q.Query(ctx, step.query, d.args(nil))
		if err != nil {
			return err
		}
		if *step.ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
			return fmt.Errorf("find what is to be erased: %w", err)
		}
	}
	return nil
}

// rows is the condition on a place's table that its row is of the items; "" for a place that is not cleared row by row.
func (p *Place) rows() string {
	switch p.Erasure {
	case TheItem:
		return `id = ANY(@items)`
	case ByItem, ByItemRewritten, LineEmptied:
		return `item_id = ANY(@items)`
	case ByTask:
		return `task_id = ANY(@tasks)`
	case ByAssignment:
		return `assignment_id = ANY(@assignments)`
	case ByAnnotation:
		return `annotation_id = ANY(@annotations)`
	case ByPrediction:
		return `prediction_id = ANY(@predictions)`
	case ByReview:
		return `review_id = ANY(@reviews)`
	case ByTruth:
		return `truth_id = ANY(@truths)`
	case ByComment:
		return `comment_id = ANY(@comments)`
	case AboutIt:
		return `(object_type = 'item' AND object_id = ANY(@items) OR object_type = 'task' AND object_id = ANY(@tasks)
			OR object_type = 'assignment' AND object_id = ANY(@assignments) OR object_type = 'annotation' AND object_id = ANY(@annotations)
			OR object_type = 'review' AND object_id = ANY(@reviews) OR object_type = 'comment' AND object_id = ANY(@comments))`
	case WithGroup, WithRecording, ByImport, WithArchive, OnceDone, Recomputed:
		return "" // done once for many items, by a step of its own
	}
	return ""
}

// keptOfLine is what an erased line of a dataset version keeps.
var keptOfLine = []string{"version_id", "position", "leaf", "erasure_id"}

// clear is the statement that clears a place of the items; @erasure is the erasure's id.
func (p *Place) clear() string {
	rows := p.rows()
	if rows == "" {
		return ""
	}
	if p.Erasure != LineEmptied {
		return `DELETE FROM ` + p.Table + ` WHERE ` + rows
	}
	set := []string{"erasure_id = @erasure"}
	for _, column := range p.Columns {
		if !slices.Contains(keptOfLine, column) {
			set = append(set, column+" = NULL")
		}
	}
	return `UPDATE ` + p.Table + ` SET ` + strings.Join(set, ", ") + ` WHERE ` + rows
}

// count is the query that counts a place's rows of the items.
func (p *Place) count() string { return `SELECT count(*) FROM ` + p.Table + ` WHERE ` + p.rows() }

// placesOfItems are the places that are cleared row by row, in the order in which an erasure goes through them: from the end of
// the inventory, so that whatever refers to a row is gone before it.
func placesOfItems() []Place {
	var places []Place
	for _, p := range slices.Backward(Inventory()) {
		if p.Of == OfItem && p.rows() != "" {
			places = append(places, p)
		}
	}
	return places
}

// byIndex has the planner take an index for each of the queries of an erasure, whatever it believes of the tables: their costs
// must not grow with these.
const byIndex = `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`

// countPlaces counts what the items have, by table, with what pages name apart.
func (d *doomed) countPlaces(ctx context.Context, tx pgx.Tx) (map[string]int64, error) {
	counts := map[string]int64{}
	batch := &pgx.Batch{}
	count := func(kind, query string) {
		rewritten, args, err := d.args(nil).RewriteQuery(ctx, nil, query, nil)
		if err != nil {
			panic(err) // a query of ours
		}
		batch.Queue(rewritten, args...).QueryRow(func(row pgx.Row) error {
			var n int64
			if err := row.Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				counts[kind] += n
			}
			return nil
		})
	}
	for _, p := range placesOfItems() {
		count(p.Table, p.count())
	}
	count("originals", `SELECT count(*) FROM assets WHERE item_id = ANY(@items) AND kind = 'original'`)
	count("leases", `SELECT count(*) FROM assignments WHERE task_id = ANY(@tasks) AND state = 'leased'`)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("count what is to be erased: %w", err)
	}
	return counts, nil
}

// touched says which versions have lines of the items, and which exports of those hold them.
func (d *doomed) touched(ctx context.Context, q querier) (t TouchedVersions, err error) {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `SELECT version_id, split, count(*) FROM dataset_lines WHERE item_id = ANY(@items) GROUP BY 1, 2`, d.args(nil))
	if err != nil {
		return t, fmt.Errorf("versions of items: %w", err)
	}
	var version, n int64
	var split string
	_, err = pgx.ForEachRow(rows, []any{&version, &split, &n}, func() error {
		t.add(TouchedVersions{Versions: map[int64]map[string]int64{version: {split: n}}})
		return nil
	})
	if err != nil {
		return t, fmt.Errorf("versions of items: %w", err)
	}
	versions := make([]int64, 0, len(t.Versions))
	for id := range t.Versions {
		versions = append(versions, id)
	}
	found, err := q.Query(ctx, `SELECT id FROM exports WHERE version_id = ANY($1) AND state IN ('queued', 'running', 'done') ORDER BY id`, versions)
	if err != nil {
		return t, fmt.Errorf("exports of items: %w", err)
	}
	t.Exports, err = pgx.CollectRows(found, pgx.RowTo[int64])
	return t, err
}
