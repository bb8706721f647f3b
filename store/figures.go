package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/agreement"
	"fiducial/internal/quality"
	"fiducial/internal/speech"
)

// FiguresOf is how many of a labeler's newest answers in a project their figures are of.
const FiguresOf = 1000

// GoldShown is from how many gold results on a labeler sees how they did, and then of all together alone.
const GoldShown = 10

// figuredAnswer is an answer while figures are made of it.
type figuredAnswer struct {
	ID, Task   int64
	Item       int64
	ActiveMS   int64
	Earlier    bool // given before today (UTC)
	Counts     bool
	Truth      int64 // 0 for none
	Taken      string
	TaskPeers  []figuredPeer   `db:"-"`
	Boxes      []Box           `db:"-"`
	TruthBoxes []Box           `db:"-"`
	Faults     []quality.Fault `db:"-"`

	truthWords *agreement.WordErrors // of sound
}

// figuredPeer is somebody else's answer to the same task.
type figuredPeer struct {
	ID, Task int64
	Earlier  bool
	Boxes    []Box `db:"-"`

	words *agreement.WordPair // of sound: how far their words are from the answer's
}

// figuredGold is a gold result.
type figuredGold struct {
	Score   float64
	Classes map[int64][2]int
	Earlier bool
	Errors  *int // in the words; nil for an image
	Words   *int
}

func (g figuredGold) words() *agreement.WordErrors {
	if g.Words == nil || g.Errors == nil {
		return nil
	}
	return &agreement.WordErrors{Errors: *g.Errors, Words: *g.Words}
}

// earlier is the condition that a moment lies before today, by the database's clock and in UTC.
func earlier(moment string) string { return moment + ` < date_trunc('day', now(), 'UTC')` }

// RefreshFigures works out the figures of labelers of whom something has changed, and returns how many it found; it
// does some at a time.
func (s *Store) RefreshFigures(ctx context.Context) (labelers int, err error) {
	// What labelers see of themselves moves on with the day.
	rows, err := s.pool.Query(ctx, `
		(SELECT DISTINCT project_id, person_id FROM stale_figures LIMIT 50) UNION
		(SELECT project_id, person_id FROM labeler_figures
		WHERE audience = 'labeler' AND class_id IS NULL AND `+earlier(`computed_at`)+` LIMIT 50)`)
	if err != nil {
		return 0, fmt.Errorf("refresh figures: %w", err)
	}
	type labeler struct{ Project, Person int64 }
	stale, err := pgx.CollectRows(rows, pgx.RowToStructByPos[labeler])
	if err != nil {
		return 0, fmt.Errorf("refresh figures: %w", err)
	}
	for _, l := range stale {
		if err := s.RefreshLabeler(ctx, l.Project, l.Person); err != nil {
			return labelers, err
		}
		labelers++
	}
	return labelers, nil
}

// RefreshLabeler works out the figures of one labeler in a project. Doing it again comes to the same.
func (s *Store) RefreshLabeler(ctx context.Context, project, person int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		// One at a time for each labeler.
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(format('figures of %s in %s', $1::bigint, $2::bigint), 0))`, person, project)
		if err != nil {
			return err
		}
		// What is changed from here on leaves a row of its own behind.
		if _, err := tx.Exec(ctx, `DELETE FROM stale_figures WHERE project_id = $1 AND person_id = $2`, project, person); err != nil {
			return err
		}
		if here, err := stays(ctx, tx, person); err != nil || !here {
			return err
		}
		answers, err := figuredAnswers(ctx, tx, project, person)
		if err != nil {
			return err
		}
		gold, err := figuredGolds(ctx, tx, project, person)
		if err != nil {
			return err
		}
		var sound sounding
		var loose float64
		if err := tx.QueryRow(ctx, `SELECT loose_limit, kind, normalizer FROM projects WHERE id = $1`, project).Scan(&loose, &sound.Kind, &sound.Normalizer); err != nil {
			return notFound(err)
		}
		if err := figuredWords(ctx, tx, sound, answers); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM labeler_figures WHERE project_id = $1 AND person_id = $2`, project, person); err != nil {
			return err
		}
		for _, own := range []bool{false, true} {
			figures := quality.Summarize(forAudience(answers, own), goldFigures(gold, own), sound.limits(loose))
			if err := writeFigures(ctx, tx, project, person, own, figures); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("figures of person %d in project %d: %w", person, project, err)
	}
	return nil
}

