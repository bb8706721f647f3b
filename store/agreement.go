package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/agreement"
	"fiducial/internal/jobargs"
)

// askForScore has the item scored once this transaction has ended.
func (s *Store) askForScore(ctx context.Context, tx pgx.Tx, item int64) error {
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.ScoreItem{ItemID: item}, nil); err != nil {
		return fmt.Errorf("ask for the score of item %d: %w", item, err)
	}
	return nil
}

// askForScores has items scored, after what somebody waits for, once this transaction has ended.
func (s *Store) askForScores(ctx context.Context, tx pgx.Tx, items []int64) error {
	if len(items) == 0 {
		return nil
	}
	jobs := make([]river.InsertManyParams, len(items))
	for i, item := range items {
		jobs[i] = river.InsertManyParams{Args: jobargs.ScoreItem{ItemID: item}, InsertOpts: scoreLater()}
	}
	if _, err := s.queue.InsertManyFastTx(ctx, tx, jobs); err != nil {
		return fmt.Errorf("ask for the scores of %d items: %w", len(items), err)
	}
	return nil
}

// ScoreItem compares the current answers to an item with each other and with its truth, keeps what it found, and
// does what the project's rules make of it: accepts the item, or asks another labeler. Doing it again comes to the
// same. What was never in the queue, or was erased, has nothing to score.
func (s *Store) ScoreItem(ctx context.Context, item int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		u, err := lockScored(ctx, tx, item)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		v, err := ballotsOn(ctx, tx, u)
		if err != nil {
			return err
		}
		found := v.compare(u.AgreementRules)
		verdict := u.verdict(v, found)
		if verdict == acceptIt {
			if v.truth, err = accept(ctx, tx, u, v, found); err != nil {
				return err
			}
			found = v.compare(u.AgreementRules)
		}
		changed, err := writeScore(ctx, tx, u, v, found)
		if err != nil {
			return err
		}
		if changed {
			if err := s.askForSummary(ctx, tx, u.Project); err != nil {
				return err
			}
		}
		if verdict == askAnother {
			return askOneMore(ctx, tx, u)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("score item %d: %w", item, err)
	}
	return nil
}

// scored is an item while it is scored, its task locked.
type scored struct {
	undecided
	AgreementRules

	Secret    []byte // of the project
	Archived  bool
	Undecided bool // a labeler could not decide
	Disputed  bool // a labeler contests a mark
	Judged    bool // a person has decided about it, however that ended
	Askable   bool // some labeler of the project never had it
}

// lockScored locks the item's task and reads what the rules ask of it.
func lockScored(ctx context.Context, tx pgx.Tx, item int64) (u *scored, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`SELECT FROM tasks WHERE item_id = $1 FOR NO KEY UPDATE`, item)
	batch.Queue(`
		SELECT t.id AS task, t.item_id AS item, t.project_id AS project, t.state, t.version, t.overlap, t.live, t.votes,
			coalesce((SELECT id FROM truths WHERE item_id = t.item_id AND current), 0) AS truth,
			coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height, `+soundingColumns+`, `+ruleColumns+`, p.key_secret AS secret, p.archived_at IS NOT NULL AS archived,
			`+taskUndecided+` AS undecided, `+taskDisputed+` AS disputed,
			EXISTS (SELECT FROM reviews r WHERE r.task_id = t.id AND r.reviewer_id IS NOT NULL) AS judged,
			EXISTS (SELECT FROM members m JOIN people q ON q.id = m.person_id
				WHERE m.project_id = p.id AND q.role = 'labeler' AND q.left_at IS NULL
				  AND NOT EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.person_id = q.id)) AS askable
		FROM tasks t JOIN items i ON i.id = t.item_id JOIN projects p ON p.id = t.project_id WHERE t.item_id = $1`, item).
		Query(func(rows pgx.Rows) (err error) {
			u, err = pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[scored])
			return notFound(err)
		})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	return u, nil
}

// Conditions on task t: a labeler could not decide about it; one contests a mark on their answer.
const (
	taskUndecided = `EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.state = 'skipped' AND a.reason <> 'gold' AND a.skip_reason IN ('cannot_decide', 'broken_image', 'broken_sound'))`
	taskDisputed  = `EXISTS (SELECT FROM review_marks m JOIN annotations an ON an.id = m.annotation_id WHERE an.task_id = t.id AND m.disputed_at IS NOT NULL)`
)

// ballots are the current answers to an item, and its truth.
type ballots struct {
	answers []ballot
	truth   Truth // its ID is 0 for none
	sound   sounding
}

// ballot is a current answer.
type ballot struct {
	ID, Person int64
	Prefilled  bool
	Boxes      []Box   `db:"-"`
	words      wording // of sound
}

// ballotsOn reads the answers that count, but for those that were asked to measure their labeler, and the truth.
func ballotsOn(ctx context.Context, tx pgx.Tx, u *scored) (v ballots, err error) {
	rows, err := tx.Query(ctx, `
		SELECT an.id, an.person_id AS person, an.prefilled FROM annotations an JOIN assignments a ON a.id = an.assignment_id
		WHERE an.task_id = $1 AND `+counts+` AND a.reason <> 'gold' ORDER BY an.id`, u.Task)
	if err != nil {
		return v, err
	}
	if v.answers, err = pgx.CollectRows(rows, pgx.RowToStructByName[ballot]); err != nil {
		return v, err
	}
	boxes, err := boxesOfAnswers(ctx, tx, v.ids())
	if err != nil {
		return v, err
	}
	v.sound = u.sounding
	var words []wording
	if u.audio() {
		if words, err = wordingsOf(ctx, tx, u.Item, v.ids()); err != nil {
			return v, err
		}
	}
	for i := range v.answers {
		v.answers[i].Boxes = boxes[i]
		if words != nil {
			v.answers[i].words = words[i]
		}
	}
	if u.Truth != 0 {
		v.truth, err = currentTruth(ctx, tx, u.Item)
	}
	return v, err
}

