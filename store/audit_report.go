package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/agreement"
	"fiducial/internal/jobargs"
	"fiducial/internal/quality"
	"fiducial/internal/speech"
)

// AuditReport is what a blind audit has found so far, in figures alone.
type AuditReport struct {
	Items    int `json:"items"`
	Answered int `json:"answered"` // by somebody who had not answered before
	// Differ are those whose blind answer is not the label of the version.
	Differ AuditShare `json:"differ"`
	// Wrong are those whose label a reviewer replaced by another, of those that were decided again.
	Wrong AuditShare `json:"wrong"`
	// Findings counts the labels by what is different: missed, class, loose, split; words counts utterances.
	Findings map[string]int `json:"findings"`
	// WordErrors are between the version's transcripts, of so many Words, and the blind ones.
	WordErrors int `json:"word_errors"`
	Words      int `json:"words"`
}

// AuditShare is a share with its 95 % interval (Wilson); of none there is nothing to say.
type AuditShare struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Share float64 `json:"share"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func shareOf(count, of int) AuditShare {
	if of == 0 {
		return AuditShare{High: 1}
	}
	interval := quality.Wilson(count, of)
	return AuditShare{Count: count, Of: of, Share: float64(count) / float64(of), Low: interval.Low, High: interval.High}
}

// auditedItem is a line under audit with its label, the blind answer and what holds now; 0 stands for none.
type auditedItem struct {
	Item, Truth, Answer, Now int64
	Loose                    float64
	Kind, Normalizer         string
}

// endedAudit is the condition that every batch of audit a has come to its end.
const endedAudit = `NOT EXISTS (SELECT FROM audit_batches x JOIN batches b ON b.id = x.batch_id WHERE x.audit_id = a.id AND NOT ` + finishedBatch + `)`

// ReportAudit measures what an audit has found so far, and closes the audit once its batches have come to their end. Doing it again comes
// to the same.
func (s *Store) ReportAudit(ctx context.Context, id int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var ended bool
		err := tx.QueryRow(ctx, `
			SELECT `+endedAudit+` FROM audits a WHERE a.id = $1 AND a.state IN ('open', 'closed') FOR NO KEY UPDATE OF a`, id).Scan(&ended)
		if err != nil {
			return err
		}
		report, err := auditReport(ctx, tx, id)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE audits SET report = $2, reported_at = now(), state = CASE WHEN $3 THEN 'closed' ELSE state END WHERE id = $1`, id, report, ended)
		return err
	})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("report of audit %d: %w", id, err)
	}
	return nil
}

func auditReport(ctx context.Context, tx pgx.Tx, id int64) (AuditReport, error) {
	rows, err := tx.Query(ctx, `
		SELECT c.item_id AS item, c.truth_id AS truth, p.loose_limit AS loose, p.kind, p.normalizer,
			coalesce((SELECT min(an.id) FROM annotations an JOIN assignments g ON g.id = an.assignment_id
				WHERE an.item_id = c.item_id AND NOT an.gold AND an.recalled_at IS NULL AND g.claimed_at >= a.created_at AND g.reason = 'initial'), 0) AS answer,
			coalesce((SELECT u.id FROM truths u JOIN tasks t ON t.item_id = u.item_id AND t.state = 'adjudicated' JOIN reviews r ON r.id = u.review_id
				WHERE u.item_id = c.item_id AND u.current AND r.decided_at >= a.created_at), 0) AS now
		FROM audits a JOIN audit_items c ON c.audit_id = a.id JOIN items i ON i.id = c.item_id JOIN projects p ON p.id = i.project_id
		WHERE a.id = $1 ORDER BY c.item_id`, id)
	if err != nil {
		return AuditReport{}, err
	}
	items, err := pgx.CollectRows(rows, pgx.RowToStructByName[auditedItem])
	if err != nil {
		return AuditReport{}, err
	}
	report := AuditReport{Items: len(items), Findings: map[string]int{}}
	differ, decided, wrong := 0, 0, 0
	for _, item := range items {
		if item.Answer != 0 {
			d, err := item.against(ctx, tx, annotationTranscript, item.Answer)
			if err != nil {
				return AuditReport{}, err
			}
			report.Answered++
			report.add(d)
			if d.any() {
				differ++
			}
		}
		if item.Now != 0 {
			d, err := item.against(ctx, tx, truthTranscript, item.Now)
			if err != nil {
				return AuditReport{}, err
			}
			decided++
			if d.any() {
				wrong++
			}
		}
	}
	report.Differ, report.Wrong = shareOf(differ, report.Answered), shareOf(wrong, decided)
	return report, nil
}

