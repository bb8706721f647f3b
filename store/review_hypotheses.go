package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/speech"
)

// ReviewHypothesis is what a model heard on an item, for a reviewer who asked to see it.
type ReviewHypothesis struct {
	Prediction int64
	Version    int64  // of the model; 0 for a prefill of unnamed origin
	Model      string // name and version, "" for that
	Text       string
	Words      []HeardWord
}

// HeardWord is a word of a hypothesis, in seconds from the beginning of the item.
type HeardWord struct {
	Word       string   `json:"word"`
	Start      float64  `json:"start"`
	End        float64  `json:"end"`
	Confidence *float64 `json:"confidence,omitempty"`
}

// reviewHypotheses reads the newest hypothesis of each model version on an item, the newest first.
func reviewHypotheses(ctx context.Context, q querier, item int64) ([]ReviewHypothesis, error) {
	rows, err := q.Query(ctx, `
		SELECT * FROM (
			SELECT DISTINCT ON (p.model_version_id) p.id AS prediction, coalesce(p.model_version_id, 0) AS version,
				coalesce(m.name || ' ' || v.version, '') AS model, h.text, h.words
			FROM hypotheses h JOIN predictions p ON p.id = h.prediction_id AND p.item_id = h.item_id
			LEFT JOIN model_versions v ON v.id = p.model_version_id LEFT JOIN models m ON m.id = v.model_id
			WHERE h.item_id = $1 ORDER BY p.model_version_id, p.id DESC) newest
		ORDER BY prediction DESC`, item)
	if err != nil {
		return nil, fmt.Errorf("hypotheses on item %d: %w", item, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[ReviewHypothesis])
	if err != nil {
		return nil, fmt.Errorf("hypotheses on item %d: %w", item, err)
	}
	return list, nil
}

// RevealHypotheses shows a reviewer what models heard on an item, and keeps that they saw it: it stands beside the decision that
// they make next.
func (s *Store) RevealHypotheses(ctx context.Context, reviewer Actor, item int64) (list []ReviewHypothesis, err error) {
	if err := reviewer.may(access.Review); err != nil {
		return nil, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		var seen bool
		err := tx.QueryRow(ctx, `SELECT true FROM items i JOIN projects p ON p.id = i.project_id WHERE i.id = @item AND `+sees,
			reviewer.args(pgx.NamedArgs{"item": item})).Scan(&seen)
		if err != nil {
			return notFound(err)
		}
		if list, err = reviewHypotheses(ctx, tx, item); err != nil || reviewer.PersonID == 0 {
			return err
		}
		for _, h := range list {
			_, err := tx.Exec(ctx, `
				INSERT INTO hypothesis_views (item_id, person_id, model_version_id, how) VALUES ($1, $2, $3, 'review')
				ON CONFLICT DO NOTHING`, item, reviewer.PersonID, orNull(h.Version))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("hypotheses on item %d: %w", item, s.ErasedItem(ctx, reviewer, item, err))
	}
	return list, nil
}

// sawHypotheses reports whether a reviewer looked at hypotheses on an item since they decided about it last.
func sawHypotheses(ctx context.Context, q querier, item, person int64) (saw bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM hypothesis_views WHERE item_id = $1 AND person_id = $2 AND how = 'review' AND review_id IS NULL)`,
		item, person).Scan(&saw)
	if err != nil {
		return false, fmt.Errorf("views of item %d: %w", item, err)
	}
	return saw, nil
}

// noteReviewViews ties what the reviewer saw before a decision to it, with how far what each model heard is from the words
// that were decided on, nil for none.
func noteReviewViews(ctx context.Context, tx pgx.Tx, u *undecided, reviewer Actor, decision int64, words *wording) error {
	if !u.audio() || reviewer.PersonID == 0 {
		return nil
	}
	saw, err := sawHypotheses(ctx, tx, u.Item, reviewer.PersonID)
	if err != nil || !saw {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE hypothesis_views SET review_id = $3 WHERE item_id = $1 AND person_id = $2 AND how = 'review' AND review_id IS NULL`,
		u.Item, reviewer.PersonID, decision)
	if err != nil || words == nil {
		return err
	}
	list, err := reviewHypotheses(ctx, tx, u.Item)
	if err != nil {
		return err
	}
	scorer := speech.Scorer{Normalizer: u.normalizer()}
	for _, h := range list {
		c := scorer.Score(words.Transcript.Text(), h.Text)
		_, err := tx.Exec(ctx, `
			UPDATE hypothesis_views SET edits = $3, words = $4 WHERE review_id = $1 AND coalesce(model_version_id, 0) = $2`,
			decision, h.Version, c.Errors(), c.Reference())
		if err != nil {
			return err
		}
	}
	return nil
}
