package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/speech"
)

// pathWalk goes along a path, line by line: from the items themselves, or their truth, through what each model said to what the next was
// given. Outputs are found by what their model was given, so that nothing but the outputs has to be kept of a run.
type pathWalk struct {
	version       int64
	split, labels string
	first, last   int // positions
	slots         []string
	path          []int64

	configurations [][]byte // of the path's models; nil of the truth
	lines          []walkLine
	at             int // how many models of the path it has passed
}

// walkLine is where a walk stands at a line.
type walkLine struct {
	item, truth int64
	position    int
	media       []byte            // SHA-256 of the item's own sound or image
	words       speech.Transcript // of its truth
	reference   string            // the same as a text
	input       []byte            // of the next model; nil: the one before has no output
	text        string            // that the next model is given
}

// inputOf is what outputs of a text are kept by.
func inputOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// configure reads the configurations that the path's models had when a run began.
func (w *pathWalk) configure(ctx context.Context, q querier, evaluation int64) error {
	w.configurations = make([][]byte, len(w.path))
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `
		SELECT cardinality(s.path), s.configuration FROM evaluation_steps s
		WHERE s.evaluation_id = $1 AND s.version_id = $2 AND s.path = ($3::bigint[])[1:cardinality(s.path)]`, evaluation, w.version, w.path)
	if err != nil {
		return fmt.Errorf("configurations of a path: %w", err)
	}
	var length int
	var configuration []byte
	_, err = pgx.ForEachRow(rows, []any{&length, &configuration}, func() error {
		w.configurations[length-1] = bytes.Clone(configuration)
		return nil
	})
	if err != nil {
		return fmt.Errorf("configurations of a path: %w", err)
	}
	return nil
}

// configurationSize is how long the configuration of one model is.
const configurationSize = 32

// configurationsOf parts what a cell keeps of how the models of its path were asked; that of the truth in the place of one is nil.
func configurationsOf(path []int64, kept []byte) [][]byte {
	list := make([][]byte, len(path))
	for i, id := range path {
		if id != 0 && len(kept) >= configurationSize {
			list[i], kept = kept[:configurationSize], kept[configurationSize:]
		}
	}
	return list
}

// hears tells that the first slot is given the item itself, not words.
func (w *pathWalk) hears() bool { return w.slots[0] == "asr" || w.slots[0] == "detector" }

// lineTruth joins the truth that counts of line l as t: that of the version, or that of today.
const lineTruth = `JOIN truths t ON t.item_id = l.item_id AND (CASE WHEN @today THEN t.current ELSE t.id = l.truth_id END)`

// What lines and outputs have is looked up in a form that leaves the planner no other way. Before it knows a table's size, it reads an index of all
// originals, of all transcripts or of all outputs, for each line, in a plan that connections keep.

// assetOfLine joins the asset of a kind of line l.
func assetOfLine(kind, as string) string {
	return `LEFT JOIN LATERAL (SELECT sha256, facts, content_type FROM assets WHERE item_id = l.item_id AND kind = '` + kind + `' OFFSET 0) ` + as + ` ON true`
}

// walkedLines selects lines l of a version.
var walkedLines = `
	SELECT l.item_id, t.id, l.position, coalesce(a.sha256, so.sha256, l.media), tr.segments
	FROM dataset_lines l ` + lineTruth + ` ` + assetOfLine("original", "a") + ` LEFT JOIN item_sounds so ON so.item_id = l.item_id
	LEFT JOIN LATERAL (SELECT segments FROM transcripts WHERE item_id = l.item_id AND kind = 'truth' AND of_id = t.id OFFSET 0) tr ON true
	WHERE l.version_id = @version AND `

// begin reads the lines from first to last.
func (w *pathWalk) begin(ctx context.Context, q querier) error {
	return w.beginWhere(ctx, q, `l.split = @split AND l.position BETWEEN @first AND @last`, pgx.NamedArgs{"split": w.split, "first": w.first, "last": w.last})
}

