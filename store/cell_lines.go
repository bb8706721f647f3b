package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/internal/speech"
)

// What lines of a cell can be asked for.
const (
	LinesLost   = "lost"   // that became worse than the baseline's
	LinesGained = "gained" // that became better
	LinesWrong  = "wrong"  // that the model has most wrong
)

// LineQuery selects lines of a cell, those first that moved most or are most wrong.
type LineQuery struct {
	Show  string
	Class string // of LinesWrong: true or said, "" for any
	Kind  string // of LinesWrong: a kind of mistake, "" for any
	Cause int64  // of LinesWrong: that was found behind it, 0 for any
	// After is the last line that was seen, as its size, position, kind and ordinal; a negative Position is the start.
	Size      float64
	Position  int
	AfterKind string
	Ordinal   int
	Limit     int
}

// CellLine is a line of a cell, or one mistake in it, with what the truth and both combinations say of it.
type CellLine struct {
	Position              int
	Item                  int64
	Name                  string
	Width                 int // of an image, in pixels
	Height                int
	Change                float64 // of a move: above 0 better; of a mistake: how wrong
	Kind                  string  // of a mistake
	Ordinal               int
	TruthClass, SaidClass string // of a mistake
	TruthAt, SaidAt       int    // of a mistake: which of the boxes or moments of the truth, and of the output; -1: none
	Causes                []string

	Words  speech.Transcript // of the truth
	Marks  []LineMark        // of the truth: boxes, or moments
	Now    LineOutput
	Before *LineOutput // nil without a baseline

	Mistakes []LineMistake // of one line that is looked at alone: those that are listed of it
}

// LineMistake is one thing that a cell has wrong in a line, with what was found behind it: TruthAt and SaidAt are as in CellLine.
type LineMistake struct {
	Kind                  string
	Ordinal               int
	TruthClass, SaidClass string
	TruthAt, SaidAt       int
	Causes                []string
}

// LineMark is a box of the truth in pixels of the upright image, or a moment in seconds, where X and W are begin and length.
type LineMark struct {
	Class      string
	X, Y, W, H float64
}

// LineOutput is what a combination made of a line. There is none if it was deleted by age, or never was.
type LineOutput struct {
	There      bool
	Heard      string // what the last model before was said to have heard; "" where the last one hears itself
	Text       string
	Boxes      []models.Box
	Labels     []models.Label
	Confidence *float64
}

// CellLines lists lines of a cell with what was said of them.
func (s *Store) CellLines(ctx context.Context, actor Actor, c CellPage, q LineQuery) ([]CellLine, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	var lines []CellLine
	var err error
	if q.Show == LinesWrong {
		lines, err = s.wrongLines(ctx, c, q)
	} else if c.Baseline != nil {
		lines, err = s.movedLines(ctx, c, q)
	}
	if err != nil {
		return nil, err
	}
	return lines, s.fillLines(ctx, c, lines)
}

// lineTables are the lines of the cell c that are not erased.
const lineTables = `JOIN dataset_lines l ON l.version_id = @version AND l.position = m.position JOIN items i ON i.id = l.item_id
	LEFT JOIN item_texts x ON x.item_id = i.id`

const lineColumns = `l.position, i.id, ` + itemName + `, coalesce(i.width, 0), coalesce(i.height, 0)`

