package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/sampling"
)

// The states of a round.
const (
	RoundDrawing = "drawing" // its items are drawn, its batches made
	RoundOpen    = "open"
	RoundFailed  = "failed"
)

// DefaultShare is what a round takes of each class unless somebody says otherwise.
const DefaultShare = 0.3

// Round is one pass over a share of every class of a project.
type Round struct {
	ID        int64
	ProjectID int64
	Slug      string
	Number    int // within the project
	Share     float64
	Seed      int64
	BatchSize int
	State     string
	Error     string // why it failed
	Items     int    // that it drew
	CreatedBy string
	CreatedAt time.Time
	// Of its batches so far:
	Batches, Finished      int
	Answered, Decided      int
	Compared               int
	ScoreSum, ScoreSquares float64
}

// Agreement is the mean score of the round's items that several answered.
func (r *Round) Agreement() Mean { return meanOf(r.Compared, r.ScoreSum, r.ScoreSquares) }

// NewRound is what opening a round needs. A Share of 0 means DefaultShare, a Seed of 0 any, a BatchSize of 0 50.
type NewRound struct {
	Project   int64
	Share     float64
	BatchSize int
	Seed      int64
	OwnerID   int64 // of its batches, 0 for nobody
	Due       *time.Time
}

func (n *NewRound) complete() error {
	if n.Share == 0 {
		n.Share = DefaultShare
	}
	if n.BatchSize == 0 {
		n.BatchSize = 50
	}
	if n.Seed == 0 {
		n.Seed = newSeed()
	}
	switch {
	case !(n.Share > 0 && n.Share <= 1): // false for NaN too
		return invalid("share", "Choose a share of each class above 0 and up to 100 %.")
	case n.BatchSize < 1 || n.BatchSize > BatchMost:
		return invalid("size", fmt.Sprintf("Choose between 1 and %d items for each batch.", BatchMost))
	}
	return nil
}

// OpenRound opens the project's next round: a job draws its items and makes its batches.
func (s *Store) OpenRound(ctx context.Context, actor Actor, n NewRound) (round Round, err error) {
	if err := actor.may(access.EditBatches); err != nil {
		return Round{}, err
	}
	if err := n.complete(); err != nil {
		return Round{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := lockProject(ctx, tx, actor, n.Project); err != nil {
			return err
		}
		if err := checkOwner(ctx, tx, n.Project, n.OwnerID); err != nil {
			return err
		}
		var drawing bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM rounds WHERE project_id = $1 AND state = 'drawing')`, n.Project).Scan(&drawing)
		if err != nil {
			return err
		}
		if drawing {
			return invalid("", "The last round is still being drawn. Wait until its batches are there.")
		}
		var id int64
		err = tx.QueryRow(ctx, `
			INSERT INTO rounds (project_id, number, share, seed, batch_size, owner_id, due_on, created_by, token_id)
			SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8 FROM rounds WHERE project_id = $1 RETURNING id`,
			n.Project, n.Share, n.Seed, n.BatchSize, orNull(n.OwnerID), n.Due, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
		if err != nil {
			return err
		}
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.DrawRound{RoundID: id}, nil); err != nil {
			return fmt.Errorf("enqueue round %d: %w", id, err)
		}
		err = audit(ctx, tx, actor, auditEvent{
			Action: "round.open", ObjectType: "round", ObjectID: id, ProjectID: n.Project,
			Detail: map[string]any{"share": n.Share, "seed": n.Seed, "size": n.BatchSize},
		})
		if err != nil {
			return err
		}
		rounds, err := roundsWhere(ctx, tx, actor, `r.id = @id`, pgx.NamedArgs{"id": id})
		if err == nil {
			round = rounds[0]
		}
		return err
	})
	if err != nil {
		return Round{}, fmt.Errorf("open round: %w", err)
	}
	return round, nil
}

func roundsWhere(ctx context.Context, q querier, actor Actor, rest string, args pgx.NamedArgs) ([]Round, error) {
	rows, err := q.Query(ctx, `
		SELECT r.id, r.project_id, p.slug, r.number, r.share, r.seed, r.batch_size, r.state, r.error, r.items,
			coalesce(n.name, c.pseudonym, '') AS created_by, r.created_at, f.*
		FROM rounds r JOIN projects p ON p.id = r.project_id AND p.archived_at IS NULL
		LEFT JOIN people c ON c.id = r.created_by LEFT JOIN person_identities n ON n.person_id = r.created_by
		CROSS JOIN LATERAL (
			SELECT count(*) AS batches, count(*) FILTER (WHERE `+finishedBatch+`) AS finished, coalesce(sum(b.answered), 0) AS answered,
				coalesce(sum(b.decided), 0) AS decided, coalesce(sum(b.compared), 0) AS compared, coalesce(sum(b.score_sum), 0) AS score_sum,
				coalesce(sum(b.score_squares), 0) AS score_squares
			FROM batches b WHERE b.round_id = r.id) f
		WHERE `+sees+` AND `+rest, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("rounds: %w", err)
	}
	rounds, err := pgx.CollectRows(rows, pgx.RowToStructByName[Round])
	if err != nil {
		return nil, fmt.Errorf("rounds: %w", err)
	}
	return rounds, nil
}

// Rounds lists the rounds of a project, the first first, with their figures as of now.
func (s *Store) Rounds(ctx context.Context, actor Actor, project int64) ([]Round, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	if err := s.refreshBatches(ctx, project); err != nil {
		return nil, err
	}
	return roundsWhere(ctx, s.pool, actor, `r.project_id = @project ORDER BY r.number`, pgx.NamedArgs{"project": project})
}

// RoundStratum is what a round found and drew of one class; Class 0 is all whose class was not known, which were drawn
// by group.
type RoundStratum struct {
	Class int64
	Name  string
	Slot  int
	Items int // those of earlier rounds among them
	Drawn int
}

// RoundStrata lists what a round drew, by class. The round came from a method that checked who asks.
func (s *Store) RoundStrata(ctx context.Context, actor Actor, round Round) ([]RoundStratum, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT coalesce(s.class_id, 0) AS class, coalesce(c.name, '') AS name, coalesce(c.slot, 0) AS slot, s.items, s.drawn
		FROM round_strata s LEFT JOIN classes c ON c.id = s.class_id WHERE s.round_id = $1 ORDER BY c.slot NULLS LAST`, round.ID)
	if err != nil {
		return nil, fmt.Errorf("strata of round %d: %w", round.ID, err)
	}
	strata, err := pgx.CollectRows(rows, pgx.RowToStructByName[RoundStratum])
	if err != nil {
		return nil, fmt.Errorf("strata of round %d: %w", round.ID, err)
	}
	return strata, nil
}

