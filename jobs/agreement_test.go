package jobs

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/riverqueue/river"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/store"
	"fiducial/store/storetest"
)

// Whatever runs twice comes to the same, and a project that is gone, or an item, is no error.
func TestScoringTwice(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	st, err := store.New(pool, storetest.Bucket(t))
	if err != nil {
		t.Fatal(err)
	}
	d := deps{store: st, log: slog.New(slog.DiscardHandler)}
	project, err := st.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strip", Kind: "image", Overlap: 2})
	if err != nil {
		t.Fatal(err)
	}
	class, err := st.AddClass(t.Context(), store.System(), project.ID, "scratch", "")
	if err != nil {
		t.Fatal(err)
	}
	var item int64
	err = pool.QueryRow(t.Context(), `
		WITH s AS (INSERT INTO sources (name) VALUES ('mill') RETURNING id),
		i AS (INSERT INTO items (project_id, source_id, key_hash, width, height) SELECT $1, id, '\x01', 100, 80 FROM s RETURNING id)
		INSERT INTO tasks (project_id, item_id, overlap) SELECT $1, id, 2 FROM i RETURNING item_id`, project.ID).Scan(&item)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		id, err := st.AddPerson(t.Context(), store.System(), store.NewPerson{
			Email: fmt.Sprintf("labeler-%d@example.org", n), Name: "Jo Weber", Password: "a long enough password", Role: access.Labeler,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.AddMember(t.Context(), store.System(), project.ID, id); err != nil {
			t.Fatal(err)
		}
		labeler := store.Actor{PersonID: id, Role: access.Labeler}
		claimed, err := st.Claim(t.Context(), labeler, "strip", 0)
		if err != nil {
			t.Fatal(err)
		}
		boxes := []store.DraftBox{{ID: "a", ClassID: class, X: float64(n), Y: 2, W: 30, H: 40}}
		if _, err := st.Submit(t.Context(), labeler, store.NewAnnotation{Task: claimed.Task, Assignment: claimed.Assignment, Boxes: boxes}); err != nil {
			t.Fatal(err)
		}
	}
	kept := func() (rows string) {
		err := pool.QueryRow(t.Context(), `
			SELECT (SELECT jsonb_agg(g) FROM item_agreements g)::text || (SELECT jsonb_agg(p.summary) FROM project_agreements p)::text`).Scan(&rows)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	first := ""
	for range 2 {
		score := scoreItem{deps: d}
		if err := score.Work(t.Context(), &river.Job[jobargs.ScoreItem]{Args: jobargs.ScoreItem{ItemID: item}}); err != nil {
			t.Fatal(err)
		}
		all := scoreProject{deps: d}
		if err := all.Work(t.Context(), &river.Job[jobargs.ScoreProject]{Args: jobargs.ScoreProject{ProjectID: project.ID}}); err != nil {
			t.Fatal(err)
		}
		sum := summarizeProject{deps: d}
		if err := sum.Work(t.Context(), &river.Job[jobargs.SummarizeProject]{Args: jobargs.SummarizeProject{ProjectID: project.ID}}); err != nil {
			t.Fatal(err)
		}
		if now := kept(); first == "" {
			first = now
		} else if now != first {
			t.Errorf("once %s\ntwice %s", first, now)
		}
	}
	score, sum := scoreItem{deps: d}, summarizeProject{deps: d}
	if err := score.Work(t.Context(), &river.Job[jobargs.ScoreItem]{Args: jobargs.ScoreItem{ItemID: 999}}); err != nil {
		t.Errorf("an item that is gone: %v", err)
	}
	if err := sum.Work(t.Context(), &river.Job[jobargs.SummarizeProject]{Args: jobargs.SummarizeProject{ProjectID: 999}}); err != nil {
		t.Errorf("a project that is gone: %v", err)
	}
}
