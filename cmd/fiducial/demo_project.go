package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/steel"
	"fiducial/store"
)

// demoFill carries the demo from step to step.
type demoFill struct {
	*platform

	progress io.Writer
	actors   map[string]store.Actor // by name
	strips   map[string]steel.Strip // by file name, without their pixels
	classes  map[string]map[steel.Class]int64
}

// The two projects: one at work with a single answer an item, one on which everybody drew everything.
const (
	demoStrip       = "hot-strip"
	demoCalibration = "calibration"
)

// demoCoil is a coil of strip: the group whose pictures stay together.
type demoCoil struct {
	project, source, coil string
	pictures              int
}

var demoCoils = []demoCoil{
	{demoStrip, "Mill 2", "C-48211", 8},
	{demoStrip, "Mill 2", "C-48212", 8},
	{demoStrip, "Mill 2", "C-48213", 8},
	{demoStrip, "Mill 2", "C-48214", 8},
	{demoStrip, "Aurum Cars", "A-0917", 8},
	{demoStrip, "Aurum Cars", "A-0918", 8},
	{demoCalibration, "Mill 2", "C-47990", 12},
}

func (f *demoFill) addPeople(ctx context.Context, password string) error {
	for _, d := range demoPeople {
		id, err := f.Store.AddPerson(ctx, store.System(), store.NewPerson{Email: d.email(), Name: d.name, Password: password, Role: d.role})
		if err != nil {
			return err
		}
		f.actors[d.name] = store.Actor{PersonID: id, Role: d.role}
	}
	return nil
}

func (f *demoFill) admin() store.Actor    { return f.actors["Ada Okafor"] }
func (f *demoFill) reviewer() store.Actor { return f.actors["Tomasz Król"] }

func (f *demoFill) addProjects(ctx context.Context) error {
	projects := []store.NewProject{
		{
			Slug: demoStrip, Name: "Hot strip, mill 2", Kind: "image", AcceptsTruth: true, MetadataKeys: []string{"camera", "side"},
			Description: "Top side of the hot-rolled strip, camera row after the last stand.",
		},
		{
			Slug: demoCalibration, Name: "Calibration round", Kind: "image", Overlap: 3, Rules: demoRules(),
			Description: "Everybody draws the same strips, so that we see where we differ.",
		},
	}
	f.classes = map[string]map[steel.Class]int64{}
	for _, n := range projects {
		project, err := f.Store.AddProject(ctx, f.admin(), n)
		if err != nil {
			return err
		}
		for _, actor := range f.actors {
			if err := f.Store.AddMember(ctx, f.admin(), project.ID, actor.PersonID); err != nil {
				return err
			}
		}
		f.classes[n.Slug] = map[steel.Class]int64{}
		for i, d := range steel.Definitions() {
			id, err := f.Store.AddClass(ctx, f.admin(), project.ID, d.Name, fmt.Sprint(i+1))
			if err != nil {
				return err
			}
			f.classes[n.Slug][d.Class] = id
		}
	}
	return nil
}

// importStrips brings the pictures in the way everybody does, so that the imports have a history too.
func (f *demoFill) importStrips(ctx context.Context) error {
	seed := uint64(0)
	for group := range slices.Chunk(demoCoils, 2) {
		first := group[0]
		added, err := f.Store.AddImport(ctx, f.admin(), first.project, store.NewImport{
			Format: store.FormatImages, Purpose: store.PurposeMedia, Source: first.source, Options: store.ImportOptions{VOCBase: 1, GroupBy: "folder"},
		})
		if err != nil {
			return err
		}
		for _, coil := range group {
			for n := range coil.pictures {
				name := fmt.Sprintf("%s/%s-%04d.jpg", coil.coil, coil.coil, n*37+12)
				if err := f.upload(ctx, added.ID, name, seed); err != nil {
					return err
				}
				seed++
			}
		}
		if first.source == "Aurum Cars" { // a camera that lost power in the middle of a file
			if err := f.uploadFile(ctx, added.ID, first.coil+"/"+first.coil+"-0999.jpg", []byte("\xff\xd8\xff\xe0\x00\x10JFIF")); err != nil {
				return err
			}
		}
		if err := f.Store.StartImport(ctx, f.admin(), added.ID); err != nil {
			return err
		}
	}
	return f.untilReady(ctx, int(seed))
}

