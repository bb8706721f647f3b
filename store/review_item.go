package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/agreement"
	"fiducial/internal/speech"
)

// Reviewed is everything that a reviewer needs to decide about one item. While it is undecided, no
// answer bears its labeler's name.
type Reviewed struct {
	Item        int64
	Task        int64 // 0 for an item that was never in the queue
	Project     int64
	Slug        string
	ProjectName string
	Name        string // the item's file name, or its external key
	State       string // of the task; "" without one
	Version     int    // to be sent with the decision; 0 without a task
	Overlap     int
	LooseLimit  float64 // the least IoU of a box with its object that the project wants
	Votes, Live int
	Width       int
	Height      int
	Assets      []WorkAsset
	Kind        string  // of the project: image or audio
	Normalizer  string  // by which transcripts are compared
	Recording   int64   // of an item of sound, that the item is a span of; 0 for an image
	Channel     int     // of the recording, 0 for all
	Channels    int     // how many the recording has
	Begins      float64 // seconds of the recording
	Seconds     float64
	Context     float64 // seconds that can be heard around it
	Hypotheses  int     // how many models heard it
	SawThem     bool    `db:"-"` // the actor looked at these since their last decision about it
	// Heard are the words of the newest of them, which say when each is spoken. Nobody is shown what they say.
	Heard     []HeardWord    `db:"-"`
	Answers   []ReviewAnswer `db:"-"` // those that count, the first submitted first
	Skips     []ReviewSkip   `db:"-"`
	Truth     *Truth         `db:"-"` // the current one, nil for none
	Decisions []Decision     `db:"-"` // the newest first
}

// Decided reports whether the item has its truth, or none for good.
func (r Reviewed) Decided() bool { return r.State == "adjudicated" || r.State == "discarded" }

// ReviewAnswer is a submitted answer. Labeler is "" while the item is undecided.
type ReviewAnswer struct {
	ID          int64
	Labeler     string
	Pass        int
	Reason      string // initial, rework, relabel or gold
	Surplus     bool
	Prefilled   bool
	ActiveMS    int64
	SubmittedAt time.Time
	Mode        string            // of sound: blind, edit or reveal
	Revealed    bool              // the labeler saw a hypothesis
	Transcript  speech.Transcript `db:"-"` // of sound
	Boxes       []Box             `db:"-"`
}

// ReviewSkip is a labeler's word that they could not decide.
type ReviewSkip struct {
	Reason string
	Note   string
	At     time.Time
}

// Decision is a decision that was made about an item.
type Decision struct {
	ID       int64
	Kind     DecisionKind
	Reviewer string // "" of Accepted
	Undoes   int64  // of Undone
	Batch    int    // the number of the batch that was decided on as a whole, 0 for none
	Note     string
	At       time.Time
	Undone   bool
	Standing bool         // the last that stands: it can be undone
	Marks    []ReviewMark `db:"-"`
	Origins  *Origins     // of the boxes that were decided on, nil for none
}

// ReviewMark is a fault that was pinned to an answer. X, Y, W and H are the box that it is about as it
// was then; of a place, W and H are nil; of the whole, all are.
type ReviewMark struct {
	Review     int64
	Annotation int64
	Position   *int
	ClassName  string // of the box, or ""
	X, Y, W, H *float64
	Fault      Fault
	Note       string
	Dispute    string // the labeler's word against it, or ""
}

// ReviewItem returns an item for review, or ErrNotFound if there is none that the actor sees.
func (s *Store) ReviewItem(ctx context.Context, actor Actor, item int64) (r Reviewed, err error) {
	if err := actor.may(access.Review); err != nil {
		return Reviewed{}, err
	}
	// All is read at one moment, so that the version belongs to the answers that are shown.
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		r, err = reviewItem(ctx, tx, actor, item)
		return err
	})
	if err != nil {
		return Reviewed{}, fmt.Errorf("review of item %d: %w", item, s.ErasedItem(ctx, actor, item, err))
	}
	return r, nil
}

func reviewItem(ctx context.Context, tx pgx.Tx, actor Actor, item int64) (r Reviewed, err error) {
	rows, err := tx.Query(ctx, `
		SELECT i.id AS item, coalesce(t.id, 0) AS task, p.id AS project, p.slug, p.name AS project_name, `+itemName+` AS name,
			coalesce(t.state, '') AS state, coalesce(t.version, 0) AS version, coalesce(t.overlap, p.overlap) AS overlap, p.loose_limit,
			coalesce(t.votes, 0) AS votes, coalesce(t.live, 0) AS live, coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height,
			p.kind, p.normalizer, coalesce(i.recording_id, 0) AS recording, i.channel, coalesce(i.begins, 0) AS begins, p.context_seconds AS context,
			coalesce(i.ends - i.begins, 0) AS seconds, coalesce((SELECT c.channels FROM recordings c WHERE c.id = i.recording_id), 1) AS channels,
			(SELECT count(*) FROM hypotheses h WHERE h.item_id = i.id) AS hypotheses,
			coalesce((SELECT jsonb_agg(jsonb_build_object('kind', s.kind, 'width', s.width, 'height', s.height, 'facts', s.facts) ORDER BY s.kind)
			          FROM assets s WHERE s.item_id = i.id), '[]') AS assets
		FROM items i JOIN projects p ON p.id = i.project_id LEFT JOIN tasks t ON t.item_id = i.id LEFT JOIN item_texts x ON x.item_id = i.id
		WHERE i.id = @item AND p.archived_at IS NULL AND `+sees, actor.args(pgx.NamedArgs{"item": item}))
	if err != nil {
		return Reviewed{}, err
	}
	if r, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Reviewed]); err != nil {
		return Reviewed{}, notFound(err)
	}
	if r.Answers, err = reviewAnswers(ctx, tx, r); err != nil {
		return Reviewed{}, err
	}
	if r.Hypotheses > 0 && actor.PersonID != 0 {
		if r.SawThem, err = sawHypotheses(ctx, tx, item, actor.PersonID); err != nil {
			return Reviewed{}, err
		}
		heard, err := reviewHypotheses(ctx, tx, item)
		if err != nil {
			return Reviewed{}, err
		}
		if len(heard) > 0 {
			r.Heard = heard[0].Words
		}
	}
	truth, err := currentTruth(ctx, tx, item)
	if err == nil {
		r.Truth = &truth
	} else if !errors.Is(err, ErrNotFound) {
		return Reviewed{}, err
	}
	if rows, err = tx.Query(ctx, `
		SELECT a.skip_reason AS reason, `+noteOf(skipNote, "t.item_id", "a.id")+` AS note, a.finished_at AS at
		FROM assignments a JOIN tasks t ON t.id = a.task_id
		WHERE a.task_id = $1 AND a.state = 'skipped' AND a.reason <> 'gold' AND a.skip_reason IN ('cannot_decide', 'broken_image', 'broken_sound') ORDER BY a.finished_at, a.id`, r.Task); err != nil {
		return Reviewed{}, err
	}
	if r.Skips, err = pgx.CollectRows(rows, pgx.RowToStructByName[ReviewSkip]); err != nil {
		return Reviewed{}, err
	}
	r.Decisions, err = decisionsOf(ctx, tx, r.Task)
	return r, err
}

