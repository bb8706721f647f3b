package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"fiducial/internal/steel"
	"fiducial/store"
)

const (
	demoDetector   = "strip-eye"
	demoInspection = "Strip inspection"
)

// demoEye is a detector with the faults that detectors have. Its chances are from 0 to 1.
type demoEye struct {
	misses  float64 // of a defect that can be seen well; small and faint ones are missed more
	swaps   float64 // takes a defect for one that is easily confused with it
	blindTo steel.Class
	edges   float64 // how far a side is off, in parts of the box
	doubles float64 // a second box on the same defect
	dreams  float64 // boxes where nothing is, of a picture
}

// demoEyes are two versions. The second has learned from more strips, and has unlearned to tell black stripes from black lines.
var demoEyes = []struct {
	version, description string
	eye                  demoEye
}{
	{"1", "Trained on the strips of the spring.", demoEye{misses: 0.10, swaps: 0.16, edges: 0.07, doubles: 0.15, dreams: 1.1}},
	{"2", "Twice the strips, and sharper pictures.", demoEye{misses: 0.03, swaps: 0.03, blindTo: steel.BlackStripe, edges: 0.025, doubles: 0.06, dreams: 0.5}},
}

// demoSeen is a box of a detector, in pixels.
type demoSeen struct {
	class      steel.Class
	x, y, w, h float64
	score      float64
}

// see is what the detector finds on a strip.
func (e demoEye) see(strip steel.Strip, random *rand.Rand) (seen []demoSeen) {
	for _, d := range strip.Defects {
		if random.Float64() < e.missing(d) {
			continue
		}
		class, score := d.Class, 0.72+0.1*random.NormFloat64()
		if d.Class == e.blindTo && random.Float64() < 0.75 || random.Float64() < e.swaps {
			class, score = easilyConfused(d.Class), score-0.2
		}
		box := e.around(d, class, score, random)
		seen = append(seen, box)
		if random.Float64() < e.doubles {
			seen = append(seen, demoSeen{class, box.x + 0.18*box.w, box.y - 0.12*box.h, 0.8 * box.w, 1.1 * box.h, 0.6 * box.score})
		}
	}
	bounds := strip.Image.Bounds()
	for chance := e.dreams; random.Float64() < chance; chance /= 2 {
		w, h := 40+90*random.Float64(), 25+60*random.Float64()
		class := steel.Definitions()[random.IntN(len(steel.Definitions()))].Class
		seen = append(seen, demoSeen{class, random.Float64() * (float64(bounds.Dx()) - w), random.Float64() * (float64(bounds.Dy()) - h), w, h, 0.2 + 0.5*random.Float64()})
	}
	for i := range seen {
		seen[i] = seen[i].within(float64(bounds.Dx()), float64(bounds.Dy()))
	}
	return seen
}

// missing is how likely the detector misses a defect.
func (e demoEye) missing(d steel.Defect) float64 {
	chance := e.misses
	if d.Class == steel.ScalePit || d.W*d.H < 1500 {
		chance *= 3
	}
	if d.Contrast < 24 {
		chance *= 2
	}
	return min(chance, 0.9)
}

// around is a box about a defect, no side of which is quite where it should be.
func (e demoEye) around(d steel.Defect, class steel.Class, score float64, random *rand.Rand) demoSeen {
	off := func(size int) float64 { return e.edges * (float64(size) + 12) * random.NormFloat64() }
	left, right, top, bottom := off(d.W), off(d.W), off(d.H), off(d.H)
	return demoSeen{class, float64(d.X) + left, float64(d.Y) + top, max(4, float64(d.W)-left+right), max(4, float64(d.H)-top+bottom), score}
}

func (s demoSeen) within(width, height float64) demoSeen {
	right, bottom := min(s.x+s.w, width), min(s.y+s.h, height)
	s.x, s.y = max(s.x, 0), max(s.y, 0)
	s.w, s.h, s.score = max(right-s.x, 1), max(bottom-s.y, 1), min(max(s.score, 0.05), 0.99)
	return s
}

// easilyConfused is the class that a defect is taken for.
func easilyConfused(class steel.Class) steel.Class {
	for _, d := range steel.Definitions() {
		if d.Class == class && len(d.ConfusedWith) > 0 {
			return d.ConfusedWith[0]
		}
	}
	return class
}

// addDetector measures two versions of a detector on the balanced test set, and says of the first errors what lies behind them.
func (f *demoFill) addDetector(ctx context.Context) error {
	if _, err := f.Store.AddModel(ctx, f.admin(), demoDetector, "detector"); err != nil {
		return err
	}
	successor := ""
	for n, one := range demoEyes {
		_, err := f.Store.Release(ctx, f.admin(), store.NewRelease{
			Model: demoDetector, Version: one.version, Successor: successor, Description: one.description, Training: []string{"hot-strip-train@1"},
		})
		if err != nil {
			return err
		}
		successor = one.version
		if err := f.detect(ctx, one.version, one.eye, uint64(n)+61); err != nil {
			return fmt.Errorf("version %s: %w", one.version, err)
		}
	}
	_, err := f.Store.AddChain(ctx, f.admin(), store.NewChain{Slots: []string{"detector"}, ChainSettings: store.ChainSettings{
		Name: demoInspection, Description: "What the camera after the last stand is looked through by.", AlertDrop: store.DefaultAlertDrop, ExpectDays: 90,
	}})
	if err != nil {
		return err
	}
	first, second := demoDetector+"@1", demoDetector+"@2"
	err = f.evaluate(ctx, store.EvaluationRequest{
		Chain: demoInspection, Title: "Before 2 goes to the mill", Versions: []string{"hot-strip-test@1"}, Models: [][]string{{first, second}}, Baseline: []string{first}, StartedBy: "release",
	}, 0)
	if err != nil {
		return err
	}
	return f.findCauses(ctx, second)
}

