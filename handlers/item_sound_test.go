package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

func TestAnItemOfSoundShowsWhatWasSaidAndHeard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	u := storetest.Speech(t, s.pool, s.bucket, 1, 2, 1)
	u.Hear(t, s.pool, u.Items[0], "ear", "2", "yellow there", "[]", 0.625)
	admin := s.browser(access.Admin)
	first := fmt.Sprintf("/items/%d", u.Items[0])
	// What models heard sways nobody who has still to decide.
	page := admin.get(first).want(http.StatusOK).shows("0:00.00 – 0:02.00 of 0:04.00", "8000 Hz", "PCM, 16 bit", "Nothing has been decided", "shown once the item is decided").
		lacks("yellow there", "ear@2")
	if src := page.attribute("src", "/media/"); src != fmt.Sprintf("/media/items/%d/sound#t=0,2", u.Items[0]) {
		t.Errorf("the player plays %s", src)
	}
	for _, sql := range []string{
		`UPDATE tasks SET state = 'adjudicated' WHERE item_id = $1`,
		`WITH s AS (INSERT INTO imports (project_id, format, purpose, source_id) SELECT project_id, 'nemo', 'truth', source_id FROM items WHERE id = $1 RETURNING id),
		u AS (INSERT INTO truths (item_id, import_id) SELECT $1, id FROM s RETURNING id),
		b AS (INSERT INTO truth_boxes (truth_id, position, class_id, x, y, w, h) SELECT u.id, 0, c.id, 0.5, 0, 1, 1 FROM u, classes c)
		INSERT INTO transcripts (item_id, kind, of_id, segments)
			SELECT $1, 'truth', id, '[{"begin":0,"end":1,"speaker":"A","text":"hello there"},{"begin":1,"end":2,"speaker":"B","text":"who is it"}]' FROM u`,
	} {
		if _, err := s.pool.Exec(t.Context(), sql, u.Items[0]); err != nil {
			t.Fatal(err)
		}
	}
	admin.get(first).want(http.StatusOK).shows("hello there", "who is it", "0:01.00 – 0:02.00", "question", "0:00.50 – 0:01.50", "ear@2", "0.625", "yellow there").
		lacks("Into the defect book")
	second := admin.get(fmt.Sprintf("/items/%d", u.Items[1])).want(http.StatusOK)
	if src := second.attribute("src", "/media/"); src != fmt.Sprintf("/media/items/%d/sound#t=2,4", u.Items[1]) {
		t.Errorf("the player plays %s, with what comes before it", src)
	}
	list := admin.get("/projects/calls/items").want(http.StatusOK).shows("calls/0001.wav#0-2", "0:02.00", "hello there").lacks("yellow there")
	if n := strings.Count(list.Body.String(), `class="wave-line"`); n != 2 {
		t.Errorf("of two utterances %d are drawn", n)
	}
	if _, err := s.pool.Exec(t.Context(), `UPDATE items SET state = 'broken', fault = 'It was cut off.' WHERE id = $1`, u.Items[1]); err != nil {
		t.Fatal(err)
	}
	admin.get(fmt.Sprintf("/items/%d", u.Items[1])).want(http.StatusOK).shows("The recording cannot be used", "It was cut off.", "No sound to play")
}

// The queue draws what its labeler holds, where the sound is at hand.
func TestQueueDrawsWhatIsHeld(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	storetest.Speech(t, s.pool, s.bucket, 1, 2, 1)
	labeler := s.browser(access.Labeler)
	run := func(sql string) {
		t.Helper()
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	drawn := func(want int) {
		t.Helper()
		if n := strings.Count(labeler.get("/queue").want(http.StatusOK).Body.String(), `class="wave-line"`); n != want {
			t.Errorf("%d are drawn, want %d", n, want)
		}
	}
	run(`INSERT INTO members (project_id, person_id) SELECT p.id, q.id FROM projects p, people q ON CONFLICT DO NOTHING`)
	drawn(0)
	labeler.send(http.MethodPost, "/label/next", map[string]string{"project": "calls"}).want(http.StatusOK)
	drawn(1)
	run(`DELETE FROM recording_assets WHERE kind = 'peaks'`)
	drawn(0)
}
