package store_test

import (
	"slices"
	"testing"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestAuditEvents(t *testing.T) {
	t.Parallel()
	st, pool := newStore(t)
	ada := signUp(t, st, "ada@example.org", access.Admin)
	project := newProject(t, st, "strips")
	if _, err := pool.Exec(t.Context(), `
		TRUNCATE audit_events RESTART IDENTITY;
		INSERT INTO api_tokens (name, token_hash, role) VALUES ('nightly', 'x', 'admin');
		INSERT INTO audit_events (at, person_id, token_id, action, object_type, object_id, project_id)
		SELECT timestamptz '2026-03-01 12:00Z' + n * interval '1 day',
			CASE WHEN n % 2 = 0 THEN p.id END, CASE WHEN n % 2 = 1 THEN t.id END,
			CASE WHEN n % 3 = 0 THEN 'item.read' ELSE 'item.add' END, 'item', n, CASE WHEN n > 4 THEN j.id END
		FROM generate_series(1, 6) n, people p, projects j, api_tokens t ORDER BY n`); err != nil {
		t.Fatal(err)
	}
	day := func(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }
	tests := []struct {
		name   string
		filter store.AuditFilter
		want   []int64
	}{
		{"all", store.AuditFilter{}, []int64{6, 5, 4, 3, 2, 1}},
		{"by a person's name", store.AuditFilter{Person: "ada strip"}, []int64{6, 4, 2}},
		{"by a person's id", store.AuditFilter{Person: " 1 "}, []int64{6, 4, 2}},
		{"by somebody unknown", store.AuditFilter{Person: "nobody"}, nil},
		{"by a token", store.AuditFilter{TokenID: 1}, []int64{5, 3, 1}},
		{"an action", store.AuditFilter{Action: "item.read"}, []int64{6, 3}},
		{"an object", store.AuditFilter{ObjectType: "item", ObjectID: 4}, []int64{4}},
		{"a kind of object", store.AuditFilter{ObjectType: "task"}, nil},
		{"a project", store.AuditFilter{ProjectID: project}, []int64{6, 5}},
		{"two days", store.AuditFilter{From: day(3), To: day(5)}, []int64{3, 2}},
		{"person and action", store.AuditFilter{Person: "ada", Action: "item.read"}, []int64{6}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []int64
			for f := tt.filter; ; {
				f.Limit = 2
				events, err := st.AuditEvents(t.Context(), ada, f)
				if err != nil {
					t.Fatal(err)
				}
				if len(events) == 0 {
					break
				}
				for _, ev := range events {
					got = append(got, ev.ID)
				}
				f.Before = events[len(events)-1].ID
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	actions, err := st.AuditActions(t.Context(), ada)
	if err != nil || !slices.Equal(actions, []string{"item.add", "item.read"}) {
		t.Errorf("actions %v, %v", actions, err)
	}
}
