package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/speech"
)

// Work is everything that a labeler needs to work on one task: the item, their assignment, and the
// boxes to go on from, of an utterance the transcript too. It holds nothing of anybody else's answer, and of what models
// heard only what the assignment's mode allows.
type Work struct {
	Task         int64
	Item         int64
	Assignment   int64
	Project      int64
	Slug         string
	ProjectName  string
	Name         string // the item's file name, or its external key
	Width        int
	Height       int
	Reason       string // initial, rework, relabel or gold
	State        string // of the assignment
	TaskState    string
	LeaseUntil   *time.Time // nil unless it is leased
	Now          time.Time  // by the database's clock
	DraftVersion int        // 0: nothing was saved yet
	Boxes        []DraftBox `db:"-"` // the draft, else the answer that came back, else the prefill
	Mode         string     // what may be seen of what models heard: blind, edit or reveal; empty of an image

	sounding

	Rate       int                // frames of the recording a second
	Begins     float64            // of the utterance in its recording, in seconds
	Context    float64            // seconds of the recording that the labeler may hear around it
	Trail      float64            // seconds of the recording after the utterance
	Transcript speech.Transcript  `db:"-"` // to go on from, as Boxes; at least one segment, perhaps empty
	Heard      []Hypothesis       `db:"-"` // what may be seen; the text begins from the first in mode edit
	Picked     *Picked            `db:"-"`
	Neighbors  []Neighbor         `db:"-"` // what is decided of what they hear around it
	Rules      TranscriptionRules `db:"-"` // those that hold, without a version where there are none
	Marks      []Mark             `db:"-"`
	Classes    []WorkClass
	Assets     []WorkAsset
	Recallable *Recallable `db:"-"`
	Place      WorkPlace   `db:"-"`
}

// Mark is why an answer came back: a reviewer's remark on it, or a definition that changed. Box is the id of the
// draft's box that it is about, nil if it is about a place (X, Y) or the whole.
type Mark struct {
	ID      int64
	Box     *string
	X       *float64
	Y       *float64
	Reason  string // a fault, or Sharpened
	Note    string
	Dispute string
	Class   string // of Sharpened: the class whose definition changed, and its version
	Version int
}

// Sharpened is the reason of a mark on a box whose definition changed after it was drawn.
const Sharpened = "definition"

// WorkClass is a class that a labeler can choose; Definition is the newest published version, 0 for none.
type WorkClass struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Key        string `json:"key"`
	Slot       int    `json:"slot"`
	Definition int    `json:"definition"`
}

// WorkAsset is a stored picture of the item, with what a page must know of its bytes.
type WorkAsset struct {
	Kind   string          `json:"kind"`
	Width  int             `json:"width"`
	Height int             `json:"height"`
	Facts  json.RawMessage `json:"facts"`
}

// Recallable is an answer that can be taken back.
type Recallable struct {
	Task int64
	Name string
}

const workColumns = `t.id AS task, t.item_id AS item, a.id AS assignment, p.id AS project, p.slug, p.name AS project_name,
	` + itemName + ` AS name,
	coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height, a.reason, a.state,
	` + soundingColumns + `, ` + modeColumn + `, coalesce(rec.rate, 0) AS rate, coalesce(i.begins, 0) AS begins, coalesce(rec.frames::float8 / rec.rate - i.ends, 0) AS trail,
	greatest(p.context_seconds, (SELECT w.seconds FROM wider_contexts w WHERE w.item_id = i.id AND w.person_id = a.person_id ORDER BY w.id DESC LIMIT 1)) AS context,
	CASE WHEN a.reason = 'gold' AND t.state <> 'discarded' THEN 'open' ELSE t.state END AS task_state, a.lease_until, now() AS now,
	coalesce(d.version, 0) AS draft_version,
	coalesce((SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'key', c.key, 'slot', c.slot,
			'definition', coalesce((SELECT max(version) FROM definitions WHERE class_id = c.id), 0)) ORDER BY c.slot)
		FROM classes c WHERE c.project_id = p.id AND c.retired_at IS NULL), '[]') AS classes,
	coalesce((SELECT jsonb_agg(jsonb_build_object('kind', s.kind, 'width', coalesce(s.width, 0), 'height', coalesce(s.height, 0), 'facts', s.facts))
		FROM assets s WHERE s.item_id = i.id), '[]') AS assets`

// Work returns what the actor works on when they work on this task. It returns ErrNotFound unless the task was
// handed to them, and ErrGone once it has been withdrawn.
func (s *Store) Work(ctx context.Context, actor Actor, task int64) (Work, error) {
	return s.workNoted(ctx, actor, task, true)
}

