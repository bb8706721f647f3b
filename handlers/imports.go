package handlers

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	importsPerPage = 25
	resultsPerPage = 100
	// plainUpload is the most that a form without script may bring, in bytes; plainMemory how much of it stays in memory.
	plainUpload = 1 << 30
	plainMemory = 8 << 20
)

func (s *Server) importRoutes(r router) {
	r.get("/projects/{slug}/imports", access.Import, s.showImports)
	r.post("/projects/{slug}/imports", access.Import, s.addImport)
	r.get("/imports/{import}", access.Import, s.showImport)
	r.get("/imports/{import}/progress", access.Import, s.showImportProgress)
	r.get("/imports/{import}/results.csv", access.Import, s.importCSV)
	r.post("/imports/{import}/start", access.Import, s.startImport)
	r.post("/imports/{import}/cancel", access.Import, s.cancelImport)
}

func importsPath(slug string) string { return "/projects/" + slug + "/imports" }

func (s *Server) showImports(w http.ResponseWriter, r *http.Request) error {
	return s.renderImports(w, r, http.StatusOK, web.ImportValues{VOCBase: "1", Per: store.PerRecording}, nil)
}

// renderImports shows the page with the form as it was filled in.
func (s *Server) renderImports(w http.ResponseWriter, r *http.Request, status int, values web.ImportValues, faults map[string]string) error {
	ctx, actor := r.Context(), actorOf(r)
	project, err := s.Store.Project(ctx, actor, chi.URLParam(r, "slug"))
	if err != nil {
		return err
	}
	before, err := cursorID(r.URL.Query().Get("before"))
	if err != nil {
		return err
	}
	imports, err := s.Store.Imports(ctx, actor, project.Slug, before, importsPerPage+1)
	if err != nil {
		return err
	}
	v := web.ImportsView{Tabs: projectTabs(r, project, "imports", -1)}
	path := importsPath(project.Slug)
	if len(imports) > importsPerPage {
		imports = imports[:importsPerPage]
		v.Older = fmt.Sprintf("%s?before=%d", path, imports[len(imports)-1].ID)
	}
	if v.Imports, err = s.importRows(r, imports); err != nil {
		return err
	}
	if v.Form, err = s.importForm(r, project, values, faults); err != nil {
		return err
	}
	page := s.page(r, "Imports", projectCrumbs(project, ui.Crumb{Label: "Imports"})...)
	page.Scripts = []string{"upload.ts"}
	return render(w, r, status, web.ImportsPage(page, v))
}

func projectCrumbs(project store.Project, more ...ui.Crumb) []ui.Crumb {
	return append([]ui.Crumb{{Label: "Projects", Href: "/projects"}, {Label: project.Name, Href: "/projects/" + project.Slug}}, more...)
}

func (s *Server) importRows(r *http.Request, imports []store.Import) ([]web.ImportRow, error) {
	ids := make([]int64, len(imports))
	for i, one := range imports {
		ids[i] = one.ID
	}
	counts, err := s.Store.ImportCounts(r.Context(), actorOf(r), ids...)
	if err != nil {
		return nil, err
	}
	rows := make([]web.ImportRow, 0, len(imports))
	for _, i := range imports {
		c := counts[i.ID]
		rows = append(rows, web.ImportRow{
			Href: importHref(i.ID), Format: i.Format, Purpose: i.Purpose, State: i.State, At: i.CreatedAt, DryRun: i.Options.DryRun,
			Added: c.Added, Changed: c.Changed, Unchanged: c.Unchanged, Refused: c.Refused,
		})
	}
	return rows, nil
}

func importHref(id int64) string { return fmt.Sprintf("/imports/%d", id) }

