package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// A request is previewed, confirmed with its word and done; its receipt can be had by whoever reads retention.
func TestErasureByPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.person(access.Admin)
	viewer, _ := s.person(access.Viewer)
	admin := s.browserOf(id)
	source, item := s.sourceWithItem(t, "Line 2", "strip-1.png")

	admin.get("/retention/erasures").want(http.StatusOK)
	admin.post("/retention/erasures", "scope", "source", "source", fmt.Sprint(source), "reason", "").want(http.StatusUnprocessableEntity)
	admin.post("/retention/erasures", "scope", "items", "list", "no-such.png", "reason", "Ticket 17").want(http.StatusUnprocessableEntity)
	// A number of the sequence went with the one that was refused.
	admin.post("/retention/erasures", "scope", "source", "source", fmt.Sprint(source), "reason", "Ticket 17").to("/retention/erasures/2")
	page := admin.get("/retention/erasures/2").want(http.StatusOK)
	if !strings.Contains(page.text(), "Type “Line 2” to confirm") {
		t.Errorf("the preview says %s", page.text())
	}
	admin.post("/retention/erasures/2/confirm", "word", "line 2").want(http.StatusUnprocessableEntity)
	admin.get(fmt.Sprintf("/items/%d", item)).want(http.StatusOK)
	admin.get("/retention/erasures/2/receipt.json").want(http.StatusNotFound)
	admin.post("/retention/erasures/2/confirm", "word", "Line 2").to("/retention/erasures/2")
	if err := s.RunErasure(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fmt.Sprintf("/items/%d", item), fmt.Sprintf("/review/%d", item), fmt.Sprintf("/media/items/%d/display", item), fmt.Sprintf("/discussion/%d", item)} {
		if got := admin.get(path).want(http.StatusGone); path[:6] != "/media" && !strings.Contains(got.text(), "was erased") {
			t.Errorf("%s says %s", path, got.text())
		}
	}
	reader := s.browserOf(viewer)
	receipt := reader.get("/retention/erasures/2").want(http.StatusOK)
	if !strings.Contains(receipt.text(), "Nothing was found") || strings.Contains(receipt.text(), "strip-1") {
		t.Errorf("the receipt says %s", receipt.text())
	}
	reader.get("/retention/erasures/2/receipt.json").want(http.StatusOK)
	reader.post("/retention/erasures", "scope", "source", "source", fmt.Sprint(source), "reason", "x").want(http.StatusForbidden)
	admin.get("/items/999").want(http.StatusNotFound)
}

// sourceWithItem makes a source with one ready item.
func (s *site) sourceWithItem(t *testing.T, name, key string) (source, item int64) {
	t.Helper()
	project, err := s.AddProject(t.Context(), store.System(), store.NewProject{Slug: "erased", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.AddSource(t.Context(), store.System(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO items (project_id, source_id, key_hash, width, height) VALUES ($1, $2, sha256($3::text::bytea), 10, 10)`,
		`INSERT INTO item_texts (item_id, external_key) SELECT id, $3 FROM items WHERE project_id = $1 AND source_id = $2`,
	} {
		if _, err := s.pool.Exec(t.Context(), statement, project.ID, made.ID, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.pool.QueryRow(t.Context(), `SELECT max(id) FROM items`).Scan(&item); err != nil {
		t.Fatal(err)
	}
	return made.ID, item
}

// A hold is placed and lifted with a reason, and says what it stops.
func TestHoldByPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.person(access.Admin)
	admin := s.browserOf(id)
	source, item := s.sourceWithItem(t, "Line 2", "strip-1.png")
	admin.post("/retention/holds", "on", "source", "source", fmt.Sprint(source), "reason", "").want(http.StatusUnprocessableEntity)
	admin.post("/retention/holds", "on", "item", "item", "#99", "reason", "Case 4").want(http.StatusUnprocessableEntity)
	admin.post("/retention/holds", "on", "item", "item", fmt.Sprintf("#%d", item), "reason", "Case 4").to("/retention/holds")
	admin.get(fmt.Sprintf("/items/%d", item)).want(http.StatusOK).shows("Legal hold")
	admin.post("/retention/erasures", "scope", "source", "source", fmt.Sprint(source), "reason", "Ticket 17").to("/retention/erasures/1")
	admin.post("/retention/erasures/1/confirm", "word", "Line 2").to("/retention/erasures/1")
	if err := s.RunErasure(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if page := admin.get("/retention/erasures/1").want(http.StatusOK); !strings.Contains(page.text(), "A legal hold stops it") || !strings.Contains(page.text(), "Case 4") {
		t.Errorf("the page says %s", page.text())
	}
	admin.get("/retention/holds").want(http.StatusOK)
	admin.post("/retention/holds/1/lift", "reason", " ").want(http.StatusUnprocessableEntity)
	admin.post("/retention/holds/1/lift", "reason", "Settled").to("/retention/holds")
	if err := s.RunErasure(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	admin.get(fmt.Sprintf("/items/%d", item)).want(http.StatusGone)
}
