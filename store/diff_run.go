package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/manifest"
)

// RunDiff does the work of a diff and keeps what it found; the diffs of the same two versions that were there are dropped. Nothing
// happens if it is done. It goes through both manifests at once in the order of their leaves, so that all that is alike falls out
// without having been looked up, and has the database say why the rest differs.
func (s *Store) RunDiff(ctx context.Context, id int64) error {
	diff, err := s.Diff(ctx, System(), id)
	if err != nil || diff.State != "queued" {
		return err
	}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		for _, statement := range []string{
			`SET LOCAL work_mem = '64MB'`,
			`SET LOCAL jit = off`,
			`CREATE TEMP TABLE diff_only (newer boolean NOT NULL, position integer NOT NULL) ON COMMIT DROP`,
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("prepare: %w", err)
			}
		}
		if diff.Same, err = s.mergeVersions(ctx, tx, diff); err != nil {
			return err
		}
		return keepDiff(ctx, tx, diff)
	})
	if err != nil {
		return fmt.Errorf("diff %d: %w", id, err)
	}
	return nil
}

// mergeVersions notes the lines that only one of the two versions has in diff_only, and returns how many both have.
func (s *Store) mergeVersions(ctx context.Context, tx pgx.Tx, diff Diff) (same int, err error) {
	var snapshot string
	if err := tx.QueryRow(ctx, `SELECT pg_export_snapshot()`).Scan(&snapshot); err != nil {
		return 0, fmt.Errorf("snapshot: %w", err)
	}
	readers, reading := errgroup.WithContext(ctx)
	older, newer := &leafRuns{version: diff.FromID, runs: make(chan []byte, 2)}, &leafRuns{version: diff.ToID, runs: make(chan []byte, 2)}
	for _, runs := range []*leafRuns{older, newer} {
		runs.done = reading.Done()
		readers.Go(func() error { return s.sendLeaves(reading, snapshot, runs) })
	}
	merge := manifest.NewMerge(older, newer)
	_, err = tx.CopyFrom(reading, pgx.Identifier{"diff_only"}, []string{"newer", "position"}, pgx.CopyFromFunc(func() ([]any, error) {
		only, ok, err := merge.Next()
		if err != nil || !ok {
			return nil, err
		}
		return []any{only.Newer, only.Position}, nil
	}))
	if readErr := readers.Wait(); readErr != nil {
		return 0, readErr
	}
	if err != nil {
		return 0, fmt.Errorf("lines that differ: %w", err)
	}
	return merge.Same(), nil
}

// leavesAtOnce is how many leaves cross between two readers at once: half a megabyte.
const leavesAtOnce = 16_384

// leafRuns are the leaves of a version on their way.
type leafRuns struct {
	version int64
	runs    chan []byte
	done    <-chan struct{}
}

// errCutOff: the other reader failed, and says why.
var errCutOff = errors.New("store: reading was cut off")

// Next implements manifest.Leaves.
func (l *leafRuns) Next() ([]byte, error) {
	select {
	case run := <-l.runs: // nil once all have come
		return run, nil
	case <-l.done:
	}
	// The reader may have ended well with runs left to take.
	select {
	case run := <-l.runs:
		return run, nil
	default:
		return nil, errCutOff
	}
}