func (s *Server) importForm(r *http.Request, project store.Project, values web.ImportValues, faults map[string]string) (web.ImportForm, error) {
	path := importsPath(project.Slug)
	if values.Purpose == "" && project.AcceptsTruth {
		values.Purpose = store.PurposeTruth
	} else if values.Purpose == "" {
		values.Purpose = store.PurposePrefill
	}
	switch {
	case values.Format != "":
	case project.Kind == "audio":
		values.Format = store.FormatAudio
	default:
		values.Format = store.FormatImages
	}
	form := web.ImportForm{Kind: project.Kind, Action: path, API: apiBase + path, Values: values, Errors: faults, AcceptsTruth: project.AcceptsTruth}
	if r.Method == http.MethodGet {
		classes, err := s.Store.Classes(r.Context(), actorOf(r), project.ID)
		if err != nil {
			return form, err
		}
		form.Values.AddClasses = len(classes) == 0 // nothing could come in without
	}
	sources, err := s.Store.Sources(r.Context(), actorOf(r))
	if err != nil {
		return form, err
	}
	for _, source := range sources {
		form.Sources = append(form.Sources, source.Name)
	}
	models, err := s.Store.Models(r.Context(), actorOf(r))
	if err != nil {
		return form, err
	}
	for _, model := range models {
		for _, version := range model.Versions {
			form.Models = append(form.Models, model.Name+"@"+version)
		}
	}
	return form, nil
}

// addImport takes a form that was sent without a script: a few files, all at once.
func (s *Server) addImport(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, plainUpload)
	if err := r.ParseMultipartForm(plainMemory); err != nil { //nolint:gosec // bounded above
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return err
		}
		return badRequest("The form did not arrive whole. Send it again.")
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }() // copies in the folder for temporary files
	values := web.ImportValues{
		Format: r.PostFormValue("format"), Purpose: r.PostFormValue("purpose"), Model: r.PostFormValue("model"), Source: r.PostFormValue("source"),
		GroupBy: r.PostFormValue("group_by"), GroupPattern: r.PostFormValue("group_pattern"), VOCBase: r.PostFormValue("voc_base"),
		Per: r.PostFormValue("per"), AddClasses: r.PostFormValue("add_classes") != "", AllowErased: r.PostFormValue("allow_erased") != "", DryRun: r.PostFormValue("dry_run") != "",
	}
	id, err := s.importOfForm(r, values)
	if inv, ok := errors.AsType[*store.InvalidError](err); ok {
		return s.renderImports(w, r, http.StatusUnprocessableEntity, values, map[string]string{faultField(inv.Field): inv.Reason})
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, importHref(id))
}

// faultField is the field of the form that a fault is shown at.
func faultField(field string) string {
	if field == "" {
		return "files"
	}
	return field
}

func (s *Server) importOfForm(r *http.Request, values web.ImportValues) (id int64, err error) {
	ctx, actor := r.Context(), actorOf(r)
	var files []*multipart.FileHeader
	for _, file := range append(r.MultipartForm.File["files"], r.MultipartForm.File["folder"]...) {
		if file.Filename != "" {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return 0, &store.InvalidError{Field: "files", Reason: "Choose the files to import."}
	}
	added, err := s.Store.AddImport(ctx, actor, chi.URLParam(r, "slug"), newImport(values))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		if err := s.takeFile(r, added.ID, file); err != nil {
			return 0, errors.Join(err, s.Store.CancelImport(ctx, actor, added.ID))
		}
	}
	return added.ID, s.Store.StartImport(ctx, actor, added.ID)
}

// newImport is what the form says. Fields that do not belong to the chosen format count for nothing.
func newImport(v web.ImportValues) store.NewImport {
	n := store.NewImport{
		Format: v.Format, Purpose: v.Purpose, Source: v.Source,
		Options: store.ImportOptions{VOCBase: 1, GroupBy: v.GroupBy, AddClasses: v.AddClasses, AllowErased: v.AllowErased, DryRun: v.DryRun},
	}
	if v.GroupBy == store.GroupByName {
		n.Options.GroupPattern = v.GroupPattern
	}
	if v.Format == store.FormatImages || v.Format == store.FormatAudio {
		n.Purpose = store.PurposeMedia
	}
	if v.Format == store.FormatHypotheses && n.Purpose != store.PurposePrefill {
		n.Purpose = store.PurposePrediction
	}
	if v.Per == store.PerSegment && store.HasSegments(v.Format) {
		n.Options.Per = v.Per
	}
	if n.Purpose == store.PurposePrefill || n.Purpose == store.PurposePrediction {
		n.Model = v.Model
	}
	if v.Format == store.FormatVOC && v.VOCBase == "0" {
		n.Options.VOCBase = 0
	}
	return n
}

