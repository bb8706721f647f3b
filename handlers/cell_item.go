package handlers

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/internal/scoring"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) showCellLine(w http.ResponseWriter, r *http.Request) error {
	c, err := s.cellOf(r)
	if err != nil {
		return err
	}
	position, err := pathID(r, "position")
	if err != nil || position < 0 || position > math.MaxInt32 {
		return store.ErrNotFound
	}
	return s.renderCellLine(w, r, http.StatusOK, c, int(position), web.Refusal{})
}

func (s *Server) renderCellLine(w http.ResponseWriter, r *http.Request, status int, c store.CellPage, position int, refused web.Refusal) error {
	l, err := s.Store.CellLine(r.Context(), actorOf(r), c, position)
	if err != nil {
		return err
	}
	v := web.CellItemView{
		Title: cmp.Or(l.Name, fmt.Sprintf("Item %d", l.Item)), About: pathName(c.Models) + " on " + c.VersionName(), Back: cellHref(c.ID) + "/items", BackText: "The items",
		Item: fmt.Sprintf("/items/%d", l.Item), Gone: !l.Now.There,
		Keep: "What models said is kept for a time, and then only its scores. Run the evaluation again to see it.",
	}
	if l.Change != 0 {
		v.About += ", " + changeWords(c, l)
	}
	if err := s.fillCellLine(r, &v, c, l); err != nil {
		return err
	}
	if err := s.fillMistakes(r, &v, c, l, refused); err != nil {
		return err
	}
	page := s.page(r, v.Title, cellCrumbs(c, ui.Crumb{Label: "Items", Href: cellHref(c.ID) + "/items"}, ui.Crumb{Label: v.Title})...)
	return render(w, r, status, web.CellItemPage(page, v))
}

// fillMistakes fills in what is wrong in the line, and the form that says what lies behind it.
func (s *Server) fillMistakes(r *http.Request, v *web.CellItemView, c store.CellPage, l store.CellLine, refused web.Refusal) error {
	for _, m := range l.Mistakes {
		words := mistakeWords[m.Kind]
		if classes := strings.Join(slices.Compact(slices.DeleteFunc([]string{m.TruthClass, m.SaidClass}, func(s string) bool { return s == "" })), " said as "); classes != "" {
			words += ": " + classes
		}
		box := errorBox(store.CellLine{Position: l.Position, Kind: m.Kind, Ordinal: m.Ordinal})
		v.Mistakes = append(v.Mistakes, web.MistakeView{Box: box, Words: words, Causes: m.Causes, Ticked: len(l.Mistakes) == 1 || slices.Contains(r.PostForm["error"], box)})
	}
	if len(l.Mistakes) == 0 || !actorOf(r).Allowed(access.Review) {
		return nil
	}
	causes, err := s.Store.Causes(r.Context(), actorOf(r), c.ID)
	if err != nil {
		return err
	}
	v.Tag, v.Line = tagForm(c, causes, fmt.Sprintf("%s/items/%d", cellHref(c.ID), l.Position), refused), strconv.Itoa(l.Position)
	return nil
}

// fillCellLine fills in what the line is, and what was made of it.
func (s *Server) fillCellLine(r *http.Request, v *web.CellItemView, c store.CellPage, l store.CellLine) error {
	if c.Kind == "image" {
		v.Picture = cellPicture(c, l)
		return nil
	}
	heard := web.ItemView{ID: l.Item, Sound: &web.ItemSoundView{}}
	if err := s.playItem(r, &heard); err != nil {
		return err
	}
	v.Sound = heard.Sound.Src
	normalizer := speech.ProjectNormalizer(c.Normalizer)
	reference := l.Words.Text()
	if c.Task == scoring.Speech {
		v.Sides = append(v.Sides, cellSide(pathName(c.Models), reference, l.Now.Text, l.Now.There, normalizer))
		if l.Before != nil {
			v.Sides = append(v.Sides, cellSide("Baseline: "+pathName(c.Baseline.Models), reference, l.Before.Text, l.Before.There, normalizer))
		}
		return nil
	}
	v.Labels = cellLabels(c, l)
	if l.Now.Heard != "" {
		v.Sides = append(v.Sides, cellSide("What it was given by "+pathName(c.Models[:len(c.Models)-1]), reference, l.Now.Heard, true, normalizer))
	}
	if l.Before != nil && l.Before.Heard != "" && l.Before.Heard != l.Now.Heard {
		v.Sides = append(v.Sides, cellSide("What the baseline was given by "+pathName(c.Baseline.Models[:len(c.Baseline.Models)-1]), reference, l.Before.Heard, true, normalizer))
	}
	return nil
}

