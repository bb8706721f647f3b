package handlers_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/audio"
	"fiducial/store"
	"fiducial/store/storetest"
)

// BenchmarkFirstSound asks for what a page plays first of an utterance of ten seconds: one that is all of its recording, and one at the end of
// three hours. ms is that of the latter, ratio how much longer it takes.
func BenchmarkFirstSound(b *testing.B) {
	s := newSite(b)
	calls := storetest.Speech(b, s.pool, s.bucket, 2, 1, 1)
	lengths := []int64{10, 3 * 60 * 60} // seconds
	for i, seconds := range lengths {
		s.lengthen(calls.Recordings[i], calls.Items[i], seconds)
	}
	reviewer := s.member(access.Reviewer, calls.Project)
	var medians [2]time.Duration
	for b.Loop() {
		for i := range lengths {
			path := fmt.Sprintf("/media/items/%d/sound", calls.Items[i])
			took := make([]time.Duration, 41)
			for n := range took {
				began := time.Now()
				got := reviewer.do(http.MethodGet, path, nil, "Range", "bytes=0-65535").want(http.StatusPartialContent)
				took[n] = time.Since(began)
				if got.Body.Len() != 65536 {
					b.Fatalf("%d bytes came", got.Body.Len())
				}
			}
			slices.Sort(took)
			medians[i] = took[len(took)/2]
		}
	}
	b.ReportMetric(float64(medians[1].Microseconds())/1000, "ms")
	b.ReportMetric(float64(medians[1])/float64(medians[0]), "ratio")
}

// lengthen makes a recording one of silence that long, at 16 kHz, and its item the last ten seconds of it.
func (s *site) lengthen(recording, item, seconds int64) {
	s.t.Helper()
	const rate = 16_000
	frames := rate * seconds
	var head bytes.Buffer
	if _, err := audio.NewWriter(&head, rate, 1, frames); err != nil {
		s.t.Fatal(err)
	}
	size := int64(head.Len()) + 2*frames
	file := io.MultiReader(&head, io.LimitReader(nothing{}, 2*frames))
	if _, err := s.bucket.Put(s.t.Context(), store.RecordingKey(recording, "original"), file, size, "audio/wav"); err != nil {
		s.t.Fatal(err)
	}
	s.exec(`UPDATE recording_assets SET bytes = $2 WHERE recording_id = $1 AND kind = 'original'`, recording, size)
	s.exec(`UPDATE recordings SET rate = $2, frames = $3 WHERE id = $1`, recording, rate, frames)
	s.exec(`UPDATE items SET begins = $2, ends = $3 WHERE id = $1`, item, float64(seconds-10), float64(seconds))
}

// nothing is silence without end.
type nothing struct{}

func (nothing) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