// beginAt reads the lines at some positions.
func (w *pathWalk) beginAt(ctx context.Context, q querier, positions []int32) error {
	return w.beginWhere(ctx, q, `l.position = ANY(@positions)`, pgx.NamedArgs{"positions": positions})
}

// beginWhere reads lines. Those whose truth was taken away are left out where today's labels count.
func (w *pathWalk) beginWhere(ctx context.Context, q querier, where string, args pgx.NamedArgs) error {
	args["version"], args["today"] = w.version, w.labels == "today"
	rows, err := q.Query(ctx, walkedLines+where+` ORDER BY l.position`, args)
	if err != nil {
		return fmt.Errorf("lines of a walk: %w", err)
	}
	w.lines, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (l walkLine, err error) {
		if err = r.Scan(&l.item, &l.truth, &l.position, &l.media, &l.words); err != nil {
			return l, err
		}
		l.reference = l.words.Text()
		if w.hears() {
			l.input = l.media
		} else {
			l.text, l.input = l.reference, inputOf(l.reference)
		}
		return l, nil
	})
	if err != nil {
		return fmt.Errorf("lines of a walk: %w", err)
	}
	w.at = 0
	return nil
}

// to walks on until so many models are passed.
func (w *pathWalk) to(ctx context.Context, q querier, models int) error {
	for ; w.at < models; w.at++ {
		if w.path[w.at] == 0 {
			for i := range w.lines {
				l := &w.lines[i]
				l.text, l.input = l.reference, inputOf(l.reference)
			}
			continue
		}
		said, err := outputsOf(ctx, q, w.lines, w.path[w.at], w.configurations[w.at])
		if err != nil {
			return err
		}
		for i := range w.lines {
			l := &w.lines[i]
			output, ok := said[l.item]
			if !ok {
				l.text, l.input = "", nil
				continue
			}
			l.text, l.input = output.Text, inputOf(output.Text)
		}
	}
	return nil
}

// questions are what outputs are found by: items and inputs, side by side.
func questions(lines []walkLine) (items []int64, inputs [][]byte) {
	for _, l := range lines {
		if l.input != nil {
			items, inputs = append(items, l.item), append(inputs, l.input)
		}
	}
	return items, inputs
}

// keptOutput is what a model said of an item.
type keptOutput struct {
	Item       int64
	Text       string
	Boxes      json.RawMessage
	Labels     json.RawMessage
	Confidence *float64
}

// outputTables are the outputs o that are asked for, each looked up by its whole key.
const outputTables = `unnest(@items::bigint[], @inputs::bytea[]) u (item, input) CROSS JOIN LATERAL (SELECT item_id, text, boxes, labels, confidence, made_at FROM model_outputs
	WHERE item_id = u.item AND model_version_id = @model AND configuration = @configuration AND input = u.input OFFSET 0) o`

func outputsOf(ctx context.Context, q querier, lines []walkLine, model int64, configuration []byte) (map[int64]keptOutput, error) {
	items, inputs := questions(lines)
	rows, err := q.Query(ctx, `SELECT o.item_id AS item, o.text, o.boxes, o.labels, o.confidence::float8 AS confidence FROM `+outputTables,
		pgx.NamedArgs{"items": items, "inputs": inputs, "model": model, "configuration": configuration})
	if err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[keptOutput])
	if err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	said := make(map[int64]keptOutput, len(list))
	for _, o := range list {
		said[o.Item] = o
	}
	return said, nil
}

// outputsThere says of which lines a model has an output, and since when.
func outputsThere(ctx context.Context, q querier, lines []walkLine, model int64, configuration []byte) (map[int64]time.Time, error) {
	items, inputs := questions(lines)
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `SELECT o.item_id, o.made_at FROM `+outputTables,
		pgx.NamedArgs{"items": items, "inputs": inputs, "model": model, "configuration": configuration})
	if err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	there := map[int64]time.Time{}
	var item int64
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&item, &at}, func() error {
		there[item] = at
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	return there, nil
}