// WorkAhead returns the same for a page that fetches it before it is worked on, and notes nothing as seen: Shown does, once it is on the screen.
func (s *Store) WorkAhead(ctx context.Context, actor Actor, task int64) (Work, error) {
	return s.workNoted(ctx, actor, task, false)
}

func (s *Store) workNoted(ctx context.Context, actor Actor, task int64, note bool) (Work, error) {
	work, err := s.work(ctx, actor, task, note)
	if err != nil {
		return Work{}, fmt.Errorf("work on task %d: %w", task, s.ErasedTask(ctx, actor, task, err))
	}
	return work, nil
}

// Shown notes that the utterance of a task, which was fetched ahead, is on the screen: what models heard in it is seen, as far as it is shown, and
// its sound is at hand.
func (s *Store) Shown(ctx context.Context, actor Actor, task int64) error {
	work, err := s.Work(ctx, actor, task)
	if err != nil || !work.audio() {
		return err
	}
	return s.noteHearing(ctx, actor, work.Item)
}

func (s *Store) work(ctx context.Context, actor Actor, task int64, note bool) (w Work, err error) {
	if err := actor.may(access.Label); err != nil {
		return Work{}, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+workColumns+`
		FROM assignments a JOIN tasks t ON t.id = a.task_id JOIN items i ON i.id = t.item_id JOIN projects p ON p.id = t.project_id
		LEFT JOIN item_texts x ON x.item_id = i.id LEFT JOIN drafts d ON d.assignment_id = a.id LEFT JOIN recordings rec ON rec.id = i.recording_id
		WHERE a.task_id = $1 AND a.person_id = $2 AND `+stillMember+` AND a.state <> 'cancelled' AND t.state <> 'discarded' AND i.state = 'ready'
		ORDER BY a.pass DESC LIMIT 1`, task, actor.PersonID)
	if err != nil {
		return Work{}, err
	}
	w, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Work])
	if errors.Is(err, pgx.ErrNoRows) {
		return Work{}, s.noWork(ctx, actor, task)
	}
	if err != nil {
		return Work{}, err
	}
	if w.audio() {
		if err := s.listen(ctx, actor, &w, note); err != nil {
			return Work{}, err
		}
	}
	if w.Boxes, err = s.startingBoxes(ctx, actor, w); err != nil {
		return Work{}, err
	}
	if w.Marks, err = s.marks(ctx, actor, w); err != nil {
		return Work{}, err
	}
	if w.Recallable, err = s.recallable(ctx, actor, w.Project); err != nil {
		return Work{}, err
	}
	w.Place, err = s.workPlace(ctx, w.Assignment)
	return w, err
}

