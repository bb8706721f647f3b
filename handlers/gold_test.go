package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"fiducial/web"
)

// addGold makes decided items that are handed out as gold.
func (b *bench) addGold(n int) {
	b.t.Helper()
	b.run(`UPDATE projects SET gold_share = 0.3`)
	b.run(`INSERT INTO items (project_id, source_id, key_hash, width, height)
		SELECT p.id, s.id, int8send(n), 100, 80 FROM projects p, sources s, generate_series(1001, 1000 + $1) n`, n)
	b.run(`INSERT INTO item_texts (item_id, external_key) SELECT id, format('coil-%s.png', id) FROM items i WHERE NOT EXISTS (SELECT FROM item_texts x WHERE x.item_id = i.id)`)
	b.run(`WITH t AS (INSERT INTO tasks (project_id, item_id, overlap, state)
		SELECT project_id, id, 1, 'adjudicated' FROM items i WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.item_id = i.id) RETURNING *),
		m AS (INSERT INTO imports (project_id, format, purpose, source_id) SELECT p.id, 'coco', 'truth', s.id FROM projects p, sources s RETURNING id),
		u AS (INSERT INTO truths (item_id, import_id) SELECT t.item_id, m.id FROM t, m RETURNING id),
		x AS (INSERT INTO truth_boxes (truth_id, position, class_id, x, y, w, h) SELECT u.id, 0, $1, 1.5, 2, 30, 40 FROM u)
		INSERT INTO gold_items (item_id, task_id, project_id) SELECT item_id, id, project_id FROM t`, b.class)
}

// trail is all that a browser is shown while somebody works on a task, each with its status and headers.
type trail struct {
	steps []string
	said  []answer
	state web.WorkbenchState
}

func (l *trail) add(name string, a answer) answer {
	l.steps, l.said = append(l.steps, name), append(l.said, a)
	return a
}

// walk works on the labeler's next task in every way that the workbench knows.
func (b *bench) walk() (l trail) {
	to := l.add("claim", b.labeler.get("/label/next?project=strips").want(http.StatusSeeOther)).Header().Get("Location")
	page := l.add("page", b.labeler.get(to).want(http.StatusOK))
	for text := range strings.SplitSeq(page.Body.String(), "<script") {
		if _, text, ok := strings.Cut(text, ">"); ok && strings.HasPrefix(text, `{"assignment"`) {
			text, _, _ = strings.Cut(text, "</script>")
			if err := json.Unmarshal([]byte(text), &l.state); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	s := l.state
	assignment := func(more ...any) map[string]any {
		m := map[string]any{"assignment": s.Assignment}
		for i := 0; i < len(more); i += 2 {
			m[fmt.Sprint(more[i])] = more[i+1]
		}
		return m
	}
	l.add("queue while held", b.labeler.get("/queue"))
	l.add("state", b.labeler.get(s.URLs.State).want(http.StatusOK))
	l.add("draft", b.labeler.send(http.MethodPut, s.URLs.Draft, sent{s.Assignment, 0, b.boxes()}).want(http.StatusOK))
	l.add("conflict", b.labeler.send(http.MethodPut, s.URLs.Draft, sent{s.Assignment, 0, nil}).want(http.StatusConflict))
	l.add("heartbeat", b.labeler.send(http.MethodPost, s.URLs.Heartbeat, map[string][]int64{"assignments": {s.Assignment}}).want(http.StatusOK))
	b.run(`UPDATE assignments SET lease_until = now() - interval '1 second' WHERE id = $1`, s.Assignment)
	if _, err := b.ReleaseLeases(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	l.add("page after its lease", b.labeler.get(to).want(http.StatusOK))
	outside := b.boxes()
	outside[0].X = 90
	l.add("refusal", b.labeler.send(http.MethodPost, s.URLs.Submit, sent{s.Assignment, 1, outside}).want(http.StatusUnprocessableEntity))
	l.add("submit", b.labeler.send(http.MethodPost, s.URLs.Submit, sent{s.Assignment, 1, b.boxes()}).want(http.StatusOK))
	l.add("submit again", b.labeler.send(http.MethodPost, s.URLs.Submit, sent{s.Assignment, 1, b.boxes()}).want(http.StatusOK))
	l.add("page when answered", b.labeler.get(to).want(http.StatusSeeOther))
	l.add("queue", b.labeler.get("/queue"))
	l.add("recall", b.labeler.send(http.MethodPost, s.URLs.Recall, assignment("task", s.Task)).want(http.StatusOK))
	l.add("dispute", b.labeler.send(http.MethodPost, strings.Replace(s.URLs.Submit, "submit", "dispute", 1), assignment("text", "No.")).want(http.StatusNotFound))
	l.add("discussion", b.labeler.get(discussionPage(s.Item)).want(http.StatusOK))
	l.add("picture", b.labeler.get(s.Image.Src))
	l.add("skip", b.labeler.send(http.MethodPost, s.URLs.Skip, assignment("reason", "cannot_decide")).want(http.StatusOK))
	l.add("page when skipped", b.labeler.get(to).want(http.StatusSeeOther))
	l.add("notices", b.labeler.get("/notices").want(http.StatusOK))
	return l
}

var (
	figures   = regexp.MustCompile(`\d+`)
	reference = regexp.MustCompile(`<dd class="mono">[^<]*</dd>`) // of the request
	secrets   = regexp.MustCompile(`"draftKey":"[^"]*"`)
)

// blurred is an answer without the numbers that tell any item from another.
func blurred(a answer) string {
	text := secrets.ReplaceAllString(a.Body.String(), "")
	text = reference.ReplaceAllString(text, "")
	header := a.Header().Clone()
	for _, own := range []string{"X-Request-Id", "Set-Cookie", "Date", "Content-Length"} {
		header.Del(own)
	}
	return figures.ReplaceAllString(fmt.Sprint(a.Code, header, text), "#")
}

// Whatever a labeler is shown of a gold item is what an ordinary item shows, field by field, but for ids and names.
func TestGoldLooksLikeAnyOtherItem(t *testing.T) {
	t.Parallel()
	b := newBench(t, 60)
	b.addGold(30)
	var ordinary, gold *trail
	b.walk() // a labeler's very first item, whose pages know of no earlier work
	for ordinary == nil || gold == nil {
		l := b.walk()
		var reason string
		if err := b.pool.QueryRow(t.Context(), `SELECT reason FROM assignments WHERE id = $1`, l.state.Assignment).Scan(&reason); err != nil {
			t.Fatal(err)
		}
		if reason == "gold" {
			gold = &l
		} else {
			ordinary = &l
		}
	}
	for i, name := range ordinary.steps {
		if want, got := blurred(ordinary.said[i]), blurred(gold.said[i]); got != want {
			t.Errorf("%s differs:\nordinary %s\ngold     %s", name, want, got)
		}
	}
	want, got := reflect.ValueOf(ordinary.state), reflect.ValueOf(gold.state)
	own := map[string]bool{"Assignment": true, "Task": true, "Item": true, "Title": true, "Image": true, "LeaseUntil": true, "Now": true, "URLs": true, "Recallable": true}
	for i := range want.NumField() {
		name := want.Type().Field(i).Name
		if !own[name] && !reflect.DeepEqual(want.Field(i).Interface(), got.Field(i).Interface()) {
			t.Errorf("%s is %v for gold, %v for others", name, got.Field(i), want.Field(i))
		}
	}
	if gold.state.Reason != "initial" || gold.state.LeaseUntil == nil {
		t.Errorf("%+v", gold.state)
	}
}