// drawnRound is a round as its job sees it.
type drawnRound struct {
	ID, Project, Owner int64
	Share              float64
	Seed               int64
	BatchSize          int
	Due                *time.Time
	CreatedBy, Token   int64
	Drawn              bool
}

// DrawRound draws a round's items, in one transaction, and then makes its batches, each in one of its own: stopped
// anywhere, it goes on there when it is called again. Nothing happens if the round is not being drawn.
func (s *Store) DrawRound(ctx context.Context, id int64) error {
	rows, err := s.pool.Query(ctx, `
		SELECT id, project_id AS project, coalesce(owner_id, 0) AS owner, share, seed, batch_size, due_on AS due, coalesce(created_by, 0) AS created_by,
			coalesce(token_id, 0) AS token, EXISTS (SELECT FROM round_items i WHERE i.round_id = r.id) AS drawn
		FROM rounds r WHERE id = $1 AND state = 'drawing'`, id)
	if err != nil {
		return fmt.Errorf("draw round %d: %w", id, err)
	}
	round, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[drawnRound])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("draw round %d: %w", id, err)
	}
	if !round.Drawn {
		err = s.inTx(ctx, func(tx pgx.Tx) error { return drawItems(ctx, tx, round) })
	}
	for more := true; err == nil && more; {
		more, err = s.dealNext(ctx, round)
	}
	if refused, ok := errors.AsType[*InvalidError](err); ok {
		return s.FailRound(ctx, id, refused.Reason)
	}
	if err != nil {
		return fmt.Errorf("draw round %d: %w", id, err)
	}
	_, err = s.pool.Exec(ctx, `
		UPDATE rounds SET state = 'open', items = (SELECT count(*) FROM round_items WHERE round_id = $1) WHERE id = $1 AND state = 'drawing'`, id)
	if err != nil {
		return fmt.Errorf("draw round %d: %w", id, err)
	}
	return nil
}

// FailRound gives up on a round that is being drawn; reason is a sentence for people. The batches that it has stay, and
// what it drew besides is free for the next one.
func (s *Store) FailRound(ctx context.Context, id int64, reason string) error {
	_, err := s.pool.Exec(ctx, `
		WITH failed AS (
			UPDATE rounds SET state = 'failed', error = $2, items = (SELECT coalesce(sum(items), 0) FROM batches WHERE round_id = $1)
			WHERE id = $1 AND state = 'drawing' RETURNING id)
		DELETE FROM round_items i USING failed WHERE i.round_id = failed.id
		  AND NOT EXISTS (SELECT FROM batches b WHERE b.round_id = i.round_id AND b.part = i.part)`, id, reason)
	if err != nil {
		return fmt.Errorf("fail round %d: %w", id, err)
	}
	return nil
}

