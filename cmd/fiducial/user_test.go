package main

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/store/storetest"
)

// services are a store, and the flags under which a command opens the same one.
func services(t *testing.T) (st *store.Store, flags []string) {
	t.Helper()
	pool, cfg := storetest.Pool(t), storetest.BucketConfig(t)
	flags = []string{
		"--data", t.TempDir(), "--database-url", databaseURL(t, pool), "--s3-endpoint", cfg.Endpoint, "--s3-bucket", cfg.Bucket,
		"--s3-access-key", cfg.AccessKey, "--s3-secret-key", cfg.SecretKey,
	}
	st, err := store.New(pool, storetest.Bucket(t))
	if err != nil {
		t.Fatal(err)
	}
	return st, flags
}

// databaseURL names the pool's own database on its server.
func databaseURL(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	u, err := url.Parse(pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + pool.Config().ConnConfig.Database
	return u.String()
}

func TestUserAdd(t *testing.T) {
	t.Parallel()
	st, flags := services(t)
	const password = "a long enough password"
	tests := []struct {
		name, in string
		args     []string
		code     int
		says     string
	}{
		{"an admin", password + "\r\n", []string{"ada@example.org", "--role", "admin", "--name", "Ada Strip"}, 0, "ada@example.org can sign in as admin."},
		{"a taken address", password, []string{"ADA@example.org", "--role", "viewer"}, exitFailed, "an account with this address already"},
		{"a short password", "short", []string{"ben@example.org", "--role", "viewer"}, exitFailed, "at least 12 characters"},
		{"no password", "", []string{"ben@example.org", "--role", "viewer"}, exitMisuse, "standard input"},
		{"an unknown role", password, []string{"ben@example.org", "--role", "root"}, exitMisuse, "role"},
		{"no role", password, []string{"ben@example.org"}, exitMisuse, "role"},
	}
	for _, tt := range tests {
		var out, errOut bytes.Buffer
		args := append(append([]string{"user", "add"}, tt.args...), flags...)
		if code := run(t.Context(), args, strings.NewReader(tt.in), &out, &errOut); code != tt.code {
			t.Errorf("%s: exit %d, want %d: %s", tt.name, code, tt.code, errOut.String())
		}
		if said := out.String() + errOut.String(); !strings.Contains(said, tt.says) || strings.Contains(said, password) {
			t.Errorf("%s: %q", tt.name, said)
		}
	}
	person, err := st.SignIn(t.Context(), "ada@example.org", password)
	if err != nil || person.Role != access.Admin || person.Name != "Ada Strip" {
		t.Errorf("%+v, %v", person, err)
	}
}

func TestTokenAdd(t *testing.T) {
	t.Parallel()
	st, flags := services(t)
	project, err := st.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strips", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	args := append([]string{"token", "add", "nightly", "--role", "viewer", "--project", "strips", "--expires", "90d"}, flags...)
	if code := run(t.Context(), args, nil, &out, &errOut); code != 0 {
		t.Fatalf("exit %d: %s", code, errOut.String())
	}
	actor, err := st.TokenActor(t.Context(), strings.TrimSuffix(out.String(), "\n"))
	if err != nil || actor.Role != access.Viewer || actor.Scope != project.ID {
		t.Errorf("%q is the secret of %+v, %v", out.String(), actor, err)
	}
	tokens, err := st.Tokens(t.Context(), store.System(), store.TokenFilter{Limit: 2})
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%+v, %v", tokens, err)
	}
	if left := time.Until(*tokens[0].ExpiresAt); left < 89*24*time.Hour || left > 90*24*time.Hour {
		t.Errorf("it holds for %s", left)
	}
	for _, wrong := range [][]string{{"--expires", "soon"}, {"--expires", "-3d"}, {"--project", "nope"}} {
		args := append(append([]string{"token", "add", "nightly", "--role", "viewer"}, wrong...), flags...)
		out.Reset()
		if code := run(t.Context(), args, nil, &out, &errOut); code == 0 || out.Len() > 0 {
			t.Errorf("%v: exit %d, %q", wrong, code, out.String())
		}
	}
	if !strings.Contains(errOut.String(), "there is no project nope") {
		t.Errorf("a project that is not there: %s", &errOut)
	}
}
