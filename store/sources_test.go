package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// keepFor gives a source a retention, lets the dates follow, and returns how many moved.
func keepFor(t *testing.T, f *floor, id int64, days *int) int64 {
	t.Helper()
	source, err := f.Source(t.Context(), System(), id)
	if err != nil {
		t.Fatal(err)
	}
	policy := source.Policy
	policy.RetentionDays = days
	edit := SourceEdit{ID: id, Name: source.Name, Policy: policy, Version: source.Version, Confirmed: true}
	change, err := f.UpdateSource(t.Context(), System(), edit)
	if err != nil {
		t.Fatal(err)
	}
	if change.Version == source.Version {
		return 0
	}
	if err := f.MoveDates(t.Context(), change.ID); err != nil {
		t.Fatal(err)
	}
	var moved int64
	f.scan(t, &moved, `SELECT moved FROM source_changes WHERE id = $1 AND state = 'done'`, change.ID)
	return moved
}

func theSource(t *testing.T, f *floor) Source {
	t.Helper()
	sources, err := f.Sources(t.Context(), System())
	if err != nil || len(sources) == 0 {
		t.Fatalf("%v, %v", sources, err)
	}
	return sources[0]
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 1, 1)
	tests := []struct {
		name   string
		change func(*SourceEdit)
		field  string // that is refused, "" for none
		want   string // open kinds and names
	}{
		{"everything", func(*SourceEdit) {}, "", "exports,consumers,models//"},
		{"kinds in any order, twice", func(e *SourceEdit) { e.OpenTo = []DestinationKind{ToModels, ToExports, ToModels, ToConsumers} }, "", "exports,consumers,models//"},
		{"nothing", func(e *SourceEdit) { e.OpenTo = nil }, "", "//"},
		{"named", func(e *SourceEdit) {
			e.OpenTo, e.Consumers, e.Models = []DestinationKind{ToExports}, []string{" b ", "a", "", "b"}, []string{"steelnet"}
		}, "", "exports/a,b/steelnet"},
		{"names of an open kind", func(e *SourceEdit) { e.Models = []string{"steelnet"} }, "", "exports,consumers,models//"},
		{"a kind that is none", func(e *SourceEdit) { e.OpenTo = []DestinationKind{"moon"} }, "open_to", ""},
		{"a name without end", func(e *SourceEdit) { e.OpenTo, e.Models = nil, []string{strings.Repeat("x", 201)} }, "models", ""},
		{"too many names", func(e *SourceEdit) {
			e.OpenTo = nil
			for i := range 101 {
				e.Consumers = append(e.Consumers, fmt.Sprint(i))
			}
		}, "consumers", ""},
		{"no name", func(e *SourceEdit) { e.Name = " " }, "name", ""},
		{"no day", func(e *SourceEdit) { e.RetentionDays = new(int) }, "retention_days", ""},
		{"for ever", func(e *SourceEdit) { e.RetentionDays = new(36_501) }, "retention_days", ""},
		{"no action", func(e *SourceEdit) { e.ExpiryAction = "archive" }, "expiry_action", ""},
		{"a redaction of pictures", func(e *SourceEdit) { e.ExpiryAction = ExpireRedaction }, "expiry_action", ""},
	}
	for _, tt := range tests {
		source := theSource(t, f)
		edit := SourceEdit{ID: source.ID, Name: source.Name, Policy: DefaultPolicy(nil), Version: source.Version}
		tt.change(&edit)
		_, err := f.UpdateSource(t.Context(), System(), edit)
		inv, refused := errors.AsType[*InvalidError](err)
		if refused != (tt.field != "") || refused && inv.Field != tt.field || !refused && err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		now := theSource(t, f)
		var open []string
		for _, kind := range now.OpenTo {
			open = append(open, string(kind))
		}
		got := strings.Join(open, ",") + "/" + strings.Join(now.Consumers, ",") + "/" + strings.Join(now.Models, ",")
		version := source.Version
		if !now.same(source.Policy) {
			version++
		}
		if !refused && got != tt.want || now.Version != version {
			t.Errorf("%s: %s at version %d after %d", tt.name, got, now.Version, source.Version)
		}
	}
	f.exec(t, `INSERT INTO projects (slug, name, kind, key_secret) VALUES ('calls', 'Calls', 'audio', decode(repeat('07', 32), 'hex'))`)
	source := theSource(t, f)
	edit := SourceEdit{ID: source.ID, Name: "calls", Policy: Policy{ExpiryAction: ExpireRedaction}, Version: source.Version}
	if _, err := f.UpdateSource(t.Context(), System(), edit); err != nil {
		t.Errorf("a redaction where there are transcripts: %v", err)
	}
}

