package store_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"fiducial/internal/erasure"
	"fiducial/internal/manifest"
	"fiducial/internal/pii"
	"fiducial/internal/speech"
	"fiducial/store"
)

// canary is personal: it stands wherever people, models and files write something.
const canary = "xcanaryx"

// callsOf has four utterances of one call of a group, all of them due, whose source keeps approved redactions. Each begins with the canary, which
// was found; what was decided of that is the caller's.
func callsOf(t *testing.T) *spoken {
	t.Helper()
	s := newSpoken(t, 1, 4)
	exec(t, s.pool, `INSERT INTO groups (source_id, name) VALUES ($1, $2)`, s.Source, "calls/"+canary)
	exec(t, s.pool, `UPDATE items SET group_id = (SELECT max(id) FROM groups), retain_until = now() - interval '1 hour'`)
	exec(t, s.pool, `UPDATE sources SET retention_days = 30, expiry_action = 'redaction' WHERE id = $1`, s.Source)
	exec(t, s.pool, `UPDATE item_texts SET file_name = $1, metadata = jsonb_build_object('caller', $1::text)`, canary)
	for _, item := range s.Items {
		s.say(t, item, `[{"begin":0,"end":0.5,"speaker":"`+canary+`","text":"`+canary+` speaking"},{"begin":0.5,"end":0.9,"speaker":"B","text":"yes"}]`)
		s.Hear(t, s.pool, item, "asr", "1", canary+" speaking", `[{"word":"`+canary+`"}]`, 0.5)
		exec(t, s.pool, `INSERT INTO personal_scans (item_id, truth_id, detector, findings) SELECT item_id, id, $2, 1 FROM truths WHERE item_id = $1 AND current`, item, pii.Detector)
		exec(t, s.pool, `
			INSERT INTO personal_findings (item_id, truth_id, segment, first, last, begins, ends, kind, detector, confidence, state)
			SELECT item_id, id, 0, 0, $2, 0, 0.2, 'name', $3, 1, 'confirmed' FROM truths WHERE item_id = $1 AND current`, item, len(canary), pii.Detector)
	}
	return s
}

// expire has what is due erased, and returns the erasure.
func (s *spoken) expire(t *testing.T) store.Erasure {
	t.Helper()
	done, err := s.st.ExpireDue(t.Context())
	if err != nil || len(done.Erasures) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	return s.run(t, done.Erasures[0])
}

func (s *spoken) run(t *testing.T, erasure int64) store.Erasure {
	t.Helper()
	if err := s.st.RunErasure(t.Context(), erasure); err != nil {
		t.Fatal(err)
	}
	e, err := s.st.Erasure(t.Context(), store.System(), erasure)
	if err != nil || e.State != store.ErasureErased || e.Proof.Total() != 0 {
		t.Fatalf("it is %s: %s, %v", e.State, e.Error, err)
	}
	return e
}

