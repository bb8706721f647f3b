package storetest_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/migrations"
	"fiducial/store/blob"
	"fiducial/store/storetest"
)

func countPeople(t *testing.T, pool *pgxpool.Pool) (people int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM people`).Scan(&people); err != nil {
		t.Fatal(err)
	}
	return people
}

// The uses follow each other, so that each gets the database of the one before.
func TestPoolIsEmptiedBetweenTests(t *testing.T) {
	for range 3 {
		t.Run("use", func(t *testing.T) {
			pool := storetest.Pool(t)
			if n := countPeople(t, pool); n != 0 {
				t.Fatalf("%d people in an empty database", n)
			}
			if _, err := pool.Exec(t.Context(), `INSERT INTO people (role, pseudonym) VALUES ('labeler', 'labeler-1')`); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestPrivateTakesChangesOfTheSchema(t *testing.T) {
	t.Parallel()
	if _, err := storetest.Private(t).Exec(t.Context(), `DROP TABLE people CASCADE`); err != nil {
		t.Fatal(err)
	}
	countPeople(t, storetest.Pool(t))
}

func TestBlankHasNoSchema(t *testing.T) {
	t.Parallel()
	pool := storetest.Blank(t)
	if current, err := migrations.Current(t.Context(), pool); err != nil || current {
		t.Fatalf("current: %t, %v", current, err)
	}
	if err := migrations.Up(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	if current, err := migrations.Current(t.Context(), pool); err != nil || !current {
		t.Fatalf("current after Up: %t, %v", current, err)
	}
}

func TestBucketsAreApart(t *testing.T) {
	t.Parallel()
	one, other := storetest.Bucket(t), storetest.Bucket(t)
	if _, err := one.Put(t.Context(), "items/1/original", strings.NewReader("strip"), 5, "image/png"); err != nil {
		t.Fatal(err)
	}
	var listed []blob.Info
	for info, err := range other.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, info)
	}
	if len(listed) != 0 {
		t.Fatalf("another test's objects: %v", listed)
	}
}

func TestSpeechCanBeClaimed(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	u := storetest.Speech(t, pool, storetest.Bucket(t), 2, 2, 1)
	u.Hear(t, pool, u.Items[3], "ear", "1", "who is there", "[]", 0.5)
	var open, heard int
	err := pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM tasks t JOIN items i ON i.id = t.item_id JOIN recordings r ON r.id = i.recording_id
				WHERE t.state = 'open' AND i.state = 'ready' AND r.state = 'ready' AND i.ends - i.begins = 2),
			(SELECT p.words FROM predictions p JOIN hypotheses h ON h.prediction_id = p.id WHERE p.item_id = $1)`, u.Items[3]).Scan(&open, &heard)
	if err != nil || open != 4 || heard != 3 {
		t.Errorf("%d open tasks, a hypothesis of %d words: %v", open, heard, err)
	}
}
