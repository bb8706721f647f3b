package store

import (
	"errors"
	"strings"
	"testing"

	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// An erasure takes the archives of what is held on the source with it, and has one that is being written begin again.
func TestAnErasureTakesWhatWasHandedOut(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	gone, kept := g.bury(t, "xcanaryx"), g.bury(t, "yfinchy")
	ask := func(source int64, media bool) AccessRequest {
		request, err := g.AddAccess(t.Context(), System(), NewAccess{SourceID: source, Media: media})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := g.BeginAccess(t.Context(), request.ID); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, err := g.blobs.Put(t.Context(), request.Blob(), strings.NewReader("held"), 4, "application/zip"); err != nil {
			t.Fatal(err)
		}
		return request
	}
	done, other, writing := ask(gone.source, false), ask(kept.source, false), ask(gone.source, true)
	for _, request := range []AccessRequest{done, other} {
		if err := g.FinishAccess(t.Context(), request.ID, Archive{Bytes: 4, SHA256: []byte{1}}, 1); err != nil {
			t.Fatal(err)
		}
	}
	if e := g.erase(t, gone.source); e.State != ErasureErased || e.Proof.Total() != 0 {
		t.Fatalf("%s, %+v", e.State, e.Proof)
	}
	if err := g.FinishAccess(t.Context(), writing.ID, Archive{Bytes: 4, SHA256: []byte{1}}, 1); !errors.Is(err, ErrConflict) {
		t.Errorf("what was being written is done with the erased in it: %v", err)
	}
	for _, tt := range []struct {
		request AccessRequest
		state   string
		object  bool
	}{{done, AccessDeleted, false}, {other, AccessDone, true}, {writing, AccessQueued, true}} {
		now, err := g.AccessRequest(t.Context(), System(), tt.request.ID)
		if err != nil || now.State != tt.state {
			t.Errorf("%d is %s, want %s: %v", now.ID, now.State, tt.state, err)
		}
		if _, err := g.blobs.Stat(t.Context(), now.Blob()); errors.Is(err, blob.ErrNotFound) == tt.object {
			t.Errorf("object of %d: %v", now.ID, err)
		}
	}
}