func (s *Store) movedLines(ctx context.Context, c CellPage, q LineQuery) ([]CellLine, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT `+lineColumns+`, m.change FROM cell_moves m `+lineTables+`
		WHERE m.cell_id = @cell AND m.baseline_id = @baseline AND (m.change > 0) = @gained AND m.change <> 0
			AND (@position::int < 0 OR (-abs(m.change), m.position) > (-@size::float8, @position::int))
		ORDER BY -abs(m.change), m.position LIMIT @limit`, pgx.NamedArgs{
		"version": c.Version, "cell": c.ID, "baseline": c.Baseline.ID, "gained": q.Show == LinesGained, "size": q.Size, "position": q.Position, "limit": q.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("moves of cell %d: %w", c.ID, err)
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l CellLine, err error) {
		l.TruthAt, l.SaidAt = -1, -1
		err = row.Scan(&l.Position, &l.Item, &l.Name, &l.Width, &l.Height, &l.Change)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("moves of cell %d: %w", c.ID, err)
	}
	return lines, nil
}

const causesOfMistake = `ARRAY(SELECT h.name FROM item_causes t JOIN causes h ON h.id = t.cause_id
	WHERE t.item_id = l.item_id AND t.cell_id = m.cell_id AND t.kind = m.kind AND t.ordinal = m.ordinal ORDER BY lower(h.name))`

func (s *Store) wrongLines(ctx context.Context, c CellPage, q LineQuery) ([]CellLine, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT `+lineColumns+`, m.size, m.kind, m.ordinal, m.detail, `+causesOfMistake+`
		FROM cell_errors m `+lineTables+`
		WHERE m.cell_id = @cell AND (@class = '' OR @class IN (m.detail->>'truth', m.detail->>'said')) AND (@kind = '' OR m.kind = @kind)
			AND (@cause::bigint = 0 OR EXISTS (SELECT FROM item_causes t
				WHERE t.item_id = l.item_id AND t.cell_id = m.cell_id AND t.kind = m.kind AND t.ordinal = m.ordinal AND t.cause_id = @cause))
			AND (@position::int < 0 OR (-m.size, m.position, m.kind, m.ordinal) > (-@size::float8, @position::int, @after_kind, @ordinal::int))
		ORDER BY -m.size, m.position, m.kind, m.ordinal LIMIT @limit`, pgx.NamedArgs{
		"version": c.Version, "cell": c.ID, "class": q.Class, "kind": q.Kind, "cause": q.Cause, "size": q.Size, "position": q.Position, "after_kind": q.AfterKind,
		"ordinal": q.Ordinal, "limit": q.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("mistakes of cell %d: %w", c.ID, err)
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l CellLine, err error) {
		detail := mistakeDetail{TruthAt: -1, SaidAt: -1}
		err = row.Scan(&l.Position, &l.Item, &l.Name, &l.Width, &l.Height, &l.Change, &l.Kind, &l.Ordinal, &detail, &l.Causes)
		l.TruthClass, l.SaidClass, l.TruthAt, l.SaidAt = detail.Truth, detail.Said, detail.TruthAt, detail.SaidAt
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("mistakes of cell %d: %w", c.ID, err)
	}
	return lines, nil
}

// CellLine is one line of a cell, by its position, or ErrNotFound if there is none or it was erased.
func (s *Store) CellLine(ctx context.Context, actor Actor, c CellPage, position int) (CellLine, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return CellLine{}, err
	}
	l := CellLine{TruthAt: -1, SaidAt: -1}
	err := s.pool.QueryRow(ctx, `
		SELECT `+lineColumns+`, coalesce((SELECT v.change FROM cell_moves v WHERE v.cell_id = @cell AND v.baseline_id = @baseline AND v.position = @position), 0)
		FROM (SELECT @position::int AS position) m `+lineTables+` WHERE l.split = @split`, pgx.NamedArgs{
		"version": c.Version, "cell": c.ID, "baseline": baselineID(c), "position": position, "split": c.Split,
	}).Scan(&l.Position, &l.Item, &l.Name, &l.Width, &l.Height, &l.Change)
	if err != nil {
		return l, fmt.Errorf("line %d of cell %d: %w", position, c.ID, notFound(err))
	}
	if l.Mistakes, err = s.mistakesOf(ctx, c.ID, position); err != nil {
		return l, err
	}
	lines := []CellLine{l}
	err = s.fillLines(ctx, c, lines)
	return lines[0], err
}