func reviewAnswers(ctx context.Context, tx pgx.Tx, r Reviewed) ([]ReviewAnswer, error) {
	rows, err := tx.Query(ctx, `
		SELECT an.id, CASE WHEN $2 THEN coalesce(n.name, p.pseudonym) ELSE '' END AS labeler, a.pass, a.reason, an.surplus, an.prefilled,
			an.active_ms, an.submitted_at, coalesce(a.mode, '') AS mode,
			EXISTS (SELECT FROM hypothesis_views w WHERE w.item_id = an.item_id AND w.annotation_id = an.id) AS revealed
		FROM annotations an JOIN assignments a ON a.id = an.assignment_id JOIN people p ON p.id = an.person_id
		LEFT JOIN person_identities n ON n.person_id = p.id
		WHERE an.task_id = $1 AND `+counts+` ORDER BY an.id`, r.Task, r.Decided())
	if err != nil {
		return nil, err
	}
	answers, err := pgx.CollectRows(rows, pgx.RowToStructByName[ReviewAnswer])
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(answers))
	for i, a := range answers {
		ids[i] = a.ID
	}
	boxes, err := boxesOfAnswers(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var words []wording
	if r.Kind == "audio" {
		if words, err = wordingsOf(ctx, tx, r.Item, ids); err != nil {
			return nil, err
		}
	}
	for i := range answers {
		answers[i].Boxes = boxes[i]
		if words != nil {
			answers[i].Transcript = words[i].Transcript
		}
	}
	return answers, nil
}

func decisionsOf(ctx context.Context, tx pgx.Tx, task int64) ([]Decision, error) {
	rows, err := tx.Query(ctx, `
		SELECT r.id, r.decision AS kind, coalesce(n.name, p.pseudonym, '') AS reviewer, coalesce(r.undoes, 0) AS undoes,
			coalesce((SELECT b.number FROM batches b WHERE b.id = r.batch_id), 0) AS batch, `+noteOf(reviewNote, "r.item_id", "r.id")+` AS note, r.decided_at AS at,
			EXISTS (SELECT FROM reviews back WHERE back.undoes = r.id) AS undone, r.id = (`+standing+`) IS TRUE AS standing, r.origins
		FROM reviews r LEFT JOIN people p ON p.id = r.reviewer_id LEFT JOIN person_identities n ON n.person_id = p.id
		WHERE r.task_id = $1 ORDER BY r.id DESC`, task)
	if err != nil {
		return nil, err
	}
	decisions, err := pgx.CollectRows(rows, pgx.RowToStructByName[Decision])
	if err != nil {
		return nil, err
	}
	if rows, err = tx.Query(ctx, `
		SELECT m.review_id AS review, m.annotation_id AS annotation, m.position, coalesce(c.name, '') AS class_name,
			coalesce(b.x, m.x) AS x, coalesce(b.y, m.y) AS y, b.w, b.h, m.reason AS fault,
			`+noteOf(markNote, "r.item_id", "m.id")+` AS note, `+noteOf(disputeNote, "r.item_id", "m.id")+` AS dispute
		FROM review_marks m JOIN reviews r ON r.id = m.review_id
		LEFT JOIN annotation_boxes b ON b.annotation_id = m.annotation_id AND b.position = m.position
		LEFT JOIN classes c ON c.id = b.class_id
		WHERE r.task_id = $1 ORDER BY m.id`, task); err != nil {
		return nil, err
	}
	marks, err := pgx.CollectRows(rows, pgx.RowToStructByName[ReviewMark])
	if err != nil {
		return nil, err
	}
	for i := range decisions {
		for _, m := range marks {
			if m.Review == decisions[i].ID {
				decisions[i].Marks = append(decisions[i].Marks, m)
			}
		}
	}
	return decisions, nil
}

// Words compares what the answers to an utterance say; nil for an image, and for a single answer.
func (r Reviewed) Words() *agreement.Words {
	if r.Kind != "audio" || len(r.Answers) < 2 {
		return nil
	}
	texts := make([]speech.Transcript, len(r.Answers))
	for i, a := range r.Answers {
		texts[i] = a.Transcript
	}
	return compareWords(speech.ProjectNormalizer(r.Normalizer), texts, nil)
}
