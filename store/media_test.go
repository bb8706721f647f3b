package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// giveMedia stores pictures of an item, whose bytes are their kind.
func (f *floor) giveMedia(tb testing.TB, item int64, kinds ...string) {
	tb.Helper()
	r := Rendered{Width: 100, Height: 80}
	for _, kind := range kinds {
		if _, err := f.blobs.Put(tb.Context(), AssetKey(item, kind), strings.NewReader(kind), int64(len(kind)), "image/png"); err != nil {
			tb.Fatal(err)
		}
		r.Assets = append(r.Assets, Asset{Kind: kind, ContentType: "image/png", Bytes: int64(len(kind)), SHA256: make([]byte, 32), Facts: json.RawMessage(`{}`)})
	}
	if err := f.SetRendered(tb.Context(), item, r); err != nil {
		tb.Fatal(err)
	}
}

// read returns what the actor gets, or "" for what is not there for them.
func (f *floor) read(tb testing.TB, actor Actor, item int64, kind string) string {
	tb.Helper()
	m, err := f.OpenMedia(tb.Context(), actor, item, kind)
	if errors.Is(err, ErrNotFound) {
		return ""
	}
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(m.Content)
	if err := errors.Join(err, m.Content.Close()); err != nil {
		tb.Fatal(err)
	}
	return string(body)
}

// Who sees the media of an item: role × membership × what they have to do with its task.
func TestWhoSeesMedia(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 1, 9)
	item, task := f.items[0], f.tasks[0]
	f.giveMedia(t, item, "original", "thumb")
	states := []string{"", "leased", "expired", "returned", "submitted", "skipped", "cancelled"}
	handed := map[string]bool{"leased": true, "expired": true, "returned": true, "submitted": true}
	for _, role := range access.Roles() {
		for _, member := range []bool{false, true} {
			for _, state := range states {
				var person int64
				f.scan(t, &person, `INSERT INTO people (role, pseudonym) VALUES ($1, gen_random_uuid()) RETURNING id`, role)
				if member {
					f.exec(t, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, f.project.ID, person)
				}
				if state != "" {
					f.exec(t, `
						INSERT INTO assignments (task_id, project_id, person_id, state, lease_until)
						VALUES ($1, $2, $3, $4::text, CASE $4::text WHEN 'leased' THEN now() + interval '1 hour' END)`, task, f.project.ID, person, state)
				}
				actor := Actor{PersonID: person, Role: role}
				reads := role == access.Admin || role == access.Reviewer && member
				labels := role != access.Viewer && (member || role == access.Admin) && handed[state]
				name := fmt.Sprintf("%s, member %t, assignment %q", role, member, state)
				if got := f.read(t, actor, item, "thumb") != ""; got != (reads || labels) {
					t.Errorf("%s: sees the item: %t", name, got)
				}
				if got := f.read(t, actor, item, "original") != ""; got != reads {
					t.Errorf("%s: sees the original: %t", name, got)
				}
			}
		}
	}
}

func TestTokensSeeMediaOfTheirProject(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 1, 1)
	f.giveMedia(t, f.items[0], "original", "thumb")
	other, err := f.AddProject(t.Context(), System(), NewProject{Slug: "other", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		role  access.Role
		scope int64
		want  bool
	}{
		{access.Admin, 0, true},
		{access.Reviewer, f.project.ID, true},
		{access.Reviewer, other.ID, false},
		{access.Admin, other.ID, false},
		{access.Labeler, f.project.ID, false},
		{access.Viewer, 0, false},
	} {
		if got := f.read(t, Actor{TokenID: 1, Role: tt.role, Scope: tt.scope}, f.items[0], "thumb") != ""; got != tt.want {
			t.Errorf("%s's token of project %d sees it: %t", tt.role, tt.scope, got)
		}
	}
}

func TestDisplayIsTheOriginalWhereThatCanBeShown(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 2, 1)
	f.giveMedia(t, f.items[0], "original", "thumb")
	f.giveMedia(t, f.items[1], "original", "display", "thumb")
	for i, want := range []string{"original", "display"} {
		f.mustSubmit(t, f.labelers[0], f.mustClaim(t, f.labelers[0]))
		if got := f.read(t, f.labelers[0], f.items[i], "display"); got != want {
			t.Errorf("display of item %d: %q, want %q", i, got, want)
		}
	}
	for _, kind := range []string{"window", "", "crop-1-2-3-4", "../2/original"} {
		if got := f.read(t, System(), f.items[0], kind); got != "" {
			t.Errorf("kind %q: %q", kind, got)
		}
	}
	// Until it has been looked at, an original may be lying on its side.
	f.exec(t, `UPDATE items SET state = 'processing' WHERE id = $1`, f.items[0])
	if got := f.read(t, System(), f.items[0], "display"); got != "" {
		t.Errorf("display before rendering: %q", got)
	}
}

func TestMediaReadsAreLogged(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 1, 1)
	f.giveMedia(t, f.items[0], "original", "thumb")
	f.mustClaim(t, f.labelers[0])
	f.read(t, f.labelers[0], f.items[0], "thumb")
	f.read(t, f.labelers[0], f.items[0], "display")
	f.read(t, f.labelers[1], f.items[0], "thumb") // refused: not a read
	var who []int64
	f.scan(t, &who, `SELECT array_agg(person_id) FROM media_reads WHERE item_id = $1`, f.items[0])
	if len(who) != 2 || who[0] != f.labelers[0].PersonID || who[1] != who[0] {
		t.Errorf("reads by %v", who)
	}
}

func TestAnItemIsClaimableOnceItIsReady(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 2, 1)
	f.exec(t, `UPDATE items SET state = 'processing'`)
	who := f.labelers[0]
	if _, err := f.Claim(t.Context(), who, f.project.Slug, 0); !errors.Is(err, ErrQueueEmpty) {
		t.Fatalf("an item without a picture was handed out: %v", err)
	}
	if err := f.SetBroken(t.Context(), f.items[0], "The PNG file is damaged."); err != nil {
		t.Fatal(err)
	}
	f.giveMedia(t, f.items[1], "original", "thumb")
	if got := f.mustClaim(t, who); got.Task != f.tasks[1] {
		t.Errorf("handed out task %d", got.Task)
	}
	f.mustHold(t)
	item, err := f.Item(t.Context(), System(), f.items[0])
	if err != nil || item.State != "broken" || item.Fault == "" {
		t.Errorf("the broken item: %+v, %v", item, err)
	}
	if err := f.SetRendered(t.Context(), 999_999, Rendered{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("an erased item: %v", err)
	}
}

// A picture that the object store has lost was not erased, and does not look so: only that of an item which an erasure takes does.
func TestLostPictureDoesNotLookErased(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 1, 1)
	item := f.items[0]
	f.giveMedia(t, item, "original", "display")
	if err := f.blobs.Delete(t.Context(), AssetKey(item, "display")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.OpenMedia(t.Context(), System(), item, "display"); !errors.Is(err, ErrLost) || errors.Is(err, ErrGone) {
		t.Errorf("lost: %v", err)
	}
	f.exec(t, `WITH e AS (INSERT INTO erasures (kind, scope, state, due_at) VALUES ('request', 'items', 'erasing', now()) RETURNING id)
		INSERT INTO erasure_lists (erasure_id, item_id, state) SELECT id, $1, 'taken' FROM e`, item)
	if _, err := f.OpenMedia(t.Context(), System(), item, "display"); !errors.Is(err, ErrErased) {
		t.Errorf("being erased: %v", err)
	}
}
