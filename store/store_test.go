package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/store/storetest"
)

// newStore returns a store over an empty database and an empty bucket.
func newStore(tb testing.TB) (*store.Store, *pgxpool.Pool) {
	tb.Helper()
	pool := storetest.Pool(tb)
	st, err := store.New(pool, storetest.Bucket(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return st, pool
}

var peopleMade atomic.Int64

// newPerson makes a person without a password, who is a member of the projects, and returns them as
// an actor.
func newPerson(tb testing.TB, st *store.Store, role access.Role, projects ...int64) store.Actor {
	tb.Helper()
	id, err := st.AddPerson(tb.Context(), store.System(), store.NewPerson{
		Email: fmt.Sprintf("person-%d@example.org", peopleMade.Add(1)), Role: role,
	})
	if err != nil {
		tb.Fatal(err)
	}
	for _, project := range projects {
		if err := st.AddMember(tb.Context(), store.System(), project, id); err != nil {
			tb.Fatal(err)
		}
	}
	return store.Actor{PersonID: id, Role: role}
}
