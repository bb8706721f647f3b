package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
)

// scheduled is a store with a chain of detectors, a dataset version and two releases.
func scheduled(t *testing.T) (o *observatory, admin store.Actor) {
	t.Helper()
	st, pool := stocked(t, 30)
	frozen(t, st, "strip-test", recipeOf("strip"))
	if _, err := st.AddModel(t.Context(), store.System(), "finder", "detector"); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1", "2"} {
		if _, err := st.ReleaseModel(t.Context(), store.System(), "finder", version); err != nil {
			t.Fatal(err)
		}
	}
	o = &observatory{Store: st, t: t, pool: pool}
	var err error
	if o.chain, err = st.AddChain(t.Context(), store.System(), store.NewChain{ChainSettings: store.ChainSettings{Name: "strips", AlertDrop: 0.02}, Slots: []string{"detector"}}); err != nil {
		t.Fatal(err)
	}
	return o, newPerson(t, st, access.Admin)
}

func weekly() store.NewSchedule {
	return store.NewSchedule{Name: "Weekly", Every: "week", Hour: 3, OnRelease: true, Request: store.EvaluationRequest{
		Chain: "strips", Versions: []string{"strip-test@latest"}, Models: [][]string{{"finder@latest"}}, Split: "training",
	}}
}

func TestAScheduleStartsRunsOnTime(t *testing.T) {
	t.Parallel()
	o, admin := scheduled(t)
	for field, change := range map[string]func(*store.NewSchedule){
		"name": func(n *store.NewSchedule) { n.Name = "" }, "hour": func(n *store.NewSchedule) { n.Hour = 24 },
		"every": func(n *store.NewSchedule) { n.Every, n.OnRelease = "", false }, "models": func(n *store.NewSchedule) { n.Request.Models = [][]string{{"finder@9"}} },
	} {
		n := weekly()
		change(&n)
		_, err := o.AddSchedule(t.Context(), admin, n)
		if inv, ok := errors.AsType[*store.InvalidError](err); !ok || inv.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	id, err := o.AddSchedule(t.Context(), admin, weekly())
	if err != nil {
		t.Fatal(err)
	}
	due := func() []store.Evaluation {
		for range 2 { // as two processes do
			if err := o.RunSchedules(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		list, err := o.Evaluations(t.Context(), admin, store.EvaluationQuery{Limit: 9})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if runs := due(); len(runs) != 0 {
		t.Errorf("before it is time: %+v", runs)
	}
	exec(t, o.pool, `UPDATE evaluation_schedules SET next_at = now() - interval '1 minute'`)
	runs := due()
	if len(runs) != 1 || runs[0].StartedBy != "schedule" || runs[0].Schedule != id || runs[0].Versions[0] != "strip-test@1" {
		t.Fatalf("%+v", runs)
	}
	list, err := o.Schedules(t.Context(), admin, o.chain)
	if err != nil || len(list) != 1 || list[0].LastRun != runs[0].ID || list[0].Fault != "" || list[0].NextAt == nil {
		t.Fatalf("%+v, %v", list, err)
	}
	if next := list[0].NextAt.UTC(); next.Weekday() != time.Monday || next.Hour() != 3 || !next.After(time.Now()) {
		t.Errorf("next at %s", next)
	}
	exec(t, o.pool, `UPDATE evaluation_schedules SET next_at = now() - interval '1 minute'`)
	exec(t, o.pool, `UPDATE people SET role = 'viewer' WHERE id = $1`, admin.PersonID)
	if runs := due(); len(runs) != 1 {
		t.Errorf("by who may not any more: %+v", runs)
	}
	if list, err := o.Schedules(t.Context(), store.System(), 0); err != nil || !strings.Contains(list[0].Fault, "may not start evaluations any more") {
		t.Errorf("%+v, %v", list, err)
	}
	if err := o.StopSchedule(t.Context(), store.System(), id); err != nil {
		t.Fatal(err)
	}
	if list, err := o.Schedules(t.Context(), store.System(), 0); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestAScheduleRestsAndGoesOn(t *testing.T) {
	t.Parallel()
	o, admin := scheduled(t)
	id, err := o.AddSchedule(t.Context(), admin, weekly())
	if err != nil {
		t.Fatal(err)
	}
	if err := o.ResumeSchedule(t.Context(), admin, id); err == nil {
		t.Error("one that does not rest was resumed")
	}
	exec(t, o.pool, `UPDATE evaluation_schedules SET next_at = now() - interval '1 minute'`)
	if err := o.PauseSchedule(t.Context(), admin, id); err != nil {
		t.Fatal(err)
	}
	if err := o.PauseSchedule(t.Context(), admin, id); err == nil {
		t.Error("it was paused twice")
	}
	if err := o.RunSchedules(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := o.ReleaseModel(t.Context(), store.System(), "finder", "7"); err != nil {
		t.Fatal(err)
	}
	if n := o.one(`SELECT (SELECT count(*) FROM evaluations) + (SELECT count(*) FROM river_job WHERE kind = 'run_schedule')`); n != 0 {
		t.Errorf("it started %d runs while it rested", n)
	}
	if list, err := o.Schedules(t.Context(), admin, 0); err != nil || len(list) != 1 || list[0].PausedAt == nil || list[0].NextAt != nil {
		t.Errorf("%+v, %v", list, err)
	}
	if err := o.ResumeSchedule(t.Context(), admin, id); err != nil {
		t.Fatal(err)
	}
	if list, err := o.Schedules(t.Context(), admin, 0); err != nil || list[0].PausedAt != nil || list[0].NextAt == nil || !list[0].NextAt.After(time.Now()) {
		t.Errorf("%+v, %v", list, err)
	}
	viewer := store.Actor{PersonID: admin.PersonID, Role: access.Viewer}
	if err := o.PauseSchedule(t.Context(), viewer, id); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a viewer: %v", err)
	}
	if err := o.PauseSchedule(t.Context(), admin, 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("one that is not there: %v", err)
	}
}

func TestAReleaseStartsARunOfTheNewestOnce(t *testing.T) {
	t.Parallel()
	o, admin := scheduled(t)
	id, err := o.AddSchedule(t.Context(), admin, weekly())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.AddModel(t.Context(), store.System(), "other", "detector"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.ReleaseModel(t.Context(), store.System(), "other", "1"); err != nil {
		t.Fatal(err)
	}
	if n := o.one(`SELECT count(*) FROM river_job WHERE kind = 'run_schedule'`); n != 0 {
		t.Errorf("another model's release: %d jobs", n)
	}
	version, err := o.ReleaseModel(t.Context(), store.System(), "finder", "3")
	if err != nil {
		t.Fatal(err)
	}
	if n := o.one(`SELECT count(*) FROM river_job WHERE kind = 'run_schedule' AND scheduled_at > now()`); n != 1 {
		t.Fatalf("%d jobs", n)
	}
	for range 3 {
		if err := o.RunSchedule(t.Context(), id, version); err != nil {
			t.Fatal(err)
		}
	}
	list, err := o.Evaluations(t.Context(), admin, store.EvaluationQuery{Limit: 9})
	if err != nil || len(list) != 1 || list[0].StartedBy != "release" {
		t.Fatalf("%+v, %v", list, err)
	}
	if n := o.one(`SELECT count(*) FROM evaluation_models WHERE model_version_id = $1`, version); n != 1 {
		t.Error("the run is not of the newest")
	}
}
