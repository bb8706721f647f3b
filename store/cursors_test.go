package store_test

import (
	"math"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// A place behind everything, however far, is one behind which nothing follows.
func TestPlacesBehindEverything(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	admin := store.Actor{Role: access.Admin, TokenID: 1}
	_, lines := st.DatasetLines(t.Context(), store.DatasetVersion{ID: 1}, "", math.MaxInt, 10)
	_, notice := st.NoticeLines(t.Context(), store.ConsumerNotice{}, math.MaxInt, 10)
	_, changes := st.SourceChanges(t.Context(), store.Source{ID: 1}, math.MaxInt, 10)
	_, ofSource := st.AccessRequests(t.Context(), admin, math.MaxInt64, 0, math.MaxInt64, 10)
	_, ofPerson := st.AccessRequests(t.Context(), admin, 0, math.MaxInt64, math.MaxInt64, 10)
	for name, err := range map[string]error{
		"lines of a version": lines, "lines of a notice": notice, "changes of a source": changes, "requests on a source": ofSource, "on a person": ofPerson,
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
