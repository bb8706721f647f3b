package store

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"

	"fiducial/store/storetest"
)

// open are the erasures of policies that wait to be done.
func (g *grave) open(tb testing.TB) (ids []int64) {
	tb.Helper()
	expiries, err := g.Expiries(tb.Context(), System(), 100)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range expiries {
		if e.State == ErasureQueued {
			ids = append(ids, e.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (g *grave) expire(tb testing.TB) Expiry {
	tb.Helper()
	done, err := g.ExpireDue(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

// TestExpiryTakesWhatIsDueAndNothingElse: with a hold, a date that has not come, and items without any.
func TestExpiryTakesWhatIsDueAndNothingElse(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	due, held, later, undated, other := g.bury(t, "due"), g.bury(t, "held"), g.bury(t, "later"), g.bury(t, "undated"), g.bury(t, "other")
	g.exec(t, `UPDATE items SET retain_until = now() - interval '1 hour' WHERE id = ANY($1)`, []int64{due.item, held.item, other.item})
	g.exec(t, `UPDATE items SET retain_until = now() + interval '1 hour' WHERE id = $1`, later.item)
	g.exec(t, `INSERT INTO legal_holds (source_id, reason) VALUES ($1, 'a dispute')`, held.source)

	moving := []int64{due.source, other.source}
	g.exec(t, `INSERT INTO source_changes (source_id, version, before, after, state) SELECT unnest($1::bigint[]), 2, '{}', '{}', 'moving'`, moving)
	if done := g.expire(t); len(done.Erasures) != 0 {
		t.Fatalf("%+v while the dates are moved", done)
	}
	g.exec(t, `UPDATE source_changes SET state = 'done'`)
	if done := g.expire(t); len(done.Erasures) != 2 || done.Items != 2 {
		t.Fatalf("%+v", done)
	}
	if again := g.expire(t); len(again.Erasures) != 0 {
		t.Errorf("a second run made %v", again.Erasures)
	}
	for _, id := range g.open(t) {
		if err := g.RunErasure(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if e := g.erasure(t, id); e.State != ErasureErased || e.Kind != ErasureExpiry || e.Items != 1 || len(e.Receipt) == 0 {
			t.Errorf("%+v", e)
		}
	}
	left := g.one(t, `SELECT count(*) FROM items WHERE id = ANY($1)`, []int64{held.item, later.item, undated.item})
	if gone := g.one(t, `SELECT count(*) FROM items`); gone != 3 || left != 3 {
		t.Errorf("%d items are left, %d of those that should be", gone, left)
	}
	waiting, err := g.HeldDue(t.Context(), System())
	if err != nil || len(waiting) != 1 || waiting[0].SourceID != held.source || waiting[0].Items != 1 {
		t.Errorf("held: %+v, %v", waiting, err)
	}
	if again := g.expire(t); len(again.Erasures) != 0 {
		t.Errorf("a run afterwards made %v", again.Erasures)
	}
	g.exec(t, `UPDATE legal_holds SET lifted_at = now()`)
	if done := g.expire(t); len(done.Erasures) != 1 || done.Items != 1 {
		t.Errorf("once the hold is lifted: %+v", done)
	}
}

// TestExpiryThatIsStoppedGoesOn stops it at each of its commits in turn, as the death of its process would: every source's erasure is
// made once, whole, with its job.
func TestExpiryThatIsStoppedGoesOn(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Private(t))
	var sources []int64
	for _, name := range []string{"a", "b", "c"} {
		sources = append(sources, g.bury(t, name).source)
	}
	g.exec(t, `UPDATE items SET retain_until = now() - interval '1 hour'`)
	g.exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stopped'; END $$`)
	for made, source := range sources {
		// COMMIT itself fails from this source on.
		g.exec(t, `DROP TRIGGER IF EXISTS stop ON erasures`)
		g.exec(t, `CREATE CONSTRAINT TRIGGER stop AFTER INSERT ON erasures DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
			WHEN (NEW.source_id >= `+strconv.FormatInt(source, 10)+`) EXECUTE FUNCTION refuse()`)
		if _, err := g.ExpireDue(t.Context()); err == nil {
			t.Fatalf("source %d: nothing stopped it", source)
		}
		erasures, lists, jobs := g.one(t, `SELECT count(*) FROM erasures`), g.one(t, `SELECT count(*) FROM erasure_lists`), g.one(t, `SELECT count(*) FROM river_job WHERE kind = 'erase'`)
		if int(erasures) != made || lists != erasures || jobs != erasures {
			t.Errorf("stopped at source %d: %d erasures, %d on their lists, %d jobs, want %d", source, erasures, lists, jobs, made)
		}
	}
	g.exec(t, `DROP TRIGGER stop ON erasures`)
	g.expire(t)
	if open := g.open(t); len(open) != len(sources) {
		t.Errorf("in the end %v", open)
	}
}

// TestExpiriesAtOnceListNothingTwice lets several processes expire at the same moment.
func TestExpiriesAtOnceListNothingTwice(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	for _, name := range []string{"a", "b", "c"} {
		g.bury(t, name)
	}
	g.exec(t, `UPDATE items SET retain_until = now() - interval '1 hour'`)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			if _, err := g.ExpireDue(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	if erasures, listed := g.one(t, `SELECT count(*) FROM erasures`), g.one(t, `SELECT count(*) FROM erasure_lists`); erasures != 3 || listed != 3 {
		t.Errorf("%d erasures with %d items, want 3 and 3", erasures, listed)
	}
}

// TestLossesAreAnnouncedOnce: to admins, of test splits of the newest version, two weeks ahead.
func TestLossesAreAnnouncedOnce(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	g.exec(t, `INSERT INTO datasets (name) VALUES ('strips')`)
	for number := range 2 {
		g.exec(t, `INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, frozen_at) SELECT id, $1, '{}', 'frozen', '\x00', now() FROM datasets`, number+1)
	}
	newest := g.one(t, `SELECT max(id) FROM dataset_versions`)
	foretell := func(version int64, split string, days int) {
		t.Helper()
		g.exec(t, `INSERT INTO version_forecasts (version_id, split, frozen, items, held, expiring, wanted, margin, below, below_week, wide, soonest)
			VALUES ($1, $2, 9, 9, 0, 5, 8, 0.05, 'falls', (now() AT TIME ZONE 'UTC')::date + $3::int, 'never_held', (now() AT TIME ZONE 'UTC')::date + $3::int)`, version, split, days)
	}
	told := func() int64 {
		t.Helper()
		if err := g.AnnounceLosses(t.Context()); err != nil {
			t.Fatal(err)
		}
		return g.one(t, `SELECT count(*) FROM notices WHERE kind = 'testset.shrinks' AND object_type = 'dataset_version' AND object_id = $1 AND person_id = $2`, newest, g.admin.PersonID)
	}
	foretell(newest, "training", 3)
	foretell(newest-1, "test", 3)
	foretell(newest, "test", 15)
	if n := told(); n != 0 {
		t.Errorf("told %d times, of what is no test split, not the newest, or later", n)
	}
	g.exec(t, `UPDATE version_forecasts SET below_week = below_week - 1 WHERE version_id = $1 AND split = 'test'`, newest)
	for range 2 {
		if n := told(); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
	}
	g.exec(t, `UPDATE version_forecasts SET below_week = below_week - 7 WHERE version_id = $1 AND split = 'test'`, newest)
	if n := told(); n != 2 {
		t.Errorf("told %d times of a week that has moved", n)
	}
	if n := g.one(t, `SELECT count(*) FROM notices WHERE kind = 'testset.shrinks'`); n != 2 {
		t.Errorf("%d notices: others were told too", n)
	}
}
