package store_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"slices"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// book is a project with two classes and one item that has a picture.
type book struct {
	st            *store.Store
	pool          *pgxpool.Pool
	blobs         *blob.Bucket
	project       store.Project
	scratch, line int64
	item          int64
}

func newBook(t *testing.T) book {
	t.Helper()
	b := book{pool: storetest.Pool(t), blobs: storetest.Bucket(t)}
	var err error
	if b.st, err = store.New(b.pool, b.blobs); err != nil {
		t.Fatal(err)
	}
	if b.project, err = b.st.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strip", Kind: "image"}); err != nil {
		t.Fatal(err)
	}
	b.scratch = b.addClass(t, "Scratch", "1")
	b.line = b.addClass(t, "Black line", "2")
	err = b.pool.QueryRow(t.Context(), `
		WITH s AS (INSERT INTO sources (name) VALUES ('mill') RETURNING id)
		INSERT INTO items (project_id, source_id, key_hash, state, width, height) SELECT $1, id, '\x01', 'ready', 60, 40 FROM s RETURNING id`,
		b.project.ID).Scan(&b.item)
	if err != nil {
		t.Fatal(err)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 60, 40))); err != nil {
		t.Fatal(err)
	}
	key := "items/" + strconv.FormatInt(b.item, 10) + "/original"
	if _, err := b.blobs.Put(t.Context(), key, &picture, int64(picture.Len()), "image/png"); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b book) addClass(t *testing.T, name, key string) int64 {
	t.Helper()
	id, err := b.st.AddClass(t.Context(), store.System(), b.project.ID, name, key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// member returns a person of that role who is in the project.
func (b book) member(t *testing.T, role access.Role) store.Actor {
	t.Helper()
	id, err := b.st.AddPerson(t.Context(), store.System(), store.NewPerson{Email: string(role) + "@example.com", Role: role})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.st.AddMember(t.Context(), store.System(), b.project.ID, id); err != nil {
		t.Fatal(err)
	}
	return store.Actor{PersonID: id, Role: role}
}

func TestDefinitionFromDraftToNextDraft(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	ctx, by := t.Context(), store.System()
	if err := b.st.SaveDefinition(ctx, by, b.scratch, 0, "A bright line.", []int64{b.line, b.scratch}); err != nil {
		t.Fatal(err)
	}
	if err := b.st.AddExample(ctx, by, b.scratch, store.Example{ItemID: b.item, Shows: "yes", X: 5, Y: 5, W: 20, H: 4}); err != nil {
		t.Fatal(err)
	}
	if version, err := b.st.PublishDefinition(ctx, by, b.scratch, 3); err != nil || version != 1 {
		t.Fatalf("published as %d, %v; want 1", version, err)
	}
	if err := b.st.SaveDefinition(ctx, by, b.scratch, 0, "A bright line, cut after rolling.", []int64{b.line}); err != nil {
		t.Fatal(err)
	}
	list, err := b.st.Definitions(ctx, by, b.scratch)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Version != nil || *list[1].Version != 1 {
		t.Fatalf("got %+v, want the draft and version 1", list)
	}
	if list[1].Body != "A bright line." || !slices.Equal(list[1].Confusions, []int64{b.line}) || len(list[1].Examples) != 1 {
		t.Errorf("the published definition changed: %+v", list[1])
	}
	if len(list[0].Examples) != 1 || list[0].Body != "A bright line, cut after rolling." {
		t.Errorf("the new draft did not begin with what was published: %+v", list[0])
	}
}

func TestPublishedDefinitionsHideDrafts(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	ctx := t.Context()
	if err := b.st.SaveDefinition(ctx, store.System(), b.scratch, 0, "Secret draft.", nil); err != nil {
		t.Fatal(err)
	}
	labeler := b.member(t, access.Labeler)
	if list, err := b.st.Definitions(ctx, labeler, b.scratch); err != nil || len(list) != 0 {
		t.Errorf("a labeler reads %v, %v; want nothing", list, err)
	}
	stranger := store.Actor{PersonID: 9999, Role: access.Reviewer}
	if list, err := b.st.Definitions(ctx, stranger, b.scratch); err != nil || len(list) != 0 {
		t.Errorf("somebody outside the project reads %v, %v; want nothing", list, err)
	}
	if err := b.st.SaveDefinition(ctx, stranger, b.scratch, 1, "Mine", nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("somebody outside the project writes: %v", err)
	}
	if err := b.st.SaveDefinition(ctx, labeler, b.scratch, 1, "Mine", nil); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a labeler writes: %v", err)
	}
}

func TestDraftIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	ctx, by := t.Context(), store.System()
	if err := b.st.SaveDefinition(ctx, by, b.scratch, 0, "First", nil); err != nil {
		t.Fatal(err)
	}
	for _, stale := range []int{0, 1, 7} {
		if err := b.st.SaveDefinition(ctx, by, b.scratch, stale, "Second", nil); !errors.Is(err, store.ErrConflict) {
			t.Errorf("saved over the draft as read at %d: %v", stale, err)
		}
	}
	if _, err := b.st.PublishDefinition(ctx, by, b.scratch, 1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("published what nobody read: %v", err)
	}
	if err := b.st.DiscardDefinition(ctx, by, b.scratch); err != nil {
		t.Fatal(err)
	}
	if err := b.st.SaveDefinition(ctx, by, b.scratch, 0, "Again", nil); err != nil {
		t.Errorf("after discarding: %v", err)
	}
}