// forAudience are the answers as their figures need them; the labeler's own end with the day before.
func forAudience(answers []figuredAnswer, own bool) []quality.Answer {
	var list []quality.Answer
	for _, a := range answers {
		if own && !a.Earlier {
			continue
		}
		shown := quality.Answer{
			Boxes: shapesOf(a.Boxes), Counts: a.Counts, HasTruth: a.Truth != 0, Truth: shapesOf(a.TruthBoxes),
			Approved: a.Taken == string(Approved), Amended: a.Taken == string(Amended), Faults: a.Faults, ActiveMS: a.ActiveMS,
			TruthWords: a.truthWords,
		}
		for _, p := range a.TaskPeers {
			if own && !p.Earlier {
				continue
			}
			shown.Peers = append(shown.Peers, shapesOf(p.Boxes))
			if p.words != nil {
				shown.PeerWords = append(shown.PeerWords, *p.words)
			}
		}
		list = append(list, shown)
	}
	return list
}

// goldFigures are the results as the figures need them. A labeler sees none by class: of a class there may be few.
func goldFigures(gold []figuredGold, own bool) (list []quality.Gold) {
	for _, g := range gold {
		switch {
		case !own:
			list = append(list, quality.Gold{Score: g.Score, Classes: g.Classes, Words: g.words()})
		case g.Earlier:
			list = append(list, quality.Gold{Score: g.Score, Words: g.words()})
		}
	}
	if own && len(list) < GoldShown {
		return nil
	}
	return list
}

// figuredAnswers reads a labeler's newest answers with all that their figures are made of.
func figuredAnswers(ctx context.Context, tx pgx.Tx, project, person int64) ([]figuredAnswer, error) {
	rows, err := tx.Query(ctx, `
		SELECT an.id, an.task_id AS task, an.item_id AS item, an.active_ms, `+earlier(`an.submitted_at`)+` AS earlier, an.superseded_at IS NULL AS counts, coalesce(u.id, 0) AS truth,
			coalesce((SELECT r.decision FROM reviews r WHERE r.id = u.review_id AND u.annotation_id = an.id), '') AS taken
		FROM (SELECT id, task_id FROM assignments
		      WHERE person_id = $2 AND project_id = $1 AND state = 'submitted' AND reason <> 'gold' ORDER BY finished_at DESC, id DESC LIMIT $3) a
		JOIN annotations an ON an.task_id = a.task_id AND an.assignment_id = a.id AND an.recalled_at IS NULL
		LEFT JOIN truths u ON u.item_id = an.item_id AND u.current ORDER BY an.id`, project, person, FiguresOf)
	if err != nil {
		return nil, err
	}
	answers, err := pgx.CollectRows(rows, pgx.RowToStructByName[figuredAnswer])
	if err != nil || len(answers) == 0 {
		return nil, err
	}
	var ids, tasks, truths []int64
	for _, a := range answers {
		ids, tasks, truths = append(ids, a.ID), append(tasks, a.Task), append(truths, a.Truth)
	}
	boxes, err := boxesOfMany(ctx, tx, "annotation_boxes", "annotation_id", ids)
	if err != nil {
		return nil, err
	}
	known, err := boxesOfMany(ctx, tx, "truth_boxes", "truth_id", truths)
	if err != nil {
		return nil, err
	}
	peers, err := figuredPeers(ctx, tx, person, tasks)
	if err != nil {
		return nil, err
	}
	faults, err := figuredFaults(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	for i := range answers {
		a := &answers[i]
		a.Boxes, a.TruthBoxes, a.TaskPeers, a.Faults = boxes[a.ID], known[a.Truth], peers[a.Task], faults[a.ID]
	}
	return answers, nil
}

// figuredWords compares the words of answers with those of the truth and of their peers, where they are of sound.
func figuredWords(ctx context.Context, tx pgx.Tx, sound sounding, answers []figuredAnswer) error {
	if !sound.audio() || len(answers) == 0 {
		return nil
	}
	var items, ids, truths []int64
	for _, a := range answers {
		items, ids, truths = append(items, a.Item), append(ids, a.ID), append(truths, a.Truth)
		for _, p := range a.TaskPeers {
			ids = append(ids, p.ID)
		}
	}
	said, err := transcriptsOf(ctx, tx, annotationTranscript, items, ids)
	if err != nil {
		return err
	}
	known, err := transcriptsOf(ctx, tx, truthTranscript, items, truths)
	if err != nil {
		return err
	}
	normalizer := sound.normalizer()
	for i := range answers {
		a := &answers[i]
		if truth := known[a.Truth]; a.Truth != 0 {
			a.truthWords = &compareWords(normalizer, []speech.Transcript{said[a.ID]}, &truth).Truth[0]
		}
		for j := range a.TaskPeers {
			p := &a.TaskPeers[j]
			p.words = &compareWords(normalizer, []speech.Transcript{said[a.ID], said[p.ID]}, nil).Pairs[0]
		}
	}
	return nil
}

// boxesOfMany reads the boxes of many owners from table, by owner, each in their order.
func boxesOfMany(ctx context.Context, q querier, table, ownerColumn string, owners []int64) (map[int64][]Box, error) {
	column := pgx.Identifier{ownerColumn}.Sanitize()
	//nolint:rowserrcheck // ForEachRow checks it
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `
		SELECT `+column+`, class_id, x, y, w, h, rotation, crowd FROM `+pgx.Identifier{table}.Sanitize()+`
		WHERE `+column+` = ANY($1) ORDER BY `+column+`, position`, owners)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", table, err)
	}
	all := map[int64][]Box{}
	var owner int64
	var b Box
	_, err = pgx.ForEachRow(rows, []any{&owner, &b.ClassID, &b.X, &b.Y, &b.W, &b.H, &b.Rotation, &b.Crowd}, func() error {
		all[owner] = append(all[owner], b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", table, err)
	}
	return all, nil
}

func figuredPeers(ctx context.Context, tx pgx.Tx, person int64, tasks []int64) (map[int64][]figuredPeer, error) {
	rows, err := tx.Query(ctx, `
		SELECT an.id, an.task_id AS task, `+earlier(`an.submitted_at`)+` AS earlier FROM annotations an
		WHERE an.task_id = ANY($1) AND an.person_id <> $2 AND `+counts+` ORDER BY an.id`, tasks, person)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[figuredPeer])
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(list))
	for i, p := range list {
		ids[i] = p.ID
	}
	boxes, err := boxesOfMany(ctx, tx, "annotation_boxes", "annotation_id", ids)
	if err != nil {
		return nil, err
	}
	peers := map[int64][]figuredPeer{}
	for _, p := range list {
		p.Boxes = boxes[p.ID]
		peers[p.Task] = append(peers[p.Task], p)
	}
	return peers, nil
}