// noWork says why there is no work on a task: it was withdrawn, or never was the actor's.
func (s *Store) noWork(ctx context.Context, actor Actor, task int64) error {
	var was bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM assignments a WHERE a.task_id = $1 AND a.person_id = $2 AND `+stillMember+`)`,
		task, actor.PersonID).Scan(&was)
	if err != nil {
		return err
	}
	if was {
		return ErrGone
	}
	return ErrNotFound
}

// startingBoxes are what the labeler goes on from.
func (s *Store) startingBoxes(ctx context.Context, actor Actor, w Work) ([]DraftBox, error) {
	if w.DraftVersion > 0 {
		stored, _, err := draftOf(ctx, s.pool, w.Item, w.Assignment)
		if err == nil {
			return stored.Boxes, nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return nil, err
		}
	}
	rows, err := s.pool.Query(ctx, `
		SELECT b.position::text, b.class_id, b.x, b.y, b.w, b.h, b.rotation FROM annotation_boxes b
		WHERE b.annotation_id = (SELECT max(id) FROM annotations WHERE task_id = $1 AND person_id = $2 AND recalled_at IS NULL)
		UNION ALL
		SELECT b.position::text, b.class_id, b.x, b.y, b.w, b.h, b.rotation
		FROM predictions p JOIN prediction_boxes b ON b.prediction_id = p.id
		WHERE p.item_id = $3 AND p.purpose = 'prefill' AND $4 AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = $1 AND `+audited+`)
		  AND NOT EXISTS (SELECT FROM annotations WHERE task_id = $1 AND person_id = $2 AND recalled_at IS NULL)
		  AND p.id = (SELECT max(id) FROM predictions WHERE item_id = $3 AND purpose = 'prefill')`, w.Task, actor.PersonID, w.Item, !w.audio() || w.Mode == Edit)
	if err != nil {
		return nil, err
	}
	boxes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DraftBox])
	if err != nil {
		return nil, err
	}
	return boxes, nil
}

// listen adds what only an utterance has.
func (s *Store) listen(ctx context.Context, actor Actor, w *Work, note bool) (err error) {
	if w.Heard, err = s.hypothesesFor(ctx, actor, *w, note); err != nil {
		return err
	}
	if len(w.Heard) > 0 {
		if w.Picked, err = s.pickedBy(ctx, w.Task); err != nil {
			return err
		}
	}
	if w.Neighbors, err = s.neighborsOf(ctx, w); err != nil {
		return err
	}
	if w.Rules, err = s.PublishedRules(ctx, actor, w.Project); err != nil {
		return err
	}
	w.Transcript, err = s.startingTranscript(ctx, actor, *w)
	return err
}

// startingTranscript is what the labeler goes on from: the draft, else the answer that came back, else in mode edit what was
// heard, else silence.
func (s *Store) startingTranscript(ctx context.Context, actor Actor, w Work) (speech.Transcript, error) {
	if w.DraftVersion > 0 {
		t, err := transcriptOf(ctx, s.pool, w.Item, draftTranscript, w.Assignment)
		if err != nil || len(t) > 0 {
			return t, err
		}
	}
	var former *int64
	err := s.pool.QueryRow(ctx, `SELECT max(id) FROM annotations WHERE task_id = $1 AND person_id = $2 AND recalled_at IS NULL`,
		w.Task, actor.PersonID).Scan(&former)
	if err != nil {
		return nil, err
	}
	if former != nil {
		t, err := transcriptOf(ctx, s.pool, w.Item, annotationTranscript, *former)
		if err != nil || len(t) > 0 {
			return t, err
		}
	}
	whole := speech.Segment{End: w.Seconds}
	if w.Mode == Edit && len(w.Heard) > 0 {
		whole.Text = w.Heard[0].Text
	}
	return speech.Transcript{whole}, nil
}

// marks are the remarks of the last review of the actor's answer, while they mend it, or what else it came back for.
func (s *Store) marks(ctx context.Context, actor Actor, w Work) ([]Mark, error) {
	switch w.Reason {
	case "rework":
	case "relabel":
		return s.sharpened(ctx, w.Assignment)
	default:
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, `
		SELECT m.id, m.position, m.x, m.y, m.reason, `+noteOf(markNote, "an.item_id", "m.id")+`, `+noteOf(disputeNote, "an.item_id", "m.id")+`
		FROM review_marks m JOIN annotations an ON an.id = m.annotation_id
		WHERE an.task_id = $1 AND an.person_id = $2 AND m.review_id = (`+lastReview+`) ORDER BY m.id`, w.Task, actor.PersonID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Mark, err error) {
		var position *int
		err = row.Scan(&m.ID, &position, &m.X, &m.Y, &m.Reason, &m.Note, &m.Dispute)
		if position != nil {
			id := strconv.Itoa(*position)
			m.Box = &id
		}
		return m, err
	})
}

// sharpened are the boxes that an answer came back for because definitions changed.
func (s *Store) sharpened(ctx context.Context, assignment int64) ([]Mark, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT x.position::text AS box, `+relabelOf+` AS class, r.version, r.note
		FROM relabel_answers a JOIN relabels r ON r.id = a.relabel_id LEFT JOIN classes c ON c.id = r.class_id LEFT JOIN LATERAL unnest(a.positions) AS x (position) ON true
		WHERE a.assignment_id = $1 ORDER BY x.position, r.id`, assignment)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Mark, error) {
		m := Mark{Reason: Sharpened} // without a box: of the rules for transcripts, and about all of the answer
		err := row.Scan(&m.Box, &m.Class, &m.Version, &m.Note)
		return m, err
	})
}

// recallable is the actor's last answer in the project, if it can be taken back.
func (s *Store) recallable(ctx context.Context, actor Actor, project int64) (*Recallable, error) {
	var r Recallable
	err := s.pool.QueryRow(ctx, `
		SELECT t.id, `+itemName+`
		FROM assignments a JOIN tasks t ON t.id = a.task_id JOIN annotations an ON an.assignment_id = a.id AND (an.superseded_at IS NULL OR an.gold) AND an.recalled_at IS NULL
		LEFT JOIN item_texts x ON x.item_id = t.item_id
		WHERE a.id = (`+lastAnswered+`) AND `+workable+`
		  AND NOT EXISTS (SELECT FROM assignments later WHERE later.task_id = t.id AND later.person_id = $1 AND later.id > a.id)`, actor.PersonID, project, recallReach).Scan(&r.Task, &r.Name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &r, nil
}
