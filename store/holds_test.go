package store

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// previewed is a request for a source, up to its preview.
func (g *grave) previewed(tb testing.TB, source int64) Erasure {
	tb.Helper()
	e, err := g.PreviewErasure(tb.Context(), g.admin, ErasureRequest{Scope: ScopeSource, Source: source, Reason: "Ticket 18"})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func (g *grave) hold(tb testing.TB, n NewHold) int64 {
	tb.Helper()
	n.Reason = "Case 4"
	id, err := g.PlaceHold(tb.Context(), g.admin, n)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// A hold on any part of a request stops all of it, until it is lifted.
func TestHoldStopsARequest(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	first := g.bury(t, "xcanaryx")
	second := buried{canary: "second", source: first.source, group: first.group}
	g.fillItem(t, &second)
	for _, n := range []NewHold{{Source: first.source}, {Group: first.group}, {Item: second.item}} {
		hold := g.hold(t, n)
		if _, err := g.PlaceHold(t.Context(), g.admin, NewHold{Source: n.Source, Group: n.Group, Item: n.Item, Reason: "again"}); err == nil {
			t.Errorf("%+v was held twice", n)
		}
		e := g.previewed(t, first.source)
		for range 2 { // what is held stays so
			if e.State != ErasureHeld {
				if err := g.ConfirmErasure(t.Context(), g.admin, e.ID); err != nil {
					t.Fatal(err)
				}
			}
			if err := g.RunErasure(t.Context(), e.ID); err != nil {
				t.Fatal(err)
			}
			e = g.erasure(t, e.ID)
			if e.State != ErasureHeld || e.HoldID != hold || e.DoneItems != 0 {
				t.Fatalf("under %+v it is %s by hold %d, %d items gone", n, e.State, e.HoldID, e.DoneItems)
			}
		}
		holds, err := g.LegalHolds(t.Context(), g.admin, false, 10)
		if err != nil || len(holds) != 1 || len(holds[0].Erasures) != 1 || holds[0].Erasures[0] != e.ID {
			t.Errorf("the holds are %+v, %v", holds, err)
		}
		g.exec(t, `DELETE FROM river_job`)
		if err := g.LiftHold(t.Context(), g.admin, hold, "Settled"); err != nil {
			t.Fatal(err)
		}
		if n := g.one(t, `SELECT count(*) FROM river_job WHERE kind = 'erase'`); n != 1 || g.erasure(t, e.ID).State != ErasureQueued {
			t.Errorf("lifting queues %d jobs", n)
		}
		g.exec(t, `UPDATE erasures SET state = 'cancelled' WHERE id = $1`, e.ID)
		g.exec(t, `DELETE FROM erasure_lists`)
	}
	if e := g.erase(t, first.source); e.State != ErasureErased || e.DoneItems != 2 {
		t.Errorf("after all were lifted it is %s, %d items", e.State, e.DoneItems)
	}
	if _, err := g.PlaceHold(t.Context(), g.admin, NewHold{Item: first.item, Reason: "late"}); err == nil {
		t.Error("an erased item was held")
	}
	if _, err := g.PlaceHold(t.Context(), Actor{Role: access.Reviewer, PersonID: 1}, NewHold{Source: first.source, Reason: "x"}); !errors.Is(err, ErrDenied) {
		t.Errorf("a reviewer may hold: %v", err)
	}
}

// An expiry goes past what is held, stays open with it, and goes on by itself.
func TestExpiryGoesPastHolds(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	first := g.bury(t, "xcanaryx")
	second := buried{canary: "second", source: first.source, group: first.group}
	g.fillItem(t, &second)
	hold := g.hold(t, NewHold{Item: first.item})
	var id int64
	err := g.inTx(t.Context(), func(tx pgx.Tx) (err error) {
		id, _, err = g.expireItems(t.Context(), tx, first.source, []int64{first.item, second.item}, "Policy")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.RunErasure(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	e := g.erasure(t, id)
	if e.State != ErasureHeld || e.DoneItems != 1 || e.HoldID != hold {
		t.Fatalf("it is %s, %d items gone: %s", e.State, e.DoneItems, e.Error)
	}
	left, err := g.HeldItems(t.Context(), g.admin, id, 10)
	if err != nil || len(left) != 1 || left[0].Item != first.item || left[0].Hold != hold {
		t.Errorf("left are %+v, %v", left, err)
	}
	// The next day's expiry leaves to this one what it has on its list.
	err = g.inTx(t.Context(), func(tx pgx.Tx) (err error) {
		again, listed, err := g.expireItems(t.Context(), tx, first.source, []int64{first.item}, "Policy")
		if again != 0 || listed != 0 {
			t.Errorf("%d lists %d items again", again, listed)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.LiftHold(t.Context(), g.admin, hold, "Settled"); err != nil {
		t.Fatal(err)
	}
	if err := g.RunErasure(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if e := g.erasure(t, id); e.State != ErasureErased || e.DoneItems != 2 {
		t.Errorf("it is %s, %d items gone", e.State, e.DoneItems)
	}
}
