package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/speech"
)

// DraftBox is a box that is still being worked on. ID is stable while it is; a box that was begun
// from an answer or a prefill has its position there as ID.
type DraftBox struct {
	ID       string  `json:"id"`
	ClassID  int64   `json:"class"`
	X        float64 `json:"x"`
	Y        float64 `json:"y"`
	W        float64 `json:"w"`
	H        float64 `json:"h"`
	Rotation float64 `json:"rotation"`
}

// DraftConflictError says that a newer draft is stored than the one that was to be replaced. It is an
// ErrConflict.
type DraftConflictError struct {
	Version    int
	Boxes      []DraftBox
	Transcript speech.Transcript // nil in a project of images
}

func (e *DraftConflictError) Error() string {
	return "Another window saved a newer draft of this item. Choose which of the two to keep."
}

func (e *DraftConflictError) Unwrap() error { return ErrConflict }

// Saved is a stored draft's version and time.
type Saved struct {
	Version int
	At      time.Time
}

// boxLimit bounds the boxes of one answer: what a person can draw, many times over.
const boxLimit = 10_000

// SaveDraft stores the boxes of an unfinished answer, and of an utterance what was written so far, over the draft of the
// given version (0 for none yet). It returns a DraftConflictError if another one is stored, and ErrGone once the
// assignment takes no answer any more.
func (s *Store) SaveDraft(
	ctx context.Context, actor Actor, task, assignment int64, version int, boxes []DraftBox, transcript speech.Transcript,
) (saved Saved, err error) {
	if err := actor.may(access.Label); err != nil {
		return Saved{}, err
	}
	if len(boxes) > boxLimit {
		return Saved{}, invalid("boxes", fmt.Sprintf("At most %d boxes fit on one item.", boxLimit))
	}
	if fault := keepable(transcript); fault != "" {
		return Saved{}, invalid("transcript", fault)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		var open, sound bool
		var item int64
		err := tx.QueryRow(ctx, `
			SELECT a.state IN ('leased', 'expired', 'returned') AND t.state <> 'discarded' AND i.state = 'ready', i.id, i.recording_id IS NOT NULL
			FROM assignments a JOIN tasks t ON t.id = a.task_id JOIN items i ON i.id = t.item_id
			WHERE a.id = $1 AND a.task_id = $2 AND a.person_id = $3 AND `+stillMember+` FOR SHARE OF a`,
			assignment, task, actor.PersonID).Scan(&open, &item, &sound)
		if err != nil {
			return notFound(err)
		}
		if !open {
			return ErrGone
		}
		if sound != (transcript != nil) {
			return invalid("transcript", "A transcript belongs to an utterance, and to nothing else. Reload the page.")
		}
		saved, err = saveDraft(ctx, tx, item, assignment, version, boxes, transcript)
		return err
	})
	if err != nil {
		return Saved{}, fmt.Errorf("draft of assignment %d: %w", assignment, s.ErasedTask(ctx, actor, task, err))
	}
	return saved, nil
}

// stillMember is the condition that the person of assignment a is in its project.
const stillMember = `EXISTS (SELECT FROM members m WHERE m.project_id = a.project_id AND m.person_id = a.person_id)`

func saveDraft(
	ctx context.Context, tx pgx.Tx, item, assignment int64, version int, boxes []DraftBox, transcript speech.Transcript,
) (saved Saved, err error) {
	if boxes == nil {
		boxes = []DraftBox{}
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO drafts (assignment_id, version, boxes) VALUES ($1, $2 + 1, $3)
		ON CONFLICT (assignment_id) DO UPDATE SET boxes = excluded.boxes, version = excluded.version, saved_at = now()
		WHERE drafts.version = $2
		RETURNING version, saved_at`, assignment, version, boxes).Scan(&saved.Version, &saved.At)
	if err == nil && transcript != nil {
		err = writeTranscript(ctx, tx, item, draftTranscript, assignment, transcript)
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return saved, err
	}
	stored, at, err := draftOf(ctx, tx, item, assignment)
	if err != nil {
		return Saved{}, err
	}
	// The same draft again, whose answer was lost on the way.
	if stored.Version == version+1 && slices.Equal(stored.Boxes, boxes) && slices.Equal(stored.Transcript, transcript) {
		return Saved{Version: stored.Version, At: at}, nil
	}
	return Saved{}, stored
}

// draftOf returns the stored draft of an assignment of an item, or pgx.ErrNoRows.
func draftOf(ctx context.Context, q querier, item, assignment int64) (stored *DraftConflictError, at time.Time, err error) {
	stored = &DraftConflictError{}
	var boxes []byte
	err = q.QueryRow(ctx, `
		SELECT d.version, d.boxes, d.saved_at, t.segments
		FROM drafts d LEFT JOIN transcripts t ON t.item_id = $2 AND t.kind = 'draft' AND t.of_id = d.assignment_id
		WHERE d.assignment_id = $1`, assignment, item).Scan(&stored.Version, &boxes, &at, &stored.Transcript)
	if err != nil {
		return nil, time.Time{}, err
	}
	if err := json.Unmarshal(boxes, &stored.Boxes); err != nil {
		return nil, time.Time{}, fmt.Errorf("draft of assignment %d: %w", assignment, err)
	}
	return stored, at, nil
}

// begun returns boxes as a draft that begins with them.
func begun(boxes []Box) []DraftBox {
	draft := make([]DraftBox, len(boxes))
	for i, b := range boxes {
		draft[i] = DraftBox{ID: strconv.Itoa(i), ClassID: b.ClassID, X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation}
	}
	return draft
}
