package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/speech"
)

// Whose transcript a row of transcripts is: of_id is that of an assignment, an annotation or a truth.
const (
	draftTranscript      = "draft"
	annotationTranscript = "annotation"
	truthTranscript      = "truth"
)

// transcriptOf reads a transcript, nil if there is none.
func transcriptOf(ctx context.Context, q querier, item int64, kind string, of int64) (t speech.Transcript, err error) {
	err = q.QueryRow(ctx, `SELECT segments FROM transcripts WHERE item_id = $1 AND kind = $2 AND of_id = $3`, item, kind, of).Scan(&t)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("transcript of %s %d: %w", kind, of, err)
	}
	return t, nil
}

// writeTranscript keeps a transcript in place of the one that was there.
func writeTranscript(ctx context.Context, tx pgx.Tx, item int64, kind string, of int64, t speech.Transcript) error {
	if t == nil {
		t = speech.Transcript{}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO transcripts (item_id, kind, of_id, segments) VALUES ($1, $2, $3, $4)
		ON CONFLICT (item_id, kind, of_id) DO UPDATE SET segments = excluded.segments`, item, kind, of, t)
	if err != nil {
		return fmt.Errorf("write transcript of %s %d: %w", kind, of, err)
	}
	return nil
}

// keepable says why an unfinished transcript cannot be kept, or "": it may be out of order and full of gaps, but not endless.
func keepable(t speech.Transcript) string {
	if len(t) > speech.MostSegments {
		return fmt.Sprintf("At most %d segments fit on one utterance.", speech.MostSegments)
	}
	for i, s := range t {
		if len([]rune(s.Text))+len([]rune(s.Speaker)) > speech.LongestSegment {
			return fmt.Sprintf("Segment %d: keep it under %d characters.", i+1, speech.LongestSegment)
		}
		if strings.ContainsRune(s.Text+s.Speaker, 0) {
			return fmt.Sprintf("Segment %d holds a character that cannot be kept (NUL). Delete it.", i+1)
		}
	}
	return ""
}

// written is a transcript as an answer keeps it: tidy, and without segments in which nothing is written. nil stays nil.
func written(t speech.Transcript) speech.Transcript {
	if t == nil {
		return nil
	}
	return slices.DeleteFunc(t.Clean(), func(s speech.Segment) bool { return s.Text == "" })
}

// modeColumn reads the mode of assignment a in project p: what its labeler may see of what models heard.
const modeColumn = `coalesce(a.mode, CASE p.kind WHEN 'audio' THEN p.prefill_mode END, '') AS mode`

// finished is the transcript of an answer as it is kept, or an InvalidError that says why it is none yet.
func (h sounding) finished(t speech.Transcript) (speech.Transcript, error) {
	if !h.audio() {
		if len(t) > 0 {
			return nil, invalid("transcript", "An image has no transcript. Reload the page.")
		}
		return nil, nil
	}
	if fault := keepable(t); fault != "" {
		return nil, invalid("transcript", fault)
	}
	t = written(t)
	if len(t) == 0 {
		return nil, invalid("transcript", "Nothing is written yet. Write what is said; if nothing is, write "+speech.NoSpeech+".")
	}
	if fault := t.Check(h.Seconds, h.Channels); fault != "" {
		return nil, invalid("transcript", fault)
	}
	return t, nil
}
