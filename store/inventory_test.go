package store_test

import (
	"testing"

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
