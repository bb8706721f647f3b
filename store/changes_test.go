package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/github"
	"fiducial/store"
)

func TestTheTimelineIsInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	day := func(d int) time.Time { return time.Date(2026, 3, d, 12, 0, 0, 0, time.UTC) }
	for _, n := range []store.NewChange{
		{At: day(2), Title: "second"},
		{At: day(5), Title: "last", Kind: store.Intervention, System: "asr"},
		{At: day(1), Title: "first"},
		{At: day(3), Title: " third ", URL: "https://example.org/3"},
	} {
		if _, err := st.AddChange(t.Context(), store.System(), n); err != nil {
			t.Fatal(err)
		}
	}
	titles := func(f store.ChangeFilter, limit int) (all string, last int64) {
		t.Helper()
		changes, err := st.Changes(t.Context(), store.System(), f, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			all, last = all+c.Title+" ", c.ID
		}
		return strings.TrimSpace(all), last
	}
	page, last := titles(store.ChangeFilter{}, 2)
	rest, _ := titles(store.ChangeFilter{Before: last}, 9)
	if page != "last third" || rest != "second first" {
		t.Errorf("%q, then %q", page, rest)
	}
	for want, f := range map[string]store.ChangeFilter{
		"last": {Kind: store.Intervention}, "third second": {From: day(2), To: day(5)}, "": {System: "nlp"},
	} {
		if got, _ := titles(f, 9); got != want {
			t.Errorf("%+v: %q", f, got)
		}
	}
	ticks, err := st.Ticks(t.Context(), store.System(), day(1), day(4))
	if err != nil || len(ticks) != 3 || ticks[0].Title != "first" || ticks[2].URL != "https://example.org/3" {
		t.Errorf("%+v, %v", ticks, err)
	}
}

func TestAChangeIsCheckedAndToldOnce(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	for field, n := range map[string]store.NewChange{
		"title": {Title: " "}, "kind": {Title: "a", Kind: "idea"}, "at": {Title: "a", At: time.Now().AddDate(0, 0, 3)}, "url": {Title: "a", URL: "ftp://example.org"},
		"release": {Title: "a", Release: "asr@9"}, "body": {Title: "a", Body: strings.Repeat("b", 5001)},
	} {
		_, err := st.AddChange(t.Context(), store.System(), n)
		if inv, ok := errors.AsType[*store.InvalidError](err); !ok || inv.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	reviewer := store.Actor{Role: access.Reviewer, PersonID: personOf(t, st, access.Reviewer)}
	other := store.Actor{Role: access.Reviewer, PersonID: personOf(t, st, access.Reviewer)}
	first, err := st.AddChange(t.Context(), reviewer, store.NewChange{Title: "Deployed", Key: "7"})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := st.AddChange(t.Context(), other, store.NewChange{Title: "Deployed again", Key: "7"}); err != nil || again != first {
		t.Errorf("%d, %v: want %d", again, err, first)
	}
	if err := st.RemoveChange(t.Context(), other, first); !errors.Is(err, store.ErrDenied) {
		t.Errorf("another reviewer removes it: %v", err)
	}
	if _, err := st.AddChange(t.Context(), store.Actor{Role: access.Viewer}, store.NewChange{Title: "a"}); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a viewer writes: %v", err)
	}
	if err := st.RemoveChange(t.Context(), reviewer, first); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Change(t.Context(), reviewer, first); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed, and there: %v", err)
	}
}

// personOf makes somebody of a role.
func personOf(t *testing.T, st *store.Store, role access.Role) int64 {
	t.Helper()
	id, err := st.AddPerson(t.Context(), store.System(), store.NewPerson{
		Email: fmt.Sprintf("%s-%d@example.org", role, time.Now().UnixNano()), Name: "Somebody", Password: "a long enough password", Role: role,
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAReleaseIsOnTheTimeline(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	if _, err := st.AddModel(t.Context(), store.System(), "asr", "asr"); err != nil {
		t.Fatal(err)
	}
	if _, err := st.ReleaseModel(t.Context(), store.System(), "asr", "2.0"); err != nil {
		t.Fatal(err)
	}
	changes, err := st.Changes(t.Context(), store.System(), store.ChangeFilter{}, 9)
	if err != nil || len(changes) != 1 || changes[0].Title != "asr@2.0 was released" || changes[0].Release != "asr@2.0" || changes[0].System != "asr" {
		t.Errorf("%+v, %v", changes, err)
	}
}

const (
	deploying = `{"deployment":{"id":7,"sha":"0123","ref":"main","environment":"production","created_at":"2026-03-01T10:00:00Z"},` +
		`"repository":{"full_name":"acme/asr","html_url":"https://github.com/acme/asr"}}`
	deployed = `{"deployment_status":{"state":"success","created_at":"2026-03-01T10:05:00Z"},` + `"deployment":{"id":7,"sha":"0123","ref":"main",` +
		`"environment":"production","created_at":"2026-03-01T10:00:00Z"},"repository":{"full_name":"acme/asr","html_url":"https://github.com/acme/asr"}}`
)

func TestGitHubTellsOfADeploymentOnce(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	keyed(t, st, "k")
	hook, secret, err := st.AddHook(t.Context(), store.System(), "acme/asr", "")
	if err != nil {
		t.Fatal(err)
	}
	call := func(event, body string) (int64, error) {
		return st.HookCalled(t.Context(), hook, event, github.Sign(secret, []byte(body)), []byte(body))
	}
	var ids []int64
	for _, c := range [][2]string{{"deployment", deploying}, {"deployment_status", deployed}, {"deployment", deploying}, {"deployment_status", deployed}} {
		id, err := call(c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if ids[0] == 0 || ids[1] != ids[0] || ids[2] != ids[0] || ids[3] != ids[0] {
		t.Errorf("changes %v", ids)
	}
	change, err := st.Change(t.Context(), store.System(), ids[0])
	if err != nil || change.Title != "Deployed acme/asr main to production" || change.At.UTC().Format("15:04") != "10:05" || change.System != "acme/asr" || change.Origin != store.FromGitHub {
		t.Errorf("%+v, %v", change, err)
	}
	if id, err := call("ping", `{}`); id != 0 || err != nil {
		t.Errorf("ping: %d, %v", id, err)
	}
	if _, err := st.HookCalled(t.Context(), hook, "deployment", github.Sign("guessed", []byte(deploying)), []byte(deploying)); !errors.Is(err, store.ErrSignature) {
		t.Errorf("another's signature: %v", err)
	}
	if err := st.RevokeHook(t.Context(), store.System(), hook); err != nil {
		t.Fatal(err)
	}
	if _, err := call("deployment", deploying); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("closed: %v", err)
	}
}
