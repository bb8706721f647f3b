package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"
)

// ImportMoment is a class on a stretch of an utterance, in seconds from its beginning.
type ImportMoment struct {
	Class        string
	Begins, Ends float64
	Channel      int
}

// planMoments says which moments an utterance's truth gets. What the project has no class for, or what lies outside of the utterance, is lost, and named.
func (b *speechBatch) planMoments(ctx context.Context, u *ImportUtterance, p *utterancePlan) (err error) {
	if len(u.Moments) > 0 && b.classes == nil {
		if b.classes, err = importClasses(ctx, b.tx, b.run.ProjectID); err != nil {
			return err
		}
	}
	for _, m := range u.Moments {
		class, known := b.classes[className(m.Class)]
		reason := ""
		switch {
		case !known:
			reason = fmt.Sprintf("left out: a moment, for the guideline has no class %q", norm.NFC.String(m.Class))
		case class.Retired:
			reason = fmt.Sprintf("left out: a moment, for the class %q is retired", norm.NFC.String(m.Class))
		case p.recording.ready() && !m.fit(*p.span.Ends-*p.span.Begins, p.recording.Channels):
			reason = "left out: a moment that lies outside of the utterance"
		}
		if reason != "" {
			b.results = append(b.results, ImportResult{Name: u.Name, Outcome: OutcomeLost, Reason: reason})
			continue
		}
		p.moments = append(p.moments, Box{ClassID: class.ID, X: m.Begins, Y: float64(m.Channel), W: m.Ends - m.Begins, H: 1})
	}
	return nil
}

// fit fits a moment into an utterance of so many seconds and channels; false if nothing of it is in there.
func (m *ImportMoment) fit(length float64, channels int) bool {
	if m.Begins >= length || m.Ends <= m.Begins {
		return false
	}
	m.Ends = min(m.Ends, length)
	if channels == 1 || m.Channel > channels {
		m.Channel = 0
	}
	return true
}

// sameMoments tells whether the item's truth has exactly these.
func (b *speechBatch) sameMoments(ctx context.Context, item *knownUtterance, moments []Box) (bool, error) {
	there, err := boxesOf(ctx, b.tx, "truth_boxes", "truth_id", item.Truth)
	if err != nil {
		return false, err
	}
	return slices.EqualFunc(there, moments, func(a, c Box) bool {
		return a.ClassID == c.ClassID && a.X == c.X && a.W == c.W && a.Y == c.Y
	}), nil
}

// writeMoments writes those of truths, one for each plan.
func (b *speechBatch) writeMoments(ctx context.Context, plans []*utterancePlan, truths []int64) error {
	if !slices.ContainsFunc(plans, func(p *utterancePlan) bool { return len(p.moments) > 0 }) {
		return nil
	}
	definitions, err := definitionVersions(ctx, b.tx, b.run.ProjectID)
	if err != nil {
		return err
	}
	var rows [][]any
	for i, p := range plans {
		for position, m := range p.moments {
			rows = append(rows, []any{truths[i], position, m.ClassID, definitions[m.ClassID], m.X, m.Y, m.W, m.H})
		}
	}
	return copyRows(ctx, b.tx, "truth_boxes", []string{"truth_id", "position", "class_id", "definition_version", "x", "y", "w", "h"}, rows)
}

// fitMoments fits those of a truth into an utterance whose length and channels are known now.
func fitMoments(ctx context.Context, tx pgx.Tx, truth int64, length float64, channels int) error {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM truth_boxes WHERE truth_id = $1 AND x >= $2`, truth, length)
	batch.Queue(`
		UPDATE truth_boxes SET w = least(w, $2 - x), y = CASE WHEN $3 = 1 OR y > $3 THEN 0 ELSE y END
		WHERE truth_id = $1 AND (x + w > $2 OR y > 0 AND ($3 = 1 OR y > $3))`, truth, length, channels)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("moments of truth %d: %w", truth, err)
	}
	return nil
}
