package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	st, pool := newStore(t)
	admin := signUp(t, st, "admin@example.org", access.Admin)
	project := newProject(t, st, "strips")
	n := store.NewToken{Name: " nightly ", Role: access.Viewer, Project: project, ExpiresAt: time.Now().Add(time.Hour)}
	id, secret, err := st.AddToken(t.Context(), admin, n)
	if err != nil {
		t.Fatal(err)
	}
	actor, err := st.TokenActor(t.Context(), secret)
	if err != nil || actor != (store.Actor{TokenID: id, Role: access.Viewer, Scope: project}) {
		t.Errorf("%+v, %v", actor, err)
	}
	tokens, err := st.Tokens(t.Context(), admin, store.TokenFilter{Limit: 10})
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%+v, %v", tokens, err)
	}
	if got := tokens[0]; got.Name != "nightly" || got.Project != "strips" || got.CreatedBy != "Ada Strip" || got.LastUsedAt == nil || !got.Works() {
		t.Errorf("listed %+v", got)
	}
	var kept string
	if err := pool.QueryRow(t.Context(), `SELECT to_jsonb(t)::text FROM api_tokens t`).Scan(&kept); err != nil || strings.Contains(kept, secret) {
		t.Errorf("the secret is kept: %s, %v", kept, err)
	}
	if err := st.RevokeToken(t.Context(), admin, id); err != nil {
		t.Fatal(err)
	}
	if _, err := st.TokenActor(t.Context(), secret); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a revoked token: %v", err)
	}
	if err := st.RevokeToken(t.Context(), admin, id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoking twice: %v", err)
	}
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	st, pool := newStore(t)
	_, secret, err := st.AddToken(t.Context(), store.System(), store.NewToken{Name: "short", Role: access.Viewer, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE api_tokens SET expires_at = now()`); err != nil {
		t.Fatal(err)
	}
	if _, err := st.TokenActor(t.Context(), secret); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("err = %v, want ErrNotFound", err)
	}
}

func TestAddTokenRefuses(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	tests := []struct {
		field string
		n     store.NewToken
	}{
		{"name", store.NewToken{Name: " ", Role: access.Viewer}},
		{"role", store.NewToken{Name: "x", Role: "root"}},
		{"expires", store.NewToken{Name: "x", Role: access.Viewer, ExpiresAt: time.Now().Add(-time.Hour)}},
	}
	for _, tt := range tests {
		_, _, err := st.AddToken(t.Context(), store.System(), tt.n)
		wantInvalid(t, err, tt.field)
	}
	_, _, err := st.AddToken(t.Context(), store.System(), store.NewToken{Name: "x", Role: access.Viewer, Project: 9})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown project: %v", err)
	}
}