// sendLeaves reads the leaves of a version under a snapshot, many in one row: leaf by leaf, most of the time would go into rows.
func (s *Store) sendLeaves(ctx context.Context, snapshot string, to *leafRuns) error {
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET TRANSACTION SNAPSHOT '`+snapshot+`'`); err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		return eachLeafRun(ctx, tx, to.version, func(run []byte) error {
			select {
			case to.runs <- run:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	if err != nil {
		return fmt.Errorf("leaves of version %d: %w", to.version, err)
	}
	close(to.runs)
	return nil
}

// eachLeafRun calls each with the leaves of a version in ascending order, leavesAtOnce at a time.
func eachLeafRun(ctx context.Context, tx pgx.Tx, version int64, each func(run []byte) error) error {
	for position := 0; ; position += leavesAtOnce {
		var run []byte
		err := tx.QueryRow(ctx, `
			SELECT coalesce(string_agg(leaf, '' ORDER BY position), '') FROM dataset_lines WHERE version_id = $1 AND position >= $2 AND position < $3`,
			version, position, position+leavesAtOnce).Scan(&run)
		if err != nil || len(run) == 0 {
			return err
		}
		if err := each(run); err != nil {
			return err
		}
	}
}

// diffPairs brings the lines that differ together by their items. Of a pair that has the same truth no box needs to be read.
const diffPairs = `
	CREATE TEMP TABLE diff_pairs ON COMMIT DROP AS
	SELECT a.position AS from_position, b.position AS to_position, coalesce(a.split, '') AS from_split, coalesce(b.split, '') AS to_split,
		a.item_id AS from_item, b.item_id AS to_item, a.truth_id AS from_truth, b.truth_id AS to_truth,
		a.erasure_id AS from_erasure, b.erasure_id AS to_erasure,
		a.position IS NOT NULL AND b.position IS NOT NULL AND (a.media, a.width, a.height) IS DISTINCT FROM (b.media, b.width, b.height) AS replaced
	FROM (SELECT l.* FROM diff_only o JOIN dataset_lines l ON l.version_id = %d AND l.position = o.position WHERE NOT o.newer) a
	FULL JOIN (SELECT l.* FROM diff_only o JOIN dataset_lines l ON l.version_id = %d AND l.position = o.position WHERE o.newer) b ON b.item_id = a.item_id`

// diffChanged says of each pair with two truths what became of the boxes.
const diffChanged = `
	CREATE TEMP TABLE diff_truths ON COMMIT DROP AS
	SELECT p.from_position, a.boxes IS NOT DISTINCT FROM b.boxes AS same, a.sorted IS NOT DISTINCT FROM b.sorted AS same_set,
		a.definitions IS NOT DISTINCT FROM b.definitions AS same_definitions, (
			SELECT segments FROM transcripts WHERE item_id = p.from_item AND kind = 'truth' AND of_id = p.from_truth) IS NOT DISTINCT FROM (
			SELECT segments FROM transcripts WHERE item_id = p.to_item AND kind = 'truth' AND of_id = p.to_truth) AS same_words,
		(SELECT rules_version FROM truths WHERE id = p.from_truth) IS NOT DISTINCT FROM (SELECT rules_version FROM truths WHERE id = p.to_truth) AS same_rules
	FROM diff_pairs p
	CROSS JOIN LATERAL (
		SELECT array_agg((class_id, x, y, w, h, rotation, crowd)::text ORDER BY position) AS boxes,
			array_agg((class_id, x, y, w, h, rotation, crowd)::text ORDER BY (class_id, x, y, w, h, rotation, crowd)) AS sorted,
			array_agg(coalesce(definition_version, 0) ORDER BY position) AS definitions
		FROM truth_boxes WHERE truth_id = p.from_truth) a
	CROSS JOIN LATERAL (
		SELECT array_agg((class_id, x, y, w, h, rotation, crowd)::text ORDER BY position) AS boxes,
			array_agg((class_id, x, y, w, h, rotation, crowd)::text ORDER BY (class_id, x, y, w, h, rotation, crowd)) AS sorted,
			array_agg(coalesce(definition_version, 0) ORDER BY position) AS definitions
		FROM truth_boxes WHERE truth_id = p.to_truth) b
	WHERE p.from_truth <> p.to_truth AND NOT p.replaced`

func keepDiff(ctx context.Context, tx pgx.Tx, diff Diff) error {
	args := pgx.NamedArgs{"diff": diff.ID, "from": diff.FromID, "to": diff.ToID, "same": diff.Same}
	for _, step := range []struct {
		what, sql string
		args      []any
	}{
		{"statistics", `ANALYZE diff_only`, nil},
		{"pairs", fmt.Sprintf(diffPairs, diff.FromID, diff.ToID), nil},
		{"statistics", `ANALYZE diff_pairs`, nil},
		{"truths", diffChanged, nil},
		{"statistics", `ANALYZE diff_truths`, nil},
		{"reasons", `CREATE TEMP TABLE diff_told (from_position int, to_position int, from_split text, to_split text, why text NOT NULL) ON COMMIT DROP`, nil},
		{"reasons", diffReasons, []any{args}},
		{"lines", diffLines, []any{args}},
		{"counts", diffCounts, []any{args}},
		{"older ones", `
			WITH older AS (DELETE FROM dataset_diffs WHERE from_version = @from AND to_version = @to AND id < @diff RETURNING id)
			DELETE FROM dataset_diff_lines WHERE diff_id IN (SELECT id FROM older)`, []any{args}},
		{"end", `
			UPDATE dataset_diffs SET state = 'done', same = @same, finished_at = clock_timestamp(),
				from_erased = (SELECT count(*) FROM dataset_lines WHERE version_id = @from AND item_id IS NULL),
				to_erased = (SELECT count(*) FROM dataset_lines WHERE version_id = @to AND item_id IS NULL)
			WHERE id = @diff`, []any{args}},
	} {
		if _, err := tx.Exec(ctx, step.sql, step.args...); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// diffReasons gives each difference its one reason. What erasures emptied comes first, since nothing else can be known of it; of
// lines that both versions have, what weighs most: another picture, other boxes, another definition, another split.
const diffReasons = `
	WITH f AS (SELECT * FROM dataset_versions WHERE id = @from), t AS (SELECT * FROM dataset_versions WHERE id = @to),
	renamed AS (
		SELECT array_agg(a.class_id) AS classes FROM dataset_version_classes a JOIN dataset_version_classes b USING (class_id)
		WHERE a.version_id = @from AND b.version_id = @to AND a.name <> b.name),
	told AS (
		SELECT p.from_position, p.to_position, p.from_split, p.to_split, CASE
			WHEN p.from_position IS NOT NULL AND p.from_item IS NULL OR p.to_position IS NOT NULL AND p.to_item IS NULL THEN
				CASE (SELECT e.kind FROM erasures e WHERE e.id = coalesce(p.from_erasure, p.to_erasure)) WHEN 'expiry' THEN 'expired:' ELSE 'erased:' END
			WHEN p.to_position IS NULL THEN ` + whyGone + `
			WHEN p.from_position IS NULL THEN ` + whyCame + `
			WHEN p.replaced THEN 'replaced:'
			WHEN c.same AND NOT c.same_words THEN 'relabelled:words'
			WHEN NOT coalesce(c.same, true) THEN CASE
				WHEN EXISTS (SELECT FROM relabel_items ri JOIN relabels r ON r.id = ri.relabel_id
					WHERE ri.item_id = p.to_item AND r.created_at > f.frozen_at AND r.created_at <= t.frozen_at) THEN 'redefined:relabel'
				WHEN NOT c.same_words THEN 'relabelled:'
				WHEN c.same_set THEN 'relabelled:order' ELSE 'relabelled:' END
			WHEN NOT coalesce(c.same_definitions, true) THEN 'redefined:definition'
			WHEN NOT coalesce(c.same_rules, true) THEN 'redefined:rules'
			WHEN renamed.classes IS NOT NULL AND EXISTS (
				SELECT FROM truth_boxes b WHERE b.truth_id = p.to_truth AND b.class_id = ANY (renamed.classes)) THEN 'redefined:name'
			WHEN p.from_split <> p.to_split THEN 'moved:'
			ELSE 'replaced:key' END AS why
		FROM diff_pairs p CROSS JOIN f CROSS JOIN t CROSS JOIN renamed
		LEFT JOIN diff_truths c ON c.from_position = p.from_position)
	INSERT INTO diff_told SELECT * FROM told`

// whyGone says why an item of the older version is not in the newer one although it was not erased.
const whyGone = `(SELECT CASE
	WHEN k.state = 'discarded' THEN 'discarded:'
	WHEN NOT EXISTS (SELECT FROM truths u WHERE u.item_id = i.id AND u.current) THEN 'withdrawn:'
	WHEN NOT EXISTS (SELECT FROM dataset_version_projects vp WHERE vp.version_id = t.id AND vp.project_id = i.project_id) THEN 'filtered:project'
	WHEN i.state = 'broken' THEN 'filtered:broken'
	WHEN f.recipe <> t.recipe THEN 'filtered:recipe'
	ELSE 'withdrawn:' END
	FROM items i LEFT JOIN tasks k ON k.item_id = i.id WHERE i.id = p.from_item)`

// whyCame says why an item of the newer version was not in the older one.
const whyCame = `(SELECT 'added:' || CASE
	WHEN NOT EXISTS (SELECT FROM dataset_version_projects vp WHERE vp.version_id = f.id AND vp.project_id = i.project_id) THEN 'recipe'
	WHEN i.imported_at > f.frozen_at THEN 'item'
	WHEN NOT EXISTS (SELECT FROM truths u WHERE u.item_id = i.id AND u.created_at <= f.frozen_at) THEN 'truth'
	WHEN f.recipe <> t.recipe THEN 'recipe'
	ELSE 'returned' END
	FROM items i WHERE i.id = p.to_item)`

// diffLines keeps the lines, each reason and split in the order of the manifest.
const diffLines = `
	INSERT INTO dataset_diff_lines (diff_id, reason, split, ordinal, detail, from_position, to_position)
	SELECT @diff, split_part(why, ':', 1), coalesce(nullif(to_split, ''), from_split),
		row_number() OVER (ORDER BY why, coalesce(to_position, from_position)), split_part(why, ':', 2), from_position, to_position
	FROM diff_told`

const diffCounts = `
	INSERT INTO dataset_diff_counts (diff_id, reason, detail, from_split, to_split, came, gone, changed)
	SELECT @diff, split_part(why, ':', 1), split_part(why, ':', 2), from_split, to_split,
		count(*) FILTER (WHERE from_position IS NULL), count(*) FILTER (WHERE to_position IS NULL), count(*) FILTER (WHERE from_position + to_position IS NOT NULL)
	FROM diff_told GROUP BY why, from_split, to_split`
