package store_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/receipt"
	"fiducial/internal/sealed"
	"fiducial/store"
)

// keyed gives the store an installation's key.
func keyed(t *testing.T, st *store.Store, seed string) {
	t.Helper()
	key, err := receipt.NewKey(strings.NewReader(strings.Repeat(seed, 32)))
	if err != nil {
		t.Fatal(err)
	}
	st.SignWith(key)
}

func consumer(t *testing.T, st *store.Store, name, owner string) int64 {
	t.Helper()
	id, err := st.AddConsumer(t.Context(), store.System(), name, owner)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func notices(t *testing.T, st *store.Store, f store.NoticeFilter) []store.ConsumerNotice {
	t.Helper()
	all, err := st.ConsumerNotices(t.Context(), store.System(), f, 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestConsumersAreToldOfErasures(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 30)
	keyed(t, st, "k")
	owner, err := st.AddPerson(t.Context(), store.System(), store.NewPerson{Email: "team@example.org", Name: "Team", Password: "a long enough password", Role: access.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	version := frozen(t, st, "used", recipeOf("strip"))
	frozen(t, st, "unused", recipeOf("strip"))
	called, told := consumer(t, st, "Nightly training", ""), consumer(t, st, "The team", "Team@example.org")
	secret, err := st.SetConsumerURL(t.Context(), store.System(), called, "https://train.example.org/hook")
	if err != nil || !strings.HasPrefix(secret, "fidhook_") {
		t.Fatal(secret, err)
	}
	for _, id := range []int64{called, told, called} {
		if err := st.RecordConsumer(t.Context(), store.System(), version, id); err != nil {
			t.Fatal(err)
		}
	}
	takenAway(t, pool, "request", `3, 4, 5`)
	var erasure int64
	if err := pool.QueryRow(t.Context(), `SELECT max(id) FROM erasures`).Scan(&erasure); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second tells nobody again
		if err := st.TellConsumers(t.Context(), erasure); err != nil {
			t.Fatal(err)
		}
	}
	all := notices(t, st, store.NoticeFilter{Erasure: erasure})
	if len(all) != 2 || all[0].Lines != 3 || all[1].Lines != 3 {
		t.Fatalf("%+v", all)
	}
	var jobs, inApp int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'tell_consumer'`).Scan(&jobs); err != nil || jobs != 1 {
		t.Errorf("%d calls, %v", jobs, err)
	}
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM notices WHERE kind = 'lines.erased' AND person_id = $1`, owner).Scan(&inApp); err != nil || inApp != 1 {
		t.Errorf("%d notices here, %v", inApp, err)
	}
	waiting := notices(t, st, store.NoticeFilter{Consumer: called})[0]
	call, ok, err := st.CallOf(t.Context(), waiting.ID)
	if err != nil || !ok || call.Secret != secret || len(call.Event.Listed) != 3 || len(call.Event.Listed[0].Leaf) != 64 || !strings.HasPrefix(call.Event.Confirm, "/confirm/") {
		t.Fatalf("%+v, %v, %v", call, ok, err)
	}

	keyed(t, st, "x") // another installation's
	if _, _, err := st.CallOf(t.Context(), waiting.ID); !errors.Is(err, sealed.ErrSealed) {
		t.Errorf("another key opens the secret: %v", err)
	}
	keyed(t, st, "k")
	mark := call.Event.Confirm[strings.LastIndex(call.Event.Confirm, "/")+1:]
	if _, err := st.ConfirmByLink(t.Context(), waiting.ID+1, mark); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a link confirms what it is not of: %v", err)
	}
	if n, err := st.ConfirmByLink(t.Context(), waiting.ID, mark); err != nil || n.ConfirmedAt == nil {
		t.Errorf("%+v, %v", n, err)
	}
	if _, ok, err := st.CallOf(t.Context(), waiting.ID); ok || err != nil {
		t.Errorf("called although confirmed: %v, %v", ok, err)
	}
	open := notices(t, st, store.NoticeFilter{Open: true})
	if len(open) != 1 || open[0].Consumer != "The team" || open[0].State != store.NoticeNoted {
		t.Errorf("%+v", open)
	}
}

func TestWhoMayConfirm(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 10)
	version := frozen(t, st, "used", recipeOf("strip"))
	project := version.Recipe.Projects[0]
	var people []store.Actor
	for _, name := range []string{"owner", "other"} {
		id, err := st.AddPerson(t.Context(), store.System(), store.NewPerson{Email: name + "@example.org", Name: name, Password: "a long enough password", Role: access.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		exec(t, pool, `INSERT INTO members (project_id, person_id) SELECT id, $1 FROM projects WHERE slug = $2`, id, project)
		people = append(people, store.Actor{PersonID: id, Role: access.Viewer})
	}
	id := consumer(t, st, "Job", "owner@example.org")
	if err := st.RecordConsumer(t.Context(), store.System(), version, id); err != nil {
		t.Fatal(err)
	}
	takenAway(t, pool, "expiry", `2`)
	if err := st.TellConsumers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	notice := notices(t, st, store.NoticeFilter{})[0].ID
	if _, err := st.ConfirmNotice(t.Context(), people[1], notice); !errors.Is(err, store.ErrDenied) {
		t.Errorf("somebody else: %v", err)
	}
	if _, err := st.ConfirmNotice(t.Context(), store.Actor{PersonID: 999, Role: access.Viewer}, notice); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("who does not see the version: %v", err)
	}
	n, err := st.ConfirmNotice(t.Context(), people[0], notice)
	if err != nil || n.ConfirmedBy != "owner" {
		t.Errorf("%+v, %v", n, err)
	}
	if again, err := st.ConfirmNotice(t.Context(), store.System(), notice); err != nil || !again.ConfirmedAt.Equal(*n.ConfirmedAt) || again.ConfirmedBy != "owner" {
		t.Errorf("confirmed twice: %+v, %v", again, err)
	}
}

// Many erasures and many downloads at once: everybody is told once of each, and takes part once.
func TestConsumersAtOnce(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 40)
	version := frozen(t, st, "used", recipeOf("strip"))
	id := consumer(t, st, "Job", "")
	for _, item := range []string{"1", "2", "3", "4"} {
		takenAway(t, pool, "request", item)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := st.RecordConsumer(t.Context(), store.System(), version, id); err != nil {
				t.Error(err)
			}
			for erasure := range int64(4) {
				if err := st.TellConsumers(t.Context(), erasure+1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if all := notices(t, st, store.NoticeFilter{Version: version.ID}); len(all) != 4 {
		t.Errorf("%d notices", len(all))
	}
	if uses, err := st.VersionsOf(t.Context(), store.System(), id); err != nil || len(uses) != 1 || uses[0].Open != 4 {
		t.Errorf("%+v, %v", uses, err)
	}
	if err := st.EndConsumer(t.Context(), store.System(), version, id); err != nil {
		t.Fatal(err)
	}
	takenAway(t, pool, "request", "5")
	if err := st.TellConsumers(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if all := notices(t, st, store.NoticeFilter{Erasure: 5}); len(all) != 0 {
		t.Errorf("told although it uses the version no more: %+v", all)
	}
}

func TestConsumersRefuseWhatCannotBeCalled(t *testing.T) {
	t.Parallel()
	st, _ := stocked(t, 1)
	id := consumer(t, st, "Job", "")
	if _, err := st.SetConsumerURL(t.Context(), store.System(), id, "https://train.example.org/"); err == nil || !strings.Contains(err.Error(), "FIDUCIAL_SIGNING_KEY") {
		t.Errorf("a secret without a key: %v", err)
	}
	keyed(t, st, "k")
	for _, address := range []string{"train.example.org", "ftp://train.example.org", "https://", "https://me:pass@train.example.org/", "https://train.example.org/#x", "javascript:alert(1)"} {
		if _, err := st.SetConsumerURL(t.Context(), store.System(), id, address); err == nil {
			t.Errorf("%s is taken", address)
		}
	}
	for name, owner := range map[string]string{"": "", "Job": "", "Other": "nobody@example.org", strings.Repeat("x", 101): ""} {
		if _, err := st.AddConsumer(t.Context(), store.System(), name, owner); err == nil {
			t.Errorf("%q of %q is taken", name, owner)
		}
	}
	if _, err := st.AddConsumer(t.Context(), store.Actor{PersonID: 1, Role: access.Viewer}, "Mine", ""); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a viewer: %v", err)
	}
}