// mistakesOf are what a cell has wrong in a line that the caller has seen, the greatest first.
func (s *Store) mistakesOf(ctx context.Context, cell int64, position int) ([]LineMistake, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT m.kind, m.ordinal, m.detail, `+causesOfMistake+`
		FROM cell_errors m JOIN cells c ON c.id = m.cell_id JOIN dataset_lines l ON l.version_id = c.version_id AND l.position = m.position
		WHERE m.cell_id = $1 AND m.position = $2 ORDER BY -m.size, m.kind, m.ordinal`, cell, position)
	if err != nil {
		return nil, fmt.Errorf("mistakes in line %d of cell %d: %w", position, cell, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m LineMistake, err error) {
		detail := mistakeDetail{TruthAt: -1, SaidAt: -1}
		err = row.Scan(&m.Kind, &m.Ordinal, &detail, &m.Causes)
		m.TruthClass, m.SaidClass, m.TruthAt, m.SaidAt = detail.Truth, detail.Said, detail.TruthAt, detail.SaidAt
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("mistakes in line %d of cell %d: %w", position, cell, err)
	}
	return list, nil
}

func baselineID(c CellPage) int64 {
	if c.Baseline == nil {
		return 0
	}
	return c.Baseline.ID
}

// fillLines gives lines their truth, and what both combinations made of them.
func (s *Store) fillLines(ctx context.Context, c CellPage, lines []CellLine) error {
	if len(lines) == 0 {
		return nil
	}
	now, truths, err := s.walkTo(ctx, c.Cell, c.Slots, positionsOf(lines))
	if err != nil {
		return err
	}
	var before map[int64]LineOutput
	// What the baseline says of the same lines is there if it stands on the same version.
	if c.Baseline != nil && c.Baseline.Version == c.Version {
		if before, _, err = s.walkTo(ctx, *c.Baseline, c.Slots, positionsOf(lines)); err != nil {
			return err
		}
	}
	marks, err := s.marksOf(ctx, truths)
	if err != nil {
		return err
	}
	for i := range lines {
		l := &lines[i]
		l.Now = now[l.Item]
		if said, ok := before[l.Item]; ok {
			l.Before = &said
		}
		l.Words, l.Marks = truths[l.Item].words, marks[l.Item]
	}
	return nil
}

func positionsOf(lines []CellLine) []int32 {
	positions := make([]int32, len(lines))
	for i, l := range lines {
		positions[i] = int32(l.Position) //nolint:gosec // positions are integers of the database
	}
	return positions
}

// walkTo walks along a cell's path at some lines, and returns what its last model said, with the lines and their truth, by item.
func (s *Store) walkTo(ctx context.Context, c Cell, slots []string, positions []int32) (map[int64]LineOutput, map[int64]walkLine, error) {
	w := pathWalk{version: c.Version, split: c.Split, labels: c.Labels, slots: slots, path: c.Path, configurations: configurationsOf(c.Path, c.configurations)}
	if err := w.beginAt(ctx, s.pool, positions); err != nil {
		return nil, nil, err
	}
	last := len(c.Path) - 1
	if err := w.to(ctx, s.pool, last); err != nil {
		return nil, nil, err
	}
	outputs, truths := map[int64]LineOutput{}, map[int64]walkLine{}
	said, err := outputsOf(ctx, s.pool, w.lines, c.Path[last], w.configurations[last])
	if err != nil {
		return nil, nil, err
	}
	for _, l := range w.lines {
		o := LineOutput{Heard: l.text}
		if kept, ok := said[l.item]; ok {
			o.There, o.Text, o.Confidence = true, kept.Text, kept.Confidence
			if err := json.Unmarshal(kept.Boxes, &o.Boxes); err != nil {
				return nil, nil, fmt.Errorf("boxes of item %d: %w", l.item, err)
			}
			if err := json.Unmarshal(kept.Labels, &o.Labels); err != nil {
				return nil, nil, fmt.Errorf("labels of item %d: %w", l.item, err)
			}
		}
		outputs[l.item], truths[l.item] = o, l
	}
	return outputs, truths, nil
}

// marksOf are the boxes or moments of truths, by item.
func (s *Store) marksOf(ctx context.Context, truths map[int64]walkLine) (map[int64][]LineMark, error) {
	ids := make([]int64, 0, len(truths))
	for _, t := range truths {
		ids = append(ids, t.truth)
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT t.item_id, c.name, b.x, b.y, b.w, b.h FROM truths t JOIN truth_boxes b ON b.truth_id = t.id JOIN classes c ON c.id = b.class_id
		WHERE t.id = ANY($1) ORDER BY t.item_id, b.position`, ids)
	if err != nil {
		return nil, fmt.Errorf("marks of truths: %w", err)
	}
	marks := map[int64][]LineMark{}
	var item int64
	var m LineMark
	_, err = pgx.ForEachRow(rows, []any{&item, &m.Class, &m.X, &m.Y, &m.W, &m.H}, func() error {
		marks[item] = append(marks[item], m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("marks of truths: %w", err)
	}
	return marks, nil
}