// takeFile stores a file of a form as if a script had sent it part by part.
func (s *Server) takeFile(r *http.Request, id int64, file *multipart.FileHeader) (err error) {
	content, err := file.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	added, err := s.Store.AddImportFiles(r.Context(), actorOf(r), id, []store.NewImportFile{{Name: formPath(file), Size: file.Size}})
	if err != nil {
		return err
	}
	for f := added[0]; !f.Complete; {
		length := min(store.ImportPart, f.Size-f.Received)
		if f, err = s.Store.PutImportPart(r.Context(), actorOf(r), id, f.ID, f.Received, length, io.NewSectionReader(content, f.Received, length)); err != nil {
			return err
		}
	}
	return nil
}

// formPath is a file's path below the folder that was chosen, which package multipart cuts off.
func formPath(file *multipart.FileHeader) string {
	_, params, err := mime.ParseMediaType(file.Header.Get("Content-Disposition"))
	if _, below, inFolder := strings.Cut(params["filename"], "/"); err == nil && inFolder {
		return below
	}
	return file.Filename
}

func (s *Server) showImport(w http.ResponseWriter, r *http.Request) error {
	v, i, err := s.importView(r)
	if err != nil {
		return err
	}
	if err := s.addResults(r, &v); err != nil {
		return err
	}
	project, err := s.Store.Project(r.Context(), actorOf(r), i.Project)
	if err != nil {
		return err
	}
	page := s.page(r, "Import", projectCrumbs(project, ui.Crumb{Label: "Imports", Href: v.Back}, ui.Crumb{Label: fmt.Sprintf("Import %d", i.ID)})...)
	if i.State == store.ImportUploading {
		page.Scripts = []string{"upload.ts"}
	}
	return render(w, r, http.StatusOK, web.ImportPage(page, v))
}

func (s *Server) importView(r *http.Request) (v web.ImportView, i store.Import, err error) {
	id, err := pathID(r, "import")
	if err != nil {
		return v, i, err
	}
	i, progress, counts, err := s.importState(r.Context(), actorOf(r), id)
	if err != nil {
		return v, i, err
	}
	return web.ImportView{
		ID: i.ID, Back: importsPath(i.Project), Items: "/projects/" + i.Project + "/items", Format: i.Format, Purpose: i.Purpose, Model: i.Model, Source: i.Source,
		Kind: i.Kind, Options: importOptions(i), State: i.State, Error: i.Error, At: i.CreatedAt, Expected: i.Expected, DryRun: i.Options.DryRun,
		Files: progress.Files, Complete: progress.Complete, Bytes: progress.Bytes, Received: progress.Received,
		Added: counts.Added, Changed: counts.Changed, Unchanged: counts.Unchanged, Refused: counts.Refused, Lost: counts.Lost,
		Boxes: counts.Boxes, NewClasses: i.NewClasses,
	}, i, nil
}

// importOptions puts the choices of an import into words.
func importOptions(i store.Import) (words []string) {
	if i.Format == store.FormatVOC && i.Purpose != store.PurposeMedia {
		words = append(words, fmt.Sprintf("corners from %d", i.Options.VOCBase))
	}
	switch i.Options.GroupBy {
	case store.GroupByFolder:
		words = append(words, "grouped by folder")
	case store.GroupByName:
		words = append(words, "grouped by "+i.Options.GroupPattern)
	}
	if i.Options.Per == store.PerSegment {
		words = append(words, "an item for each segment")
	}
	if i.Options.AddClasses {
		words = append(words, "classes are added")
	}
	if i.Options.AllowErased {
		words = append(words, "what was erased may come in again")
	}
	return words
}

