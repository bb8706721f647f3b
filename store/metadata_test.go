package store

import (
	"testing"

	"fiducial/store/storetest"
)

// What was kept under a key goes with the key, from every item of the project and from no other.
func TestKeysTakenAwayTakeTheirValues(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	f := newFloor(t, pool, 0, 3, 1)
	f.label(t, "a", "b", "c")
	f.exec(t, `UPDATE projects SET metadata_keys = '{camera,side}'`)
	f.exec(t, `UPDATE item_texts SET metadata = '{"camera":"3","side":"top"}' WHERE item_id = $1`, f.items[0])
	f.exec(t, `UPDATE item_texts SET metadata = '{"side":"top"}' WHERE item_id = $1`, f.items[1])
	edit := ProjectEdit{Name: "Strip", Overlap: 1, LeaseMinutes: 30, MetadataKeys: []string{"side", "camera", "coil"}, Version: f.project.Version}
	if err := f.UpdateProject(t.Context(), System(), f.project.ID, edit); err != nil {
		t.Fatal(err)
	}
	var jobs int
	f.scan(t, &jobs, `SELECT count(*) FROM river_job WHERE kind = 'drop_metadata'`)
	if jobs != 0 {
		t.Fatalf("%d jobs although no key was taken away", jobs)
	}
	edit.MetadataKeys, edit.Version = []string{"side"}, edit.Version+1
	if err := f.UpdateProject(t.Context(), System(), f.project.ID, edit); err != nil {
		t.Fatal(err)
	}
	f.scan(t, &jobs, `SELECT count(*) FROM river_job WHERE kind = 'drop_metadata' AND (args->>'project_id')::bigint = $1`, f.project.ID)
	if jobs != 1 {
		t.Fatalf("%d jobs", jobs)
	}
	for _, want := range []int{1, 0} {
		if dropped, err := f.DropMetadata(t.Context(), f.project.ID); err != nil || dropped != want {
			t.Fatalf("dropped from %d items, want %d: %v", dropped, want, err)
		}
	}
	var kept string
	f.scan(t, &kept, `SELECT string_agg(metadata::text, ' ' ORDER BY item_id) FROM item_texts`)
	if kept != `{"side": "top"} {"side": "top"} {}` {
		t.Errorf("kept %s", kept)
	}
}
