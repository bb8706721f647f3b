package handlers_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"fiducial/handlers"
	"fiducial/internal/access"
	"fiducial/internal/receipt"
	"fiducial/internal/webhook"
	"fiducial/store"
)

// alarmed is a site with a chain and an alert of it.
func alarmed(t *testing.T) (s *site, alert int64) {
	t.Helper()
	s = newSite(t, func(c *handlers.Config) {
		c.Webhooks = webhook.Policy{Hosts: []string{"chat.example.org"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	key, err := receipt.NewKey(strings.NewReader(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s.SignWith(key)
	if _, err := s.AddChain(t.Context(), store.System(), store.NewChain{ChainSettings: store.ChainSettings{Name: "calls", ExpectDays: 7}, Slots: []string{"asr"}}); err != nil {
		t.Fatal(err)
	}
	s.exec(`UPDATE chains SET created_at = now() - interval '8 days'`)
	return s, 1
}

func TestAlertsAreSeenAndSettled(t *testing.T) {
	t.Parallel()
	s, id := alarmed(t)
	admin, reviewer, viewer := s.browser(access.Admin), s.browser(access.Reviewer), s.browser(access.Viewer)
	viewer.get("/alerts").want(http.StatusOK).shows("Nothing is open").lacks("Channels")
	admin.post("/alerts/channels", "name", "Team", "kind", "webhook", "target", "https://elsewhere.example/x", "chain", "0").want(http.StatusUnprocessableEntity).
		shows("Calls may not go to elsewhere.example")
	admin.post("/alerts/channels", "name", "Team", "kind", "email", "target", "nobody", "chain", "0").want(http.StatusUnprocessableEntity).shows("Give one address")
	admin.post("/alerts/channels", "name", "Team", "kind", "webhook", "target", "https://chat.example.org/secret", "chain", "0").to("/alerts/channels")
	admin.get("/alerts/channels").shows("chat.example.org", "of every chain", "alerts only").lacks("secret")
	admin.post("/alerts/channels/1/runs", "runs", "yes").to("/alerts/channels")
	admin.get("/alerts/channels").shows("alerts and finished runs")
	reviewer.post("/alerts/channels/1/runs").want(http.StatusForbidden)
	admin.post("/alerts/channels/9/runs").want(http.StatusNotFound)
	if err := s.WatchAlerts(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/alerts/%d", id)
	viewer.get("/alerts").shows("Calls: no run has ended for 7 days", "Open")
	viewer.get(path).shows("No run of this chain has ended yet", "Team", "On its way").lacks("I am at it", "Put it off")
	viewer.post(path + "/acknowledge").want(http.StatusForbidden)
	admin.get("/notices").shows("An alert of the evaluations")
	reviewer.get(path).shows("I am at it", "Put it off")
	reviewer.post(path+"/snooze", "days", "400").want(http.StatusUnprocessableEntity).shows("Put it off for 1 to 90 days")
	reviewer.post(path+"/snooze", "days", "7").to(path)
	viewer.get(path).shows("Put off")
	reviewer.post(path + "/acknowledge").to(path)
	viewer.get(path).shows("Somebody is at it")
	reviewer.post(path + "/acknowledge").want(http.StatusConflict)
	reviewer.post(path + "/close").to(path)
	viewer.get(path).shows("Closed")
	viewer.get("/alerts").shows("Nothing is open")
	viewer.get("/alerts?state=all").shows("Calls: no run has ended for 7 days")
	admin.post("/alerts/channels/1/remove").to("/alerts/channels")
}

func TestProgramsReadAndSettleAlerts(t *testing.T) {
	t.Parallel()
	s, id := alarmed(t)
	call := s.programs(access.Admin, 0)
	call("POST", "/alert-channels", `{"name":"Team","kind":"email","target":"team@example.org","chain":"calls"}`).want(http.StatusCreated)
	call("POST", "/alert-channels", `{"name":"Team","kind":"email","target":"team@example.org","chain":"none"}`).want(http.StatusUnprocessableEntity)
	call("GET", "/alert-channels", "").shows(`"host":"example.org"`, `"chain":"calls"`, `"runs":false`).lacks("team@")
	call("PATCH", "/alert-channels/1", `{"runs":true}`).want(http.StatusNoContent)
	call("GET", "/alert-channels", "").shows(`"runs":true`)
	if err := s.WatchAlerts(t.Context()); err != nil {
		t.Fatal(err)
	}
	call("GET", "/alerts", "").shows(`"kind":"missing"`, "calls: no run has ended for 7 days")
	call("POST", fmt.Sprintf("/alerts/%d/snooze", id), `{"days":3}`).want(http.StatusNoContent)
	call("POST", fmt.Sprintf("/alerts/%d/close", id), "").want(http.StatusNoContent)
	call("GET", "/alerts", "").lacks("missing")
	call("GET", "/alerts?all=true", "").shows(`"state":"closed"`)
	call("DELETE", "/alert-channels/1", "").want(http.StatusNoContent)
}

func TestSchedulesAreMadeAndStopped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 5)
	s.frozen("hot-test", "hot")
	if _, err := s.AddModel(t.Context(), store.System(), "finder", "detector"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReleaseModel(t.Context(), store.System(), "finder", "1"); err != nil {
		t.Fatal(err)
	}
	admin, viewer := s.browser(access.Admin), s.browser(access.Viewer)
	admin.get("/schedules").shows("Nothing starts by itself", "There is no chain yet")
	if _, err := s.AddChain(t.Context(), store.System(), store.NewChain{ChainSettings: store.ChainSettings{Name: "strips"}, Slots: []string{"detector"}}); err != nil {
		t.Fatal(err)
	}
	admin.post("/schedules", "name", "Weekly", "chain", "strips", "models", "finder@9", "versions", "hot-test@latest", "split", "training", "every", "week", "hour", "3").
		want(http.StatusUnprocessableEntity).shows("There is no finder@9")
	admin.post("/schedules", "name", "Weekly", "chain", "strips", "models", "finder@latest", "versions", "hot-test@latest", "split", "training", "every", "week", "hour", "3", "on_release", "on").
		to("/schedules")
	viewer.get("/schedules").shows("Weekly", "finder@latest", "on hot-test@latest", "each week at 03:00 UTC, and after each release").lacks("Make a schedule", "Remove", "Pause")
	call := s.programs(access.Admin, 0)
	call("POST", "/schedules", `{"name":"Daily","chain":"strips","versions":["hot-test@latest"],"split":"training","models":[["finder@latest"]],"every":"day"}`).want(http.StatusCreated)
	call("GET", "/schedules", "").shows(`"name":"Daily"`, `"every":"day"`)
	call("POST", "/schedules/2/resume", "").want(http.StatusUnprocessableEntity).shows("does not rest")
	call("POST", "/schedules/2/pause", "").want(http.StatusNoContent)
	call("GET", "/schedules", "").shows(`"paused_at"`)
	viewer.get("/schedules").shows("Rests").lacks("Resume")
	admin.post("/schedules/2/resume").to("/schedules")
	viewer.get("/schedules").lacks("Rests")
	admin.post("/schedules/1/stop").to("/schedules")
	call("DELETE", "/schedules/2", "").want(http.StatusNoContent)
	viewer.get("/schedules").shows("Nothing starts by itself")
}

// An alert of a fall leads to where the fall comes from, and to what was done around it.
func TestAnAlertLeadsOn(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 3, 2, 4)
	var before, cell, chain int64
	s.scan(&before, `SELECT id FROM cells WHERE version_id = 3 AND path = '{2,4}'`)
	s.scan(&cell, `SELECT id FROM cells WHERE version_id = 4 AND path = '{2,4}'`)
	s.scan(&chain, `SELECT e.chain_id FROM cells c JOIN evaluations e ON e.id = c.evaluation_id WHERE c.id = $1`, cell)
	s.exec(`INSERT INTO alerts (kind, chain_id, cell_id, key, summary) VALUES ('drop', $1, $2, 'k', $3)`, chain, cell, fmt.Sprintf(
		`{"kind":"drop","chain":"calls","cell":%d,"version":"care-test@4","models":["asr@2"],"measure":"macro_f1","falls":[`+
			`{"against":"before","name":"care-test@3","cell":%d,"from":0.8,"to":0.7,"value":-0.1,"low":-0.12,"high":-0.08,"p":0.001,"items":400,"looks":1}]}`, cell, before))
	s.exec(`INSERT INTO changes (at, kind, title, origin) VALUES (now() - interval '3 days', 'change', 'New microphones', 'page'), (now() - interval '300 days', 'change', 'Long ago', 'page')`)
	admin := s.browser(access.Admin)
	ask := fmt.Sprintf("/cells/%d/since/%d", cell, before)
	page := admin.get("/alerts/1").want(http.StatusOK).shows("Look at the figure", "Where from", "Divide the difference among what changed", "New microphones", "These weeks on the timeline").
		lacks("Long ago")
	page.attribute("action", ask)
	page.attribute("href", fmt.Sprintf("/cells/%d?since=%d#attribution-title", cell, before))
	admin.post(ask).want(http.StatusSeeOther)
	admin.get("/alerts/1").shows("It is being computed.")
	s.member(access.Viewer, 1).get("/alerts/1").want(http.StatusOK).lacks("Divide the difference")
}
