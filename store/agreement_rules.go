package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
)

// AgreementRules are what a project makes of the agreement of its items' answers.
type AgreementRules struct {
	// LooseLimit is the least IoU that a box has with the object that it is drawn round; below it, it is loose.
	LooseLimit float64
	// AcceptAbove is the score from which an item is accepted without a reviewer; nil: none is.
	AcceptAbove *float64
	// LookShare is the share of those that goes to review all the same.
	LookShare float64
	// AskBelow is the score under which another labeler is asked; nil: none is.
	AskBelow *float64
	// OverlapMost is up to how many answers others are asked.
	OverlapMost int
}

// scoreLater lets what somebody waits for go before the scoring of a whole project.
func scoreLater() *river.InsertOpts { return &river.InsertOpts{Priority: 2} }

const ruleColumns = `p.loose_limit, p.accept_above, p.look_share, p.ask_below, p.overlap_most`

// DefaultAgreementRules are those of a project that was given none: nothing is accepted and nobody asked by itself.
func DefaultAgreementRules() AgreementRules {
	return AgreementRules{LooseLimit: 0.7, LookShare: 0.1, OverlapMost: 5}
}

// check refuses rules that say nothing sensible for a project that wants overlap answers.
func (r AgreementRules) check(overlap int) error {
	share := func(v float64) bool { return v >= 0 && v <= 1 } // false for NaN
	score := func(v *float64) bool { return v == nil || share(*v) && *v > 0 }
	switch {
	case !share(r.LooseLimit) || r.LooseLimit == 0:
		return invalid("loose_limit", "Choose a limit above 0 and up to 1, such as 0.7.")
	case !score(r.AcceptAbove):
		return invalid("accept_above", "Choose a score above 0 and up to 1, such as 0.9, or leave it empty.")
	case !share(r.LookShare):
		return invalid("look_share", "Choose a share between 0 and 1, such as 0.1.")
	case !score(r.AskBelow):
		return invalid("ask_below", "Choose a score above 0 and up to 1, such as 0.5, or leave it empty.")
	case r.AskBelow != nil && r.AcceptAbove != nil && *r.AskBelow > *r.AcceptAbove:
		return invalid("ask_below", "Choose a score below the one from which items are accepted.")
	case r.OverlapMost < 1 || r.OverlapMost > 9:
		return invalid("overlap_most", "Choose between 1 and 9 answers for each item.")
	case r.AskBelow != nil && r.OverlapMost <= overlap:
		return invalid("overlap_most", fmt.Sprintf("Choose more than the %d answers that every item gets, or nobody can be asked.", overlap))
	case overlap < 2 && (r.AcceptAbove != nil || r.AskBelow != nil):
		return invalid("overlap", "Let at least 2 labelers answer each item: a single answer agrees with nothing.")
	}
	return nil
}

// same reports whether both say the same.
func (r AgreementRules) same(o AgreementRules) bool {
	equal := func(a, b *float64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
	return r.LooseLimit == o.LooseLimit && r.LookShare == o.LookShare && r.OverlapMost == o.OverlapMost &&
		equal(r.AcceptAbove, o.AcceptAbove) && equal(r.AskBelow, o.AskBelow)
}

// SetAgreementRules changes the rules of a project. What waits for review is judged by them anew, in the background.
func (s *Store) SetAgreementRules(ctx context.Context, actor Actor, project int64, rules AgreementRules) error {
	return s.changeProject(ctx, actor, project, "project.agreement", func(tx pgx.Tx, p Project) error {
		if err := rules.check(p.Overlap); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE projects SET version = version + 1 WHERE id = $1`, project); err != nil {
			return err
		}
		return s.writeRules(ctx, tx, p, rules)
	})
}

// writeRules stores rules that were checked, and has everything scored again if they are others than before.
func (s *Store) writeRules(ctx context.Context, tx pgx.Tx, p Project, rules AgreementRules) error {
	if rules.same(p.AgreementRules) {
		return nil
	}
	_, err := tx.Exec(ctx, `
		UPDATE projects SET loose_limit = $2, accept_above = $3, look_share = $4, ask_below = $5, overlap_most = $6 WHERE id = $1`,
		p.ID, rules.LooseLimit, rules.AcceptAbove, rules.LookShare, rules.AskBelow, rules.OverlapMost)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	_, err = s.queue.InsertTx(ctx, tx, jobargs.ScoreProject{ProjectID: p.ID}, scoreLater())
	return err
}

// AskForScores has every item of a project scored again, in the background, and then the whole.
func (s *Store) AskForScores(ctx context.Context, actor Actor, project int64) error {
	if err := actor.may(access.Review); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, project); err != nil {
			return err
		}
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.ScoreProject{ProjectID: project}, scoreLater()); err != nil {
			return fmt.Errorf("score project %d: %w", project, err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "project.score", ObjectType: "project", ObjectID: project, ProjectID: project})
	})
}
