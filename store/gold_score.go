package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/agreement"
	"fiducial/internal/quality"
	"fiducial/internal/speech"
)

// goldAnswer is an answer to a gold item that was not taken back.
type goldAnswer struct {
	ID, Task, Project, Person int64
	At                        time.Time
	Loose                     float64 // the project's limit
	Kind, Normalizer          string
}

// ScoreGold compares the answers that labelers gave to an item as a gold one with its truth, keeps what each is worth,
// and brings a labeler who fell under the project's limit before its reviewers. Doing it again comes to the same.
func (s *Store) ScoreGold(ctx context.Context, item int64) error {
	rows, err := s.pool.Query(ctx, `
		SELECT an.id, an.task_id AS task, t.project_id AS project, an.person_id AS person, an.submitted_at AS at, p.loose_limit AS loose, p.kind, p.normalizer
		FROM annotations an JOIN tasks t ON t.id = an.task_id JOIN projects p ON p.id = t.project_id
		WHERE an.item_id = $1 AND an.gold AND an.recalled_at IS NULL ORDER BY an.id`, item)
	if err != nil {
		return fmt.Errorf("score gold item %d: %w", item, err)
	}
	answers, err := pgx.CollectRows(rows, pgx.RowToStructByName[goldAnswer])
	if err != nil {
		return fmt.Errorf("score gold item %d: %w", item, err)
	}
	for _, a := range answers {
		if err := s.inTx(ctx, func(tx pgx.Tx) error { return scoreGold(ctx, tx, item, a) }); err != nil {
			return fmt.Errorf("score gold item %d: %w", item, err)
		}
	}
	return nil
}

// scoreGold scores one answer. Of an item that is not decided any more it is worth nothing, and no longer kept.
func scoreGold(ctx context.Context, tx pgx.Tx, item int64, a goldAnswer) error {
	// Whoever takes the answer back holds this lock, and then asks for the score again.
	var stands bool
	err := tx.QueryRow(ctx, `SELECT recalled_at IS NULL FROM annotations WHERE id = $1 FOR NO KEY UPDATE`, a.ID).Scan(&stands)
	if err != nil {
		return err
	}
	var truth int64
	err = tx.QueryRow(ctx, `
		SELECT coalesce((SELECT u.id FROM truths u JOIN tasks t ON t.item_id = u.item_id WHERE u.item_id = $1 AND u.current AND t.state = 'adjudicated'), 0)`, item).Scan(&truth)
	if err != nil {
		return err
	}
	if !stands || truth == 0 {
		return dropGold(ctx, tx, a)
	}
	known, err := boxesOf(ctx, tx, "truth_boxes", "truth_id", truth)
	if err != nil {
		return err
	}
	said, err := boxesOf(ctx, tx, "annotation_boxes", "annotation_id", a.ID)
	if err != nil {
		return err
	}
	boxes := [][]agreement.Box{shapesOf(known), shapesOf(said)}
	sound := sounding{Kind: a.Kind, Normalizer: a.Normalizer}
	found := agreement.Match(boxes, sound.limits(a.Loose))
	words, err := goldWords(ctx, tx, sound, item, truth, a.ID)
	if err != nil {
		return err
	}
	score, errs, of := found.Score, (*int)(nil), (*int)(nil)
	if words != nil {
		score = agreement.Both(words.TruthScore(), found.Score, len(known)+len(said) > 0)
		errs, of = &words.Truth[0].Errors, &words.Truth[0].Words
	}
	counts := map[agreement.Finding]int{}
	for i := range found.Objects {
		counts[found.Objects[i].Worst()]++
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO gold_results (annotation_id, item_id, project_id, person_id, truth_id, score, agreed, missed, class, loose, split, classes, answered_at, word_errors, words)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (annotation_id) DO UPDATE SET truth_id = excluded.truth_id, score = excluded.score, agreed = excluded.agreed, missed = excluded.missed,
			class = excluded.class, loose = excluded.loose, split = excluded.split, classes = excluded.classes, scored_at = now(), answered_at = excluded.answered_at,
			word_errors = excluded.word_errors, words = excluded.words`,
		a.ID, item, a.Project, a.Person, truth, score, counts[agreement.Agreed], counts[agreement.Missed], counts[agreement.Class],
		counts[agreement.Loose], counts[agreement.Split], quality.Named(boxes, found), a.At, errs, of)
	if err != nil {
		return err
	}
	if err := noteStale(ctx, tx, a.Project, a.Person); err != nil {
		return err
	}
	return raiseConcern(ctx, tx, a.Project, a.Person)
}

// goldWords compares the words of an answer with those of the truth; nil for an image.
func goldWords(ctx context.Context, tx pgx.Tx, sound sounding, item, truth, answer int64) (*agreement.Words, error) {
	if !sound.audio() {
		return nil, nil
	}
	known, err := transcriptOf(ctx, tx, item, truthTranscript, truth)
	if err != nil {
		return nil, err
	}
	said, err := transcriptOf(ctx, tx, item, annotationTranscript, answer)
	if err != nil {
		return nil, err
	}
	return compareWords(sound.normalizer(), []speech.Transcript{said}, &known), nil
}

func dropGold(ctx context.Context, tx pgx.Tx, a goldAnswer) error {
	tag, err := tx.Exec(ctx, `DELETE FROM gold_results WHERE annotation_id = $1`, a.ID)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	return noteStale(ctx, tx, a.Project, a.Person)
}

// noteStale has a labeler's figures worked out again.
func noteStale(ctx context.Context, tx pgx.Tx, project, person int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO stale_figures (project_id, person_id) VALUES ($1, $2)`, project, person)
	return err
}

// shapesOf are boxes as internal/agreement takes them.
func shapesOf(boxes []Box) []agreement.Box {
	shapes := make([]agreement.Box, len(boxes))
	for i, b := range boxes {
		shapes[i] = b.shape()
	}
	return shapes
}