// A class that nobody gave a key gets the first that is free, and none once all ten are taken.
func TestClassWithoutAKeyGetsTheFirstFreeOne(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for i := range 12 {
		b.addClass(t, "Defect "+strconv.Itoa(i), "")
	}
	classes, err := b.st.Classes(t.Context(), store.System(), b.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]int{}
	for _, c := range classes {
		keys[c.Key]++
	}
	for _, digit := range "1234567890" {
		if keys[string(digit)] != 1 {
			t.Errorf("%d classes have the key %c: %v", keys[string(digit)], digit, keys)
		}
	}
}

func TestClassRules(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	ctx, by := t.Context(), store.System()
	for name, add := range map[string]struct{ name, key, field string }{
		"same name, other case": {"sCRATCH", "", "name"},
		"no name":               {"  ", "", "name"},
		"key taken":             {"Pit", "1", "key"},
		"key is no digit":       {"Pit", "x", "key"},
	} {
		_, err := b.st.AddClass(ctx, by, b.project.ID, add.name, add.key)
		if inv, ok := errors.AsType[*store.InvalidError](err); !ok || inv.Field != add.field {
			t.Errorf("%s: %v, want a refusal of %s", name, err, add.field)
		}
	}
	if err := b.st.EditClass(ctx, by, b.scratch, store.ClassEdit{Name: "Scratch", Key: "1", Retired: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.st.AddClass(ctx, by, b.project.ID, "Pit", "1"); err != nil {
		t.Errorf("a retired class keeps its key from others: %v", err)
	}
	classes, err := b.st.Classes(ctx, by, b.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range classes {
		if c.Slot != i {
			t.Errorf("class %s is in slot %d, want %d", c.Name, c.Slot, i)
		}
	}
}

func TestExampleCropIsSeenByMembersOnly(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	ctx, by := t.Context(), store.System()
	if err := b.st.SaveDefinition(ctx, by, b.scratch, 0, "A bright line.", nil); err != nil {
		t.Fatal(err)
	}
	if err := b.st.AddExample(ctx, by, b.scratch, store.Example{ItemID: b.item, Shows: "yes", X: 5, Y: 5, W: 20, H: 4}); err != nil {
		t.Fatal(err)
	}
	list, err := b.st.Definitions(ctx, by, b.scratch)
	if err != nil {
		t.Fatal(err)
	}
	example := list[0].Examples[0].ID
	labeler := b.member(t, access.Labeler)
	if _, err := b.st.ExampleCrop(ctx, labeler, example); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a labeler sees a draft's example: %v", err)
	}
	if _, err := b.st.PublishDefinition(ctx, by, b.scratch, list[0].EditVersion); err != nil {
		t.Fatal(err)
	}
	for range 2 { // made at the first look, kept for the second
		crop, err := b.st.ExampleCrop(ctx, labeler, example)
		if err != nil {
			t.Fatal(err)
		}
		if _, format, err := image.DecodeConfig(crop); err != nil || format != "jpeg" {
			t.Errorf("crop is %s, %v", format, err)
		}
		if err := crop.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.st.ExampleCrop(ctx, store.Actor{PersonID: 9999, Role: access.Reviewer}, example); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("somebody outside the project sees the crop: %v", err)
	}
	if _, err := b.st.CandidateCrop(ctx, labeler, b.item, 0, 0, 9, 9); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a labeler crops any item: %v", err)
	}
	wrong := store.Example{ItemID: b.item + 1, Shows: "yes", W: 1, H: 1}
	if _, ok := errors.AsType[*store.InvalidError](b.st.AddExample(ctx, by, b.scratch, wrong)); !ok {
		t.Error("an example of an item that does not exist was taken")
	}
}
