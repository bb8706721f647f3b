package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"
)

// verdict is what a project's rules make of an item.
type verdict int

const (
	leaveIt    verdict = iota // to a reviewer, or to the labelers who are still at it
	acceptIt                  // the merged answers become its truth
	askAnother                // one more labeler answers
)

// verdict judges an item that has all its answers, unless a person has decided about it before, or a labeler could
// not, or contests what a reviewer said, or an import brought its truth: those are for people. What a rule accepted,
// and was sent back since, a rule may accept again.
func (u *scored) verdict(v ballots, c comparison) verdict {
	waits := u.State == "in_review" && u.Votes >= u.Overlap && !u.Archived
	imported := v.truth.ID != 0 && v.truth.Review == 0
	if !waits || imported || u.Judged || u.Undecided || u.Disputed || c.score == nil {
		return leaveIt
	}
	blind := slices.ContainsFunc(v.answers, func(a ballot) bool { return !a.Prefilled })
	switch {
	case u.AcceptAbove != nil && *c.score >= *u.AcceptAbove && blind && !looksAt(u.Secret, u.Item, u.LookShare):
		return acceptIt
	case u.AskBelow != nil && *c.score < *u.AskBelow && max(u.Overlap, len(v.answers)) < u.OverlapMost && u.Askable:
		return askAnother
	}
	return leaveIt
}

// looksAt reports whether an item is in the sample of this share that a reviewer sees whatever its score. It is the
// same for an item whenever it is asked, and nobody who does not know the project's secret can foresee it.
func looksAt(secret []byte, item int64, share float64) bool {
	mac := hmac.New(sha256.New, secret)
	mac.Write(fmt.Appendf(nil, "look at item %d", item))
	return float64(binary.BigEndian.Uint64(mac.Sum(nil))>>11)/(1<<53) < share
}

// accept makes the merged answers the item's truth, by a decision that is nobody's, and returns that truth. The caller
// has locked the task.
func accept(ctx context.Context, tx pgx.Tx, u *scored, v ballots, c comparison) (Truth, error) {
	merging := v.merging(c)
	truth := merging.merged()
	var decision int64
	err := tx.QueryRow(ctx, `
		INSERT INTO reviews (task_id, item_id, decision, former_state, former_truth_id, origins) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
		u.Task, u.Item, Accepted, u.State, orNull(u.Truth), merging.origins(truth, nil, 0)).Scan(&decision)
	if err != nil {
		return Truth{}, fmt.Errorf("accept: %w", err)
	}
	if err := replaceTruth(ctx, tx, u.Item, decision, 0, truth); err != nil {
		return Truth{}, err
	}
	err = audit(ctx, tx, System(), auditEvent{
		Action: "review.accepted", ObjectType: "review", ObjectID: decision, ProjectID: u.Project,
		Detail: map[string]any{"item": u.Item, "answers": len(v.answers), "score": thousandths(*c.score)},
	})
	if err != nil {
		return Truth{}, err
	}
	u.State = "adjudicated"
	if err := u.write(ctx, tx); err != nil {
		return Truth{}, err
	}
	return currentTruth(ctx, tx, u.Item)
}

// thousandths keeps of a score what people read.
func thousandths(score float64) float64 { return math.Round(score*1000) / 1000 }

// askOneMore wants one more answer to the item and puts it back into the queue. Call it as the last step of a
// transaction.
func askOneMore(ctx context.Context, tx pgx.Tx, u *scored) error {
	_, err := tx.Exec(ctx, `UPDATE tasks SET overlap = overlap + 1, state = 'open', changed_at = now() WHERE id = $1`, u.Task)
	if err != nil {
		return fmt.Errorf("ask another: %w", err)
	}
	err = audit(ctx, tx, System(), auditEvent{
		Action: "task.ask", ObjectType: "item", ObjectID: u.Item, ProjectID: u.Project, Detail: map[string]any{"overlap": u.Overlap + 1},
	})
	if err != nil {
		return err
	}
	return reopen(ctx, tx, u.Project, u.Task)
}
