package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// watched is a server with an open alert, one that was put off, a schedule, and an attribution that was not asked for yet.
func watched(t *testing.T) (url string, calls *[]string) {
	t.Helper()
	calls = &[]string{}
	const open = `{"id":4,"kind":"drop","chain":"calls","cell":12,"state":"open","times":2,"title":"WER became worse","sentences":["Baseline asr@1: 0.1."],` +
		`"summary":{"falls":[{"against":"before","name":"calls-test@2","cell":9}]},"raised_at":"2026-03-01T10:00:00Z"}`
	const put = `{"id":3,"kind":"missing","chain":"other","state":"open","times":1,"title":"No run","snoozed_until":"2026-04-01T10:00:00Z","raised_at":"2026-03-01T10:00:00Z"}`
	asked := false
	say := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var in bytes.Buffer
			if _, err := in.ReadFrom(r.Body); err != nil {
				t.Error(err)
			}
			*calls = append(*calls, r.Method+" "+strings.TrimPrefix(r.URL.RequestURI(), "/api/v1")+" "+in.String())
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/alerts", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("evaluation") == "17" {
			say(200, `{"data":[`+put+`]}`)(w, r)
			return
		}
		say(200, `{"data":[`+open+`,`+put+`]}`)(w, r)
	})
	mux.HandleFunc("GET /api/v1/alerts/4", say(200, open))
	mux.HandleFunc("POST /api/v1/alerts/4/acknowledge", say(204, ""))
	mux.HandleFunc("POST /api/v1/alerts/4/snooze", say(204, ""))
	mux.HandleFunc("POST /api/v1/alerts/4/close", say(409, `{"status":409,"detail":"It changed."}`))
	mux.HandleFunc("GET /api/v1/schedules", say(200, `{"data":[{"id":2,"name":"weekly","chain":"calls","every":"week","hour":3,"on_release":true,"paused_at":"2026-03-01T10:00:00Z"}]}`))
	mux.HandleFunc("POST /api/v1/schedules", say(201, `{"id":2}`))
	mux.HandleFunc("POST /api/v1/schedules/2/pause", say(204, ""))
	mux.HandleFunc("POST /api/v1/schedules/2/resume", say(422, `{"status":422,"detail":"This schedule does not rest."}`))
	mux.HandleFunc("DELETE /api/v1/schedules/2", say(204, ""))
	mux.HandleFunc("POST /api/v1/cells/12/attributions", func(w http.ResponseWriter, r *http.Request) {
		asked = true
		say(202, `{"cell":12,"from":9,"state":"waiting"}`)(w, r)
	})
	mux.HandleFunc("GET /api/v1/cells/12/attributions/9", func(w http.ResponseWriter, r *http.Request) {
		if !asked {
			say(404, `{"status":404,"detail":"There is no such page."}`)(w, r)
			return
		}
		say(200, `{"cell":12,"from":9,"measure":"wer","state":"done","from_value":0.1,"value":0.15,"difference":0.05,"factors":[{"factor":"model","value":0.04}],`+
			`"remainder":0.01,"missing":[{"models":["asr@1"],"version":"calls-test@2","sentence":"There are no outputs of asr 1."}],"lost":3}`)(w, r)
	})
	mux.HandleFunc("PATCH /api/v1/changes/5", say(200, `{"id":5,"title":"Went back","kind":"intervention","at":"2026-03-01T10:00:00Z"}`))
	mux.HandleFunc("DELETE /api/v1/changes/5", say(204, ""))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, calls
}

func TestAlertsSchedulesAndChangesOnTheCommandLine(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]struct {
		code            int
		out, err, calls string
	}{
		"alert list":                          {0, "put off until 2026-04-01", "", ""},
		"alert list --check":                  {exitAnswerNo, "WER became worse", "", ""},
		"alert list --check --json":           {exitAnswerNo, `"id":4`, "", ""},
		"alert list --check --evaluation 17":  {0, "No run", "", "evaluation=17"},
		"alert show 4":                        {0, "fiducial eval attribution 12 --from 9", "", ""},
		"alert acknowledge 4":                 {0, "alert 4", "", "POST /alerts/4/acknowledge"},
		"alert snooze 4 --days 14":            {0, "alert 4", "", `POST /alerts/4/snooze {"days":14}`},
		"alert close 4":                       {exitFailed, "", "fiducial alert show 4", ""},
		"alert show x":                        {exitMisuse, "", "Try: fiducial --help", ""},
		"eval attribution 12 --from 9":        {0, "not computed  +0.0100", "", `POST /cells/12/attributions {"from":9}`},
		"eval attribution 12":                 {0, "There are no outputs of asr 1.", "", "POST /cells/12/attributions {}"},
		"eval attribution 12 --from 9 --json": {0, `"remainder":0.01`, "", ""},
		"schedule list":                       {0, "each week at 03:00 UTC and after releases  rests", "", ""},
		"schedule pause 2":                    {0, "schedule 2 rests", "", "POST /schedules/2/pause"},
		"schedule resume 2":                   {exitMisuse, "", "does not rest", ""},
		"schedule remove 2":                   {0, "schedule 2 is removed", "", "DELETE /schedules/2"},
		"schedule add weekly --chain calls --dataset t@latest --asr asr@latest --every week": {0, "schedule 2", "", `"models":[["asr@latest"]]`},
		"schedule add weekly --chain calls --dataset t@latest --asr asr@latest":              {exitMisuse, "", "say when it starts", ""},
		"schedule add weekly --chain calls --dataset t@latest --every day":                   {exitMisuse, "", "name at least one model version", ""},
		"change edit 5 --at 2026-03-01T10:00:00Z":                                            {0, "change 5: 2026-03-01 10:00", "", `PATCH /changes/5 {"at":"2026-03-01T10:00:00Z"}`},
		"change edit 5":                {exitMisuse, "", "say what to put right", ""},
		"change edit 5 --at yesterday": {exitMisuse, "", "write the time like", ""},
		"change withdraw 5":            {0, "off the timeline", "", "DELETE /changes/5"},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			url, calls := watched(t)
			var out, errOut bytes.Buffer
			code := run(t.Context(), append(strings.Fields(command), "--url", url, "--token", "fid_x"), strings.NewReader(""), &out, &errOut)
			if code != want.code || !strings.Contains(out.String(), want.out) || !strings.Contains(errOut.String(), want.err) || !strings.Contains(strings.Join(*calls, "\n"), want.calls) {
				t.Errorf("exit %d, want %d\nout: %s\nerr: %s\ncalls: %s", code, want.code, &out, &errOut, strings.Join(*calls, "\n"))
			}
		})
	}
}
