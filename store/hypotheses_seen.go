package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/speech"
)

// What a labeler may see of what models heard in an utterance: nothing, a hypothesis to begin from, or one to look at once
// they have written their own.
const (
	Blind  = "blind"
	Edit   = "edit"
	Reveal = "reveal"
)

// modeFor is the mode of a new assignment of task t in project p, NULL for an image: of its plan the one that fewest of the
// item's labelers have, in the plan's order, where a mode that the plan names twice is wanted twice; else the project's. Under a blind
// audit it is blind.
const modeFor = `CASE WHEN p.kind = 'audio' AND ` + audited + ` THEN 'blind' WHEN p.kind = 'audio' THEN coalesce((
	SELECT m.mode FROM (
		SELECT u.mode, u.nth, row_number() OVER (PARTITION BY u.mode ORDER BY u.nth) AS again
		FROM plans pl CROSS JOIN LATERAL unnest(pl.modes) WITH ORDINALITY AS u (mode, nth) WHERE pl.id = t.plan_id) m
	ORDER BY greatest((SELECT count(DISTINCT o.person_id) FROM assignments o
		WHERE o.task_id = t.id AND o.mode = m.mode AND o.state IN ('leased', 'returned', 'submitted')) - m.again, -1), m.nth LIMIT 1), p.prefill_mode) END`

// Hypothesis is what a model version heard in an utterance.
type Hypothesis struct {
	Prediction   int64
	ModelVersion *int64 // nil: of unnamed origin
	Model        string // its name and version, "" for an unnamed origin
	Confidence   *float64
	Text         string
	Words        []HeardWord
}

// Picked says why a plan chose an item.
type Picked struct {
	Arm    string // chosen or control
	Decile int    // of confidence within its stratum, 1 the least sure
}

// otherHypotheses is how many are shown beside the one that the text begins from.
const otherHypotheses = 3

// hypothesesOf returns what may be shown of a task's utterance to whoever may see anything: of a plan's model version its
// hypothesis, else the newest first, with those of other model versions behind it.
func hypothesesOf(ctx context.Context, q querier, task, item int64) ([]Hypothesis, error) {
	rows, err := q.Query(ctx, `
		SELECT p.id AS prediction, p.model_version_id AS model_version, coalesce(m.name || ' ' || v.version, '') AS model, p.confidence, h.text, h.words
		FROM predictions p JOIN hypotheses h ON h.item_id = p.item_id AND h.prediction_id = p.id
		LEFT JOIN model_versions v ON v.id = p.model_version_id LEFT JOIN models m ON m.id = v.model_id
		LEFT JOIN (SELECT pl.model_version_id FROM tasks t JOIN plans pl ON pl.id = t.plan_id WHERE t.id = $1) plan ON true
		WHERE p.item_id = $2 AND (plan.model_version_id IS NULL OR p.model_version_id = plan.model_version_id)
		  AND NOT EXISTS (SELECT FROM predictions l JOIN hypotheses lh ON lh.item_id = l.item_id AND lh.prediction_id = l.id
			WHERE l.item_id = p.item_id AND l.model_version_id IS NOT DISTINCT FROM p.model_version_id AND l.id > p.id)
		ORDER BY p.id DESC LIMIT $3`, task, item, 1+otherHypotheses)
	if err != nil {
		return nil, fmt.Errorf("hypotheses of item %d: %w", item, err)
	}
	heard, err := pgx.CollectRows(rows, pgx.RowToStructByName[Hypothesis])
	if err != nil {
		return nil, fmt.Errorf("hypotheses of item %d: %w", item, err)
	}
	return heard, nil
}

// seeHypotheses notes that a person is shown these, as long as they have not answered.
func seeHypotheses(ctx context.Context, q querier, person, item int64, how string, heard []Hypothesis) error {
	versions := make([]*int64, len(heard))
	for i, h := range heard {
		versions[i] = h.ModelVersion
	}
	var noted int
	err := q.QueryRow(ctx, `
		WITH noted AS (
			INSERT INTO hypothesis_views (item_id, person_id, model_version_id, how) SELECT $1, $2, v, $4 FROM unnest($3::bigint[]) v
			ON CONFLICT DO NOTHING RETURNING 1)
		SELECT count(*) FROM noted`, item, person, versions, how).Scan(&noted)
	if err != nil {
		return fmt.Errorf("hypothesis seen of item %d: %w", item, err)
	}
	return nil
}

// hypothesesFor returns what assignment's labeler may see now; note says that they do. In mode reveal that is what they
// asked to see before.
func (s *Store) hypothesesFor(ctx context.Context, actor Actor, w Work, note bool) ([]Hypothesis, error) {
	switch w.Mode {
	case Edit:
	case Reveal:
		var revealed bool
		err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM hypothesis_views WHERE item_id = $1 AND person_id = $2 AND how = 'reveal')`,
			w.Item, actor.PersonID).Scan(&revealed)
		if err != nil || !revealed {
			return nil, err
		}
	default:
		return nil, nil
	}
	heard, err := hypothesesOf(ctx, s.pool, w.Task, w.Item)
	if err != nil || !note || !unanswered(w.State) {
		return heard, err
	}
	return heard, seeHypotheses(ctx, s.pool, actor.PersonID, w.Item, w.Mode, heard)
}

// answersEdited notes what an answer began from where its page could not say that it was shown: whoever answers has seen it.
func answersEdited(ctx context.Context, tx pgx.Tx, actor Actor, h held) error {
	if !h.audio() || h.Mode != Edit {
		return nil
	}
	var noted bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM hypothesis_views WHERE item_id = $1 AND person_id = $2 AND how = 'edit')`, h.Item, actor.PersonID).Scan(&noted)
	if err != nil {
		return fmt.Errorf("hypotheses seen: %w", err)
	}
	if noted {
		return nil
	}
	shown, err := hypothesesOf(ctx, tx, h.Task, h.Item)
	if err != nil {
		return err
	}
	return seeHypotheses(ctx, tx, actor.PersonID, h.Item, Edit, shown)
}