// labelDifference is how a label differs from another of the same item.
type labelDifference struct {
	objects       map[agreement.Finding]int // but for those that are the same
	errors, words int
}

func (d labelDifference) any() bool { return len(d.objects) > 0 || d.errors > 0 }

// against compares the label of the version with an answer, or another truth.
func (i auditedItem) against(ctx context.Context, q querier, kind string, of int64) (d labelDifference, err error) {
	known, err := boxesOf(ctx, q, "truth_boxes", "truth_id", i.Truth)
	if err != nil {
		return d, err
	}
	table, owner := "annotation_boxes", "annotation_id"
	if kind == truthTranscript {
		table, owner = "truth_boxes", "truth_id"
	}
	said, err := boxesOf(ctx, q, table, owner, of)
	if err != nil {
		return d, err
	}
	sound := sounding{Kind: i.Kind, Normalizer: i.Normalizer}
	found := agreement.Match([][]agreement.Box{shapesOf(known), shapesOf(said)}, sound.limits(i.Loose))
	d.objects = map[agreement.Finding]int{}
	for o := range found.Objects {
		if f := found.Objects[o].Worst(); f != agreement.Agreed {
			d.objects[f]++
		}
	}
	if !sound.audio() {
		return d, nil
	}
	frozen, err := transcriptOf(ctx, q, i.Item, truthTranscript, i.Truth)
	if err != nil {
		return d, err
	}
	heard, err := transcriptOf(ctx, q, i.Item, kind, of)
	if err != nil {
		return d, err
	}
	scorer := speech.Scorer{Normalizer: sound.normalizer()}
	c := scorer.Score(frozen.Text(), heard.Text())
	d.errors, d.words = c.Errors(), c.Reference()
	return d, nil
}

func (r *AuditReport) add(d labelDifference) {
	for finding, n := range d.objects {
		r.Findings[string(finding)] += n
	}
	if d.errors > 0 {
		r.Findings["words"]++
	}
	r.WordErrors += d.errors
	r.Words += d.words
}

// AskForAuditReport has an audit's report made anew.
func (s *Store) AskForAuditReport(ctx context.Context, actor Actor, id int64) error {
	if err := actor.may(access.RunEvaluations); err != nil {
		return err
	}
	a, err := s.Audit(ctx, actor, id)
	if err != nil {
		return err
	}
	if a.State != AuditOpen && a.State != AuditClosed {
		return invalid("", "There is nothing to report on before the audit has its batch.")
	}
	if _, err := s.queue.Insert(ctx, jobargs.ReportAudit{AuditID: id}, nil); err != nil {
		return fmt.Errorf("ask for the report of audit %d: %w", id, err)
	}
	return nil
}

// askForAudits has reported on every audit whose batches have come to their end since it was last.
func (s *Store) askForAudits(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT a.id FROM audits a WHERE a.state = 'open' AND `+endedAudit)
	if err != nil {
		return fmt.Errorf("audits to report on: %w", err)
	}
	ended, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("audits to report on: %w", err)
	}
	for _, id := range ended {
		if _, err := s.queue.Insert(ctx, jobargs.ReportAudit{AuditID: id}, nil); err != nil {
			return fmt.Errorf("ask for the report of audit %d: %w", id, err)
		}
	}
	return nil
}
