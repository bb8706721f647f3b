package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/attribution"
	"fiducial/internal/scoring"
)

// attributed is one of the two measurements whose difference is divided.
type attributed struct {
	cell           int64
	version        int64
	versionName    string
	split          string
	path           []int64
	models         []string
	configurations []byte // of the models, one after the other
	labels         string
	normalizer     string
	evaluation     int64
	value          float64
	slots          []string

	lines       map[int]attributedLine // by position
	at          map[int64]int          // by item
	definitions map[int64]int          // by class: the newest version that labels were made under
}

// attributedLine is what a line of a version is about. An erased one has no item.
type attributedLine struct{ item, truth int64 }

// endBefore and endAfter are the places of the two measurements.
const (
	endBefore = 0
	endAfter  = 1
)

// attributing divides the difference of two cells. Each state in between takes, line by line, a score with one end's models, one end's truth,
// and one end's normalizer, whichever of its factors have changed.
type attributing struct {
	store   *Store
	ends    [2]attributed
	measure string
	factors []attribution.Factor

	// scores by whose version and truth, whose models, and whose normalizer; nil: the outputs are gone
	scores [2][2][2]map[int]*scoring.Score
	task   scoring.Task
	class  []string
	moved  map[int64]attribution.Factor // items of both, whose truth is another: why
	known  [2]map[int]bool              // lines that are known in every state: all but some of erased items
}

// divide computes the division.
func (a *attributing) divide(ctx context.Context) (attribution.Division, error) {
	for end := range a.ends {
		if err := a.ends[end].read(ctx, a.store, &a.measure); err != nil {
			return attribution.Division{}, err
		}
	}
	if err := a.findMoved(ctx); err != nil {
		return attribution.Division{}, err
	}
	if err := a.findScores(ctx); err != nil {
		return attribution.Division{}, err
	}
	a.findFactors()
	d := a.divideStates()
	a.tally(&d)
	for end := range a.ends {
		d.Lines += len(a.scores[end][end][end])
		for position := range a.scores[end][end][end] {
			if !a.known[end][position] {
				d.Unknown++
			}
		}
	}
	return d, nil
}

// tally counts what changed of the items.
func (a *attributing) tally(d *attribution.Division) {
	shared := 0
	for item := range a.ends[endBefore].at {
		if _, both := a.ends[endAfter].at[item]; both {
			shared++
		}
	}
	d.Lost, d.Added = len(a.ends[endBefore].at)-shared, len(a.ends[endAfter].at)-shared
	for _, factor := range a.moved {
		if factor == attribution.Definition {
			d.Redefined++
		} else {
			d.Relabeled++
		}
	}
}