// unanswered reports whether an assignment in this state is still to be answered.
func unanswered(state string) bool {
	return state == "leased" || state == "returned" || state == "expired"
}

// Reveal shows what models heard to a labeler who may see it after they wrote their own: their draft must hold words.
// It returns ErrNotFound unless the task was handed to them in that mode.
func (s *Store) Reveal(ctx context.Context, actor Actor, task, assignment int64) (heard []Hypothesis, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		h, err := hold(ctx, tx, actor, task, assignment)
		if err != nil {
			return err
		}
		if h.Mode != Reveal {
			return ErrNotFound
		}
		if err := h.answerable(); err != nil {
			return err
		}
		stored, _, err := draftOf(ctx, tx, h.Item, assignment)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if err != nil || len(written(stored.Transcript)) == 0 {
			return invalid("", "Write down first what you hear. The hypothesis can be looked at once your own words are saved.")
		}
		if heard, err = hypothesesOf(ctx, tx, task, h.Item); err != nil {
			return err
		}
		return seeHypotheses(ctx, tx, actor.PersonID, h.Item, Reveal, heard)
	})
	if err != nil {
		return nil, fmt.Errorf("reveal on assignment %d: %w", assignment, s.ErasedTask(ctx, actor, task, err))
	}
	return heard, nil
}

// prefilled is the condition that an answer of person $4 to item $3 was begun from what a model found: of an image from a
// prefill, of an utterance from a hypothesis that they were shown for it.
const prefilled = `CASE WHEN (SELECT recording_id IS NULL FROM items WHERE id = $3)
	THEN EXISTS (SELECT FROM predictions WHERE item_id = $3 AND purpose = 'prefill') AND NOT EXISTS (SELECT FROM tasks t WHERE t.item_id = $3 AND ` + audited + `)
	ELSE EXISTS (SELECT FROM hypothesis_views WHERE item_id = $3 AND person_id = $4 AND how = 'edit') END`

// recordWords keeps what an answer says was spoken, and how far it is from every hypothesis that its labeler saw.
func recordWords(ctx context.Context, tx pgx.Tx, actor Actor, h held, annotation int64, t speech.Transcript) error {
	if !h.audio() {
		return nil
	}
	if err := writeTranscript(ctx, tx, h.Item, annotationTranscript, annotation, t); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `
		SELECT v.model_version_id, v.how, (
			SELECT y.text FROM predictions p JOIN hypotheses y ON y.item_id = p.item_id AND y.prediction_id = p.id
			WHERE p.item_id = v.item_id AND p.model_version_id IS NOT DISTINCT FROM v.model_version_id ORDER BY p.id DESC LIMIT 1)
		FROM hypothesis_views v WHERE v.item_id = $1 AND v.person_id = $2 AND v.how <> 'review' AND v.annotation_id IS NULL FOR UPDATE OF v`,
		h.Item, actor.PersonID)
	if err != nil {
		return fmt.Errorf("hypotheses seen: %w", err)
	}
	seen, err := pgx.CollectRows(rows, pgx.RowToStructByPos[seenHypothesis])
	if err != nil {
		return fmt.Errorf("hypotheses seen: %w", err)
	}
	scorer := speech.Scorer{Normalizer: h.normalizer()}
	for _, v := range seen {
		var edits, words *int
		if v.Text != nil {
			c := scorer.Score(t.Text(), *v.Text)
			edits, words = new(c.Errors()), new(c.Reference())
		}
		_, err := tx.Exec(ctx, `
			UPDATE hypothesis_views SET annotation_id = $4, edits = $5, words = $6
			WHERE item_id = $1 AND person_id = $2 AND model_version_id IS NOT DISTINCT FROM $3 AND how = $7 AND annotation_id IS NULL`,
			h.Item, actor.PersonID, v.ModelVersion, annotation, edits, words, v.How)
		if err != nil {
			return fmt.Errorf("edits of what was seen: %w", err)
		}
	}
	return nil
}

// seenHypothesis is a hypothesis that somebody saw; its text is nil once it is gone.
type seenHypothesis struct {
	ModelVersion *int64
	How          string
	Text         *string
}

// pickedBy says why a plan chose the item of a task, nil if none did.
func (s *Store) pickedBy(ctx context.Context, task int64) (*Picked, error) {
	var p Picked
	err := s.pool.QueryRow(ctx, `
		SELECT i.arm, i.decile FROM tasks t JOIN plan_items i ON i.plan_id = t.plan_id AND i.item_id = t.item_id WHERE t.id = $1`, task).Scan(&p.Arm, &p.Decile)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("plan of task %d: %w", task, err)
	}
	return &p, nil
}