// detect imports what a version finds on every strip.
func (f *demoFill) detect(ctx context.Context, version string, eye demoEye, seed uint64) error {
	items, err := f.items(ctx, demoStrip)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(items))
	for name := range items {
		names = append(names, name)
	}
	slices.Sort(names)
	random := rand.New(rand.NewPCG(seed, 40)) //nolint:gosec // the same eye each time
	type image struct {
		ID     int    `json:"id"`
		Name   string `json:"file_name"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	}
	type annotation struct {
		ID       int        `json:"id"`
		Image    int        `json:"image_id"`
		Category int        `json:"category_id"`
		Box      [4]float64 `json:"bbox"`
		Area     float64    `json:"area"`
		Score    float64    `json:"score"`
	}
	type category struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
	var file struct {
		Images      []image      `json:"images"`
		Annotations []annotation `json:"annotations"`
		Categories  []category   `json:"categories"`
	}
	numbers := map[steel.Class]int{}
	for i, d := range steel.Definitions() {
		numbers[d.Class] = i + 1
		file.Categories = append(file.Categories, category{i + 1, d.Name})
	}
	for i, name := range names {
		strip := f.strips[name]
		file.Images = append(file.Images, image{i + 1, name, strip.Image.Bounds().Dx(), strip.Image.Bounds().Dy()})
		for _, s := range eye.see(strip, random) {
			box := [4]float64{tenth(s.x), tenth(s.y), tenth(s.w), tenth(s.h)}
			file.Annotations = append(file.Annotations, annotation{len(file.Annotations) + 1, i + 1, numbers[s.class], box, box[2] * box[3], math.Round(1000*s.score) / 1000})
		}
	}
	content, err := json.Marshal(file)
	if err != nil {
		return err
	}
	return f.importFile(ctx, demoStrip, store.NewImport{
		Format: store.FormatCOCO, Purpose: store.PurposePrediction, Model: demoDetector + "@" + version, Options: store.ImportOptions{VOCBase: 1},
	}, "found.json", content)
}

func tenth(v float64) float64 { return math.Round(10*v) / 10 }

// importFile imports one file, and waits until that is done.
func (f *demoFill) importFile(ctx context.Context, project string, n store.NewImport, name string, content []byte) error {
	added, err := f.Store.AddImport(ctx, f.admin(), project, n)
	if err != nil {
		return err
	}
	if err := f.uploadFile(ctx, added.ID, name, content); err != nil {
		return err
	}
	if err := f.Store.StartImport(ctx, f.admin(), added.ID); err != nil {
		return err
	}
	return f.until(ctx, func() (bool, error) {
		i, err := f.Store.Import(ctx, f.admin(), added.ID)
		if err == nil && i.State == store.ImportFailed {
			err = fmt.Errorf("import %d failed", i.ID)
		}
		return !i.Open(), err
	})
}

// findCauses has the reviewer look at the worst errors of a version, and leave the rest for later.
func (f *demoFill) findCauses(ctx context.Context, model string) error {
	cells, err := f.Store.Cells(ctx, f.reviewer(), store.CellQuery{})
	if err != nil {
		return err
	}
	at := slices.IndexFunc(cells, func(c store.Cell) bool { return slices.Equal(c.Models, []string{model}) })
	if at < 0 {
		return fmt.Errorf("no cell of %s", model)
	}
	cell, err := f.Store.CellPage(ctx, f.reviewer(), cells[at].ID)
	if err != nil {
		return err
	}
	lines, err := f.Store.CellLines(ctx, f.reviewer(), cell, store.LineQuery{Show: store.LinesWrong, Position: -1, Limit: 100})
	if err != nil {
		return err
	}
	found := map[string][]store.ErrorRef{}
	for _, l := range lines[:len(lines)*3/5] {
		cause := "Nothing there but texture"
		switch {
		case strings.Contains(l.Kind, "negative"):
			cause = "Too small or too faint"
		case strings.Contains(l.Kind, "class"):
			cause = "Definitions too much alike"
		}
		found[cause] = append(found[cause], store.ErrorRef{Position: l.Position, Kind: l.Kind, Ordinal: l.Ordinal})
	}
	for cause, errors := range found {
		if _, err := f.Store.TagErrors(ctx, f.reviewer(), store.TagErrors{Cell: cell, Errors: errors, New: cause}); err != nil {
			return err
		}
	}
	return nil
}
