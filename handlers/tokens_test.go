package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestTokensPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, err := s.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strips", Name: "Hot strip", Kind: "image"}); err != nil {
		t.Fatal(err)
	}
	admin := s.browser(access.Admin)
	admin.get("/admin/tokens").want(http.StatusOK).shows("No program has a token")
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	secret := admin.post("/admin/tokens", "name", "nightly", "role", "viewer", "project", "1", "expires", tomorrow).
		want(http.StatusCreated).shows("Shown once").attribute("data-copy", "fid_")
	page := admin.get("/admin/tokens").want(http.StatusOK).shows("nightly", "only Hot strip", "never").lacks(secret)
	bearer := []string{"Authorization", "Bearer " + secret, "Accept", "application/json"}
	s.stranger().do(http.MethodGet, "/api/v1/me", nil, bearer...).want(http.StatusOK)
	admin.post(page.attribute("action", "/revoke")).to("/admin/tokens")
	s.stranger().do(http.MethodGet, "/api/v1/me", nil, bearer...).want(http.StatusUnauthorized)

	for field, value := range map[string]string{"name": " ", "expires": "2001-01-01", "project": "x"} {
		form := map[string]string{"name": "nightly", "role": "viewer", "expires": tomorrow}
		form[field] = value
		admin.post("/admin/tokens", "name", form["name"], "role", form["role"], "expires", form["expires"], "project", form["project"]).
			want(http.StatusUnprocessableEntity).attribute("id", field+"-error")
	}
}

func TestMetricsNeedAToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.stranger().get("/metrics").want(http.StatusUnauthorized)
	_, secret, err := s.AddToken(t.Context(), store.System(), store.NewToken{Name: "prometheus", Role: access.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	s.stranger().do(http.MethodGet, "/metrics", nil, "Authorization", "bearer  "+secret).want(http.StatusOK).shows("fiducial_http_request_seconds")
	s.stranger().do(http.MethodHead, "/metrics", nil, "Authorization", "Bearer "+secret).want(http.StatusOK)
	s.stranger().do(http.MethodHead, "/healthz", nil).want(http.StatusOK)
}