// request erases what is named.
func (s *spoken) request(t *testing.T, r store.ErasureRequest) store.Erasure {
	t.Helper()
	r.Reason = "Ticket 17"
	e, err := s.st.PreviewErasure(t.Context(), store.System(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.st.ConfirmErasure(t.Context(), store.System(), e.ID); err != nil {
		t.Fatal(err)
	}
	return s.run(t, e.ID)
}

// one returns the number that a query comes to.
func (s *spoken) one(t *testing.T, sql string, args ...any) (n int64) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// holding lists the columns that have the canary somewhere.
func (s *spoken) holding(t *testing.T) (columns []string) {
	t.Helper()
	var all [][2]string
	err := s.pool.QueryRow(t.Context(), `
		SELECT jsonb_agg(jsonb_build_array(table_name, column_name)) FROM information_schema.columns c
		WHERE table_schema = 'public' AND data_type IN ('text', 'jsonb', 'bytea', 'ARRAY')
		  AND table_name IN (SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE')`).Scan(&all)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if s.one(t, fmt.Sprintf(`SELECT count(*) FROM %s x WHERE strpos(to_jsonb(x.%s)::text, $1) > 0`, c[0], c[1]), canary) > 0 {
			columns = append(columns, c[0]+"."+c[1])
		}
	}
	return columns
}

// What an expiry leaves of an utterance is its words without what is personal, and its moments; nothing else of it is anywhere.
func TestRedactionOutlivesItsRecording(t *testing.T) {
	t.Parallel()
	s := callsOf(t)
	recipe := recipeOf("calls")
	recipe.Shares = manifest.Shares{Training: 1000} // what has a time limit is in no test split
	version := frozen(t, s.st, "calls-test", recipe)
	if before := s.holding(t); len(before) < 8 {
		t.Fatalf("the fixture has the canary in %v alone", before)
	}
	e := s.expire(t)
	if e.Kept != 4 || e.DoneItems != 4 || e.Erased["recordings"] != 1 || e.Erased["hypotheses"] != 4 || e.Erased["personal_findings"] != 4 {
		t.Errorf("kept %d of %d, erased %v", e.Kept, e.DoneItems, e.Erased)
	}
	var paper struct{ Items, Redactions int }
	if err := json.Unmarshal(e.Receipt, &paper); err != nil || paper.Items != 4 || paper.Redactions != 4 {
		t.Errorf("the receipt says %s (%v)", e.Receipt, err)
	}
	if left := s.holding(t); len(left) != 0 {
		t.Errorf("the canary is left in %v", left)
	}
	for object, err := range s.bucket.List(t.Context(), "recordings/") {
		t.Errorf("%s is left (%v)", object.Key, err)
	}
	s.wantRedaction(t, s.Items[0], 1)
	s.wantRedaction(t, s.Items[1], 0)
	if v := verified(t, s.st, version, true); !v.HashHolds || v.Erased != 4 || v.Mismatched != 0 {
		t.Errorf("%+v", v)
	}
	next := frozen(t, s.st, "calls-test", recipe)
	if v := verified(t, s.st, next, true); !v.Holds() || v.Matching != 4 || next.Words != 12 || next.Seconds != 0 {
		t.Errorf("%+v of %d words in %v s", v, next.Words, next.Seconds)
	}
}

// wantRedaction looks at the redaction of an item that is gone.
func (s *spoken) wantRedaction(t *testing.T, gone int64, moments int) {
	t.Helper()
	id, err := s.st.RedactionOf(t.Context(), store.System(), gone)
	if err != nil || id == 0 {
		t.Fatalf("redaction of %d: %d, %v", gone, id, err)
	}
	item, err := s.st.Item(t.Context(), store.System(), id)
	if err != nil {
		t.Fatal(err)
	}
	want := speech.Transcript{{End: 0.5, Speaker: "A", Text: "[name] speaking"}, {Begin: 0.5, End: 0.9, Speaker: "B", Text: "yes"}}
	if item.State != "redacted" || item.Sound == nil || len(item.Sound.Truth) != 2 || item.Sound.Truth[0] != want[0] || item.Sound.Truth[1] != want[1] {
		t.Errorf("%s: %+v", item.State, item.Sound)
	}
	if len(item.Truth) != moments || item.RetainUntil != nil || item.TaskID != 0 || len(item.Metadata) != 0 || len(item.Sound.Hypotheses) != 0 {
		t.Errorf("%+v", item)
	}
}

// Nothing stays of an utterance whose redaction is not approved, or that a request is about; nor where the policy does not say so.
func TestNoRedactionIsLeft(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"an open finding":                  `UPDATE personal_findings SET state = 'found'`,
		"words that no detector has read":  `DELETE FROM personal_scans`,
		"nothing that is said":             `UPDATE transcripts SET segments = '[]'`,
		"no truth":                         `UPDATE truths SET current = false WHERE current`,
		"a discarded item":                 `UPDATE tasks SET state = 'discarded'`,
		"a policy that deletes everything": `UPDATE sources SET expiry_action = 'delete'`,
		"a request that waits": `WITH e AS (INSERT INTO erasures (kind, scope, state, due_at) VALUES ('request', 'items', 'previewed', now()) RETURNING id)
			INSERT INTO erasure_lists (erasure_id, item_id) SELECT e.id, i.id FROM e, items i`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := callsOf(t)
			exec(t, s.pool, change)
			if e := s.expire(t); e.Kept != 0 {
				t.Errorf("%d are kept", e.Kept)
			}
			if n := s.one(t, `SELECT count(*) FROM items`); n != 0 {
				t.Errorf("%d items are left", n)
			}
		})
	}
}

// A request takes redactions too, by whatever name: that of the source, the group, the key that the item had, its id of then, or its own.
func TestRequestTakesRedactions(t *testing.T) {
	t.Parallel()
	s := callsOf(t)
	first, second := s.Items[0], s.Items[1]
	key := "calls/0001.wav#2-3" // of the third
	s.expire(t)
	own, err := s.st.RedactionOf(t.Context(), store.System(), first)
	if err != nil {
		t.Fatal(err)
	}
	group := s.one(t, `SELECT max(group_id) FROM items`)
	for i, r := range []store.ErasureRequest{
		{Scope: store.ScopeItems, Items: []erasure.Named{{Line: 1, ID: own}}},
		{Scope: store.ScopeItems, Items: []erasure.Named{{Line: 1, ID: second}}},
		{Scope: store.ScopeItems, Project: "calls", Items: []erasure.Named{{Line: 1, Key: key}}},
		{Scope: store.ScopeGroup, Group: group},
	} {
		if e := s.request(t, r); e.DoneItems != 1 || e.Kept != 0 {
			t.Errorf("%d: %d items, %d kept", i, e.DoneItems, e.Kept)
		}
		if left := s.one(t, `SELECT count(*) FROM items`); left != int64(3-i) {
			t.Errorf("%d: %d items are left", i, left)
		}
	}
	for _, table := range []string{"transcripts", "truths", "truth_boxes", "item_texts", "groups"} {
		if n := s.one(t, `SELECT count(*) FROM `+table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
}

// A redaction has no time limit but its own, and what has come by that leaves nothing.
func TestRedactionIsKeptUntilItsOwnDate(t *testing.T) {
	t.Parallel()
	s := callsOf(t)
	s.expire(t)
	source, err := s.st.Source(t.Context(), store.System(), s.Source)
	if err != nil {
		t.Fatal(err)
	}
	days := 1
	edit := store.SourceEdit{ID: source.ID, Name: source.Name, Policy: source.Policy, Version: source.Version, Confirmed: true}
	edit.RetentionDays = &days
	change, err := s.st.UpdateSource(t.Context(), store.System(), edit)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, s.pool, `UPDATE items SET imported_at = now() - interval '9 days'`)
	if err := s.st.MoveDates(t.Context(), change.ID); err != nil {
		t.Fatal(err)
	}
	if done, err := s.st.ExpireDue(t.Context()); err != nil || done.Items != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	exec(t, s.pool, `UPDATE items SET own_retain_until = now(), retain_until = now()`)
	if e := s.expire(t); e.Kept != 0 || e.DoneItems != 4 {
		t.Errorf("%d kept of %d", e.Kept, e.DoneItems)
	}
}