func (e *attributed) read(ctx context.Context, s *Store, measure *string) error {
	err := s.pool.QueryRow(ctx, `
		SELECT c.version_id, d.name || '@' || v.number, c.split, c.path, names_of_path(c.path), c.configurations, c.labels, c.normalizer, c.evaluation_id, c.measure,
			coalesce(c.value, 'NaN'), h.slots
		FROM cells c JOIN dataset_versions v ON v.id = c.version_id JOIN datasets d ON d.id = v.dataset_id
		JOIN evaluations e ON e.id = c.evaluation_id JOIN chains h ON h.id = e.chain_id WHERE c.id = $1`, e.cell).Scan(
		&e.version, &e.versionName, &e.split, &e.path, &e.models, &e.configurations, &e.labels, &e.normalizer, &e.evaluation, measure, &e.value, &e.slots)
	if err != nil {
		return fmt.Errorf("cell %d: %w", e.cell, notFound(err))
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT l.position, l.item_id, t.id FROM dataset_lines l `+lineTruth+` WHERE l.version_id = @version AND l.split = @split`,
		pgx.NamedArgs{"version": e.version, "split": e.split, "today": e.labels == "today"})
	if err != nil {
		return fmt.Errorf("lines of cell %d: %w", e.cell, err)
	}
	e.lines, e.at, e.definitions = map[int]attributedLine{}, map[int64]int{}, map[int64]int{}
	var position int
	var line attributedLine
	_, err = pgx.ForEachRow(rows, []any{&position, &line.item, &line.truth}, func() error {
		e.lines[position], e.at[line.item] = line, position
		return nil
	})
	if err != nil {
		return fmt.Errorf("lines of cell %d: %w", e.cell, err)
	}
	classes, err := versionClasses(ctx, s.pool, e.version)
	if err != nil {
		return err
	}
	for _, class := range classes {
		if len(class.Definitions) > 0 {
			e.definitions[class.ID] = int(slices.Max(class.Definitions))
		}
	}
	return nil
}

// findMoved finds the items of both versions whose truth is another. It is because of a definition if a label was made under a newer one than
// any of the earlier version, or of the later version's classes than the earlier label was.
func (a *attributing) findMoved(ctx context.Context) error {
	a.moved = map[int64]attribution.Factor{}
	of, truths := map[int64]int64{}, []int64{}
	var newer []int64
	for item, position := range a.ends[endBefore].at {
		after, both := a.ends[endAfter].at[item]
		if !both {
			continue
		}
		before, now := a.ends[endBefore].lines[position].truth, a.ends[endAfter].lines[after].truth
		if before != now {
			a.moved[item] = attribution.Labels
			of[before], of[now] = item, item
			truths, newer = append(truths, before, now), append(newer, now)
		}
	}
	if len(truths) == 0 {
		return nil
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := a.store.pool.Query(ctx, `
		SELECT truth_id, class_id, max(definition_version) FROM truth_boxes WHERE truth_id = ANY($1) AND definition_version IS NOT NULL GROUP BY 1, 2`, truths)
	if err != nil {
		return fmt.Errorf("definitions of truths: %w", err)
	}
	type made struct {
		truth, class int64
		version      int
	}
	var all []made
	var m made
	newest := map[int64]int{}
	slices.Sort(newer)
	_, err = pgx.ForEachRow(rows, []any{&m.truth, &m.class, &m.version}, func() error {
		all = append(all, m)
		if _, isNew := slices.BinarySearch(newer, m.truth); isNew {
			newest[m.class] = max(newest[m.class], m.version)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("definitions of truths: %w", err)
	}
	for _, m := range all {
		_, isNew := slices.BinarySearch(newer, m.truth)
		before, known := a.ends[endBefore].definitions[m.class]
		if isNew && known && m.version > before || !isNew && m.version < max(newest[m.class], a.ends[endAfter].definitions[m.class]) {
			a.moved[of[m.truth]] = attribution.Definition
		}
	}
	return nil
}

// findFactors finds what changed at all.
func (a *attributing) findFactors() {
	from, to := &a.ends[endBefore], &a.ends[endAfter]
	why := map[attribution.Factor]bool{
		attribution.Model:      !slices.Equal(from.path, to.path) || !bytes.Equal(from.configurations, to.configurations),
		attribution.Normalizer: from.normalizer != to.normalizer,
	}
	for item := range from.at {
		_, both := to.at[item]
		why[attribution.Data] = why[attribution.Data] || !both
	}
	why[attribution.Data] = why[attribution.Data] || len(from.at) != len(to.at) || from.version != to.version && a.erased()
	for _, factor := range a.moved {
		why[factor] = true
	}
	for _, factor := range []attribution.Factor{attribution.Model, attribution.Data, attribution.Labels, attribution.Definition, attribution.Normalizer} {
		if why[factor] {
			a.factors = append(a.factors, factor)
		}
	}
}

// erased reports whether a line was measured whose item was erased since.
func (a *attributing) erased() bool {
	for end := range a.ends {
		for position := range a.scores[end][end][end] {
			if _, there := a.ends[end].lines[position]; !there {
				return true
			}
		}
	}
	return false
}

// findScores reads or makes all scores that a state may need, and says which lines all of them have.
func (a *attributing) findScores(ctx context.Context) error {
	var sheets []scoring.Sheet
	var places [][3]int
	var lost []map[int]bool // lines that an output is missing of, by sheet
	for _, place := range a.places() {
		sheet, missing, err := a.sheet(ctx, place)
		if err != nil {
			return err
		}
		if a.lacks(place, missing, sheets) {
			continue
		}
		if len(sheets) > 0 && sheet.Task != sheets[0].Task {
			return errors.New("the models of the cells have different tasks by now")
		}
		sheets, places, lost = append(sheets, sheet), append(places, place), append(lost, missing)
	}
	sheets = scoring.Aligned(sheets...)
	for i, place := range places {
		a.task, a.class = sheets[i].Task, sheets[i].Classes
		scores := make(map[int]*scoring.Score, len(sheets[i].Scores))
		for k := range sheets[i].Scores {
			if score := &sheets[i].Scores[k]; !lost[i][score.Position] {
				scores[score.Position] = score
			}
		}
		a.scores[place[0]][place[1]][place[2]] = scores
	}
	a.findKnown()
	return nil
}

// lacks reports whether an output is gone, or was never asked for, of an item that is still there. What the models failed on when their own cell was
// measured, failed.
func (a *attributing) lacks(place [3]int, missing map[int]bool, sheets []scoring.Sheet) bool {
	if len(missing) == 0 {
		return false
	}
	failed := map[int64]bool{}
	for i := range sheets[place[1]].Scores {
		if s := &sheets[place[1]].Scores[i]; s.Failed {
			failed[a.ends[place[1]].lines[s.Position].item] = true
		}
	}
	for position := range missing {
		if !failed[a.ends[place[0]].lines[position].item] {
			return true
		}
		delete(missing, position)
	}
	return false
}

// places are whose version, models and normalizer scores are wanted of, the two cells' own first.
func (a *attributing) places() (list [][3]int) {
	list = [][3]int{{endBefore, endBefore, endBefore}, {endAfter, endAfter, endAfter}}
	for end := range 2 {
		for models := range 2 {
			for normalizer := range 2 {
				if place := [3]int{end, models, normalizer}; !slices.Contains(list, place) {
					list = append(list, place)
				}
			}
		}
	}
	return list
}

// sheet is that which is kept of a combination, or made from the outputs that are there. Lines without an output are missing where they could not be
// measured now; those of a kept sheet failed then, and count as that.
func (a *attributing) sheet(ctx context.Context, place [3]int) (sheet scoring.Sheet, missing map[int]bool, err error) {
	version, models, normalizer := &a.ends[place[0]], &a.ends[place[1]], a.ends[place[2]].normalizer
	id := version.cell
	if place != [3]int{endBefore, endBefore, endBefore} && place != [3]int{endAfter, endAfter, endAfter} {
		err = a.store.pool.QueryRow(ctx, `
			SELECT id FROM cells WHERE version_id = $1 AND split = $2 AND path = $3 AND configurations = $4 AND labels = $5 AND normalizer = $6`,
			version.version, version.split, models.path, models.configurations, version.labels, normalizer).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return a.measureAgain(ctx, version, models, normalizer)
		}
		if err != nil {
			return sheet, nil, fmt.Errorf("cell between: %w", err)
		}
	}
	sheet, err = a.store.Sheet(ctx, id)
	return sheet, nil, err
}

// measureAgain measures models on a version from the outputs that are there.
func (a *attributing) measureAgain(ctx context.Context, version, models *attributed, normalizer string) (sheet scoring.Sheet, missing map[int]bool, err error) {
	row, err := modelServer(ctx, a.store.pool, `WHERE v.id = $1`, models.path[len(models.path)-1])
	if err != nil {
		return sheet, nil, err
	}
	m := &measuring{
		pathWalk: pathWalk{
			version: version.version, split: version.split, labels: version.labels, slots: models.slots, path: models.path, configurations: configurationsOf(models.path, models.configurations),
		},
		evaluation: models.evaluation, normalizer: normalizer, server: row.server(),
	}
	if err := m.prepare(ctx, a.store.pool); err != nil {
		return sheet, nil, err
	}
	sheet, _, err = m.sheet(ctx, a.store.pool)
	if err != nil {
		return sheet, nil, err
	}
	missing = map[int]bool{}
	for i := range sheet.Scores {
		if sheet.Scores[i].Failed {
			missing[sheet.Scores[i].Position] = true
		}
	}
	return sheet, missing, nil
}

// findKnown finds the lines of each version that all scores have which could be found.
func (a *attributing) findKnown() {
	for end := range a.ends {
		a.known[end] = map[int]bool{}
		for position := range a.scores[end][end][end] {
			everywhere := true
			for models := range 2 {
				for normalizer := range 2 {
					if scores := a.scores[end][models][normalizer]; scores != nil {
						everywhere = everywhere && scores[position] != nil
					}
				}
			}
			a.known[end][position] = everywhere
		}
	}
	for item, factor := range a.moved {
		if factor == "" {
			continue
		}
		before, after := a.ends[endBefore].at[item], a.ends[endAfter].at[item]
		if !a.known[endBefore][before] || !a.known[endAfter][after] {
			a.known[endBefore][before], a.known[endAfter][after] = false, false
		}
	}
}

// divideStates measures every state, by the factors that have changed in it; those whose outputs are gone are missing. All of them are drawn
// together with the cells on all of their lines, so that the parts have intervals.
func (a *attributing) divideStates() attribution.Division {
	joint := scoring.NewJoint()
	var missing []attribution.State
	places := make([]int, 1<<len(a.factors)) // in the joint, -1 for none
	count := 0
	for set := range places {
		changed := map[attribution.Factor]int{}
		state := attribution.State{}
		for k, factor := range a.factors {
			if set>>k&1 != 0 {
				changed[factor] = endAfter
				state.Changed = append(state.Changed, factor)
			}
		}
		sheet, lacks := a.state(changed)
		if lacks >= 0 {
			places[set] = -1
			state.Models, state.Version = a.ends[changed[attribution.Model]].models, a.ends[lacks].versionName
			missing = append(missing, state)
			continue
		}
		joint.Add(sheet)
		places[set], count = count, count+1
	}
	for end := range a.ends {
		joint.Add(a.whole(end))
	}
	drawn := joint.Draw(cellOptions())
	values, last, pinned := arrange(places, drawn.Values), len(places)-1, a.pinned()
	for end, at := range []int{0, last} {
		if pinned[end] || math.IsNaN(values[at]) {
			values[at] = a.ends[end].value
		}
	}
	d := attribution.Divide(a.factors, values, a.ends[endBefore].value, a.ends[endAfter].value)
	d.Missing = missing
	var draws []attribution.Draw
	for i, one := range drawn.Draws {
		if !drawn.Known(i) {
			continue
		}
		draw := attribution.Draw{Values: arrange(places, one), From: one[count], To: one[count+1]}
		if pinned[endBefore] {
			draw.From = draw.Values[0]
		}
		if pinned[endAfter] {
			draw.To = draw.Values[last]
		}
		draws = append(draws, draw)
	}
	d.Spread(a.factors, draws, drawn.Groups, drawn.Interval)
	return d
}

// arrange puts what was measured in the order of the states, NaN for those that are missing.
func arrange(places []int, measured []float64) []float64 {
	values := make([]float64, len(places))
	for set, place := range places {
		values[set] = math.NaN()
		if place >= 0 {
			values[set] = measured[place]
		}
	}
	return values
}

// whole is the sheet of a cell itself.
func (a *attributing) whole(end int) scoring.Sheet {
	sheet := scoring.Sheet{Task: a.task, Classes: a.class}
	for _, score := range a.scores[end][end][end] {
		sheet.Scores = append(sheet.Scores, *score)
	}
	slices.SortFunc(sheet.Scores, func(p, q scoring.Score) int { return p.Position - q.Position })
	return sheet
}

// pinned reports which of the first and the last state are the cells themselves, since all of their lines are known: they are the same figures,
// summed in another order.
func (a *attributing) pinned() (pinned [2]bool) {
	for end := range a.ends {
		pinned[end] = true
		for position := range a.scores[end][end][end] {
			pinned[end] = pinned[end] && a.known[end][position]
		}
	}
	return pinned
}

// state is the sheet of a state. lacks is the version that scores are missing on, -1 for none.
func (a *attributing) state(changed map[attribution.Factor]int) (sheet scoring.Sheet, lacks int) {
	data, models, normalizer := changed[attribution.Data], changed[attribution.Model], changed[attribution.Normalizer]
	sheet = scoring.Sheet{Task: a.task, Classes: a.class}
	from := &a.ends[data]
	for position := range a.scores[data][data][data] {
		if !a.known[data][position] {
			continue
		}
		side, at := data, position
		line := from.lines[position]
		if factor, moved := a.moved[line.item]; moved && line.item != 0 {
			side = changed[factor]
			at = a.ends[side].at[line.item]
		}
		scores := a.scores[side][models][normalizer]
		if scores == nil {
			return sheet, side
		}
		score := *scores[at]
		score.Position = position
		sheet.Scores = append(sheet.Scores, score)
	}
	slices.SortFunc(sheet.Scores, func(p, q scoring.Score) int { return p.Position - q.Position })
	return sheet, -1
}
