package store_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestInvitationMakesAnAccountOnce(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	admin := signUp(t, st, "admin@example.org", access.Admin)
	project := newProject(t, st, "strips")
	secret, err := st.Invite(t.Context(), admin, access.Reviewer, []int64{project})
	if err != nil {
		t.Fatal(err)
	}
	n := store.NewPerson{Email: "new@example.org", Name: "New", Password: password, Role: access.Admin} // the link says which role
	person, err := st.AcceptInvitation(t.Context(), secret, n)
	if err != nil {
		t.Fatal(err)
	}
	if person.Role != access.Reviewer || person.Name != "New" {
		t.Errorf("made %+v", person)
	}
	projects, err := st.ProjectsOf(t.Context(), admin, person.ID)
	if err != nil || len(projects) != 1 || projects[0].ID != project {
		t.Errorf("projects %+v, %v", projects, err)
	}
	n.Email = "other@example.org"
	if _, err := st.AcceptInvitation(t.Context(), secret, n); !errors.Is(err, store.ErrGone) {
		t.Errorf("the second use: %v", err)
	}
	if v, err := st.InvitationBySecret(t.Context(), secret); err != nil || v.State != store.InvitationUsed {
		t.Errorf("%+v, %v", v, err)
	}
}

// A refused form leaves the link open; of many who send a good one at once, one gets in.
func TestInvitationIsForOne(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	secret, err := st.Invite(t.Context(), store.System(), access.Labeler, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = st.AcceptInvitation(t.Context(), secret, store.NewPerson{Email: "a@example.org", Password: "short"})
	wantInvalid(t, err, "password")
	signUp(t, st, "taken@example.org", access.Labeler)
	_, err = st.AcceptInvitation(t.Context(), secret, store.NewPerson{Email: "taken@example.org", Password: password})
	wantInvalid(t, err, "email")
	var wg sync.WaitGroup
	var in atomic.Int64
	for _, email := range []string{"a@example.org", "b@example.org", "c@example.org"} {
		wg.Go(func() {
			_, err := st.AcceptInvitation(t.Context(), secret, store.NewPerson{Email: email, Password: password})
			if err == nil {
				in.Add(1)
			} else if !errors.Is(err, store.ErrGone) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 {
		t.Errorf("%d got in", in.Load())
	}
}

func TestResetLink(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	ada := signUp(t, st, "ada@example.org", access.Labeler)
	earlier, err := st.InviteToReset(t.Context(), store.System(), ada.PersonID)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := st.InviteToReset(t.Context(), store.System(), ada.PersonID)
	if err != nil {
		t.Fatal(err)
	}
	const next = "quite another password"
	if _, err := st.AcceptInvitation(t.Context(), earlier, store.NewPerson{Password: next}); !errors.Is(err, store.ErrGone) {
		t.Errorf("the earlier link: %v", err)
	}
	person, err := st.AcceptInvitation(t.Context(), secret, store.NewPerson{Password: next})
	if err != nil {
		t.Fatal(err)
	}
	if person.ID != ada.PersonID || person.SessionGeneration != 2 {
		t.Errorf("got %+v", person)
	}
	if _, err := st.SignIn(t.Context(), "ada@example.org", next); err != nil {
		t.Error(err)
	}
}

func TestInvitationsEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(t *testing.T, st *store.Store, admin store.Actor, exec func(sql string))
		want store.InvitationState
	}{
		{"withdrawn", func(t *testing.T, st *store.Store, admin store.Actor, _ func(string)) {
			t.Helper()
			open, err := st.OpenInvitations(t.Context(), admin, 10)
			if err != nil || len(open) != 1 || open[0].CreatedBy != "Ada Strip" {
				t.Fatalf("%+v, %v", open, err)
			}
			if err := st.RevokeInvitation(t.Context(), admin, open[0].ID); err != nil {
				t.Fatal(err)
			}
		}, store.InvitationRevoked},
		{"too old", func(_ *testing.T, _ *store.Store, _ store.Actor, exec func(string)) {
			exec(`UPDATE invitations SET expires_at = now()`)
		}, store.InvitationExpired},
		{"its maker is no admin any more", func(t *testing.T, st *store.Store, admin store.Actor, _ func(string)) {
			t.Helper()
			if err := st.SetRole(t.Context(), store.System(), admin.PersonID, access.Viewer); err != nil {
				t.Fatal(err)
			}
		}, store.InvitationRevoked},
		{"its maker left", func(t *testing.T, st *store.Store, admin store.Actor, _ func(string)) {
			t.Helper()
			if err := st.Leave(t.Context(), store.System(), admin.PersonID); err != nil {
				t.Fatal(err)
			}
		}, store.InvitationRevoked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st, pool := newStore(t)
			admin := signUp(t, st, "admin@example.org", access.Admin)
			signUp(t, st, "second@example.org", access.Admin)
			secret, err := st.Invite(t.Context(), admin, access.Labeler, nil)
			if err != nil {
				t.Fatal(err)
			}
			tt.end(t, st, admin, func(sql string) {
				if _, err := pool.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			})
			if v, err := st.InvitationBySecret(t.Context(), secret); err != nil || v.State != tt.want {
				t.Errorf("%+v, %v", v, err)
			}
			_, err = st.AcceptInvitation(t.Context(), secret, store.NewPerson{Email: "a@example.org", Password: password})
			if !errors.Is(err, store.ErrGone) {
				t.Errorf("err = %v, want ErrGone", err)
			}
			if open, err := st.OpenInvitations(t.Context(), store.System(), 10); err != nil || len(open) != 0 {
				t.Errorf("%+v, %v", open, err)
			}
		})
	}
}
