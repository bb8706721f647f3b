package handlers_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/web"
)

// withTruth gives a new project n items that have truth of one box each.
func (s *site) withTruth(slug string, n int) store.Project {
	s.t.Helper()
	project, err := s.AddProject(s.t.Context(), store.System(), store.NewProject{Slug: slug, Name: "Strip " + slug, Kind: "image"})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, sql := range []string{
		`INSERT INTO sources (name) VALUES ('mill of ' || $1::bigint)`,
		`INSERT INTO imports (project_id, format, purpose, source_id) SELECT $1, 'coco', 'truth', max(id) FROM sources`,
		`INSERT INTO classes (project_id, name, slot) VALUES ($1, 'scratch', 0)`,
		fmt.Sprintf(`INSERT INTO items (project_id, source_id, key_hash, width, height)
			SELECT $1, max(id), sha256(g::text::bytea), 200, 100 FROM sources, generate_series(1, %d) g GROUP BY g`, n),
		`INSERT INTO item_texts (item_id, external_key) SELECT id, 'coil 7/' || id || '.jpg' FROM items WHERE project_id = $1`,
		`INSERT INTO item_salts (item_id, salt) SELECT id, sha256(id::text::bytea) FROM items WHERE project_id = $1`,
		`INSERT INTO truths (item_id, import_id) SELECT i.id, m.id FROM items i JOIN imports m USING (project_id) WHERE i.project_id = $1`,
		`INSERT INTO truth_boxes (truth_id, position, class_id, x, y, w, h)
			SELECT t.id, 0, c.id, 1, 2, 3, 4 FROM truths t JOIN items i ON i.id = t.item_id JOIN classes c USING (project_id) WHERE i.project_id = $1`,
	} {
		if _, err := s.pool.Exec(s.t.Context(), sql, project.ID); err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
	}
	return project
}

// fill does the work of the jobs that freeze.
func (s *site) fill() {
	s.t.Helper()
	var ids []int64
	if err := s.pool.QueryRow(s.t.Context(), `SELECT array_agg(id) FROM dataset_versions WHERE state = 'freezing'`).Scan(&ids); err != nil {
		s.t.Fatal(err)
	}
	for _, id := range ids {
		if err := s.FillVersion(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
	}
}

// foretell works out what rebuilding would change, where somebody wants to know.
func (s *site) foretell() {
	s.t.Helper()
	var id int64
	if err := s.pool.QueryRow(s.t.Context(), `SELECT id FROM rebuild_previews WHERE state = 'queued'`).Scan(&id); err != nil {
		s.t.Fatal(err)
	}
	if err := s.RunRebuildPreview(s.t.Context(), id); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) frozen(dataset string, projects ...string) store.DatasetVersion {
	s.t.Helper()
	recipe := manifest.Default()
	recipe.Projects = projects
	version, err := s.Freeze(s.t.Context(), store.System(), dataset, recipe)
	if err != nil {
		s.t.Fatal(err)
	}
	s.fill()
	if version, err = s.DatasetVersion(s.t.Context(), store.System(), dataset, version.Number); err != nil {
		s.t.Fatal(err)
	}
	return version
}

func TestAnAdminFreezesFromThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 40)
	admin := s.browser(access.Admin)
	admin.get("/datasets").shows("No dataset is frozen", "Freeze the first")
	form := []string{"name", "hot-test", "project", "hot", "seed", "7", "training", "70", "validation", "20", "test", "10"}
	admin.post("/datasets/new", form...).want(http.StatusOK).shows("Frozen 40", "With truth 40", "seed: 7")
	admin.post("/datasets", form...).to("/datasets/hot-test/1")
	admin.get("/datasets/hot-test/1").shows("Freezing").lacks("Lines")
	s.fill()
	admin.get("/datasets/hot-test/1").shows("hot-test, version 1", "Not verified yet", "not exported yet", "coil 7/", "scratch", "Next")
	admin.get("/datasets").shows("hot-test", "v1", "Frozen")
	admin.get("/datasets/hot-test").shows("v1", "seed: 7", "Freeze the next version")
	admin.get("/datasets/new?from=hot-test").shows("With truth 40")
	admin.get("/datasets/hot-test/1?split=test&after=-1").shows("test").lacks("Sample")
}

