package jobs

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/access"
	"fiducial/internal/formats"
	"fiducial/internal/jobargs"
	"fiducial/store"
	"fiducial/store/blob"
)

// writeAccess does the job of a request, and returns its archive's files by name.
func (s *shelf) writeAccess(t *testing.T, actor store.Actor, id int64) map[string][]byte {
	t.Helper()
	if err := s.workAccess(t, id); err != nil {
		t.Fatal(err)
	}
	request, archive, err := s.store.TakeAccess(t.Context(), actor, id)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(archive)
	if err = errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(content); !bytes.Equal(sum[:], request.SHA256) || int64(len(content)) != request.Bytes {
		t.Errorf("sha256 %x of %d bytes, want %x of %d", sum, len(content), request.SHA256, request.Bytes)
	}
	files := map[string][]byte{}
	packed, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range packed.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func (s *shelf) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (s *shelf) workAccess(t *testing.T, id int64) error {
	t.Helper()
	w := &writeAccess{deps: s.deps}
	return w.Work(t.Context(), &river.Job[jobargs.WriteAccess]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: jobargs.WriteAccess{RequestID: id}})
}

// Whoever asks what is held on a source gets all of its items with all that is known of them, and nothing of another's.
func TestASourceGetsWhatIsHeldOnIt(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "steel")
	var items []int64
	for i := range 450 { // more than two pages
		im := formats.Image{Key: fmt.Sprintf("coil/strip-%03d.png", i), Width: 100, Height: 80, Boxes: []formats.Box{{Class: "scratch", X: 1, Y: 2, W: 30, H: 40}}}
		items = append(items, s.put(t, im, nil))
	}
	picture := []byte("\x89PNG of the customer")
	with := s.put(t, formats.Image{Key: "with.png", Width: 100, Height: 80}, picture)
	s.exec(t, `UPDATE item_texts SET metadata = '{"camera":"3"}' WHERE item_id = $1`, items[0])
	person := s.id(t, `INSERT INTO people (role, pseudonym) VALUES ('labeler', 'person-x') RETURNING id`)
	s.exec(t, `INSERT INTO discussions (item_id, project_id) VALUES ($1, $2)`, items[0], s.project)
	comment := s.id(t, `INSERT INTO comments (item_id, person_id, kind) VALUES ($1, $2, 'said') RETURNING id`, items[0], person)
	s.exec(t, `INSERT INTO comment_texts (item_id, comment_id, version, body) VALUES ($1, $2, 1, E'ask \uE000' || $3 || E'\uE001 of it')`, items[0], comment, fmt.Sprint(person))
	s.exec(t, `INSERT INTO item_notes (item_id, kind, of_id, body) VALUES ($1, 'review', 1, 'a word on it')`, items[0])
	version := s.freeze(t, "steel-test", "steel")
	source := s.id(t, `SELECT source_id FROM imports WHERE id = $1`, s.imports)
	s.addProject(t, "other")
	s.put(t, formats.Image{Key: "of-another.png", Width: 100, Height: 80}, nil)

	request, err := s.store.AddAccess(t.Context(), store.System(), store.NewAccess{SourceID: source, Media: true})
	if err != nil {
		t.Fatal(err)
	}
	files := s.writeAccess(t, store.System(), request.ID)
	lines := strings.Split(strings.TrimSpace(string(files["items.jsonl"])), "\n")
	if len(lines) != 451 || strings.Contains(string(files["items.jsonl"]), "of-another") {
		t.Fatalf("%d items", len(lines))
	}
	var first struct {
		Item     int64             `json:"item"`
		Key      string            `json:"key"`
		Metadata map[string]string `json:"metadata"`
		Truth    []struct {
			Boxes []struct {
				Class string  `json:"class"`
				H     float64 `json:"h"`
			} `json:"boxes"`
		} `json:"truth"`
		Comments []struct {
			Text string `json:"text"`
		} `json:"comments"`
		Versions []struct {
			Dataset string `json:"dataset"`
		} `json:"dataset_versions"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	if first.Item != items[0] || first.Key != "coil/strip-000.png" || first.Metadata["camera"] != "3" || len(first.Truth) != 1 ||
		first.Truth[0].Boxes[0].Class != "scratch" || first.Truth[0].Boxes[0].H != 40 || first.Versions[0].Dataset != version.Dataset || first.Comments[0].Text != "ask @… of it" {
		t.Errorf("the first item is %s", lines[0])
	}
	if !strings.Contains(lines[0], "a word on it") {
		t.Errorf("the note is missing: %s", lines[0])
	}
	if got := files[fmt.Sprintf("media/%d.jpg", with)]; !bytes.Equal(got, picture) {
		t.Errorf("the original is %q", got)
	}
	for _, name := range []string{"README.txt", "source.json", "history.jsonl", "imports.jsonl", "versions.jsonl", "checksums.txt"} {
		if len(files[name]) == 0 && name != "history.jsonl" {
			t.Errorf("%s is empty", name)
		}
	}
}

// A person gets what is held on them: in the words of the schema, every row that names them.
func TestAPersonGetsWhatIsHeldOnThem(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "steel")
	item := s.put(t, formats.Image{Key: "customers-strip.png", Width: 100, Height: 80}, nil)
	id, err := s.store.AddPerson(t.Context(), store.System(), store.NewPerson{Email: "mara@example.org", Name: "Mara", Role: access.Labeler, Password: "a long enough password"})
	if err != nil {
		t.Fatal(err)
	}
	mara := store.Actor{PersonID: id, Role: access.Labeler}
	if err := s.store.AddMember(t.Context(), store.System(), s.project, id); err != nil {
		t.Fatal(err)
	}
	task := s.id(t, `INSERT INTO tasks (project_id, item_id, overlap, votes) VALUES ($1, $2, 1, 1) RETURNING id`, s.project, item)
	assignment := s.id(t, `INSERT INTO assignments (task_id, project_id, person_id, state, finished_at) VALUES ($1, $2, $3, 'submitted', now()) RETURNING id`, task, s.project, id)
	s.exec(t, `INSERT INTO annotations (assignment_id, task_id, item_id, person_id) VALUES ($1, $2, $3, $4)`, assignment, task, item, id)
	s.exec(t, `INSERT INTO media_reads (person_id, item_id, kind) VALUES ($1, $2, 'display')`, id, item)
	s.exec(t, `INSERT INTO datasets (name, created_by) VALUES ('theirs', $1)`, id)
	request, err := s.store.AddAccess(t.Context(), mara, store.NewAccess{PersonID: id})
	if err != nil {
		t.Fatal(err)
	}
	files := s.writeAccess(t, mara, request.ID)
	for name, want := range map[string]string{
		"identity.json": `"email": "mara@example.org"`, "memberships.jsonl": `"project": "steel"`, "assignments.jsonl": `"state": "submitted"`,
		"annotations.jsonl": `"boxes": 0`, "media-reads.jsonl": `"kind": "display"`, "audit.jsonl": `"action": "access.add"`, "elsewhere.jsonl": `"table": "datasets"`,
	} {
		if !strings.Contains(string(files[name]), want) {
			t.Errorf("%s lacks %s: %s", name, want, files[name])
		}
	}
	for name, content := range files {
		if strings.Contains(string(content), "customers-strip") || strings.Contains(string(content), "argon2id") {
			t.Errorf("%s holds a customer's data, or the password: %s", name, content)
		}
	}
}

func TestWhoMayTakeWhatIsHeldOnAPerson(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "steel")
	person := func(role access.Role) store.Actor {
		id := s.id(t, `INSERT INTO people (role, pseudonym) VALUES ($1, 'person-' || gen_random_uuid()) RETURNING id`, string(role))
		return store.Actor{PersonID: id, Role: role}
	}
	mara, jonas, ada, eve := person(access.Labeler), person(access.Labeler), person(access.Admin), person(access.Admin)
	if _, err := s.store.AddAccess(t.Context(), jonas, store.NewAccess{PersonID: mara.PersonID}); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a labeler asks for another: %v", err)
	}
	if _, err := s.store.AddAccess(t.Context(), mara, store.NewAccess{SourceID: 1}); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a labeler asks for a customer: %v", err)
	}
	own, err := s.store.AddAccess(t.Context(), mara, store.NewAccess{PersonID: mara.PersonID})
	if err != nil {
		t.Fatal(err)
	}
	asked, err := s.store.AddAccess(t.Context(), ada, store.NewAccess{PersonID: mara.PersonID})
	if err != nil || asked.ID == own.ID {
		t.Fatalf("an admin asks: %d after %d, %v", asked.ID, own.ID, err)
	}
	if again, err := s.store.AddAccess(t.Context(), ada, store.NewAccess{PersonID: mara.PersonID}); err != nil || again.ID != asked.ID {
		t.Errorf("asked twice: %d after %d, %v", again.ID, asked.ID, err)
	}
	for _, id := range []int64{own.ID, asked.ID} {
		if err := s.workAccess(t, id); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name  string
		actor store.Actor
		id    int64
		want  error
	}{
		{"the person, their own", mara, own.ID, nil},
		{"the person, the admin's", mara, asked.ID, nil},
		{"the admin who asked", ada, asked.ID, nil},
		{"the admin, the person's own", ada, own.ID, store.ErrDenied},
		{"another admin", eve, asked.ID, store.ErrDenied},
		{"another labeler", jonas, own.ID, store.ErrNotFound},
		{"a token", store.Actor{TokenID: 99, Role: access.Admin}, asked.ID, store.ErrDenied},
		{"a token of one project", store.Actor{TokenID: 99, Role: access.Admin, Scope: s.project}, asked.ID, store.ErrNotFound},
	} {
		_, archive, err := s.store.TakeAccess(t.Context(), tt.actor, tt.id)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err == nil {
			_ = archive.Close()
		}
	}
}

// A week after it was written an archive is gone, from the pages and from the object store; so it is once the person has left.
func TestArchivesOfWhatIsHeldAreDeleted(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "steel")
	source := s.id(t, `SELECT source_id FROM imports WHERE id = $1`, s.imports)
	id, err := s.store.AddPerson(t.Context(), store.System(), store.NewPerson{Email: "mara@example.org", Role: access.Labeler})
	if err != nil {
		t.Fatal(err)
	}
	var requests []int64
	for _, n := range []store.NewAccess{{SourceID: source}, {PersonID: id}, {SourceID: source, Media: true}} {
		request, err := s.store.AddAccess(t.Context(), store.System(), n)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.workAccess(t, request.ID); err != nil {
			t.Fatal(err)
		}
		requests = append(requests, request.ID)
	}
	s.exec(t, `UPDATE access_requests SET finished_at = now() - interval '7 days 1 minute' WHERE id = $1`, requests[0])
	s.exec(t, `UPDATE access_requests SET finished_at = now() - interval '6 days 23 hours' WHERE id = $1`, requests[2])
	if err := s.store.Leave(t.Context(), store.System(), id); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again changes nothing
		if err := s.store.SweepAccess(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []error{store.ErrGone, store.ErrGone, nil} {
		_, archive, err := s.store.TakeAccess(t.Context(), store.System(), requests[i])
		denied := i == 1 && errors.Is(err, store.ErrDenied) // of the person nothing is left to ask with
		if !errors.Is(err, want) && !denied {
			t.Errorf("archive %d: %v, want %v", i, err, want)
		}
		if err == nil {
			_ = archive.Close()
		}
		_, err = s.blobs.Stat(t.Context(), fmt.Sprintf("access/%d", requests[i]))
		if errors.Is(err, blob.ErrNotFound) != (want != nil) {
			t.Errorf("object %d: %v", i, err)
		}
	}
	if err := s.workAccess(t, requests[1]); err != nil { // the queue tries again what was lost
		t.Fatal(err)
	}
	if n := s.id(t, `SELECT count(*) FROM audit_events WHERE action = 'access.delete'`); n != 2 {
		t.Errorf("%d deletions in the audit log", n)
	}
}