func (f *demoFill) upload(ctx context.Context, id int64, name string, seed uint64) error {
	strip := steel.Generate(seed)
	var file bytes.Buffer
	if err := jpeg.Encode(&file, strip.Image, &jpeg.Options{Quality: 90}); err != nil {
		return err
	}
	strip.Image = &image.Gray{Rect: strip.Image.Rect} // the labelers need its size alone
	f.strips[name] = strip
	return f.uploadFile(ctx, id, name, file.Bytes())
}

func (f *demoFill) uploadFile(ctx context.Context, id int64, name string, content []byte) error {
	size := int64(len(content))
	files, err := f.Store.AddImportFiles(ctx, f.admin(), id, []store.NewImportFile{{Name: name, Size: size}})
	if err != nil {
		return err
	}
	_, err = f.Store.PutImportPart(ctx, f.admin(), id, files[0].ID, 0, size, bytes.NewReader(content))
	return err
}

// untilReady waits until the jobs have made every picture showable.
func (f *demoFill) untilReady(ctx context.Context, pictures int) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var ready int
		if err := f.Pool.QueryRow(ctx, `SELECT count(*) FROM items WHERE state = 'ready'`).Scan(&ready); err != nil {
			return err
		}
		if ready >= pictures {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// publishBook writes the definitions, with crops of what was drawn as their examples.
func (f *demoFill) publishBook(ctx context.Context) error {
	for slug, classes := range f.classes {
		examples, err := f.examples(ctx, slug)
		if err != nil {
			return err
		}
		for _, d := range steel.Definitions() {
			if err := f.publish(ctx, classes, d, examples); err != nil {
				return fmt.Errorf("%s: %w", d.Name, err)
			}
		}
	}
	return nil
}

// examples are boxes of each class in a project's items, the clearest first.
func (f *demoFill) examples(ctx context.Context, slug string) (map[steel.Class][]store.Example, error) {
	items, err := f.items(ctx, slug)
	if err != nil {
		return nil, err
	}
	found := map[steel.Class][]steel.Defect{}
	of := map[steel.Defect]int64{}
	for name, item := range items {
		for _, d := range f.strips[name].Defects {
			found[d.Class] = append(found[d.Class], d)
			of[d] = item
		}
	}
	examples := map[steel.Class][]store.Example{}
	for class, defects := range found {
		slices.SortFunc(defects, func(a, b steel.Defect) int { return b.Contrast - a.Contrast })
		for _, d := range defects[:min(3, len(defects))] {
			examples[class] = append(examples[class], store.Example{
				ItemID: of[d], X: float64(d.X), Y: float64(d.Y), W: float64(d.W), H: float64(d.H),
			})
		}
	}
	return examples, nil
}

// items returns the ids of a project's items by external key.
func (f *demoFill) items(ctx context.Context, slug string) (map[string]int64, error) {
	rows, err := f.Pool.Query(ctx, `
		SELECT x.external_key, i.id FROM items i
		JOIN item_texts x ON x.item_id = i.id JOIN projects p ON p.id = i.project_id WHERE p.slug = $1`, slug)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		Name string
		ID   int64
	}])
	items := make(map[string]int64, len(list))
	for _, item := range list {
		items[item.Name] = item.ID
	}
	return items, err
}

func (f *demoFill) publish(ctx context.Context, classes map[steel.Class]int64, d steel.Definition, examples map[steel.Class][]store.Example) error {
	class := classes[d.Class]
	var confused []int64
	for _, other := range d.ConfusedWith {
		confused = append(confused, classes[other])
	}
	if err := f.Store.SaveDefinition(ctx, f.reviewer(), class, 0, d.Markdown, confused); err != nil {
		return err
	}
	shown := 2 // the edit version after the first save
	add := func(shows string, list []store.Example) error {
		for _, e := range list {
			e.Shows = shows
			if err := f.Store.AddExample(ctx, f.reviewer(), class, e); err != nil {
				return err
			}
			shown++
		}
		return nil
	}
	if err := add("yes", examples[d.Class]); err != nil {
		return err
	}
	for _, other := range d.ConfusedWith {
		if err := add("no", examples[other][:min(1, len(examples[other]))]); err != nil {
			return err
		}
	}
	_, err := f.Store.PublishDefinition(ctx, f.reviewer(), class, shown)
	return err
}