// cellSide sets a text beside the truth, word by word.
func cellSide(name, reference, text string, there bool, n speech.Normalizer) web.CellSideView {
	v := web.CellSideView{Name: name}
	if !there {
		v.Missing, v.Note = true, "What it said is not kept any more."
		return v
	}
	truth, said := speech.Words(reference, n), speech.Words(text, n)
	errorsMade := 0
	for _, step := range speech.Align(wordKeys(truth), wordKeys(said)) {
		word := web.CellWordView{Op: string(step.Op)}
		if step.Reference >= 0 {
			word.Truth = truth[step.Reference].Text
		}
		if step.Hypothesis >= 0 {
			word.Said = said[step.Hypothesis].Text
		}
		if step.Op != speech.Match {
			errorsMade++
		}
		v.Words = append(v.Words, word)
	}
	v.Errors = fmt.Sprintf("%d of %d words wrong", errorsMade, len(truth))
	if errorsMade == 0 {
		v.Errors = "as the truth has it"
	}
	return v
}

func wordKeys(words []speech.Word) []string {
	keys := make([]string, len(words))
	for i, w := range words {
		keys[i] = w.Key
	}
	return keys
}

// cellLabels are the classes of the truth and of both combinations.
func cellLabels(c store.CellPage, l store.CellLine) (rows []web.CellLabelView) {
	classes := map[string]bool{}
	for _, one := range c.Figures.Classes {
		classes[one.Name] = true
	}
	truth := map[string]bool{}
	for _, m := range l.Marks {
		if classes[m.Class] || len(classes) == 0 {
			truth[m.Class] = true
			rows = append(rows, web.CellLabelView{By: "truth", Class: m.Class, Span: spanText(m.X, m.X+m.W)})
		}
	}
	if len(rows) == 0 {
		rows = append(rows, web.CellLabelView{By: "truth", Class: "none of its classes"})
	}
	rows = append(rows, saidLabels("now", l.Now, truth)...)
	if l.Before != nil {
		rows = append(rows, saidLabels("baseline", *l.Before, truth)...)
	}
	return rows
}

func saidLabels(by string, o store.LineOutput, truth map[string]bool) (rows []web.CellLabelView) {
	if !o.There {
		return []web.CellLabelView{{By: by, Class: "not kept any more"}}
	}
	for _, label := range o.Labels {
		row := web.CellLabelView{By: by, Class: label.Label, Tone: ui.Bad, Word: "not in the truth"}
		if truth[label.Label] {
			row.Tone, row.Word = ui.OK, "right"
		}
		if label.Confidence != nil {
			row.Confidence = figure(*label.Confidence)
		}
		if label.Begin != nil && label.End != nil {
			row.Span = spanText(*label.Begin, *label.End)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		row := web.CellLabelView{By: by, Class: "nothing", Tone: ui.Bad, Word: "missed"}
		if len(truth) == 0 {
			row.Tone, row.Word = ui.OK, "right"
		}
		rows = append(rows, row)
	}
	return rows
}

// wrongBoxes say what is wrong with boxes of the truth and with those that were said, by their places.
func wrongBoxes(mistakes []store.LineMistake) (missed, wrong map[int]string) {
	missed, wrong = map[int]string{}, map[int]string{}
	for _, m := range mistakes {
		if m.TruthAt >= 0 {
			missed[m.TruthAt] = mistakeWords[m.Kind]
		}
		if m.SaidAt >= 0 {
			wrong[m.SaidAt] = mistakeWords[m.Kind]
		}
	}
	return missed, wrong
}

// cellPicture is a picture with the boxes of all sides.
func cellPicture(c store.CellPage, l store.CellLine) *web.CellPictureView {
	v := &web.CellPictureView{Src: itemMediaHref(l.Item, "display"), Width: max(1, l.Width), Height: max(1, l.Height)}
	number := func(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }
	missed, wrong := wrongBoxes(l.Mistakes)
	for i, m := range l.Marks {
		v.Boxes = append(v.Boxes, web.CellBoxView{
			Of: "truth", Name: m.Class, Verdict: missed[i], X: number(m.X), Y: number(m.Y), W: number(m.W), H: number(m.H),
		})
	}
	add := func(of string, o store.LineOutput, wrong map[int]string) {
		for i, b := range o.Boxes {
			if c.Figures.Threshold != nil && b.Score < *c.Figures.Threshold {
				continue
			}
			v.Boxes = append(v.Boxes, web.CellBoxView{
				Of: of, Name: b.Class, Score: strconv.FormatFloat(b.Score, 'f', 2, 64), Verdict: wrong[i], X: number(b.X), Y: number(b.Y), W: number(b.W), H: number(b.H),
			})
		}
	}
	add("now", l.Now, wrong)
	if l.Before != nil {
		add("before", *l.Before, nil)
	}
	v.Alt = fmt.Sprintf("The picture with %d boxes: those of the truth, of the combination and of its baseline", len(v.Boxes))
	return v
}
