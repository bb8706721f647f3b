package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/agreement"
	"fiducial/internal/jobargs"
	"fiducial/internal/speech"
)

// summaryPeriod is how long changes are gathered before a project with so many compared items is summed up: long
// beside the time that this takes.
func summaryPeriod(items int) time.Duration {
	switch {
	case items < 2_000:
		return 4 * time.Second
	case items < 50_000:
		return time.Minute
	}
	return 10 * time.Minute
}

// summaryMargin is how long after the end of a period its changes are summed up, so that all are there by then.
const summaryMargin = time.Second

// askForSummary has the project summed up soon. Whatever asks within the same period asks once: a job that waits, or
// ran, for an earlier period does not stand in for it.
func (s *Store) askForSummary(ctx context.Context, tx pgx.Tx, project int64) error {
	var items int
	err := tx.QueryRow(ctx, `SELECT items FROM project_agreements WHERE project_id = $1 AND round_id IS NULL AND batch_id IS NULL`, project).Scan(&items)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("ask for the summary of project %d: %w", project, err)
	}
	period := summaryPeriod(items)
	_, err = s.queue.InsertTx(ctx, tx, jobargs.SummarizeProject{ProjectID: project}, &river.InsertOpts{
		ScheduledAt: time.Now().Truncate(period).Add(period + summaryMargin),
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByPeriod: period},
	})
	if err != nil {
		return fmt.Errorf("ask for the summary of project %d: %w", project, err)
	}
	return nil
}

// AgreementScope is a set of items whose agreement is summed up: all of a project, those of one of its rounds, or
// those of one of its batches.
type AgreementScope struct {
	Project int64
	Round   int64 // 0: whatever round they are in
	Batch   int64 // 0: whatever batch
}

// AgreementSummary is how far the answers to a set of items agree.
type AgreementSummary struct {
	agreement.Summary

	// Histogram counts compared items by score: the first those below 0.1, the last those from 0.9 on.
	Histogram []int `json:"histogram"`
	// Differ are the objects where Dawid and Skene's method says another class than the majority, the surest first.
	Differ []ClassDifference `json:"differ"`
}

// ClassDifference is an object on which the reliability of those who voted outweighs their number. Either class may
// be agreement.NoBox.
type ClassDifference struct {
	Item        int64   `json:"item"`
	Name        string  `json:"-"` // of the item, filled in by Agreement
	Majority    int64   `json:"majority"`
	Likely      int64   `json:"likely"`
	Probability float64 `json:"probability"`
	Tied        bool    `json:"tied"` // as many said another class as the majority's
}

const (
	histogramBins = 10
	differMost    = 100
	summarySeed   = 20260915 // of the intervals' samples: the same items give the same intervals
	summaryChunk  = 1000
)

// SummarizeAgreement sums up the scope's items, in the order of their ids, and keeps the result for the pages; with a
// whole project each of its rounds too. Only what was scored is looked at, and nothing of what was thrown out.
func (s *Store) SummarizeAgreement(ctx context.Context, scope AgreementScope) error {
	if err := s.summarizeScope(ctx, scope); err != nil || scope.Round != 0 || scope.Batch != 0 {
		return err
	}
	rows, err := s.pool.Query(ctx, `SELECT id FROM rounds WHERE project_id = $1 ORDER BY id`, scope.Project)
	if err != nil {
		return fmt.Errorf("rounds of project %d: %w", scope.Project, err)
	}
	rounds, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("rounds of project %d: %w", scope.Project, err)
	}
	for _, round := range rounds {
		if err := s.summarizeScope(ctx, AgreementScope{Project: scope.Project, Round: round}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) summarizeScope(ctx context.Context, scope AgreementScope) error {
	var summary AgreementSummary
	var at time.Time
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		var sound sounding
		var loose float64
		err = tx.QueryRow(ctx, `SELECT loose_limit, kind, normalizer, now() FROM projects WHERE id = $1`, scope.Project).Scan(&loose, &sound.Kind, &sound.Normalizer, &at)
		if err != nil {
			return notFound(err)
		}
		summary, err = summarize(ctx, tx, scope, sound, loose)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		// Of two that ran at the same time the one that looked later stays.
		_, err = s.pool.Exec(ctx, `
			INSERT INTO project_agreements AS a (project_id, round_id, batch_id, items, summary, computed_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (project_id, round_id, batch_id) DO UPDATE SET items = excluded.items, summary = excluded.summary, computed_at = excluded.computed_at
			WHERE a.computed_at <= excluded.computed_at`,
			scope.Project, orNull(scope.Round), orNull(scope.Batch), summary.Items, summary, at)
	}
	if err != nil {
		return fmt.Errorf("summarize project %d: %w", scope.Project, err)
	}
	return nil
}

func summarize(ctx context.Context, tx pgx.Tx, scope AgreementScope, sound sounding, loose float64) (AgreementSummary, error) {
	sum := agreement.NewSummarizer(sound.limits(loose))
	histogram := make([]int, histogramBins)
	var ids []int64
	for after := int64(0); ; {
		items, err := summaryItems(ctx, tx, scope, after)
		if err != nil {
			return AgreementSummary{}, err
		}
		if sound.audio() {
			if err := summaryWords(ctx, tx, sound, items); err != nil {
				return AgreementSummary{}, err
			}
		}
		for _, item := range items {
			m := sum.Add(&item.Item)
			if len(item.Answers) > 1 {
				histogram[min(int(m.Score*histogramBins), histogramBins-1)]++
			}
			ids = append(ids, item.id)
			after = item.id
		}
		if len(items) < summaryChunk {
			break
		}
	}
	result := AgreementSummary{Summary: sum.Summary(summarySeed), Histogram: histogram, Differ: []ClassDifference{}}
	for _, d := range result.Skene.Differ[:min(len(result.Skene.Differ), differMost)] {
		result.Differ = append(result.Differ, ClassDifference{Item: ids[d.Item], Majority: d.Majority, Likely: d.Likely, Probability: d.Probability, Tied: d.Tied})
	}
	result.Skene.Differ = nil
	return result, nil
}

