package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// visitor speaks to the server as a page's scripts do, in the session of one person. It may be used
// by one goroutine at a time.
type visitor struct {
	http    http.Client
	url     string
	address string // that the server takes it to come from
}

// visit signs in over HTTP.
func visit(t *testing.T, s *Server, a account) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	n := visitors.Add(1)
	v := &visitor{url: s.URL, address: fmt.Sprintf("10.1.%d.%d", n/250, n%250+1), http: http.Client{
		Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	status, err := v.form("/sign-in", url.Values{"email": {a.Email}, "password": {a.Password}})
	if err != nil || status != http.StatusSeeOther {
		t.Fatalf("sign-in of %s: %d, %v", a.Email, status, err)
	}
	return v
}

// at is the same person, with the same session, at another web process.
func (v *visitor) at(s *Server) *visitor {
	other := *v
	other.url = s.URL
	return &other
}

func (v *visitor) form(path string, values url.Values) (status int, err error) {
	return v.send(http.MethodPost, path, "application/x-www-form-urlencoded", []byte(values.Encode()), nil)
}

// call sends in as JSON and reads the answer into out, unless either is nil.
func (v *visitor) call(method, path string, in, out any) (status int, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, err
	}
	return v.send(method, path, "application/json", body, out)
}

func (v *visitor) send(method, path, contentType string, body []byte, out any) (status int, err error) {
	req, err := http.NewRequest(method, v.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = http.Header{"Content-Type": {contentType}, "Accept": {"application/json"}, "X-Forwarded-For": {v.address}}
	resp, err := v.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode >= 400 {
		return resp.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	if out != nil && resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(answer, out)
	}
	return resp.StatusCode, err
}

// task is what the workbench gets to know of one.
type task struct {
	Assignment   int64  `json:"assignment"`
	Task         int64  `json:"task"`
	Title        string `json:"title"`
	Reason       string `json:"reason"`
	DraftVersion int    `json:"draftVersion"`
	Classes      []struct {
		ID   int64
		Name string
	} `json:"classes"`
	Boxes []box `json:"boxes"`
}

// class is the id of the class with this name.
func (t *task) class(name string) int64 {
	for _, c := range t.Classes {
		if c.Name == name {
			return c.ID
		}
	}
	return 0
}

// box is one that a labeler draws.
type box struct {
	ID    string  `json:"id"`
	Class int64   `json:"class"`
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
	W     float64 `json:"w"`
	H     float64 `json:"h"`
}

// claim asks for the next task of a project; ok is false when there is none.
func (v *visitor) claim(project string, after int64) (t task, ok bool, err error) {
	status, err := v.call(http.MethodPost, "/label/next", map[string]any{"project": project, "after": after}, &t)
	return t, status == http.StatusOK, err
}

// answer is the body of a draft and of a submit.
func (t *task) answer(boxes []box) map[string]any {
	return map[string]any{"assignment": t.Assignment, "version": t.DraftVersion, "boxes": boxes, "activeMs": 1000}
}

func (v *visitor) draft(t *task, boxes []box) error {
	var saved struct{ Version int }
	_, err := v.call(http.MethodPut, fmt.Sprintf("/label/%d/draft", t.Task), t.answer(boxes), &saved)
	if err == nil {
		t.DraftVersion = saved.Version
	}
	return err
}

func (v *visitor) submit(t *task, boxes []box) error {
	_, err := v.call(http.MethodPost, fmt.Sprintf("/label/%d/submit", t.Task), t.answer(boxes), nil)
	return err
}

// labeling makes a project with one class and that many pictures, and labelers in it.
func labeling(t *testing.T, s *Server, pictures, labelers int) (slug string, people []*visitor) {
	t.Helper()
	slug = fmt.Sprintf("strips-%d", visitors.Add(1))
	s.do(t, "project", "add", slug, "--kind", "image")
	admin := visit(t, s, addAccount(t, s, "admin"))
	if _, err := admin.form("/projects/"+slug+"/classes", url.Values{"name": {"Scratch"}}); err != nil {
		t.Fatal(err)
	}
	s.do(t, "import", slug, pictureFolder(t, pictures), "--format", "images")
	for range labelers {
		a := addAccount(t, s, "labeler")
		s.execute(t, `INSERT INTO members (project_id, person_id)
			SELECT p.id, i.person_id FROM projects p, person_identities i WHERE p.slug = $1 AND i.email = $2`, slug, a.Email)
		people = append(people, visit(t, s, a))
	}
	return slug, people
}

// do runs a command against the server.
func (s *Server) do(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.Command(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pictureFolder draws small pictures, each different.
func pictureFolder(t *testing.T, count int) string {
	t.Helper()
	dir, source := t.TempDir(), rand.NewChaCha8([32]byte{7})
	for i := range count {
		picture := image.NewGray(image.Rect(0, 0, 320, 200))
		if _, err := source.Read(picture.Pix); err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := png.Encode(&file, picture); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("strip-%04d.png", i)), file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// database returns the address of the server's database. Tests look there for what no page shows.
func (s *Server) database() string {
	for _, setting := range s.env {
		if address, ok := strings.CutPrefix(setting, "DATABASE_URL="); ok {
			return address
		}
	}
	return "postgres:///postgres?" + url.Values{"host": {filepath.Join(s.Data, "postgres", "run")}, "user": {"fiducial"}, "sslmode": {"disable"}}.Encode()
}

func (s *Server) connect(tb testing.TB) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), s.database())
	if err != nil {
		tb.Fatal(err)
	}
	return conn
}

func (s *Server) execute(t *testing.T, sql string, args ...any) {
	t.Helper()
	conn := s.connect(t)
	defer conn.Close(t.Context()) //nolint:errcheck // it was read from
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// query returns the rows of one column.
func query[T any](tb testing.TB, s *Server, sql string, args ...any) []T {
	tb.Helper()
	conn := s.connect(tb)
	defer conn.Close(tb.Context()) //nolint:errcheck // it was read from
	rows, err := conn.Query(tb.Context(), sql, args...)
	if err != nil {
		tb.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return all
}

// patience is how long anything is waited for that surely comes: a machine that runs all tests at once is slow, and who passes does not wait.
const patience = 3 * time.Minute

// eventually waits until the query's one value is what is wanted.
func eventually[T comparable](tb testing.TB, s *Server, want T, sql string, args ...any) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := query[T](tb, s, sql, args...)
		if len(got) == 1 && got[0] == want {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%s: %v, and not %v after %s", strings.Join(strings.Fields(sql), " "), got, want, patience)
		}
		<-tick.C
	}
}
