package handlers

import (
	"slices"
	"strings"

	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// verdicts are what a candidate does to each model behind it, on the newest dataset version.
type verdicts struct {
	candidate combination
	version   store.MatrixVersion
	cells     []*store.MatrixCell // that were compared
	helped    []*store.MatrixCell
	hurt      []*store.MatrixCell
	same      []*store.MatrixCell
}

// judge finds the newest combination of models that was compared with the baseline, and what it does. Nil means that there is nothing to judge.
func judge(m store.MatrixPage) *verdicts {
	l := layoutOf(m)
	paths := make(map[int64][]int64, len(m.Cells))
	for i := range m.Cells {
		paths[m.Cells[i].ID] = m.Cells[i].Path
	}
	for _, version := range m.Versions {
		for _, row := range l.rows {
			v := &verdicts{candidate: row, version: version}
			if row.begins(m.Baseline) || slices.Equal(row.path, []int64{0}) {
				continue
			}
			v.take(l.of(version.ID, row))
			if len(m.Chain.Slots) > 1 {
				for _, column := range l.columns {
					// Where what stands last is another too, it would not be the row that is judged.
					if c := l.of(version.ID, row.then(column)); c != nil && c.Difference != nil && column.ends(paths[c.Difference.Baseline]) {
						v.take(c)
					}
				}
			}
			if len(v.cells) > 0 {
				return v
			}
		}
		if v := judgeLast(l, version); v != nil {
			return v
		}
	}
	return nil
}

// judgeLast judges the newest of what stands last, behind what the baseline has before it: nil if nothing was measured there but the baseline.
func judgeLast(l *matrixLayout, version store.MatrixVersion) *verdicts {
	if len(l.m.Chain.Slots) < 2 {
		return nil
	}
	columns := slices.SortedFunc(slices.Values(l.columns), func(a, b combination) int { return slices.Compare(b.path, a.path) })
	for _, row := range l.rows {
		for _, column := range columns {
			whole := row.then(column)
			v := &verdicts{candidate: column, version: version}
			if row.begins(l.m.Baseline) && !slices.Equal(whole.path, l.m.Baseline) {
				v.take(l.of(version.ID, whole))
			}
			if len(v.cells) > 0 {
				return v
			}
		}
	}
	return nil
}

func (v *verdicts) take(c *store.MatrixCell) {
	if c == nil || c.ID == 0 || c.Difference == nil || c.Difference.Value == nil {
		return
	}
	v.cells = append(v.cells, c)
	switch {
	case !c.Difference.Real():
		v.same = append(v.same, c)
	case c.Difference.Better:
		v.helped = append(v.helped, c)
	default:
		v.hurt = append(v.hurt, c)
	}
}

// namesOf lists the last models of cells, each once.
func namesOf(cells []*store.MatrixCell) string {
	var names []string
	for _, c := range cells {
		name := modelName(c.Models[len(c.Models)-1])
		if c.Measure == "wer" {
			name = "the words"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 1 {
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return strings.Join(names, "")
}

// stay agrees with how many names there are.
func stay(cells []*store.MatrixCell) string {
	if len(cells) == 1 {
		return " stays"
	}
	return " stay"
}

// matrixAnswer is the sentence that a matrix comes to.
func matrixAnswer(m store.MatrixPage) (a web.AnswerView) {
	v := judge(m)
	if v == nil {
		return a
	}
	part := func(text string, tone ui.Tone, up bool) {
		a.Parts = append(a.Parts, web.AnswerPartView{Text: text, Tone: tone, Up: up})
	}
	a.Parts = append(a.Parts, web.AnswerPartView{Text: v.candidate.name(), Strong: true})
	switch {
	case len(v.helped) == 0 && len(v.hurt) == 0:
		part("shows no difference beyond chance.", ui.Neutral, false)
		return a
	case len(v.cells) == 1 && namesOf(v.cells) == v.candidate.name():
		part("is", ui.Neutral, false)
		if len(v.helped) > 0 {
			part("better than the baseline.", ui.OK, true)
		} else {
			part("worse than the baseline.", ui.Bad, false)
		}
	case len(v.helped) > 0 && len(v.hurt) > 0:
		part("helps", ui.Neutral, false)
		part(namesOf(v.helped), ui.OK, true)
		part("and hurts", ui.Neutral, false)
		part(namesOf(v.hurt)+stop(v.same), ui.Bad, false)
	case len(v.helped) > 0:
		part("helps", ui.Neutral, false)
		part(namesOf(v.helped)+stop(v.same), ui.OK, true)
	default:
		part("hurts", ui.Neutral, false)
		part(namesOf(v.hurt)+stop(v.same), ui.Bad, false)
	}
	if len(v.same) > 0 {
		part(namesOf(v.same)+stay(v.same)+" within noise.", ui.Neutral, false)
	}
	return a
}

// stop ends the part of a sentence that others follow, or the sentence.
func stop(rest []*store.MatrixCell) string {
	if len(rest) > 0 {
		return ";"
	}
	return "."
}
