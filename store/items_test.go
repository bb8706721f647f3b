package store

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// label gives an item the key, and every third a truth with a box of the class.
func (f *floor) label(tb testing.TB, keys ...string) {
	tb.Helper()
	f.exec(tb, `INSERT INTO imports (project_id, format, purpose, source_id) SELECT $1, 'voc', 'truth', id FROM sources`, f.project.ID)
	for i, item := range f.items {
		f.exec(tb, `INSERT INTO item_texts (item_id, external_key) VALUES ($1, $2)`, item, keys[i%len(keys)]+strconv.Itoa(i))
		if i%3 == 0 {
			var truth int64
			f.scan(tb, &truth, `INSERT INTO truths (item_id, import_id) SELECT $1, max(id) FROM imports RETURNING id`, item)
			f.exec(tb, `INSERT INTO truth_boxes (truth_id, position, class_id, x, y, w, h) VALUES ($1, 0, $2, 1, 2, 3, 4), ($1, 1, $2, 5, 6, 7, 8)`, truth, f.class)
		}
	}
}

func TestItemsPageByPage(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 20, 1)
	f.label(t, "strip/a", "strip/B", "plate/")
	f.exec(t, `UPDATE tasks SET state = 'in_review' WHERE item_id % 2 = 0`)
	f.exec(t, `UPDATE items SET state = 'broken' WHERE id % 10 = 0`)
	f.exec(t, `INSERT INTO groups (source_id, name) SELECT id, 'coil 7' FROM sources`)
	f.exec(t, `UPDATE items SET group_id = (SELECT id FROM groups) WHERE id % 4 = 0`)
	var source int64
	f.scan(t, &source, `SELECT id FROM sources`)
	all := func(keep func(i int, id int64) bool) (ids []int64) {
		for i, id := range f.items {
			if keep(i, id) {
				ids = append(ids, id)
			}
		}
		return ids
	}
	tests := []struct {
		name   string
		filter ItemFilter
		want   []int64
	}{
		{"all", ItemFilter{}, f.items},
		{"task state", ItemFilter{State: "in_review"}, all(func(_ int, id int64) bool { return id%2 == 0 })},
		{"item state", ItemFilter{State: "broken"}, all(func(_ int, id int64) bool { return id%10 == 0 })},
		{"none in this state", ItemFilter{State: "discarded"}, nil},
		{"class", ItemFilter{Class: f.class}, all(func(i int, _ int64) bool { return i%3 == 0 })},
		{"class and state", ItemFilter{Class: f.class, State: "open"}, all(func(i int, id int64) bool { return i%3 == 0 && id%2 == 1 })},
		{"group", ItemFilter{Group: "coil 7"}, all(func(_ int, id int64) bool { return id%4 == 0 })},
		{"source", ItemFilter{Source: source}, f.items},
		{"another source", ItemFilter{Source: source + 1}, nil},
		{"class and a state that few have", ItemFilter{Class: f.class, State: "in_review"}, all(func(i int, id int64) bool { return i%3 == 0 && id%2 == 0 })},
		{"another project's class", ItemFilter{Class: f.class + 1}, nil},
		{"key and class", ItemFilter{KeyPrefix: "strip/a", Class: f.class}, all(func(i int, _ int64) bool { return i%3 == 0 })},
		{"key, case counts", ItemFilter{KeyPrefix: "strip/b"}, nil},
		{"a key with LIKE's signs", ItemFilter{KeyPrefix: "strip%"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.filter.Project, tt.filter.Limit = f.project.ID, 3
			var got []int64
			for page := 0; ; page++ {
				items, err := f.Items(t.Context(), System(), tt.filter)
				if err != nil {
					t.Fatal(err)
				}
				if len(items) == 0 || page > len(f.items) {
					break
				}
				for _, item := range items {
					got = append(got, item.ID)
				}
				tt.filter.After = got[len(got)-1]
			}
			if back := f.backwards(t, tt.filter, got); !slices.Equal(back, got) {
				t.Errorf("backwards %v, forwards %v", back, got)
			}
			if tt.filter.KeyPrefix != "" {
				slices.Sort(got) // the order is that of the keys
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// backwards reads what the filter selects from its last item, the last of forwards, to its first.
func (f *floor) backwards(t *testing.T, filter ItemFilter, forwards []int64) (got []int64) {
	t.Helper()
	if len(forwards) == 0 {
		return nil
	}
	got = forwards[len(forwards)-1:]
	for range forwards {
		filter.After, filter.Before = 0, got[0]
		items, err := f.Items(t.Context(), System(), filter)
		if err != nil {
			t.Fatal(err)
		}
		page := make([]int64, len(items))
		for i, item := range items {
			page[i] = item.ID
		}
		got = append(page, got...)
	}
	return got
}

func TestItemsAreForThoseWhoReadThem(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 2, 1)
	var outside, member int64
	f.exec(t, `INSERT INTO sources (name) VALUES ('another mill')`) // none of its items are here
	f.scan(t, &outside, `INSERT INTO people (role, pseudonym) VALUES ('reviewer', 'outside') RETURNING id`)
	f.scan(t, &member, `INSERT INTO people (role, pseudonym) VALUES ('reviewer', 'member') RETURNING id`)
	f.exec(t, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, f.project.ID, member)
	for _, tt := range []struct {
		actor  Actor
		denied error
		items  int
	}{
		{f.labelers[0], ErrDenied, 0},
		{Actor{PersonID: outside, Role: access.Reviewer}, ErrNotFound, 0},
		{Actor{PersonID: member, Role: access.Reviewer}, nil, 2},
		{System(), nil, 2},
	} {
		sources, err := f.SourcesOf(t.Context(), tt.actor, f.project.ID)
		if (len(sources) == 1) != (tt.items > 0) || err != nil && !errors.Is(err, tt.denied) {
			t.Errorf("%s: sources %v, %v", tt.actor.Role, sources, err)
		}
		items, err := f.Items(t.Context(), tt.actor, ItemFilter{Project: f.project.ID, Limit: 10})
		if len(items) != tt.items || err != nil && !errors.Is(err, tt.denied) {
			t.Errorf("%s: %d items, %v", tt.actor.Role, len(items), err)
		}
		if _, err := f.Item(t.Context(), tt.actor, f.items[0]); !errors.Is(err, tt.denied) {
			t.Errorf("%s: one item: %v", tt.actor.Role, err)
		}
	}
}

func TestItemTellsWhatHappened(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 3, 1)
	f.label(t, "strip/")
	claimed := f.mustClaim(t, f.labelers[0])
	f.mustSubmit(t, f.labelers[0], claimed)
	item, err := f.Item(t.Context(), System(), f.items[0])
	if err != nil {
		t.Fatal(err)
	}
	if item.ExternalKey != "strip/0" || len(item.Truth) != 2 || !item.HasTruth || item.TaskState != "in_review" || item.Previous != 0 || item.Next != f.items[1] {
		t.Errorf("got %+v", item)
	}
	if len(item.Answers) != 1 || len(item.Answers[0].Boxes) != 1 || item.Answers[0].PersonID != f.labelers[0].PersonID {
		t.Errorf("answers %+v", item.Answers)
	}
	var what []string
	for _, e := range item.History {
		what = append(what, e.What)
	}
	slices.Sort(what)
	if want := []string{"claimed", "imported", "submitted", "truth"}; !slices.Equal(what, want) {
		t.Errorf("history %v, want %v", what, want)
	}
}

func TestSetPriority(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 3, 1)
	last := f.items[2]
	if err := f.SetPriority(t.Context(), System(), last, 5, 1); err != nil {
		t.Fatal(err)
	}
	if got := f.mustClaim(t, f.labelers[0]); got.Task != f.tasks[2] {
		t.Errorf("claimed %d first, not the task with priority", got.Task)
	}
	if err := f.SetPriority(t.Context(), System(), last, 5, 2); !errors.Is(err, ErrConflict) {
		t.Errorf("a version that is not the task's: %v", err)
	}
	if _, ok := errors.AsType[*InvalidError](f.SetPriority(t.Context(), System(), last, 5000, 1)); !ok {
		t.Error("a priority of 5000 was taken")
	}
	f.mustHold(t)
}

func TestSearchFindsWhatTheActorMayOpen(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 2, 1)
	f.label(t, "strip/")
	f.exec(t, `INSERT INTO datasets (name) VALUES ('strip-2026')`)
	hidden, err := f.AddProject(t.Context(), System(), NewProject{Slug: "strip-secret", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	f.exec(t, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'Strip edge', 0)`, hidden.ID)
	var outside int64
	f.scan(t, &outside, `INSERT INTO people (role, pseudonym) VALUES ('reviewer', 'outside') RETURNING id`)
	for _, tt := range []struct {
		actor Actor
		query string
		want  []string
	}{
		{System(), "strip", []string{"class Strip edge", "dataset strip-2026", "item strip/0", "item strip/1", "project strip", "project strip-secret"}},
		{System(), "  STRIP-S ", []string{"project strip-secret"}},
		{System(), "%", nil},
		{System(), "", nil},
		{f.labelers[0], "strip", []string{"project strip"}},
		{f.labelers[0], "scratch", []string{"class scratch"}},
		{Actor{PersonID: outside, Role: access.Reviewer}, "strip", nil},
		{Actor{TokenID: 1, Role: access.Admin, Scope: f.project.ID}, "strip", []string{"item strip/0", "item strip/1", "project strip"}},
	} {
		hits, err := f.Search(t.Context(), tt.actor, tt.query)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range hits {
			got = append(got, fmt.Sprintf("%s %s", h.Sort, h.Name))
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s searching %q: %v, want %v", tt.actor.Role, tt.query, got, tt.want)
		}
	}
}