// Saving a policy as it is leaves no trace in its history.
func TestAPolicySavedAsItIsIsNoChange(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 3, 1)
	source := theSource(t, f)
	days := 30
	edit := SourceEdit{ID: source.ID, Name: source.Name, Policy: DefaultPolicy(&days), Version: source.Version, Confirmed: true}
	for range 2 {
		change, err := f.UpdateSource(t.Context(), System(), edit)
		if err != nil {
			t.Fatal(err)
		}
		edit.Version = change.Version
	}
	now := theSource(t, f)
	if changes, err := f.SourceChanges(t.Context(), now, now.Version+1, 10); err != nil || len(changes) != 1 || now.Version != source.Version+1 {
		t.Errorf("version %d: %+v, %v", now.Version, changes, err)
	}
}

// Two admins change one policy at once: one is told, and finds what the other did.
func TestOneOfTwoAdminsIsTold(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 3, 1)
	source := theSource(t, f)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			days := 10 * (i + 1)
			_, errs[i] = f.UpdateSource(t.Context(), System(), SourceEdit{
				ID: source.ID, Name: source.Name, Policy: DefaultPolicy(&days), Version: source.Version, Confirmed: true,
			})
		})
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won < 0:
			won = i
		case !errors.Is(err, ErrConflict):
			t.Errorf("%d: %v", i, err)
		}
	}
	now := theSource(t, f)
	changes, err := f.SourceChanges(t.Context(), now, now.Version+1, 10)
	if err != nil || won < 0 || len(changes) != 1 || *changes[0].After.RetentionDays != 10*(won+1) || changes[0].Before.RetentionDays != nil || now.Version != 2 {
		t.Errorf("%d won: %+v, %v", won, changes, err)
	}
}

