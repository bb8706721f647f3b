package handlers_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/store/storetest"
)

// span is where an item lies in the sound that is served for it.
type span struct {
	Seconds, Left, Right, Context float64
	Rate, Channels                int
	From, To                      float64
	Peaks                         [][]int
}

func TestSoundIsServedInRanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	calls := storetest.Speech(t, s.pool, s.bucket, 1, 4, 1)
	s.exec(`UPDATE projects SET context_seconds = 0.5`)
	path := fmt.Sprintf("/media/items/%d/sound", calls.Items[1])
	reviewer := s.member(access.Reviewer, calls.Project)
	got := reviewer.get(path).want(http.StatusOK)
	file := got.Body.Bytes()
	if want := 44 + 2*2*storetest.SpeechRate; len(file) != want || string(file[:4]) != "RIFF" || binary.LittleEndian.Uint32(file[40:]) != uint32(want-44) {
		t.Fatalf("%d bytes are served, want %d", len(file), want)
	}
	for name, want := range map[string]string{
		"Content-Type": "audio/wav", "Cache-Control": "no-store", "Accept-Ranges": "bytes", "Sound-Left-Context": "0.5", "Sound-Right-Context": "0.5",
		"Content-Disposition": fmt.Sprintf(`inline; filename="item-%d.wav"`, calls.Items[1]), "X-Content-Type-Options": "nosniff",
	} {
		if have := got.Header().Get(name); have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
	last := len(file) - 1
	for ask, want := range map[string][2]int{
		"bytes=0-":       {0, last},
		"bytes=0-0":      {0, 0},
		"bytes=43-45":    {43, 45},
		"bytes=45-1001":  {45, 1001},
		"bytes=20001-":   {20001, last},
		"bytes=-3":       {last - 2, last},
		"bytes=7-999999": {7, last}, // what lies beyond is not there to be served
	} {
		part := reviewer.do(http.MethodGet, path, nil, "Range", ask).want(http.StatusPartialContent)
		if body := part.Body.String(); body != string(file[want[0]:want[1]+1]) {
			t.Errorf("%s: %d bytes, want those from %d to %d", ask, len(body), want[0], want[1])
		}
	}
	reviewer.do(http.MethodGet, path, nil, "Range", fmt.Sprintf("bytes=%d-", len(file))).want(http.StatusRequestedRangeNotSatisfiable)
}

func TestPeaksOfAnItem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	calls := storetest.Speech(t, s.pool, s.bucket, 1, 4, 1)
	s.exec(`UPDATE projects SET context_seconds = 0.5`)
	path := fmt.Sprintf("/media/items/%d/peaks", calls.Items[1])
	reviewer := s.member(access.Reviewer, calls.Project)
	all := read[span](reviewer.get(path+"?width=100"), http.StatusOK)
	if all.Seconds != 1 || all.Left != 0.5 || all.From != 0 || all.To != 2 || all.Channels != 1 || len(all.Peaks) != 1 || len(all.Peaks[0]) != 200 || all.Peaks[0][1] < 60 {
		t.Errorf("all of it: %+v", all)
	}
	part := read[span](reviewer.get(path+"?width=10&from=0.5&to=0.75"), http.StatusOK)
	if part.From != 0.5 || part.To != 0.75 || len(part.Peaks[0]) != 20 {
		t.Errorf("a part: %+v", part)
	}
	for _, query := range []string{"?width=0", "?width=4001", "?width=wide", "?from=-1", "?from=NaN", "?to=1e99"} {
		reviewer.get(path + query).want(http.StatusUnprocessableEntity)
	}
	s.member(access.Labeler, calls.Project).get(path).want(http.StatusNotFound)
}

func TestSoundOfOthersDoesNotExist(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	calls := storetest.Speech(t, s.pool, s.bucket, 1, 4, 1)
	id, _ := s.person(access.Labeler)
	if err := s.AddMember(t.Context(), store.System(), calls.Project, id); err != nil {
		t.Fatal(err)
	}
	labeler := s.browserOf(id)
	s.exec(`INSERT INTO assignments (task_id, project_id, person_id, state, lease_until) VALUES ($1, $2, $3, 'leased', now() + interval '1 hour')`,
		calls.Tasks[1], calls.Project, id)
	for _, kind := range []string{"sound", "peaks"} {
		own, other := fmt.Sprintf("/media/items/%d/%s", calls.Items[1], kind), fmt.Sprintf("/media/items/%d/%s", calls.Items[2], kind)
		labeler.get(own).want(http.StatusOK)
		labeler.get(other).want(http.StatusNotFound)
		s.browser(access.Reviewer).get(own).want(http.StatusNotFound)
		s.member(access.Viewer, calls.Project).get(own).want(http.StatusForbidden)
		s.browser(access.Admin).get(own).want(http.StatusOK)
		s.browser(access.Admin).get("/media/items/999999/" + kind).want(http.StatusNotFound)
		s.stranger().get(own).want(http.StatusSeeOther)
	}
	ask := map[string]any{"seconds": 10, "reason": ""}
	path := fmt.Sprintf("/label/%d/context", calls.Tasks[1])
	labeler.send(http.MethodPost, path, ask).want(http.StatusUnprocessableEntity)
	ask["reason"] = "She speaks before the utterance begins."
	wider := read[span](labeler.send(http.MethodPost, path, ask), http.StatusOK)
	if wider.Context != 10 || wider.Left != 1 || wider.Right != 2 {
		t.Errorf("heard so: %+v", wider)
	}
	labeler.send(http.MethodPost, fmt.Sprintf("/label/%d/context", calls.Tasks[2]), ask).want(http.StatusNotFound)
}