func (v ballots) ids() []int64 {
	ids := make([]int64, len(v.answers))
	for i, a := range v.answers {
		ids[i] = a.ID
	}
	return ids
}

func (v ballots) boxes() [][]Box {
	boxes := make([][]Box, len(v.answers), len(v.answers)+1)
	for i, a := range v.answers {
		boxes[i] = a.Boxes
	}
	return boxes
}

// merging is what a reviewer would merge.
func (v ballots) merging(c comparison) votes {
	merging := votes{ids: v.ids(), boxes: v.boxes(), matching: c.Matching}
	if v.sound.audio() {
		merging.spoken = v.spoken()
	}
	return merging
}

func (v ballots) spoken() *spoken {
	s := &spoken{normalizer: v.sound.normalizer(), answers: make([]wording, len(v.answers))}
	for i, a := range v.answers {
		s.answers[i] = a.words
	}
	return s
}

// words compares what the answers say, with each other and with the truth; nil for an image.
func (v ballots) words() *agreement.Words {
	if !v.sound.audio() {
		return nil
	}
	s := v.spoken()
	if v.truth.ID == 0 {
		return compareWords(s.normalizer, s.transcripts(), nil)
	}
	return compareWords(s.normalizer, s.transcripts(), &v.truth.Transcript)
}

// marked reports whether any answer has a box.
func (v ballots) marked() bool {
	return slices.ContainsFunc(v.answers, func(a ballot) bool { return len(a.Boxes) > 0 })
}

// comparison is what the answers to an item are worth beside each other and beside its truth. Its zero value
// is that of an item with nothing to compare.
type comparison struct {
	agreement.Matching // of the answers; of a single one with the truth

	withTruth  agreement.Matching // of the answers and, behind them, the truth; the same as Matching without one
	score      *float64
	truthScore *float64
	iou        *float64
	words      *agreement.Words // nil for an image
}

// worst is the worst finding on the item.
func (c comparison) worst() agreement.Finding {
	worst := c.Worst()
	if c.words != nil && c.words.Differ() && agreement.Severity(worst) <= agreement.Severity(agreement.Loose) {
		return agreement.WordsDiffer
	}
	return worst
}

// comparable reports whether there is anything to compare.
func (v ballots) comparable() bool {
	return len(v.answers) > 1 || len(v.answers) == 1 && v.truth.ID != 0
}

// compare matches the answers with each other and with the truth.
func (v ballots) compare(rules AgreementRules) (c comparison) {
	if !v.comparable() {
		return c
	}
	limits := v.sound.limits(rules.LooseLimit)
	boxes := v.boxes()
	if len(v.answers) > 1 {
		c.Matching = MatchAnswers(boxes, limits)
		c.withTruth = c.Matching
		c.score = &c.Score
	}
	if v.truth.ID != 0 {
		c.withTruth = MatchAnswers(append(boxes, v.truth.Boxes), limits)
		if len(v.answers) == 1 {
			c.Matching = c.withTruth
		}
		sum := 0.0
		for _, answer := range boxes {
			sum += MatchAnswers([][]Box{answer, v.truth.Boxes}, limits).Score
		}
		c.truthScore = new(sum / float64(len(boxes)))
	}
	c.iou = meanIoU(c.Objects)
	if c.words = v.words(); c.words != nil {
		v.addWords(&c)
	}
	return c
}

// addWords makes the scores of a comparison those of words and moments.
func (v ballots) addWords(c *comparison) {
	if c.score != nil {
		c.score = new(agreement.Both(c.words.Score(), *c.score, v.marked()))
	}
	if c.truthScore != nil {
		c.truthScore = new(agreement.Both(c.words.TruthScore(), *c.truthScore, v.marked() || len(v.truth.Boxes) > 0))
	}
}

// meanIoU is that of the objects that several answers have, nil where there is none.
func meanIoU(objects []agreement.Object) *float64 {
	sum, n := 0.0, 0
	for _, o := range objects {
		if len(o.Members) > 1 {
			sum += o.IoU
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return new(min(sum/float64(n), 1))
}

// scoreSome is how many items ScoreSome scores.
const scoreSome = 100

// ScoreSome scores the next answered items of a project after one of them, each in a transaction of its own. Last is
// where to go on, 0 when all are done.
func (s *Store) ScoreSome(ctx context.Context, project, after int64) (last int64, err error) {
	rows, err := s.pool.Query(ctx, `
		SELECT i.id FROM items i JOIN tasks t ON t.item_id = i.id
		WHERE i.project_id = $1 AND i.id > $2
		  AND (EXISTS (SELECT FROM annotations an WHERE an.task_id = t.id AND `+counts+`) OR EXISTS (SELECT FROM item_agreements g WHERE g.item_id = i.id))
		ORDER BY i.id LIMIT $3`, project, after, scoreSome)
	if err != nil {
		return 0, fmt.Errorf("score project %d: %w", project, err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, fmt.Errorf("score project %d: %w", project, err)
	}
	for _, item := range items {
		if err := s.ScoreItem(ctx, item); err != nil {
			return 0, err
		}
		last = item
	}
	if len(items) < scoreSome {
		return 0, nil
	}
	return last, nil
}

// GoOnScoring has the items of a project after one of them scored by another job.
func (s *Store) GoOnScoring(ctx context.Context, project, after int64) error {
	if _, err := s.queue.Insert(ctx, jobargs.ScoreProject{ProjectID: project, After: after}, scoreLater()); err != nil {
		return fmt.Errorf("score project %d: %w", project, err)
	}
	return nil
}
