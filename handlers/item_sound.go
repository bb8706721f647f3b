package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"

	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// An item of sound lacks its recording, where one of an image lacks its picture.
const (
	awaitingMedia = "awaiting_media"
	noRecording   = "no recording yet"
)

// statesOf gives the states that a list of a kind can be asked for their words. Pictures have no redactions.
func statesOf(kind string, states []ui.Option) []ui.Option {
	if kind != "audio" {
		return slices.DeleteFunc(states, func(o ui.Option) bool { return o.Value == "redacted" })
	}
	for i := range states {
		if states[i].Value == awaitingMedia {
			states[i].Label = noRecording
		}
	}
	return states
}

// itemSound is the sound of an item, nil of an image.
func itemSound(item store.Item, classes []store.Class) *web.ItemSoundView {
	if item.Sound == nil {
		return nil
	}
	v := &web.ItemSoundView{
		Redacted: item.State == "redacted", Written: item.HasTruth, Segments: itemSegments(item.Sound.Truth), Undecided: item.TaskState == "open" || item.TaskState == "in_review",
	}
	names := map[int64]string{}
	for _, c := range classes {
		names[c.ID] = c.Name
	}
	for _, m := range item.Truth {
		span := spanText(m.X, m.X+m.W)
		if m.Y > 0 {
			span += fmt.Sprintf(", channel %.0f", m.Y)
		}
		v.Moments = append(v.Moments, web.ItemMomentView{Class: names[m.ClassID], Span: span})
	}
	for _, h := range item.Sound.Hypotheses {
		view := web.ItemHypothesisView{Model: cmp.Or(h.Model, "prefill of unnamed origin"), Words: h.Words, Text: h.Text}
		if h.Confidence != nil {
			view.Confidence = strconv.FormatFloat(*h.Confidence, 'f', 3, 64)
		}
		v.Hypotheses = append(v.Hypotheses, view)
	}
	return v
}

// playItem says where the sound of an item is to be played from and to: what is served has what comes before and after it too.
func (s *Server) playItem(r *http.Request, v *web.ItemView) error {
	if v.Sound == nil {
		return nil
	}
	heard, err := s.Store.SoundOf(r.Context(), actorOf(r), v.ID)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	v.Sound.Src = fmt.Sprintf("%s#t=%s,%s", soundPath(v.ID), exactSeconds(heard.LeftContext), exactSeconds(heard.LeftContext+heard.Seconds))
	return nil
}

func itemSegments(t speech.Transcript) (views []web.ItemSegmentView) {
	for _, s := range t {
		v := web.ItemSegmentView{Span: spanText(s.Begin, s.End), Speaker: s.Speaker, Text: s.Text}
		if s.Channel > 0 {
			v.Span += fmt.Sprintf(", channel %d", s.Channel)
		}
		views = append(views, v)
	}
	return views
}

// spanText is a stretch of time for people, in seconds.
func spanText(begin, end float64) string { return secondsText(begin) + " – " + secondsText(end) }

// secondsText is a time for people: seconds, to the hundredth, below an hour as 3:07.25.
func secondsText(seconds float64) string {
	hundredths := int64(math.Round(seconds * 100))
	minutes, rest := hundredths/6000, hundredths%6000
	text := fmt.Sprintf("%d:%02d.%02d", minutes%60, rest/100, rest%100)
	if minutes >= 60 {
		return fmt.Sprintf("%d:%02d:%02d.%02d", minutes/60, minutes%60, rest/100, rest%100)
	}
	return text
}

// recordingFacts says what the sound of an item is.
func recordingFacts(sound *store.ItemSound, add func(name, value string)) {
	if sound == nil {
		return
	}
	if sound.Ends > 0 {
		add("Length", secondsText(sound.Ends-sound.Begins))
	}
	if sound.Rate > 0 && (sound.Parts > 1 || sound.Begins > 0 || sound.Ends < sound.Seconds) {
		add("Part", fmt.Sprintf("%s of %s", spanText(sound.Begins, sound.Ends), secondsText(sound.Seconds)))
		add("Items of the recording", strconv.Itoa(sound.Parts))
	}
	if sound.Rate > 0 {
		channels := strconv.Itoa(sound.Channels)
		if sound.Channel > 0 {
			channels = fmt.Sprintf("%d of %d", sound.Channel, sound.Channels)
		}
		add("Rate", fmt.Sprintf("%d Hz", sound.Rate))
		add("Channels", channels)
		add("Encoding", sound.Encoding)
	}
	for _, a := range sound.Assets {
		add("Stored "+a.Kind, fmt.Sprintf("%s, %s", a.ContentType, byteSize(a.Bytes)))
	}
}
