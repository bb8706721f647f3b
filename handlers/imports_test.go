package handlers_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"fiducial/internal/access"
	"fiducial/store"
)

// importSite is a site with a project, and an admin's browser.
func importSite(t *testing.T) (*site, *browser) {
	t.Helper()
	s := newSite(t)
	if _, err := s.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strip", Name: "Strip", Kind: "image"}); err != nil {
		t.Fatal(err)
	}
	return s, s.browser(access.Admin)
}

// sendForm sends the form of an import as a browser without script does.
func (b *browser) sendForm(path string, fields, files map[string]string) answer {
	b.site.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := form.WriteField(name, value); err != nil {
			b.site.t.Fatal(err)
		}
	}
	for name, content := range files {
		part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="folder"; filename=%q`, name)}})
		if err != nil {
			b.site.t.Fatal(err)
		}
		if _, err := part.Write([]byte(content)); err != nil {
			b.site.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		b.site.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(b.site.t.Context(), http.MethodPost, path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.site.handler.ServeHTTP(w, r)
	return answer{w, b.site.t}
}

func TestAnImportNeedsNoScript(t *testing.T) {
	t.Parallel()
	s, b := importSite(t)
	const path = "/projects/strip/imports"
	b.get(path).want(http.StatusOK).shows("Nothing was imported yet", "takes no imported truth")
	fields := map[string]string{"format": "coco", "purpose": "prefill", "voc_base": "1"}
	b.sendForm(path, fields, nil).want(http.StatusUnprocessableEntity).shows("Choose the files to import.")
	fields["purpose"] = "truth"
	b.sendForm(path, fields, map[string]string{"labels.json": "{}"}).want(http.StatusUnprocessableEntity).shows("takes no imported truth. An admin can allow it")
	fields["purpose"] = "prefill"
	b.sendForm(path, fields, map[string]string{"set/labels.json": "{}", "set/images/a.png": "x"}).to("/imports/1")
	var names string
	if err := s.pool.QueryRow(t.Context(), `SELECT string_agg(name, ' ' ORDER BY name) FROM import_files WHERE complete`).Scan(&names); err != nil {
		t.Fatal(err)
	}
	if names != "images/a.png labels.json" {
		t.Errorf("the files are %q", names)
	}
	b.get("/imports/1").want(http.StatusOK).shows("COCO as prefill", "Queued", "From Strip")
	b.get(path).want(http.StatusOK).shows("COCO as prefill", "Queued")
	b.post("/imports/1/cancel").to("/imports/1")
	b.get("/imports/1").want(http.StatusOK).shows("Cancelled")
	b.post("/imports/1/cancel").to("/imports/1")
	b.get("/imports/1").shows("This import has ended already.")
}

// Into an empty defect book nothing labeled could come unless the import adds classes, so that its form begins with that.
func TestAFirstImportAddsClasses(t *testing.T) {
	t.Parallel()
	s, admin := importSite(t)
	ticked := func() bool {
		for n := range admin.get("/projects/strip/imports").want(http.StatusOK).nodes() {
			if n.Data == "input" && slices.Contains(n.Attr, html.Attribute{Key: "name", Val: "add_classes"}) {
				return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "checked" })
			}
		}
		t.Fatal("the form does not ask")
		return false
	}
	if !ticked() {
		t.Error("labels of a first import are refused")
	}
	project, err := s.Project(t.Context(), store.System(), "strip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddClass(t.Context(), store.System(), project.ID, "Scratch", ""); err != nil {
		t.Fatal(err)
	}
	if ticked() {
		t.Error("a defect book that has classes is filled unasked")
	}
}

func TestAnUploadThatStoppedSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	s, b := importSite(t)
	i, err := s.AddImport(t.Context(), store.System(), "strip", store.NewImport{Format: store.FormatImages, Purpose: store.PurposeMedia})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddImportFiles(t.Context(), store.System(), i.ID, []store.NewImportFile{{Name: "a.png", Size: 0}, {Name: "b.png", Size: 5_000_000}}); err != nil {
		t.Fatal(err)
	}
	page := b.get(fmt.Sprintf("/imports/%d", i.ID)).want(http.StatusOK).shows("1 of 2 files have arrived, 0.0 of 5.0 MB", "Choose the same files again")
	page.attribute("data-resume", fmt.Sprint(i.ID))
	b.post(fmt.Sprintf("/imports/%d/start", i.ID)).to(fmt.Sprintf("/imports/%d", i.ID))
	b.get(fmt.Sprintf("/imports/%d", i.ID)).shows("1 of 2 files have not arrived yet")
}

func TestResultsOfAnImport(t *testing.T) {
	t.Parallel()
	s, b := importSite(t)
	i, err := s.AddImport(t.Context(), store.System(), "strip", store.NewImport{Format: store.FormatImages, Purpose: store.PurposeMedia})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.pool.Exec(t.Context(), `
		WITH done AS (UPDATE imports SET state = 'done', finished_at = now())
		INSERT INTO import_results (import_id, name, outcome, reason)
		SELECT $1::bigint, 'good-' || n || '.png', 'added', '' FROM generate_series(1, 120) n
		UNION ALL SELECT $1::bigint, '=cmd.svg', 'refused', 'SVG is not supported'`, i.ID)
	if err != nil {
		t.Fatal(err)
	}
	page := fmt.Sprintf("/imports/%d", i.ID)
	b.get(page).want(http.StatusOK).shows("Done", "=cmd.svg", "SVG is not supported").lacks("good-1.png") // what was refused comes first
	first := b.get(page+"?outcome=added").want(http.StatusOK).shows("good-1.png", "good-100.png").lacks("good-101.png", "=cmd.svg")
	b.get(first.attribute("href", "after=")).want(http.StatusOK).shows("good-101.png", "good-120.png").lacks("good-1.png")
	csv := b.get(page + "/results.csv").want(http.StatusOK).Body.String()
	if strings.Count(csv, "\n") != 122 || !strings.Contains(csv, "'=cmd.svg,refused") {
		t.Errorf("the CSV is\n%.400s", csv)
	}
	if answer := b.get(page + "/progress").want(http.StatusOK); answer.Header().Get("HX-Refresh") != "true" {
		t.Error("a page that waits is not told to load again")
	}
	b.get("/imports/999").want(http.StatusNotFound)
	b.get("/imports/x/results.csv").want(http.StatusNotFound)
	s.browser(access.Reviewer).get(page).want(http.StatusForbidden)
}

func TestAProjectOfSoundTakesWhatIsHeard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(access.Admin)
	b.get("/projects/new").want(http.StatusOK).shows("What is labeled", "Recordings")
	b.post("/projects", "name", "Calls", "kind", "audio", "overlap", "1", "lease_minutes", "30", "accepts_truth", "yes").to("/projects/calls")
	const path = "/projects/calls/imports"
	b.get(path).want(http.StatusOK).shows("Recordings alone", "NeMo manifest", "Praat TextGrid", "Hypotheses", "An item is").lacks("Pascal VOC", "defect book lacks")
	fields := map[string]string{"format": "coco", "purpose": "truth"}
	b.sendForm(path, fields, map[string]string{"labels.json": "{}"}).want(http.StatusUnprocessableEntity).shows("This is a project of recordings.")
	fields["format"] = "hypotheses"
	b.sendForm(path, fields, map[string]string{"h.jsonl": "{}"}).want(http.StatusUnprocessableEntity).shows("Say which model version heard this")
	fields["format"], fields["per"] = "stm", "segment"
	b.sendForm(path, fields, map[string]string{"all.stm": "a 1 x 0 1 yes"}).to("/imports/1")
	b.get("/imports/1").want(http.StatusOK).shows("STM as truth", "an item for each segment")
	fields["format"] = "nemo"
	b.sendForm(path, fields, map[string]string{"m.jsonl": "{}"}).to("/imports/2")
	var per string
	if err := s.pool.QueryRow(t.Context(), `SELECT coalesce(options->>'per', '') FROM imports WHERE id = 2`).Scan(&per); err != nil || per != "" {
		t.Errorf("a manifest makes items of %q: %v", per, err)
	}
	// Models that look at pictures hear nothing.
	for _, kind := range []string{"detector", "asr"} {
		if _, err := s.AddModel(t.Context(), store.System(), kind, kind); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReleaseModel(t.Context(), store.System(), kind, "1"); err != nil {
			t.Fatal(err)
		}
	}
	fields["format"], fields["purpose"], fields["model"] = "hypotheses", "prediction", "detector@1"
	b.sendForm(path, fields, map[string]string{"h.jsonl": "{}"}).want(http.StatusUnprocessableEntity).shows("comes from one of kind asr")
	fields["model"] = "asr@1"
	b.sendForm(path, fields, map[string]string{"h.jsonl": "{}"}).to("/imports/3")
}
