package store

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

func TestUpdateProjectChecksTheVersion(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 1, 1)
	edit := ProjectEdit{
		Name: "Strip", Overlap: 2, LeaseMinutes: 10, AcceptsTruth: true, MetadataKeys: []string{" coil ", "", "coil", "line"}, Version: f.project.Version,
	}
	if err := f.UpdateProject(t.Context(), System(), f.project.ID, edit); err != nil {
		t.Fatal(err)
	}
	got, err := f.Project(t.Context(), System(), f.project.Slug)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "Strip" || got.Overlap != 2 || got.LeaseMinutes != 10 || !got.AcceptsTruth || !slices.Equal(got.MetadataKeys, []string{"coil", "line"}) {
		t.Errorf("got %+v", got)
	}
	if s := f.state(t, f.tasks[0], System()); s.Overlap != 2 {
		t.Errorf("the task wants %d answers", s.Overlap)
	}
	if err := f.UpdateProject(t.Context(), System(), f.project.ID, edit); !errors.Is(err, ErrConflict) {
		t.Errorf("a stale version: %v", err)
	}
	edit.Version, edit.LeaseMinutes = got.Version, 0
	edit.Name = " "
	if _, ok := errors.AsType[*InvalidError](f.UpdateProject(t.Context(), System(), f.project.ID, edit)); !ok {
		t.Error("a project without a name was taken")
	}
	if err := f.UpdateProject(t.Context(), Actor{PersonID: 1, Role: access.Reviewer}, f.project.ID, edit); err == nil {
		t.Error("a reviewer changed the settings")
	}
}

func TestArchiveAndRestore(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 1, 1)
	if err := f.ArchiveProject(t.Context(), System(), f.project.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Project(t.Context(), System(), f.project.Slug); !errors.Is(err, ErrNotFound) {
		t.Errorf("an archived project: %v", err)
	}
	if _, err := f.Claim(t.Context(), f.labelers[0], f.project.Slug, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("work in an archived project: %v", err)
	}
	archived, err := f.ArchivedProjects(t.Context(), System())
	if err != nil || len(archived) != 1 {
		t.Errorf("archived: %v, %v", archived, err)
	}
	if err := f.RestoreProject(t.Context(), System(), f.project.Slug); err != nil {
		t.Fatal(err)
	}
	f.mustClaim(t, f.labelers[0])
}

func TestRemoveMemberReturnsTheirLeases(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 2, 1)
	held := f.mustClaim(t, f.labelers[0])
	other := f.mustClaim(t, f.labelers[1])
	if err := f.RemoveMember(t.Context(), System(), f.project.ID, f.labelers[0].PersonID); err != nil {
		t.Fatal(err)
	}
	f.mustHold(t)
	if _, err := f.Claim(t.Context(), f.labelers[0], f.project.Slug, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("who was removed still gets work: %v", err)
	}
	f.mustSubmit(t, f.labelers[1], other)
	if got := f.mustClaim(t, f.labelers[1]); got.Task != held.Task {
		t.Errorf("the returned task %d did not come back, but %d", held.Task, got.Task)
	}
	if err := f.RemoveMember(t.Context(), System(), f.project.ID, f.labelers[0].PersonID); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