// summaryItem is a scored item with what was said of it.
type summaryItem struct {
	id      int64
	truth   int64
	answers []int64
	agreement.Item
}

// summaryWords fills in how far the words of each item's answers differ.
func summaryWords(ctx context.Context, tx pgx.Tx, sound sounding, items []summaryItem) error {
	var ids, answers, truths []int64
	for _, item := range items {
		ids, answers, truths = append(ids, item.id), append(answers, item.answers...), append(truths, item.truth)
	}
	said, err := transcriptsOf(ctx, tx, annotationTranscript, ids, answers)
	if err != nil {
		return err
	}
	known, err := transcriptsOf(ctx, tx, truthTranscript, ids, truths)
	if err != nil {
		return err
	}
	normalizer := sound.normalizer()
	for i := range items {
		item := &items[i]
		texts := make([]speech.Transcript, len(item.answers))
		for a, id := range item.answers {
			texts[a] = said[id]
		}
		var truth *speech.Transcript
		if item.HasTruth {
			truth = new(known[item.truth])
		}
		item.Words = compareWords(normalizer, texts, truth)
	}
	return nil
}

// summaryItems reads the next items of a scope after one of them, with all boxes. Items without an answer that
// counts any more are among them, so that there are as many as were scored.
func summaryItems(ctx context.Context, tx pgx.Tx, scope AgreementScope, after int64) ([]summaryItem, error) {
	rows, err := tx.Query(ctx, `
		SELECT g.item_id, coalesce((SELECT u.id FROM truths u WHERE u.item_id = g.item_id AND u.current), 0)
		FROM item_agreements g JOIN tasks t ON t.id = g.task_id
		WHERE g.project_id = $1 AND g.item_id > $2 AND t.state <> 'discarded'
		  AND ($3::bigint = 0 OR EXISTS (SELECT FROM round_items r WHERE r.item_id = g.item_id AND r.round_id = $3))
		  AND ($4::bigint = 0 OR EXISTS (SELECT FROM batch_items b WHERE b.item_id = g.item_id AND b.batch_id = $4))
		ORDER BY g.item_id LIMIT $5`, scope.Project, after, scope.Round, scope.Batch, summaryChunk)
	if err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i summaryItem, err error) {
		err = row.Scan(&i.id, &i.truth)
		i.HasTruth = i.truth != 0
		return i, err
	})
	if err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	at := make(map[int64]*summaryItem, len(items))
	ids, truths := make([]int64, len(items)), make([]int64, 0, len(items))
	ofTruth := map[int64]*summaryItem{}
	for i := range items {
		item := &items[i]
		ids[i], at[item.id] = item.id, item
		if item.HasTruth {
			truths = append(truths, item.truth)
			ofTruth[item.truth] = item
		}
	}
	if err := summaryAnswers(ctx, tx, ids, at); err != nil {
		return nil, err
	}
	err = eachBox(ctx, tx, `SELECT truth_id, class_id, x, y, w, h, rotation, crowd FROM truth_boxes WHERE truth_id = ANY($1) ORDER BY truth_id, position`, truths,
		func(truth int64, b agreement.Box) { ofTruth[truth].Truth = append(ofTruth[truth].Truth, b) })
	return items, err
}

// summaryAnswers fills in the current answers, but for those that were asked to measure their labeler.
func summaryAnswers(ctx context.Context, tx pgx.Tx, ids []int64, at map[int64]*summaryItem) error {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `
		SELECT an.id, an.item_id, an.person_id FROM annotations an JOIN assignments a ON a.id = an.assignment_id
		WHERE an.item_id = ANY($1) AND `+counts+` AND a.reason <> 'gold' ORDER BY an.item_id, an.id`, ids)
	if err != nil {
		return fmt.Errorf("answers: %w", err)
	}
	var id, itemID, person int64
	var answers []int64
	type place struct {
		item *summaryItem
		n    int
	}
	places := map[int64]place{}
	_, err = pgx.ForEachRow(rows, []any{&id, &itemID, &person}, func() error {
		item := at[itemID]
		answers = append(answers, id)
		places[id] = place{item, len(item.Answers)}
		item.answers = append(item.answers, id)
		item.Answers, item.Labelers = append(item.Answers, nil), append(item.Labelers, person)
		return nil
	})
	if err != nil {
		return fmt.Errorf("answers: %w", err)
	}
	return eachBox(ctx, tx, `
		SELECT annotation_id, class_id, x, y, w, h, rotation, crowd FROM annotation_boxes WHERE annotation_id = ANY($1) ORDER BY annotation_id, position`, answers,
		func(answer int64, b agreement.Box) {
			p := places[answer]
			p.item.Answers[p.n] = append(p.item.Answers[p.n], b)
		})
}

// eachBox calls f with the owner and the box of each row.
func eachBox(ctx context.Context, tx pgx.Tx, sql string, owners []int64, f func(owner int64, b agreement.Box)) error {
	rows, err := tx.Query(ctx, sql, owners) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return fmt.Errorf("boxes: %w", err)
	}
	var owner int64
	var b agreement.Box
	_, err = pgx.ForEachRow(rows, []any{&owner, &b.Class, &b.X, &b.Y, &b.W, &b.H, &b.Rotation, &b.Crowd}, func() error {
		f(owner, b)
		return nil
	})
	if err != nil {
		return fmt.Errorf("boxes: %w", err)
	}
	return nil
}