// roundCandidates reads what a round may draw from, and what earlier ones drew. The class of an item is the one that most
// boxes of its truth have, else the one that its predictions and prefills are surest of (each box counts its
// score); of equals the one with the lower id.
const roundCandidates = `
	SELECT i.id, coalesce(u.class_id, q.class_id, 0), CASE WHEN u.class_id IS NULL AND q.class_id IS NULL THEN coalesce(i.group_id, 0) ELSE 0 END, d.item_id IS NOT NULL
	FROM items i LEFT JOIN tasks t ON t.item_id = i.id LEFT JOIN batches b ON b.id = t.batch_id LEFT JOIN round_items d ON d.item_id = i.id
	LEFT JOIN truths h ON h.item_id = i.id AND h.current
	LEFT JOIN LATERAL (SELECT o.class_id FROM truth_boxes o WHERE o.truth_id = h.id GROUP BY o.class_id ORDER BY count(*) DESC, o.class_id LIMIT 1) u ON true
	LEFT JOIN LATERAL (
		SELECT o.class_id FROM predictions p JOIN prediction_boxes o ON o.prediction_id = p.id
		WHERE p.item_id = i.id AND u.class_id IS NULL GROUP BY o.class_id ORDER BY sum(coalesce(o.score, 1)) DESC, o.class_id LIMIT 1) q ON true
	WHERE i.project_id = $1 AND i.state = 'ready' AND (d.item_id IS NOT NULL
		OR (t.state = 'open' OR t.id IS NULL AND h.id IS NULL) AND (b.id IS NULL OR ` + finishedBatch + `))`

// drawItems draws a round's items and deals them to its batches.
func drawItems(ctx context.Context, tx pgx.Tx, round drawnRound) error {
	rows, err := tx.Query(ctx, roundCandidates, round.Project)
	if err != nil {
		return fmt.Errorf("candidates: %w", err)
	}
	candidates, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c sampling.Candidate, err error) {
		err = row.Scan(&c.Item, &c.Stratum.Class, &c.Stratum.Group, &c.Taken)
		return c, err
	})
	if err != nil {
		return fmt.Errorf("candidates: %w", err)
	}
	parts := sampling.Stratify(candidates, round.Share, round.Seed)
	type place struct {
		item int64
		part int
	}
	var dealt []place
	for i, hand := range sampling.Deal(parts, round.BatchSize) {
		for _, item := range hand {
			dealt = append(dealt, place{item, i + 1})
		}
	}
	if len(dealt) == 0 {
		return invalid("", "Nothing is left to draw: every item was in an earlier round, is in a batch, or is decided.")
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"round_items"}, []string{"item_id", "round_id", "part"},
		pgx.CopyFromSlice(len(dealt), func(i int) ([]any, error) { return []any{dealt[i].item, round.ID, dealt[i].part}, nil }))
	if err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	return writeStrata(ctx, tx, round, parts)
}

func writeStrata(ctx context.Context, tx pgx.Tx, round drawnRound, parts []sampling.Part) error {
	sums := map[int64]RoundStratum{}
	for _, p := range parts {
		sum := sums[p.Stratum.Class]
		sum.Items += p.Size
		sum.Drawn += len(p.Drawn)
		sums[p.Stratum.Class] = sum
	}
	batch := &pgx.Batch{}
	for class, sum := range sums {
		batch.Queue(`INSERT INTO round_strata (round_id, class_id, items, drawn) VALUES ($1, $2, $3, $4)`, round.ID, orNull(class), sum.Items, sum.Drawn)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("strata: %w", err)
	}
	return nil
}

// dealNext makes the next batch of a round that is not there yet, and says whether there may be more.
func (s *Store) dealNext(ctx context.Context, round drawnRound) (more bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := lockProject(ctx, tx, System(), round.Project); err != nil {
			return err
		}
		var part int64
		err := tx.QueryRow(ctx, `
			SELECT coalesce(min(i.part), 0) FROM round_items i
			WHERE i.round_id = $1 AND i.part > (SELECT coalesce(max(b.part), 0) FROM batches b WHERE b.round_id = $1)`, round.ID).Scan(&part)
		if err != nil || part == 0 {
			return err
		}
		more = true
		rows, err := tx.Query(ctx, `SELECT item_id FROM round_items WHERE round_id = $1 AND part = $2 ORDER BY item_id`, round.ID, part)
		if err != nil {
			return err
		}
		items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		actor := Actor{PersonID: round.CreatedBy, TokenID: round.Token, Role: access.Admin}
		made := madeBatch{Project: round.Project, Round: round.ID, Part: part, Owner: round.Owner, Due: round.Due}
		_, err = makeBatch(ctx, tx, actor, made, items)
		return err
	})
	return more, err
}