func TestFreezeFormSaysWhatToMend(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 2)
	admin := s.browser(access.Admin)
	for want, form := range map[string][]string{
		"Choose at least one project":           {"name", "x", "seed", "1", "training", "80", "validation", "10", "test", "10"},
		"Choose a whole number as the seed":     {"name", "x", "project", "hot", "seed", "one", "training", "80", "validation", "10", "test", "10"},
		"Give the shares in per cent":           {"name", "x", "project", "hot", "seed", "1", "training", "all", "validation", "10", "test", "10"},
		"the shares add up to 0.9":              {"name", "x", "project", "hot", "seed", "1", "training", "80", "validation", "0", "test", "10"},
		"Use lower-case letters":                {"name", "Not Good", "project", "hot", "seed", "1", "training", "80", "validation", "10", "test", "10"},
		"There is no project cold that you see": {"name", "x", "project", "cold", "seed", "1", "training", "80", "validation", "10", "test", "10"},
	} {
		admin.post("/datasets", form...).want(http.StatusUnprocessableEntity).shows(want)
	}
}

func TestAVersionIsVerifiedFromItsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.withTruth("hot", 5)
	s.frozen("hot-test", "hot")
	id, _ := s.person(access.Viewer)
	if err := s.AddMember(t.Context(), store.System(), project.ID, id); err != nil {
		t.Fatal(err)
	}
	viewer := s.browserOf(id)
	viewer.get("/datasets/hot-test/1").shows("Not verified yet", "coil 7/").lacks("Freeze", "With images")
	viewer.post("/datasets/hot-test/1/verify").to("/datasets/hot-test/1")
	viewer.get("/datasets/hot-test/1").shows("Verifying")
	if err := s.RunVerification(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	viewer.get("/datasets/hot-test/1").shows("Holds")
	if _, err := s.pool.Exec(t.Context(), `UPDATE truth_boxes SET x = 9 WHERE truth_id = 3`); err != nil {
		t.Fatal(err)
	}
	viewer.post("/datasets/hot-test/1/verify")
	if err := s.RunVerification(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	viewer.get("/datasets/hot-test/1").shows("Does not hold", "Item 3", "is not what was frozen")
}

// exported stands for the job: it stores an archive.
func (s *site) exported(export int64, content string) {
	s.t.Helper()
	e, _, ok, err := s.BeginExport(s.t.Context(), export)
	if err != nil || !ok {
		s.t.Fatal(ok, err)
	}
	if _, err := s.bucket.Put(s.t.Context(), e.Blob(), strings.NewReader(content), int64(len(content)), "application/zip"); err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(content))
	report := json.RawMessage(`{"counts":{"rounded":2},"losses":[{"id":"coil 7/1.jpg","kind":"rounded","reason":"corners rounded to whole pixels","count":2}]}`)
	if err := s.FinishExport(s.t.Context(), e.ID, store.Archive{Bytes: int64(len(content)), SHA256: sum[:], Report: report, Losses: 2}); err != nil {
		s.t.Fatal(err)
	}
}