// Whatever happens to items and tasks, and whenever the changes are summed up, the counts are those
// that counting would give.
func TestProgressIsWhatCountingGives(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	f := newFloor(t, pool, 0, 4, 1)
	steps := []string{
		`INSERT INTO items (project_id, source_id, key_hash, state) SELECT project_id, source_id, uuid_send(gen_random_uuid()), 'processing' FROM items LIMIT 3`,
		`INSERT INTO tasks (project_id, item_id, overlap) SELECT project_id, id, 1 FROM items ON CONFLICT (item_id) DO NOTHING`,
		`UPDATE items SET state = 'ready' WHERE id % 2 = 0`,
		`UPDATE items SET state = 'broken' WHERE id % 3 = 0`,
		`UPDATE tasks SET state = 'in_review', live = live WHERE id % 2 = 0`,
		`UPDATE tasks SET state = 'adjudicated' WHERE id % 3 = 0`,
		`UPDATE tasks SET state = 'open', priority = 1 WHERE id % 4 = 0`,
		`UPDATE tasks SET state = 'discarded' WHERE id % 5 = 0`,
		`DELETE FROM tasks WHERE id % 7 = 0`,
		`DELETE FROM items i WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.item_id = i.id) AND i.id % 2 = 1`,
	}
	rapid.Check(t, func(rt *rapid.T) {
		f.exec(t, rapid.SampledFrom(steps).Draw(rt, "step"))
		if rapid.Bool().Draw(rt, "sum") {
			if err := f.SumCounts(t.Context()); err != nil {
				rt.Fatal(err)
			}
		}
		var want Progress
		err := pool.QueryRow(t.Context(), `
			SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM items WHERE state IN ('awaiting_media', 'processing')),
				(SELECT count(*) FROM items WHERE state = 'broken'), count(*) FILTER (WHERE state = 'open'),
				count(*) FILTER (WHERE state = 'in_review'), count(*) FILTER (WHERE state = 'adjudicated'), count(*) FILTER (WHERE state = 'discarded')
			FROM tasks`).Scan(&want.Items, &want.Awaiting, &want.Broken, &want.Open, &want.InReview, &want.Done, &want.Discarded)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := f.Progress(t.Context(), System(), []int64{f.project.ID})
		if err != nil {
			rt.Fatal(err)
		}
		if got[f.project.ID] != want {
			rt.Fatalf("got %+v, want %+v", got[f.project.ID], want)
		}
	})
}

