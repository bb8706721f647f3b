package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestExpiringCommand(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/api/v1/expiring?within=90d":                `{"data":[{"week":"2027-01-04","source":"Mill 2","items":12,"held":3}],"next":"/api/v1/expiring?after=x"}`,
		"/api/v1/expiring?after=x":                   `{"data":[{"week":"2027-01-11","source":"Mill 2","items":4,"held":0}]}`,
		"/api/v1/expiring?source=Mill+2&within=180d": `{"data":[]}`,
		"/api/v1/expiring/parts?dataset=strip&within=90d": `{"data":[{"dataset":"strip","version":2,"split":"test","stratum":"Scratch","wanted":9,"items":10,"then":7,
			"interval":0.263,"size":{"state":"falls","week":"2027-01-04"},"width":{"state":"never_held"}}]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.String()]
		if !ok {
			t.Errorf("asked for %s", r.URL)
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"expiring"}, 0, "WEEK        SOURCE  ITEMS  HELD\n2027-01-04  Mill 2  12     3\n2027-01-11  Mill 2  4      0\n"},
		{[]string{"expiring", "--within", "180d", "--source", "Mill 2"}, 0, "WEEK  SOURCE  ITEMS  HELD\n"},
		{[]string{"expiring", "--json"}, 0, `{"week":"2027-01-04","source":"Mill 2","items":12,"held":3}`},
		{[]string{"expiring", "--parts", "--dataset", "strip"}, 0, "strip@2 test, Scratch  9         10 ±26.3  7     from 2027-01-04  from the start"},
		{[]string{"expiring", "--dataset", "strip"}, exitMisuse, ""},
		{[]string{"expiring", "--within", "soon"}, exitMisuse, ""},
	} {
		code, out, messages := command(t, server.URL, tt.args...)
		if code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%v: %d, %s%s, want %d, %s", tt.args, code, out, messages, tt.code, tt.want)
		}
	}
}