func TestAnExportIsMadeFollowedAndTakenAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 5)
	s.frozen("hot-test", "hot")
	admin := s.browser(access.Admin)
	admin.post("/datasets/hot-test/1/exports", "format", "word").want(http.StatusUnprocessableEntity).shows("Choose one of coco")
	admin.post("/datasets/hot-test/1/exports", "format", "voc", "media", "on").to("/exports/1")
	admin.get("/exports/1").shows("Writing the archive", "Pascal VOC", "With images")
	admin.get("/exports/1/download").want(http.StatusNotFound)
	s.exported(1, "the whole archive")
	admin.get("/exports/1").shows("hot-test-v1-voc-images.zip", "corners rounded", "coil 7/1.jpg")
	admin.get("/datasets/hot-test/1").shows("2 losses")

	whole := admin.get("/exports/1/download").want(http.StatusOK)
	if whole.Body.String() != "the whole archive" || !strings.Contains(whole.Header().Get("Content-Disposition"), "hot-test-v1-voc-images.zip") {
		t.Errorf("%q, %v", whole.Body, whole.Header())
	}
	part := admin.do(http.MethodGet, "/exports/1/download", nil, "Range", "bytes=4-8").want(http.StatusPartialContent)
	if part.Body.String() != "whole" {
		t.Errorf("the range holds %q", part.Body)
	}
	var audited int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_events WHERE action = 'export.download' AND object_id = 1`).Scan(&audited); err != nil || audited != 2 {
		t.Errorf("%d downloads in the audit log, %v", audited, err)
	}
	if _, err := s.pool.Exec(t.Context(), `UPDATE exports SET state = 'deleted'`); err != nil {
		t.Fatal(err)
	}
	admin.get("/exports/1/download").want(http.StatusGone)
	admin.get("/exports/1").shows("This archive is deleted")
}

// programs is the site as programs meet it, with a token of this role.
func (s *site) programs(role access.Role, project int64) func(method, path, body string) answer {
	s.t.Helper()
	a := apiSite{Store: s.Store, handler: s.handler}
	secret := a.token(s.t, role, project)
	return func(method, path, body string) answer {
		return answer{a.call(s.t, secret, method, "/api/v1"+path, body), s.t}
	}
}

func TestATokenOfOneProjectSeesItsVersionsAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hot := s.withTruth("hot", 5)
	s.withTruth("cold", 5)
	s.frozen("hot-test", "hot")
	mixed := s.frozen("mixed", "hot", "cold")
	export, err := s.AddExport(t.Context(), store.System(), mixed, store.ExportAsk{Format: "coco"})
	if err != nil {
		t.Fatal(err)
	}
	s.exported(export.ID, "secret")
	call := s.programs(access.Admin, hot.ID)
	call("GET", "/datasets", "").want(http.StatusOK).shows("hot-test").lacks("mixed")
	call("GET", "/datasets/hot-test/versions/1", "").want(http.StatusOK)
	for _, path := range []string{"/datasets/mixed/versions", "/datasets/mixed/versions/1", fmt.Sprintf("/exports/%d", export.ID), fmt.Sprintf("/exports/%d/archive", export.ID)} {
		call("GET", path, "").want(http.StatusNotFound)
	}
	call("POST", "/datasets/mixed/versions/1/exports", `{"format":"coco"}`).want(http.StatusNotFound)
	call("POST", "/datasets/mixed/versions/1/verifications", `{}`).want(http.StatusNotFound)
	call("POST", "/datasets/mine/versions", `{"projects":["hot","cold"]}`).want(http.StatusUnprocessableEntity).shows("There is no project cold")
}

func TestProgramsFreezeVerifyAndExport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 20)
	call := s.programs(access.Admin, 0)
	call("POST", "/datasets/nightly/versions", `{"projects":["hot"],"shares":{"training":0.5,"validation":0.25,"test":0.2}}`).
		want(http.StatusUnprocessableEntity).shows("add up to 0.95")
	call("POST", "/datasets/nightly/versions", `{"projects":["hot"],"seeds":1}`).want(http.StatusUnprocessableEntity)
	made := call("POST", "/datasets/nightly/versions", `{"projects":["hot"],"seed":3,"shares":{"training":0.5,"validation":0.25,"test":0.25}}`).want(http.StatusCreated)
	if at := made.Header().Get("Location"); at != "/api/v1/datasets/nightly/versions/1" {
		t.Errorf("made at %s", at)
	}
	call("GET", "/datasets/nightly/versions/1", "").shows(`"state":"freezing"`).lacks("sha256")
	s.fill()
	version := decoded[struct {
		State, SHA256 string
		Items         int
		Recipe        manifest.Recipe
	}](t, call("GET", "/datasets/nightly/versions/1", "").ResponseRecorder)
	if version.State != "frozen" || len(version.SHA256) != 64 || version.Items != 20 || version.Recipe.Seed != 3 || version.Recipe.Shares.Test != 250 {
		t.Errorf("%+v", version)
	}

	call("POST", "/datasets/nightly/versions/1/verifications", `{}`).want(http.StatusCreated).shows(`{"id":1}`)
	call("GET", "/verifications/1", "").shows(`"state":"queued"`)
	if err := s.RunVerification(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	call("GET", "/verifications/1", "").shows(`"holds":true`, `"matching":20`)

	call("POST", "/datasets/nightly/versions/1/exports", `{"format":"coco"}`).want(http.StatusCreated).shows(`{"id":1}`)
	call("POST", "/datasets/nightly/versions/1/exports", `{"format":"coco"}`).want(http.StatusCreated).shows(`{"id":1}`)
	call("GET", "/exports/1/archive", "").want(http.StatusNotFound)
	s.exported(1, "the whole archive")
	sum := sha256.Sum256([]byte("the whole archive"))
	call("GET", "/exports/1", "").shows(`"state":"done"`, fmt.Sprintf("%x", sum), `"losses":2`)
	if got := call("GET", "/exports/1/archive", "").want(http.StatusOK).Body.String(); got != "the whole archive" {
		t.Errorf("the archive holds %q", got)
	}
	s.programs(access.Viewer, 0)("GET", "/exports/1/archive", "").want(http.StatusForbidden)
}

func TestARecipeIsWrittenAsAFormAndAsAFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 40)
	admin := s.browser(access.Admin)
	admin.get("/datasets/new").shows("Choose projects to see")
	form := []string{
		"name", "hot-test", "project", "hot", "seed", "7", "training", "50", "validation", "0", "test", "50", "size_test", "30", "strata", "class",
		"source_rule", "in", "source", "mill of 1", "class", "scratch", "definition:scratch", "0", "captured_from", "", "group", "media",
		"retention", "allow", "reason", "For one month.",
	}
	admin.post("/datasets/new", form...).want(http.StatusOK).shows("One stratum falls short", "scratch", "of 30", "short", `reason: "For one month."`)
	file := admin.post("/datasets/recipe.yaml", form...).want(http.StatusOK)
	recipe, err := manifest.ParseYAML(file.Body.Bytes())
	if err != nil || recipe.Sizes.Test != 30 || recipe.Filter.Sources[0] != "mill of 1" || recipe.Retention.Reason != "For one month." ||
		!strings.Contains(file.Header().Get("Content-Disposition"), "hot-test.yaml") {
		t.Fatalf("%+v, %v, %v", recipe, err, file.Header())
	}
	again := admin.post("/datasets/new", "name", "hot-test", "yaml", recipe.YAML()).want(http.StatusOK).shows("One stratum falls short")
	again.attribute("value", "For one month.")
	admin.post("/datasets/new", "name", "hot-test", "yaml", "projects: [hot]\nsed: 1").want(http.StatusUnprocessableEntity).shows("[2:1] unknown field", "sed: 1")

	admin.post("/datasets", form...).to("/datasets/hot-test/1")
	s.fill()
	admin.get("/datasets/hot-test/1").want(http.StatusOK).shows("Strata", "For one month.", "only mill of 1", "copies of one image", "Made from", "none, this is the first")
	if got := admin.get("/datasets/hot-test/1/recipe.yaml").want(http.StatusOK).Body.String(); got != recipe.YAML() {
		t.Errorf("downloaded\n%s", got)
	}
	admin.get("/datasets/hot-test/1/rebuild").want(http.StatusOK).shows("Looking at every item")
	s.foretell()
	admin.get("/datasets/hot-test/1/rebuild").want(http.StatusOK).shows("Nothing would change")
	admin.post("/datasets/hot-test/1/rebuild").to("/datasets/hot-test/2")
	admin.get("/datasets/hot-test/2/rebuild").want(http.StatusOK).shows("There is nothing to rebuild")
	admin.post("/datasets/hot-test/2/rebuild").want(http.StatusUnprocessableEntity).shows("is not frozen")
	s.fill()
	admin.get("/datasets/hot-test/2").shows("Rebuilds v1")
	admin.get("/datasets/new?from=hot-test&version=1").shows("For one month.")
}

func TestRecipeFormSaysWhatToMend(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 2)
	admin := s.browser(access.Admin)
	for want, more := range map[string][]string{
		"say why under retention.reason":   {"retention", "allow"},
		"There is no source Mill 9":        {"source_rule", "in", "source", "Mill 9"},
		"has a class Pit":                  {"class", "Pit"},
		"Give the size of test":            {"size_test", "few"},
		"Give the days as":                 {"captured_from", "yesterday"},
		"Give the version of a definition": {"definition", "new"},
		"keeps no such metadata":           {"group", "metadata:coil"},
		"is no stratum key":                {"strata", "weather"},
		"whose share is 0":                 {"size_validation", "4"},
	} {
		form := append([]string{"name", "x", "project", "hot", "seed", "1", "training", "80", "validation", "0", "test", "20"}, more...)
		admin.post("/datasets", form...).want(http.StatusUnprocessableEntity).shows(want)
		admin.post("/datasets/new", form...).want(http.StatusOK).shows("Not counted", want)
	}
}

// What the page shows as an example is a recipe.
func TestTheExampleOfARecipeIsOne(t *testing.T) {
	t.Parallel()
	if recipe, err := manifest.ParseYAML([]byte(web.RecipeExample)); err != nil || recipe.Filter.Definitions["scratch"] != 3 || recipe.Retention.Test != manifest.Allow {
		t.Fatalf("%+v, %v", recipe, err)
	}
	s := newSite(t)
	s.browser(access.Viewer).get("/datasets/recipe").want(http.StatusOK).shows("Recipes", "not_sources").lacks("Freeze a version")
}

func TestTheAPITakesAWholeRecipe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 40)
	recipe := map[string]any{
		"projects": []string{"hot"}, "shares": map[string]any{"training": 0.5, "validation": 0, "test": 0.5}, "strata": []string{"class"},
		"sizes": map[string]any{"test": 5}, "filter": map[string]any{"classes": []string{"scratch"}}, "retention": map[string]any{"test": "allow", "reason": "To see."},
	}
	admin := s.browser(access.Admin)
	send := func(path string, body any) answer {
		t.Helper()
		document, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return admin.body(http.MethodPost, "/api/v1"+path, string(document))
	}
	get := func(path string) answer { return admin.body(http.MethodGet, "/api/v1"+path, "") }
	send("/recipes/preview", recipe).want(http.StatusOK).shows(`"truths":40`, `"wanted":5`)
	send("/datasets/hot-test/versions", recipe).want(http.StatusCreated)
	s.fill()
	get("/datasets/hot-test/versions/1").want(http.StatusOK).shows(`"reason":"To see."`, `"sizes":{"test":5}`, `"labels_at"`)
	get("/datasets/hot-test/versions/1/strata").want(http.StatusOK).shows(`"class":"scratch"`, `"items":5`, `"reserve"`)
	send("/datasets/hot-test/versions/1/rebuild", map[string]any{}).want(http.StatusCreated).shows(`"number":2`)
	recipe["strata"] = []string{"weather"}
	send("/datasets/hot-test/versions", recipe).want(http.StatusUnprocessableEntity)
	delete(recipe, "strata")
	recipe["retention"] = map[string]any{"test": "allow"}
	send("/datasets/hot-test/versions", recipe).want(http.StatusUnprocessableEntity).shows("say why under retention.reason")
}
