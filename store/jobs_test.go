package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/store"
	"fiducial/store/storetest"
)

func TestJobsOfProcessesThatAreGoneRunAgain(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	st, err := store.New(pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	alive := pool.Config().ConnConfig.Copy()
	alive.RuntimeParams["application_name"] = "fiducial-here-1"
	conn, err := pgx.ConnectConfig(t.Context(), alive)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // the test is over

	tests := []struct {
		process          string
		attempt          int
		wantState, wants string
	}{
		{"fiducial-here-1", 1, "running", "it is at work"},
		{"fiducial-gone-1", 1, "available", "it runs again at once"},
		{"fiducial-gone-1", 3, "retryable", "it has been cut off before: it waits"},
		{"fiducial-gone-1", 25, "discarded", "it was tried often enough"},
	}
	ids := make([]int64, len(tests))
	for i, tt := range tests {
		err := pool.QueryRow(t.Context(), `
			INSERT INTO river_job (args, kind, max_attempts, attempt, attempted_at, attempted_by, state)
			VALUES ('{}', 'test', 25, $1, now(), ARRAY['fiducial-gone-0', $2], 'running') RETURNING id`,
			tt.attempt, tt.process).Scan(&ids[i])
		if err != nil {
			t.Fatal(err)
		}
	}
	rescued, err := st.RescueJobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if rescued != 3 {
		t.Errorf("rescued %d jobs, not 3", rescued)
	}
	for i, tt := range tests {
		var state string
		var due, finished bool
		err := pool.QueryRow(t.Context(), `SELECT state, scheduled_at <= now(), finalized_at IS NOT NULL FROM river_job WHERE id = $1`,
			ids[i]).Scan(&state, &due, &finished)
		if err != nil {
			t.Fatal(err)
		}
		if state != tt.wantState || finished != (state == "discarded") || due != (tt.attempt == 1) {
			t.Errorf("attempt %d of %s: state %s, due %t, finished %t: %s", tt.attempt, tt.process, state, due, finished, tt.wants)
		}
	}
}
