package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestPeople(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	for i, role := range []access.Role{access.Admin, access.Labeler, access.Labeler, access.Viewer} {
		n := store.NewPerson{Email: fmt.Sprintf("p%d@example.org", i), Name: []string{"Zoe", "ada", "Ben", "Ada"}[i], Role: role}
		if _, err := st.AddPerson(t.Context(), store.System(), n); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		filter store.PeopleFilter
		want   string
	}{
		{"all", store.PeopleFilter{}, "ada Ada Ben Zoe"},
		{"by role", store.PeopleFilter{Role: access.Labeler}, "ada Ben"},
		{"by name", store.PeopleFilter{Query: " ADA "}, "ada Ada"},
		{"by address", store.PeopleFilter{Query: "p0@"}, "Zoe"},
		{"a sign that LIKE knows", store.PeopleFilter{Query: "%"}, ""},
		{"who left", store.PeopleFilter{Left: true}, ""},
	}
	for _, tt := range tests {
		var names []string
		for tt.filter.Limit = 1; ; { // a page of one, so that every border between pages is met
			people, err := st.People(t.Context(), store.System(), tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			if len(people) == 0 {
				break
			}
			names = append(names, people[0].Name)
			tt.filter.After = people[0].Place()
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSetRole(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	admin := signUp(t, st, "admin@example.org", access.Admin)
	ada := signUp(t, st, "ada@example.org", access.Labeler)
	wantInvalid(t, st.SetRole(t.Context(), admin, ada.PersonID, "root"), "role")
	if err := st.SetRole(t.Context(), admin, ada.PersonID, access.Reviewer); err != nil {
		t.Fatal(err)
	}
	if _, err := st.SessionPerson(t.Context(), ada.PersonID, 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session under the old role goes on: %v", err)
	}
	person, err := st.SessionPerson(t.Context(), ada.PersonID, 2)
	if err != nil || person.Role != access.Reviewer {
		t.Errorf("%+v, %v", person, err)
	}
	if err := st.SetRole(t.Context(), admin, 999, access.Viewer); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if err := st.SetRole(t.Context(), ada, ada.PersonID, access.Admin); !errors.Is(err, store.ErrDenied) {
		t.Errorf("by a reviewer: %v", err)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	admin := signUp(t, st, "admin@example.org", access.Admin)
	newPerson(t, st, access.Admin) // has no password: could not let anybody in
	wantInvalid(t, st.SetRole(t.Context(), admin, admin.PersonID, access.Viewer), "")
	wantInvalid(t, st.Leave(t.Context(), admin, admin.PersonID), "")
	signUp(t, st, "second@example.org", access.Admin)
	if err := st.Leave(t.Context(), admin, admin.PersonID); err != nil {
		t.Error(err)
	}
}

// Admins who demote each other, or leave, at the same moment leave one behind.
func TestOneAdminStaysWhoeverIsFirst(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	var admins []store.Actor
	for i := range 4 {
		admins = append(admins, signUp(t, st, fmt.Sprintf("admin-%d@example.org", i), access.Admin))
	}
	var wg sync.WaitGroup
	for i, admin := range admins {
		wg.Go(func() {
			other := admins[(i+1)%len(admins)].PersonID
			err := st.Leave(t.Context(), admin, other)
			if i%2 == 0 {
				err = st.SetRole(t.Context(), admin, other, access.Viewer)
			}
			if _, ok := errors.AsType[*store.InvalidError](err); err != nil && !ok && !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	left, err := st.People(t.Context(), store.System(), store.PeopleFilter{Role: access.Admin, Limit: 10})
	if err != nil || len(left) == 0 {
		t.Errorf("%d admins are left, %v", len(left), err)
	}
}

func TestLeave(t *testing.T) {
	t.Parallel()
	st, pool := newStore(t)
	project := newProject(t, st, "strips")
	ada := newPerson(t, st, access.Labeler, project)
	newPerson(t, st, access.Labeler, project) // whose next claim finds what was on the other's desk
	token := leaveWork(t, st, pool, project, ada)
	if err := st.Leave(t.Context(), store.System(), ada.PersonID); err != nil {
		t.Fatal(err)
	}
	if _, err := st.SessionPerson(t.Context(), ada.PersonID, 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session goes on: %v", err)
	}
	person, err := st.PersonByID(t.Context(), store.System(), ada.PersonID)
	if err != nil {
		t.Fatal(err)
	}
	if person.LeftAt == nil || person.Email != "" || !strings.HasPrefix(person.Name, "person-") || len(person.Keys()) != 0 {
		t.Errorf("something of the person is left: %+v", person)
	}
	counts := map[string]int{
		`SELECT count(*) FROM person_identities WHERE person_id = $1`:                                        0,
		`SELECT count(*) FROM members WHERE person_id = $1`:                                                  0,
		`SELECT count(*) FROM annotations WHERE person_id = $1`:                                              1,
		`SELECT count(*) FROM assignments WHERE person_id = $1 AND state = 'cancelled'`:                      3,
		`SELECT count(*) FROM assignments WHERE person_id = $1 AND state = 'submitted'`:                      1,
		`SELECT count(*) FROM tasks WHERE state = 'open' AND live + votes < overlap AND $1 > 0`:              3,
		`SELECT count(*) FROM queue_cursors WHERE task_id = (SELECT min(id) FROM tasks) AND person_id <> $1`: 1,
	}
	for sql, want := range counts {
		var got int
		if err := pool.QueryRow(t.Context(), sql, ada.PersonID).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", sql, got, err, want)
		}
	}
	if _, err := st.TokenActor(t.Context(), token); err != nil {
		t.Errorf("the token that they made: %v", err)
	}
	made, err := st.Tokens(t.Context(), store.System(), store.TokenFilter{CreatedBy: ada.PersonID, Limit: 10})
	if err != nil || len(made) != 1 || made[0].CreatedBy != person.Name {
		t.Errorf("tokens made by them: %+v, %v", made, err)
	}
	if err := st.Leave(t.Context(), store.System(), ada.PersonID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("leaving twice: %v", err)
	}
}

func newProject(t *testing.T, st *store.Store, slug string) int64 {
	t.Helper()
	project, err := st.AddProject(t.Context(), store.System(), store.NewProject{Slug: slug, Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	return project.ID
}

// leaveWork gives a person a lease that runs, one that ran out, a rework and a submitted answer, and
// an API token that they made.
func leaveWork(t *testing.T, st *store.Store, pool *pgxpool.Pool, project int64, actor store.Actor) (token string) {
	t.Helper()
	args := pgx.NamedArgs{"project": project, "person": actor.PersonID}
	for _, sql := range []string{
		`INSERT INTO sources (name) VALUES ('line 1')`,
		`INSERT INTO items (project_id, source_id, key_hash)
			SELECT @project, s.id, state::bytea FROM sources s, unnest(ARRAY['leased', 'expired', 'returned', 'submitted']) state`,
		`INSERT INTO tasks (project_id, item_id, overlap, live, votes)
			SELECT @project, id, 1, (key_hash IN ('leased', 'returned'))::int, (key_hash = 'submitted')::int FROM items`,
		`INSERT INTO assignments (task_id, project_id, person_id, state, lease_until)
			SELECT t.id, @project, @person, encode(i.key_hash, 'escape'), CASE i.key_hash WHEN 'leased' THEN now() + interval '1 hour' END
			FROM tasks t JOIN items i ON i.id = t.item_id`,
		`INSERT INTO queue_cursors (project_id, person_id, priority, task_id) SELECT @project, p.id, 0, 1000 FROM people p WHERE p.id <> @person`,
		`INSERT INTO annotations (assignment_id, task_id, item_id, person_id)
			SELECT a.id, a.task_id, t.item_id, @person FROM assignments a JOIN tasks t ON t.id = a.task_id WHERE a.state = 'submitted'`,
	} {
		if _, err := pool.Exec(t.Context(), sql, args); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.SetKeys(t.Context(), actor, map[string]string{"draw": "q"}); err != nil {
		t.Fatal(err)
	}
	maker := store.Actor{PersonID: actor.PersonID, Role: access.Admin} // as they were when they made it
	_, token, err := st.AddToken(t.Context(), maker, store.NewToken{Name: "nightly import", Role: access.Admin})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Whoever is bound to one project manages nobody, whatever their role.
func TestBoundTokensManageNobody(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	bound := store.Actor{TokenID: 1, Role: access.Admin, Scope: newProject(t, st, "strips")}
	_, people := st.People(t.Context(), bound, store.PeopleFilter{})
	_, invite := st.Invite(t.Context(), bound, access.Admin, nil)
	_, _, token := st.AddToken(t.Context(), bound, store.NewToken{Name: "x", Role: access.Admin})
	_, audit := st.AuditEvents(t.Context(), bound, store.AuditFilter{})
	_, project := st.AddProject(t.Context(), bound, store.NewProject{Slug: "another", Kind: "image"})
	for _, err := range []error{people, invite, token, audit, project} {
		if !errors.Is(err, store.ErrDenied) {
			t.Errorf("err = %v, want ErrDenied", err)
		}
	}
}

// Audit details name ids, roles and counts, never what somebody is called or knows.
func TestAuditHoldsNoContent(t *testing.T) {
	t.Parallel()
	st, pool := newStore(t)
	admin := signUp(t, st, "secret-admin@example.org", access.Admin)
	ada := signUp(t, st, "secret-ada@example.org", access.Labeler)
	secret, err := st.Invite(t.Context(), admin, access.Labeler, []int64{newProject(t, st, "secret-project")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = st.AcceptInvitation(t.Context(), secret, store.NewPerson{Email: "secret-new@example.org", Name: "Secret Name", Password: "secret password"})
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := st.AddToken(t.Context(), admin, store.NewToken{Name: "secret token", Role: access.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		st.Rename(t.Context(), ada, "Secret Ada"), st.SetKeys(t.Context(), ada, map[string]string{"draw": "q"}),
		st.SetRole(t.Context(), admin, ada.PersonID, access.Viewer), st.Leave(t.Context(), admin, ada.PersonID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	rows, err := pool.Query(t.Context(), `SELECT action, detail FROM audit_events`)
	if err != nil {
		t.Fatal(err)
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		Action string
		Detail json.RawMessage
	}])
	if err != nil || len(events) < 9 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for _, ev := range events {
		for _, content := range []string{"secret", "Secret", "example.org", token, secret} {
			if strings.Contains(string(ev.Detail), content) {
				t.Errorf("%s: %s", ev.Action, ev.Detail)
			}
		}
	}
}

// What others do to the work of somebody who left makes no figures of them anew.
func TestNoFiguresOfWhoLeft(t *testing.T) {
	t.Parallel()
	st, pool := newStore(t)
	project := newProject(t, st, "strips")
	ada := newPerson(t, st, access.Labeler, project)
	leaveWork(t, st, pool, project, ada)
	figures := func() (n int) {
		if err := st.RefreshLabeler(t.Context(), project, ada.PersonID); err != nil {
			t.Fatal(err)
		}
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM labeler_figures`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if figures() == 0 {
		t.Fatal("no figures of who is here")
	}
	if err := st.Leave(t.Context(), store.System(), ada.PersonID); err != nil {
		t.Fatal(err)
	}
	if n := figures(); n != 0 {
		t.Errorf("%d rows of figures", n)
	}
}
