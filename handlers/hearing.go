package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"fiducial/store"
)

// What a page must know of a sound that it is given: how many seconds of it come before and after the item.
const (
	leftContextHeader  = "Sound-Left-Context"
	rightContextHeader = "Sound-Right-Context"
)

// fetchedAhead in the query of a sound says that a page fetches it for later.
const fetchedAhead = "ahead"

// soundPath is where the sound of an item is, as far as who asks may hear it.
func soundPath(item int64) string { return fmt.Sprintf("/media/items/%d/sound", item) }

// peaksPath is where its outline is.
func peaksPath(item int64) string { return fmt.Sprintf("/media/items/%d/peaks", item) }

func exactSeconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }

// setContext says where in the sound the item lies. No browser keeps any of it: what is erased must be gone.
func setContext(w http.ResponseWriter, h *store.Hearing) {
	header := w.Header()
	header.Set(leftContextHeader, exactSeconds(h.LeftContext))
	header.Set(rightContextHeader, exactSeconds(h.RightContext))
	header.Set("Cache-Control", "no-store")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// itemSound plays an item to whoever may hear it.
func (s *Server) itemSound(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	open := s.Store.PlayItem
	if r.URL.Query().Has(fetchedAhead) {
		open = s.Store.FetchItem
	}
	playback, err := open(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Content-Disposition", fmt.Sprintf("inline; filename=%q", fmt.Sprintf("item-%d.wav", id)))
	setContext(w, &playback.Hearing)
	http.ServeContent(w, r, "", time.Time{}, playback.Content)
	return nil
}

// soundSpan says where an item lies in the sound that is served for it.
type soundSpan struct {
	Seconds  float64 `json:"seconds"` // of the item
	Left     float64 `json:"left"`    // seconds of context before it
	Right    float64 `json:"right"`   // and after it
	Context  float64 `json:"context"` // what they may hear on either side, if there is as much
	Rate     int     `json:"rate"`
	Channels int     `json:"channels"` // of the served sound
	Version  int     `json:"version"`  // raised when the sound was changed by an erasure
}

func spanOf(h *store.Hearing) soundSpan {
	return soundSpan{h.Seconds, h.LeftContext, h.RightContext, h.Context, h.Rate, h.Channels, h.Version}
}

// soundPeaks is the outline of a sound, or of a part of it.
type soundPeaks struct {
	soundSpan

	From float64 `json:"from"` // seconds of the served sound
	To   float64 `json:"to"`
	// Peaks has for each channel the lowest and the highest of each point in turn, from -127 to 127.
	Peaks [][]int8 `json:"peaks"`
}

// defaultPoints are as many as a wide window has room for.
const defaultPoints = 1000

// itemPeaks draws the outline of what somebody may hear of an item: ?from and ?to in seconds of the served sound, ?width in points.
func (s *Server) itemPeaks(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	query := r.URL.Query()
	number := func(name string, otherwise float64) float64 {
		text := query.Get(name)
		if text == "" {
			return otherwise
		}
		v, parseErr := strconv.ParseFloat(text, 64)
		if parseErr != nil || !(v >= 0 && v < 1e9) {
			err = &store.InvalidError{Field: name, Reason: fmt.Sprintf("Write %s as a number, for example 12.5.", name)}
		}
		return v
	}
	from, to, width := number("from", 0), number("to", 0), number("width", defaultPoints)
	if err != nil {
		return err
	}
	peaks, err := s.Store.PeaksOf(r.Context(), actorOf(r), id, from, to, int(width))
	if err != nil {
		return err
	}
	setContext(w, &peaks.Hearing)
	return renderJSON(w, http.StatusOK, soundPeaks{spanOf(&peaks.Hearing), peaks.From, peaks.To, peaks.Points})
}

// widenContext lets somebody hear more around the item of a task, who says why, and answers with where the item lies in the longer sound.
func (s *Server) widenContext(w http.ResponseWriter, r *http.Request) error {
	task, err := pathID(r, "task")
	if err != nil {
		return err
	}
	var ask struct {
		Seconds int    `json:"seconds"`
		Reason  string `json:"reason"`
	}
	if err := readJSON(w, r, largestRequest, &ask); err != nil {
		return err
	}
	h, err := s.Store.WidenContext(r.Context(), actorOf(r), task, ask.Seconds, ask.Reason)
	if err != nil {
		return err
	}
	return renderJSON(w, http.StatusOK, spanOf(&h))
}
