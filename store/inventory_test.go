package store_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/store"
	"fiducial/store/storetest"
)

// An erasure can only be whole if the inventory is: every column of the schema must be in it, once.
func TestInventoryIsTheSchema(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	listed := map[string]int{}
	for _, place := range store.Inventory() {
		for _, column := range place.Columns {
			listed[place.Table+"."+column]++
		}
		if (place.Of == store.OfNobody) != (place.Erasure == "") {
			t.Errorf("%s %v: say how it is erased, or that it holds nobody's trace", place.Table, place.Columns)
		}
	}
	var columns []string
	err := pool.QueryRow(t.Context(), `
		SELECT array_agg(table_name || '.' || column_name ORDER BY table_name, ordinal_position)
		FROM information_schema.columns c
		WHERE table_schema = 'public' AND table_name NOT LIKE 'river\_%' AND table_name <> 'goose_db_version'
		  AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.table_name::regclass)`).Scan(&columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range columns {
		if listed[column] != 1 {
			t.Errorf("%s stands in the inventory %d times: add it to store/inventory.go, with how it is erased", column, listed[column])
		}
		delete(listed, column)
	}
	for column := range listed {
		t.Errorf("%s is in the inventory but not in the schema", column)
	}
}

// clearings are the ways that the erasure of an item knows.
var clearings = []store.Clearing{
	store.TheItem, store.ByItem, store.ByItemRewritten, store.ByTask, store.ByAssignment, store.ByAnnotation, store.ByPrediction, store.ByReview, store.ByTruth, store.ByComment,
	store.AboutIt, store.WithGroup, store.WithRecording, store.ByImport, store.LineEmptied, store.WithArchive, store.OnceDone, store.Recomputed,
}

// What holds an item's trace says in words that the code knows how it is cleared.
func TestEveryPlaceOfAnItemCanBeCleared(t *testing.T) {
	t.Parallel()
	for _, place := range store.Inventory() {
		if place.Of == store.OfItem && !slices.Contains(clearings, place.Erasure) {
			t.Errorf("%s: %q is no way of clearing: take one of those in store/inventory.go, such as ByItem", place.Table, place.Erasure)
		}
	}
}

// An erasure goes through the inventory from its end: whatever refers to a row must stand below it, and be found by an index.
func TestErasuresFindWhatRefersFirst(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	at := map[string]int{}
	for i, place := range store.Inventory() {
		if place.Of == store.OfItem {
			at[place.Table] = i
		}
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := pool.Query(t.Context(), `
		SELECT conrelid::regclass::text, confrelid::regclass::text, confdeltype = 'n', conname, EXISTS (
			SELECT FROM pg_index x WHERE x.indrelid = conrelid AND x.indkey[0] = conkey[1]
			  AND (x.indpred IS NULL OR pg_get_expr(x.indpred, x.indrelid) = '(' || quote_ident(a.attname) || ' IS NOT NULL)'))
		FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = conkey[1] WHERE contype = 'f' AND conparentid = 0`)
	if err != nil {
		t.Fatal(err)
	}
	var child, parent, name string
	var sets, indexed bool
	_, err = pgx.ForEachRow(rows, []any{&child, &parent, &sets, &name, &indexed}, func() error {
		below, isPlace := at[child]
		above, goes := at[parent]
		switch {
		case !goes || child == parent:
		case !isPlace:
			t.Errorf("%s: rows of %s go with an item, and %s refers to them: say in the inventory how its rows go", name, parent, child)
		case below < above && !sets:
			t.Errorf("%s: %s stands above %s in the inventory, so that an erasure would delete what it refers to first", name, child, parent)
		}
		if goes && !indexed {
			t.Errorf("%s: no index finds the rows of %s that refer to a row of %s", name, child, parent)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
