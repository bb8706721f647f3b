package store

import (
	"context"
	"errors"
	"fmt"

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