// Summing up writes what changed, and nothing else: sources with a hundred weeks each are many rows.
func TestSumCountsLeavesSums(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 4, 1)
	f.exec(t, `UPDATE items SET retain_until = now() + make_interval(weeks => id::int % 3) WHERE id % 2 = 0`)
	sum := func() (places []string) {
		if err := f.SumCounts(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := f.pool.Query(t.Context(), `
			SELECT 'project' || ctid FROM project_counts UNION ALL SELECT 'label' || ctid FROM label_counts UNION ALL SELECT 'source' || ctid FROM retention_counts ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		if places, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			t.Fatal(err)
		}
		return places
	}
	before := sum()
	if after := sum(); len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("without any change the counts at %v were written again at %v", before, after)
	}
}

func TestRetainUntil(t *testing.T) {
	t.Parallel()
	day := func(n int) *time.Time {
		d := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
		return &d
	}
	ninety := 90
	tests := []struct {
		name          string
		own, captured *time.Time
		policy        *int
		want          *time.Time
	}{
		{"nothing", nil, day(0), nil, nil},
		{"own date alone", day(5), day(0), nil, day(5)},
		{"policy from the capture", nil, day(-10), &ninety, day(80)},
		{"policy from the import when the capture is unknown", nil, nil, &ninety, day(90)},
		{"own date is earlier", day(3), day(0), &ninety, day(3)},
		{"policy is earlier", day(300), day(0), &ninety, day(90)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFloor(t, storetest.Pool(t), 0, 1, 1)
			item := f.items[0]
			f.exec(t, `UPDATE items SET imported_at = $1, captured_at = $2`, day(0), tt.captured)
			until := func() (u *time.Time) {
				f.scan(t, &u, `SELECT retain_until FROM items WHERE id = $1`, item)
				return u
			}
			same := func(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }
			var source int64
			f.scan(t, &source, `SELECT id FROM sources`)
			// The policy first, then the item's own date; and the other way round.
			keep := func(days *int) int64 { return keepFor(t, f, source, days) }
			keep(tt.policy)
			if err := f.SetOwnRetention(t.Context(), System(), item, tt.own); err != nil {
				t.Fatal(err)
			}
			if got := until(); !same(got, tt.want) {
				t.Errorf("own date last: %v, want %v", got, tt.want)
			}
			keep(nil)
			if got := until(); !same(got, tt.own) {
				t.Errorf("without the policy: %v, want %v", got, tt.own)
			}
			moved := keep(tt.policy)
			if got := until(); !same(got, tt.want) || (moved == 1) == same(tt.own, tt.want) {
				t.Errorf("policy last: %v, want %v; %d items moved", got, tt.want, moved)
			}
		})
	}
}

func TestAgreementRules(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 0, 0, 2)
	rules := func(change func(*AgreementRules)) *AgreementRules {
		r := DefaultAgreementRules()
		change(&r)
		return &r
	}
	nan := math.NaN()
	tests := []struct {
		name    string
		overlap int
		rules   *AgreementRules
		field   string // that is refused, "" for none
	}{
		{"the defaults", 2, rules(func(*AgreementRules) {}), ""},
		{"all of them", 2, rules(func(r *AgreementRules) { r.AcceptAbove, r.AskBelow = new(0.9), new(0.5) }), ""},
		{"a limit of nothing", 2, rules(func(r *AgreementRules) { r.LooseLimit = 0 }), "loose_limit"},
		{"a limit that is none", 2, rules(func(r *AgreementRules) { r.LooseLimit = nan }), "loose_limit"},
		{"accepts everything", 2, rules(func(r *AgreementRules) { r.AcceptAbove = new(0.0) }), "accept_above"},
		{"a score beyond", 2, rules(func(r *AgreementRules) { r.AcceptAbove = new(1.1) }), "accept_above"},
		{"a score that is none", 2, rules(func(r *AgreementRules) { r.AcceptAbove = &nan }), "accept_above"},
		{"more than all", 2, rules(func(r *AgreementRules) { r.LookShare = 1.5 }), "look_share"},
		{"asks above what it accepts", 2, rules(func(r *AgreementRules) { r.AcceptAbove, r.AskBelow = new(0.5), new(0.6) }), "ask_below"},
		{"asks nobody", 2, rules(func(r *AgreementRules) { r.AskBelow, r.OverlapMost = new(0.6), 2 }), "overlap_most"},
		{"ten answers", 2, rules(func(r *AgreementRules) { r.OverlapMost = 10 }), "overlap_most"},
		{"a single answer", 1, rules(func(r *AgreementRules) { r.AcceptAbove = new(0.9) }), "overlap"},
	}
	for _, tt := range tests {
		project, err := f.Project(t.Context(), System(), f.project.Slug)
		if err != nil {
			t.Fatal(err)
		}
		edit := ProjectEdit{Name: "Strip", Overlap: tt.overlap, LeaseMinutes: 30, Rules: tt.rules, Version: project.Version}
		err = f.UpdateProject(t.Context(), System(), project.ID, edit)
		if refused, ok := errors.AsType[*InvalidError](err); ok != (tt.field != "") || ok && refused.Field != tt.field || !ok && err != nil {
			t.Errorf("%s: %v, want a refusal of %q", tt.name, err, tt.field)
		}
	}
	project, err := f.Project(t.Context(), System(), f.project.Slug)
	if err != nil || !project.same(*tests[1].rules) {
		t.Fatalf("rules %+v, %v", project.AgreementRules, err)
	}
	// Rules that are not given stay, unless they make no sense any more.
	edit := ProjectEdit{Name: "Strip", Overlap: 1, LeaseMinutes: 30, Version: project.Version}
	err = f.UpdateProject(t.Context(), System(), project.ID, edit)
	if refused, ok := errors.AsType[*InvalidError](err); !ok || refused.Field != "overlap" {
		t.Errorf("a single answer beside rules: %v", err)
	}
	var jobs int
	f.scan(t, &jobs, `SELECT count(*) FROM river_job WHERE kind = 'score_project'`)
	if jobs != 1 {
		t.Errorf("%d jobs for one change of the rules", jobs)
	}
}