// addResults adds one page of results: the refused ones first, since they are what people come for.
func (s *Server) addResults(r *http.Request, v *web.ImportView) error {
	v.Outcome = r.URL.Query().Get("outcome")
	switch v.Outcome {
	case store.OutcomeAdded, store.OutcomeChanged, store.OutcomeUnchanged, store.OutcomeRefused, store.OutcomeLost:
	default:
		v.Outcome = firstOutcome(v)
	}
	after, err := cursorID(r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	results, err := s.Store.ImportResults(r.Context(), actorOf(r), v.ID, v.Outcome, after, resultsPerPage+1)
	if err != nil {
		return err
	}
	if len(results) > resultsPerPage {
		results = results[:resultsPerPage]
		v.Older = fmt.Sprintf("%s?outcome=%s&after=%d", importHref(v.ID), v.Outcome, results[len(results)-1].ID)
	}
	for _, result := range results {
		row := web.ImportResultView{Name: result.Name, Reason: result.Reason, Boxes: result.Boxes}
		if result.ItemID != 0 {
			row.Item = fmt.Sprintf("/items/%d", result.ItemID)
		}
		if result.Thumb {
			row.Thumb = fmt.Sprintf("/media/items/%d/thumb", result.ItemID)
		}
		v.Results = append(v.Results, row)
	}
	return nil
}

// firstOutcome is what an import's page shows first.
func firstOutcome(v *web.ImportView) string {
	switch {
	case v.Refused > 0:
		return store.OutcomeRefused
	case v.Added > 0:
		return store.OutcomeAdded
	case v.Changed > 0:
		return store.OutcomeChanged
	case v.Unchanged > 0:
		return store.OutcomeUnchanged
	}
	return store.OutcomeRefused
}

// showImportProgress answers the page that asks how far the import is; once it has ended, the page is
// to load again, with its results.
func (s *Server) showImportProgress(w http.ResponseWriter, r *http.Request) error {
	v, i, err := s.importView(r)
	if err != nil {
		return err
	}
	if !i.Open() {
		w.Header().Set("HX-Refresh", "true")
	}
	return render(w, r, http.StatusOK, web.ImportProgress(v))
}

func (s *Server) startImport(w http.ResponseWriter, r *http.Request) error {
	return s.changeImport(w, r, s.Store.StartImport(r.Context(), actorOf(r), importOf(r)))
}

func (s *Server) cancelImport(w http.ResponseWriter, r *http.Request) error {
	return s.changeImport(w, r, s.Store.CancelImport(r.Context(), actorOf(r), importOf(r)))
}

// importOf is the import in the path; 0, which no import has, for what is no number.
func importOf(r *http.Request) int64 {
	id, err := pathID(r, "import")
	if err != nil {
		return 0
	}
	return id
}

// changeImport goes back to the import's page, with what stood in the way.
func (s *Server) changeImport(w http.ResponseWriter, r *http.Request, err error) error {
	if inv, ok := errors.AsType[*store.InvalidError](err); ok {
		s.flash(r, inv.Reason)
	} else if err != nil {
		return err
	}
	return seeOther(w, r, importHref(importOf(r)))
}

// importCSV sends every result, page by page, so that no size of import takes much memory.
func (s *Server) importCSV(w http.ResponseWriter, r *http.Request) error {
	id := importOf(r)
	results, err := s.Store.ImportResults(r.Context(), actorOf(r), id, "", 0, 1000)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"import-%d.csv\"", id))
	w.Header().Set("Cache-Control", "no-store")
	out := csv.NewWriter(w)
	err = out.Write([]string{"name", "outcome", "reason", "item", "boxes"})
	for len(results) > 0 && err == nil {
		for _, result := range results {
			item := ""
			if result.ItemID != 0 {
				item = strconv.FormatInt(result.ItemID, 10)
			}
			err = errors.Join(err, out.Write([]string{harmless(result.Name), result.Outcome, harmless(result.Reason), item, strconv.Itoa(result.Boxes)}))
		}
		if err == nil {
			results, err = s.Store.ImportResults(r.Context(), actorOf(r), id, "", results[len(results)-1].ID, 1000)
		}
	}
	out.Flush()
	if err = errors.Join(err, out.Error()); err != nil {
		panic(http.ErrAbortHandler) // a broken-off download must not look like a whole one
	}
	return nil
}
