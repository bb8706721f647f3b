package handlers_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// picture makes a ready item of the project, whose original and thumb are this PNG.
func (s *site) picture(project int64, key string) (item int64, body []byte) {
	s.t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewGray(image.Rect(0, 0, 100, 80))); err != nil {
		s.t.Fatal(err)
	}
	err := s.pool.QueryRow(s.t.Context(), `
		WITH s AS (INSERT INTO sources (name) VALUES ('mill') ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name RETURNING id),
		i AS (INSERT INTO items (project_id, source_id, key_hash) SELECT $1, id, uuid_send(gen_random_uuid()) FROM s RETURNING id),
		x AS (INSERT INTO item_texts (item_id, external_key, file_name) SELECT id, $2, $2 FROM i),
		t AS (INSERT INTO tasks (project_id, item_id, overlap) SELECT $1, id, 1 FROM i)
		SELECT id FROM i`, project, key).Scan(&item)
	if err != nil {
		s.t.Fatal(err)
	}
	r := store.Rendered{Width: 100, Height: 80}
	for _, kind := range []string{"original", "thumb"} {
		if _, err := s.bucket.Put(s.t.Context(), store.AssetKey(item, kind), bytes.NewReader(buf.Bytes()), int64(buf.Len()), "text/html"); err != nil {
			s.t.Fatal(err)
		}
		r.Assets = append(r.Assets, store.Asset{Kind: kind, ContentType: "image/png", Bytes: int64(buf.Len()), SHA256: make([]byte, 32), Width: 100, Height: 80, Facts: []byte(`{}`)})
	}
	if err := s.SetRendered(s.t.Context(), item, r); err != nil {
		s.t.Fatal(err)
	}
	return item, buf.Bytes()
}

// steel makes a project.
func (s *site) steel() store.Project {
	s.t.Helper()
	project, err := s.AddProject(s.t.Context(), store.System(), store.NewProject{Slug: "steel", Name: "Hot strip", Kind: "image"})
	if err != nil {
		s.t.Fatal(err)
	}
	return project
}

// member signs somebody new of this role in, who is in the project.
func (s *site) member(role access.Role, project int64) *browser {
	s.t.Helper()
	id, _ := s.person(role)
	if err := s.AddMember(s.t.Context(), store.System(), project, id); err != nil {
		s.t.Fatal(err)
	}
	return s.browserOf(id)
}

func TestMediaIsServedAsItIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.steel()
	item, body := s.picture(project.ID, "strip-1.png")
	path := fmt.Sprintf("/media/items/%d/", item)
	reviewer := s.member(access.Reviewer, project.ID)
	got := reviewer.get(path + "display").want(http.StatusOK)
	if !bytes.Equal(got.Body.Bytes(), body) {
		t.Error("other bytes than the original's")
	}
	for name, want := range map[string]string{
		"Content-Type": "image/png", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes",
		"Content-Disposition": fmt.Sprintf(`inline; filename="item-%d-display"`, item),
	} {
		if have := got.Header().Get(name); have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
	part := reviewer.do(http.MethodGet, path+"thumb", nil, "Range", "bytes=10-19").want(http.StatusPartialContent)
	if !bytes.Equal(part.Body.Bytes(), body[10:20]) {
		t.Errorf("part: %q", part.Body)
	}
	reviewer.do(http.MethodGet, path+"thumb", nil, "Range", "bytes=999999-").want(http.StatusRequestedRangeNotSatisfiable)
}

func TestMediaOfOthersDoesNotExist(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.steel()
	item, _ := s.picture(project.ID, "strip-1.png")
	path := fmt.Sprintf("/media/items/%d/thumb", item)
	id, _ := s.person(access.Labeler)
	if err := s.AddMember(t.Context(), store.System(), project.ID, id); err != nil {
		t.Fatal(err)
	}
	labeler := s.browserOf(id)
	labeler.get(path).want(http.StatusNotFound)
	if _, err := s.Claim(t.Context(), store.Actor{PersonID: id, Role: access.Labeler}, project.Slug, 0); err != nil {
		t.Fatal(err)
	}
	labeler.get(path).want(http.StatusOK)
	labeler.get(fmt.Sprintf("/media/items/%d/original", item)).want(http.StatusNotFound)
	s.browser(access.Reviewer).get(path).want(http.StatusNotFound)
	s.member(access.Viewer, project.ID).get(path).want(http.StatusForbidden)
	s.browser(access.Admin).get(path).want(http.StatusOK)
	s.browser(access.Admin).get("/media/items/999999/thumb").want(http.StatusNotFound)
	s.browser(access.Admin).get(fmt.Sprintf("/media/items/%d/secret", item)).want(http.StatusNotFound)
	s.stranger().get(path).want(http.StatusSeeOther)
}
