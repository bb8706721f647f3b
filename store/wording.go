package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/agreement"
	"fiducial/internal/speech"
)

// sounding is what decisions and comparisons need to know of an item of sound; its zero value is that of an image.
type sounding struct {
	Kind       string // of the project
	Normalizer string
	Seconds    float64 // of the item
	Channels   int     // of its recording
}

// soundingColumns read it of project p and item i.
const soundingColumns = `p.kind, p.normalizer, coalesce(i.ends - i.begins, 0) AS seconds,
	coalesce((SELECT c.channels FROM recordings c WHERE c.id = i.recording_id), 1) AS channels`

// audio reports whether the item is sound, so that its answers have words.
func (s sounding) audio() bool { return s.Kind == "audio" }

func (s sounding) normalizer() speech.Normalizer { return speech.ProjectNormalizer(s.Normalizer) }

// limits are those by which the item's boxes, or moments, are matched.
func (s sounding) limits(loose float64) agreement.Limits {
	return agreement.Limits{Loose: loose, Moments: s.audio()}
}

// wording is what was written down, and under which rules; nil stands for an image, that has no words.
type wording struct {
	Transcript speech.Transcript
	Rules      *int // version, nil where there was none
}

// content is what a decision makes the truth.
type content struct {
	boxes []Box
	words *wording
}

// checkWords refuses a transcript that cannot be one of the item, and returns it as it is kept.
func (s sounding) checkWords(t speech.Transcript) (speech.Transcript, error) {
	if !s.audio() {
		return nil, invalid("transcript", "This item is an image: it takes boxes, not words.")
	}
	if fault := t.Check(s.Seconds, s.Channels); fault != "" {
		return nil, invalid("transcript", fault)
	}
	return t.Clean(), nil
}

// fits says what is wrong with the place of a moment, or "".
func (s sounding) fits(b DraftBox) string {
	const rounding = 1e-3
	switch {
	case !(b.X >= -rounding && b.W > 0 && b.X+b.W <= s.Seconds+rounding): // also for what is no number
		return "it reaches out of the recording, or has no length. Set its times inside."
	case b.H != 1 || b.Rotation != 0 || b.Y != float64(int(b.Y)) || b.Y < 0 || int(b.Y) > s.Channels:
		return "the recording has no such channel. Choose another one."
	}
	return ""
}

// rulesNow returns the version of a project's transcription rules that holds, nil for none.
func rulesNow(ctx context.Context, q querier, project int64) (version *int, err error) {
	err = q.QueryRow(ctx, `SELECT max(version) FROM transcription_rules WHERE project_id = $1`, project).Scan(&version)
	if err != nil {
		return nil, fmt.Errorf("transcription rules of project %d: %w", project, err)
	}
	return version, nil
}

// wordingsOf reads what answers to an item say, in their order.
func wordingsOf(ctx context.Context, q querier, item int64, ids []int64) ([]wording, error) {
	words := make([]wording, len(ids))
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `
		SELECT an.id, w.segments, an.rules_version FROM annotations an
		LEFT JOIN transcripts w ON w.item_id = $1 AND w.kind = 'annotation' AND w.of_id = an.id WHERE an.id = ANY($2)`, item, ids)
	if err != nil {
		return nil, fmt.Errorf("words of answers: %w", err)
	}
	var id int64
	var w wording
	_, err = pgx.ForEachRow(rows, []any{&id, &w.Transcript, &w.Rules}, func() error {
		words[slices.Index(ids, id)] = w
		w = wording{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("words of answers: %w", err)
	}
	return words, nil
}

// transcriptsOf reads transcripts of one kind, by what they are of; items are the items of these.
func transcriptsOf(ctx context.Context, q querier, kind string, items, of []int64) (map[int64]speech.Transcript, error) {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `SELECT of_id, segments FROM transcripts WHERE item_id = ANY($1) AND kind = $2 AND of_id = ANY($3)`, items, kind, of)
	if err != nil {
		return nil, fmt.Errorf("transcripts of %ss: %w", kind, err)
	}
	all := map[int64]speech.Transcript{}
	var id int64
	var t speech.Transcript
	_, err = pgx.ForEachRow(rows, []any{&id, &t}, func() error {
		all[id] = t
		t = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("transcripts of %ss: %w", kind, err)
	}
	return all, nil
}

// compareWords counts in how much the words of answers differ, from each other and from a truth, unless that is nil.
func compareWords(n speech.Normalizer, answers []speech.Transcript, truth *speech.Transcript) *agreement.Words {
	scorer := speech.Scorer{Normalizer: n}
	w := &agreement.Words{}
	texts := make([]string, len(answers))
	for i, t := range answers {
		texts[i] = t.Text()
		for j := range i {
			c := scorer.Score(texts[j], texts[i])
			w.Pairs = append(w.Pairs, agreement.WordPair{One: j, Two: i, Errors: c.Errors(), Words: c.Reference() + c.Hypothesis()})
		}
		if truth != nil {
			c := scorer.Score(truth.Text(), texts[i])
			w.Truth = append(w.Truth, agreement.WordErrors{Errors: c.Errors(), Words: c.Reference()})
		}
	}
	return w
}

// WordOrigins say where the words of a decision come from.
type WordOrigins struct {
	// Merged are those that most answers have.
	Merged int `json:"merged,omitempty"`
	// Taken are other words of one answer, by its id.
	Taken map[int64]int `json:"taken,omitempty"`
	// Written are the reviewer's own, or those of a former truth.
	Written int `json:"written,omitempty"`
}

// spoken are the words of the answers that count, in their order.
type spoken struct {
	normalizer speech.Normalizer
	answers    []wording
}

func (s *spoken) transcripts() []speech.Transcript {
	list := make([]speech.Transcript, len(s.answers))
	for i, a := range s.answers {
		list[i] = a.Transcript
	}
	return list
}

// merged is what most answers say, under the oldest rules that any of them was written under: so it is known to be stale when any
// of them is.
func (s *spoken) merged() *wording {
	if s == nil {
		return nil
	}
	w := &wording{Transcript: speech.Merge(s.transcripts(), s.normalizer)}
	for _, a := range s.answers {
		if a.Rules != nil && (w.Rules == nil || *a.Rules < *w.Rules) {
			w.Rules = a.Rules
		}
	}
	return w
}

// settled reports whether all answers have the same words.
func (s *spoken) settled() bool {
	return s == nil || !compareWords(s.normalizer, s.transcripts(), nil).Differ()
}

// of is what one answer says, nil for an image.
func (s *spoken) of(i int) *wording {
	if s == nil {
		return nil
	}
	return &s.answers[i]
}

// origins says where words come from.
func (s *spoken) origins(ids []int64, w *wording) *WordOrigins {
	if s == nil || len(ids) == 0 {
		return nil
	}
	found := speech.SourcesOf(w.Transcript, s.transcripts(), s.normalizer)
	o := &WordOrigins{Merged: found.Merged, Written: found.Written}
	for i, n := range found.Taken {
		if o.Taken == nil {
			o.Taken = map[int64]int{}
		}
		o.Taken[ids[i]] = n
	}
	return o
}

// sameWords reports whether both hold the same segments; of images they always do.
func sameWords(a, b *wording) bool {
	return a == nil || b == nil || slices.Equal(a.Transcript, b.Transcript)
}
