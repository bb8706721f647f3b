package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/speech"
)

// Neighbor is what was decided to be said before or after an utterance, or meanwhile by somebody else. Its times are seconds from the beginning of the
// utterance.
type Neighbor struct {
	Begins, Ends float64
	Channel      int
	Transcript   speech.Transcript
}

// mostNeighbors is how many are shown: more is a page of reading.
const mostNeighbors = 20

// neighborsOf returns what is decided of the utterances that the labeler hears as a whole around theirs, in the order of time. What they may yet be
// asked about themselves stays out: whatever is not decided, and gold.
func (s *Store) neighborsOf(ctx context.Context, w *Work) ([]Neighbor, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT o.begins - i.begins AS begins, o.ends - i.begins AS ends, o.channel, x.segments AS transcript
		FROM items i JOIN items o ON o.recording_id = i.recording_id AND o.id <> i.id AND o.state = 'ready'
		JOIN truths u ON u.item_id = o.id AND u.current JOIN transcripts x ON x.item_id = o.id AND x.kind = 'truth' AND x.of_id = u.id
		LEFT JOIN tasks k ON k.item_id = o.id
		WHERE i.id = $1 AND (i.channel = 0 OR o.channel = i.channel) AND o.begins >= i.begins - $2 - 0.01 AND o.ends <= i.ends + $2 + 0.01
		  AND (k.id IS NULL OR k.state = 'adjudicated') AND NOT EXISTS (SELECT FROM gold_items g WHERE g.item_id = o.id)
		ORDER BY o.begins, o.channel, o.id LIMIT $3`, w.Item, w.Context, mostNeighbors)
	if err != nil {
		return nil, fmt.Errorf("neighbors: %w", err)
	}
	neighbors, err := pgx.CollectRows(rows, pgx.RowToStructByName[Neighbor])
	if err != nil {
		return nil, fmt.Errorf("neighbors: %w", err)
	}
	return neighbors, nil
}