// Whatever is changed while the dates of a change before still move, all items end with the dates of the last policy; whoever
// ran which job how often, and whether one was killed between two steps.
func TestDatesFollowTheLastPolicy(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 40, 1)
	f.exec(t, `UPDATE items SET captured_at = date_trunc('day', now()) - id % 7 * interval '1 day', own_retain_until = CASE WHEN id % 3 = 0 THEN now() + interval '9 days' END`)
	random := rand.New(rand.NewPCG(1, 2))
	source := theSource(t, f)
	var changes []int64
	for range 12 {
		var days *int
		if n := random.IntN(4); n > 0 {
			days = new(n * 5)
		}
		now := theSource(t, f)
		change, err := f.UpdateSource(t.Context(), System(), SourceEdit{ID: source.ID, Name: "mill", Policy: DefaultPolicy(days), Version: now.Version, Confirmed: true})
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, change.ID)
		f.addItems(t, 1, 0) // as an import that found the old policy before
		if random.IntN(2) == 0 {
			if _, err := f.moveSome(t.Context(), changes[random.IntN(len(changes))]); err != nil && !strings.Contains(err.Error(), "no rows") {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		for _, id := range changes {
			if err := f.MoveDates(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	var wrong, moving int
	f.scan(t, &wrong, `SELECT count(*) FROM items i JOIN sources s ON s.id = i.source_id
		WHERE i.retain_until IS DISTINCT FROM item_retain_until(i.own_retain_until, i.captured_at, i.imported_at, s.retention_days)`)
	f.scan(t, &moving, `SELECT count(*) FROM source_changes WHERE state = 'moving'`)
	if wrong != 0 || moving != 0 {
		t.Errorf("%d items with another date, %d changes still moving", wrong, moving)
	}
}

// The preview foretells what is due once the shorter retention holds.
func TestThePreviewIsWhatComes(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 100, 1)
	f.exec(t, `UPDATE items SET captured_at = now() - id % 100 * interval '1 day' - interval '1 hour'`)
	f.exec(t, `
		WITH d AS (INSERT INTO datasets (name) VALUES ('strips') RETURNING id),
		v AS (INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash) SELECT id, 1, '{}', 'frozen', '\x01' FROM d RETURNING id),
		r AS (INSERT INTO truths (item_id, import_id) SELECT NULL, NULL WHERE false)
		INSERT INTO dataset_version_counts (version_id, split, items, boxes) SELECT id, 'test', 50, 0 FROM v`)
	f.exec(t, `INSERT INTO imports (project_id, format, purpose, source_id) SELECT p.id, 'coco', 'truth', s.id FROM projects p, sources s`)
	f.exec(t, `INSERT INTO truths (item_id, import_id, current) SELECT i.id, m.id, true FROM items i, imports m`)
	f.exec(t, `INSERT INTO dataset_lines (version_id, position, leaf, split, item_id, truth_id)
		SELECT v.id, t.id, sha256(t.id::text::bytea), CASE WHEN t.id % 2 = 0 THEN 'test' ELSE 'training' END, t.item_id, t.id FROM truths t, dataset_versions v`)
	f.exec(t, `INSERT INTO dataset_version_sources (version_id, source_id, split, items)
		SELECT l.version_id, i.source_id, l.split, count(*) FROM dataset_lines l JOIN items i ON i.id = l.item_id GROUP BY 1, 2, 3`)
	source := theSource(t, f)
	days := 30
	p, err := f.PreviewRetention(t.Context(), System(), source, &days)
	if err != nil {
		t.Fatal(err)
	}
	edit := SourceEdit{ID: source.ID, Name: "mill", Policy: DefaultPolicy(&days), Version: source.Version}
	if _, err := f.UpdateSource(t.Context(), System(), edit); !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("unconfirmed: %v", err)
	}
	keepFor(t, f, source.ID, &days)
	var due, test, later int64
	f.scan(t, &due, `SELECT count(*) FROM items WHERE retain_until <= now()`)
	f.scan(t, &later, `SELECT count(*) FROM items WHERE retain_until > now()`)
	f.scan(t, &test, `SELECT count(*) FROM items i JOIN dataset_lines l ON l.item_id = i.id WHERE i.retain_until <= now() AND l.split = 'test'`)
	if p.Items != 100 || p.AtOnce != due || p.Week+p.Month+p.Quarter+p.Later != later || p.Later != 0 || p.Quarter != 0 || p.First == nil {
		t.Errorf("foretold %+v, and %d are due, %d later", p, due, later)
	}
	if len(p.Splits) != 2 || p.Splits[0].Split != "test" || p.Splits[0].AtOnce != test || p.Splits[0].Size != 50 || p.Splits[0].Dated != 50 {
		t.Errorf("sides %+v, %d of the test set are due", p.Splits, test)
	}
	again, err := f.PreviewRetention(t.Context(), System(), source, &days)
	if err != nil || again.AtOnce != 0 {
		t.Errorf("due twice: %+v, %v", again, err)
	}
}

// A source may keep its data from leaving: then no version with it does, however it is asked for, until an erasure took its share.
func TestAForbiddenDestinationIsRefused(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 2, 1)
	f.exec(t, `INSERT INTO sources (name) VALUES ('other')`)
	f.exec(t, `
		WITH d AS (INSERT INTO datasets (name) VALUES ('strips') RETURNING id)
		INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, frozen_at) SELECT id, 1, '{"projects":["strip"]}', 'frozen', '\x01', now() FROM d`)
	f.exec(t, `INSERT INTO dataset_version_sources (version_id, source_id, split, items) SELECT v.id, s.id, 'test', 3 FROM dataset_versions v, sources s WHERE s.name = 'mill'`)
	version, err := f.DatasetVersion(t.Context(), System(), "strips", 1)
	if err != nil {
		t.Fatal(err)
	}
	allow := func(name string, policy Policy) {
		t.Helper()
		source, err := f.SourceByName(t.Context(), System(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.UpdateSource(t.Context(), System(), SourceEdit{ID: source.ID, Name: name, Policy: policy, Version: source.Version}); err != nil {
			t.Fatal(err)
		}
	}
	named := Policy{ExpiryAction: ExpireDelete, Consumers: []string{"team"}, Models: []string{"steelnet"}}
	allow("other", Policy{ExpiryAction: ExpireDelete}) // has nothing in the version
	allow("mill", named)
	for to, want := range map[Destination]bool{
		{ToExports, ""}: false, {ToConsumers, "team"}: true, {ToConsumers, "elsewhere"}: false, {ToModels, "steelnet"}: true, {ToModels, "team"}: false,
	} {
		err := destinationAllowed(t.Context(), f.pool, version.ID, to)
		inv, refused := errors.AsType[*InvalidError](err)
		if refused == want || refused && (!strings.Contains(inv.Reason, "mill") || strings.Contains(inv.Reason, "other")) {
			t.Errorf("%v: %v", to, err)
		}
	}
	if _, err := f.AddExport(t.Context(), System(), version, ExportAsk{Format: "coco"}); err == nil || !strings.Contains(err.Error(), "data of mill") {
		t.Errorf("an export: %v", err)
	}
	allow("mill", DefaultPolicy(nil))
	export, err := f.AddExport(t.Context(), System(), version, ExportAsk{Format: "coco"})
	if err != nil {
		t.Fatal(err)
	}
	allow("mill", named)
	if _, _, ok, err := f.BeginExport(t.Context(), export.ID); ok || err != nil {
		t.Errorf("an export that was asked for before: %v, %v", ok, err)
	}
	f.exec(t, `UPDATE exports SET state = 'done', bytes = 1, sha256 = '\x01'`)
	if _, _, _, err := f.Download(t.Context(), System(), export.ID); err == nil || !strings.Contains(err.Error(), "data of mill") {
		t.Errorf("an archive that was made before: %v", err)
	}
	f.exec(t, `UPDATE dataset_version_sources SET erased = items`)
	if err := destinationAllowed(t.Context(), f.pool, version.ID, Destination{Kind: ToExports}); err != nil {
		t.Errorf("after the erasure of all: %v", err)
	}
}

// Reviewers and viewers are told of the sources in their projects, and change none.
func TestSourcesOfOthersAreUnknown(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 1, 1)
	f.exec(t, `INSERT INTO sources (name) VALUES ('elsewhere')`)
	member := Actor{PersonID: f.labelers[0].PersonID, Role: access.Viewer}
	stranger := Actor{PersonID: member.PersonID + 1000, Role: access.Reviewer}
	for _, who := range []struct {
		actor Actor
		want  int
	}{{member, 1}, {stranger, 0}, {System(), 2}} {
		sources, err := f.Sources(t.Context(), who.actor)
		lines, lineErr := f.SourceLines(t.Context(), who.actor)
		if err != nil || lineErr != nil || len(sources) != who.want || len(lines) != who.want {
			t.Errorf("%+v is told of %d and %d: %v, %v", who.actor, len(sources), len(lines), err, lineErr)
		}
	}
	source := theSource(t, f) // elsewhere
	if _, err := f.Source(t.Context(), member, source.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := f.UpdateSource(t.Context(), member, SourceEdit{ID: source.ID, Name: "mine"}); !errors.Is(err, ErrDenied) {
		t.Errorf("%v", err)
	}
	if _, err := f.UpdateSource(t.Context(), Actor{TokenID: 1, Role: access.Admin, Scope: f.project.ID}, SourceEdit{ID: source.ID, Name: "mine"}); !errors.Is(err, ErrDenied) {
		t.Errorf("%v", err)
	}
}