// figuredFaults are the faults that reviewers found with answers, but for rejections that were taken back.
func figuredFaults(ctx context.Context, tx pgx.Tx, ids []int64) (map[int64][]quality.Fault, error) {
	//nolint:rowserrcheck // ForEachRow checks it
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `
		SELECT m.annotation_id, m.reason, coalesce(b.class_id, 0)
		FROM review_marks m LEFT JOIN annotation_boxes b ON b.annotation_id = m.annotation_id AND b.position = m.position
		WHERE m.annotation_id = ANY($1) AND NOT EXISTS (SELECT FROM reviews back WHERE back.undoes = m.review_id) ORDER BY m.id`, ids)
	if err != nil {
		return nil, err
	}
	faults := map[int64][]quality.Fault{}
	var answer int64
	var f quality.Fault
	_, err = pgx.ForEachRow(rows, []any{&answer, &f.Reason, &f.Class}, func() error {
		faults[answer] = append(faults[answer], f)
		return nil
	})
	return faults, err
}

func figuredGolds(ctx context.Context, tx pgx.Tx, project, person int64) ([]figuredGold, error) {
	rows, err := tx.Query(ctx, `
		SELECT score, classes, `+earlier(`answered_at`)+` AS earlier, word_errors AS errors, words FROM gold_results
		WHERE project_id = $1 AND person_id = $2 ORDER BY answered_at DESC, annotation_id DESC LIMIT $3`, project, person, FiguresOf)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[figuredGold])
}

// audience is how the table of figures calls whom they are for.
func audience(own bool) string {
	if own {
		return "labeler"
	}
	return "reviewers"
}

func writeFigures(ctx context.Context, tx pgx.Tx, project, person int64, own bool, figures map[int64]quality.Figures) error {
	batch := &pgx.Batch{}
	for class, f := range figures {
		var low, high *float64
		if f.GoldScore != nil {
			low, high = &f.GoldInterval.Low, &f.GoldInterval.High
		}
		batch.Queue(`
			INSERT INTO labeler_figures (project_id, person_id, audience, class_id, answers, approved, amended, rejected, reasons,
				truth_objects, truth_agreed, peer_objects, peer_agreed, gold_items, gold_objects, gold_agreed, gold_score, gold_low, gold_high, median_ms,
				truth_word_errors, truth_words, peer_word_errors, peer_words, gold_word_errors, gold_words)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)`,
			project, person, audience(own), orNull(class), f.Answers, f.Approved, f.Amended, f.Rejected, f.Reasons,
			f.TruthObjects, f.TruthAgreed, f.PeerObjects, f.PeerAgreed, f.GoldItems, f.GoldObjects, f.GoldAgreed, f.GoldScore, low, high, f.MedianMS,
			f.Words.TruthErrors, f.Words.TruthWords, f.Words.PeerErrors, f.Words.PeerWords, f.Words.GoldErrors, f.Words.GoldWords)
	}
	return tx.SendBatch(ctx, batch).Close()
}
