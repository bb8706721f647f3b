package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
)

// The states of a blind audit.
const (
	AuditWaiting = "waiting" // its lines are drawn, its batch is made
	AuditOpen    = "open"
	AuditFailed  = "failed"
	AuditClosed  = "closed" // its batch has come to its end, and its last report stands
)

// BlindAudit is a second look at lines of a version's test split that were drawn at random, by people who had not answered them and
// see nothing that a model or anybody else said: it measures how many of the test labels are wrong.
type BlindAudit struct {
	ID         int64
	Version    int64 // of the dataset
	Items      int   // as many as were asked for, then as many as were drawn
	Seed       int64
	State      string
	Error      string // why it failed
	Batches    []AuditBatch
	Answered   int // of its items
	Decided    int
	Report     *AuditReport
	CreatedBy  string
	CreatedAt  time.Time
	ReportedAt *time.Time
}

// AuditBatch is the batch of an audit in one of the projects that its lines are of.
type AuditBatch struct {
	Project  string `json:"project"` // its slug
	Number   int    `json:"number"`
	Items    int    `json:"items"`
	Answered int    `json:"answered"`
	Decided  int    `json:"decided"`
}

// Audits lists the blind audits of a dataset version, the newest first.
func (s *Store) Audits(ctx context.Context, actor Actor, version DatasetVersion) ([]BlindAudit, error) {
	return s.auditsWhere(ctx, actor, `a.version_id = @version ORDER BY a.id DESC`, pgx.NamedArgs{"version": version.ID})
}

// Audit returns one blind audit, or ErrNotFound if the actor does not see its version.
func (s *Store) Audit(ctx context.Context, actor Actor, id int64) (BlindAudit, error) {
	list, err := s.auditsWhere(ctx, actor, `a.id = @id`, pgx.NamedArgs{"id": id})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("audit %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return BlindAudit{}, err
	}
	return list[0], nil
}

func (s *Store) auditsWhere(ctx context.Context, actor Actor, where string, args pgx.NamedArgs) ([]BlindAudit, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT a.id, a.version_id AS version, a.items, a.seed, a.state, a.error, b.batches, b.answered, b.decided, a.report,
			coalesce(n.name, c.pseudonym, '') AS created_by, a.created_at, a.reported_at
		FROM audits a JOIN dataset_versions v ON v.id = a.version_id CROSS JOIN LATERAL (
			SELECT coalesce(sum(b.answered), 0)::int AS answered, coalesce(sum(b.decided), 0)::int AS decided, coalesce(jsonb_agg(jsonb_build_object(
				'project', p.slug, 'number', b.number, 'items', b.items, 'answered', b.answered, 'decided', b.decided) ORDER BY p.slug), '[]') AS batches
			FROM audit_batches x JOIN batches b ON b.id = x.batch_id JOIN projects p ON p.id = b.project_id WHERE x.audit_id = a.id) b
		LEFT JOIN people c ON c.id = a.created_by LEFT JOIN person_identities n ON n.person_id = a.created_by
		WHERE `+seesVersion+` AND `+where, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("audits: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[BlindAudit])
	if err != nil {
		return nil, fmt.Errorf("audits: %w", err)
	}
	return list, nil
}

// StartAudit begins a blind audit of so many lines of a version's test split: a job draws them and opens a batch of them in
// each project that they are of. A seed of 0
// means any.
func (s *Store) StartAudit(ctx context.Context, actor Actor, version DatasetVersion, items int, seed int64) (id int64, err error) {
	if err := actor.may(access.RunEvaluations); err != nil {
		return 0, err
	}
	switch {
	case version.State != VersionFrozen:
		return 0, invalid("", "Wait until this version is frozen. Then its test lines can be drawn.")
	case items < 1 || items > BatchMost:
		return 0, invalid("items", fmt.Sprintf("Choose between 1 and %d test lines.", BatchMost))
	}
	if seed == 0 {
		seed = SmallSeed()
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// Two at once would ask for the same labels twice.
		if _, err := tx.Exec(ctx, `SELECT FROM dataset_versions WHERE id = $1 FOR NO KEY UPDATE`, version.ID); err != nil {
			return err
		}
		var open bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM audits WHERE version_id = $1 AND state IN ('waiting', 'open'))`, version.ID).Scan(&open); err != nil {
			return err
		}
		if open {
			return invalid("", "An audit of this version is under way. Finish or close its batch first.")
		}
		err := tx.QueryRow(ctx, `INSERT INTO audits (version_id, items, seed, created_by, token_id) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
			version.ID, items, seed, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
		if err != nil {
			return err
		}
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.DrawAudit{AuditID: id}, nil); err != nil {
			return fmt.Errorf("enqueue audit %d: %w", id, err)
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "audit.start", ObjectType: "audit", ObjectID: id, Detail: map[string]any{"version": version.ID, "items": items, "seed": seed},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("start audit: %w", err)
	}
	return id, nil
}

// waitingAudit is an audit as its job sees it.
type waitingAudit struct {
	ID, Version      int64
	Name             string // DATASET@NUMBER
	Items            int
	Seed             int64
	CreatedBy, Token int64
}

// FillAudit draws an audit's lines and makes its batch. Nothing happens if the audit is not waiting.
func (s *Store) FillAudit(ctx context.Context, id int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT a.id, a.version_id AS version, d.name || '@' || v.number AS name, a.items, a.seed, coalesce(a.created_by, 0) AS created_by, coalesce(a.token_id, 0) AS token
			FROM audits a JOIN dataset_versions v ON v.id = a.version_id JOIN datasets d ON d.id = v.dataset_id
			WHERE a.id = $1 AND a.state = 'waiting' FOR NO KEY UPDATE OF a`, id)
		if err != nil {
			return err
		}
		a, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[waitingAudit])
		if err != nil {
			return err
		}
		return a.draw(ctx, tx)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if refused, ok := errors.AsType[*InvalidError](err); ok {
		return s.FailAudit(ctx, id, refused.Reason)
	}
	if err != nil {
		return fmt.Errorf("fill audit %d: %w", id, err)
	}
	return nil
}

// FailAudit gives up on an audit that waits; reason is a sentence for people.
func (s *Store) FailAudit(ctx context.Context, id int64, reason string) error {
	if _, err := s.pool.Exec(ctx, `UPDATE audits SET state = 'failed', error = $2 WHERE id = $1 AND state = 'waiting'`, id, reason); err != nil {
		return fmt.Errorf("fail audit %d: %w", id, err)
	}
	return nil
}

// auditable is the condition that line l, of item i with task t or none, can be looked at again: what it was frozen with still
// holds, and nobody is at it.
const auditable = `l.split = 'test' AND i.state = 'ready' AND (t.id IS NULL OR t.state = 'adjudicated' AND t.live = 0 AND t.votes < 9)
	AND (b.id IS NULL OR ` + finishedBatch + `) AND EXISTS (SELECT FROM truths u WHERE u.id = l.truth_id AND u.current)`

// auditLine is a line that was drawn.
type auditLine struct{ Item, Truth, Project int64 }

// draw chooses the lines, makes a batch of those of each project, and opens a place for one more answer in each.
func (a waitingAudit) draw(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT l.item_id, l.truth_id, i.project_id FROM dataset_lines l JOIN items i ON i.id = l.item_id
		LEFT JOIN tasks t ON t.item_id = i.id LEFT JOIN batches b ON b.id = t.batch_id
		WHERE l.version_id = $1 AND `+auditable+` ORDER BY hashint8extended(i.id, $2), i.id LIMIT $3`, a.Version, a.Seed, a.Items)
	if err != nil {
		return err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[auditLine])
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return invalid("", "No test line can be looked at again: their items are gone, have another truth by now, or are in a batch that is not finished.")
	}
	of := map[int64][]int64{}
	for _, l := range lines {
		of[l.Project] = append(of[l.Project], l.Item)
	}
	projects := slices.Sorted(maps.Keys(of))
	for _, project := range projects {
		if _, err := lockProject(ctx, tx, System(), project); err != nil {
			return err
		}
	}
	for _, l := range lines {
		if _, err := tx.Exec(ctx, `INSERT INTO audit_items (audit_id, item_id, truth_id) VALUES ($1, $2, $3)`, a.ID, l.Item, l.Truth); err != nil {
			return fmt.Errorf("items of an audit: %w", err)
		}
	}
	for _, project := range projects { // in the order of their ids, as whoever locks several queues
		if err := a.open(ctx, tx, project, of[project]); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `UPDATE audits SET state = 'open', items = (SELECT count(*) FROM audit_items WHERE audit_id = $1) WHERE id = $1`, a.ID)
	return err
}

// open makes the batch of one project, keeps what came into it, and has each of its items answered once more.
func (a waitingAudit) open(ctx context.Context, tx pgx.Tx, project int64, items []int64) error {
	actor := Actor{PersonID: a.CreatedBy, TokenID: a.Token, Role: access.Admin}
	batch, err := makeBatch(ctx, tx, actor, madeBatch{Project: project, Title: "Blind audit of " + a.Name}, items)
	if err != nil {
		return err
	}
	tasks, err := collectIDs(ctx, tx, `
		UPDATE tasks t SET state = 'open', overlap = t.votes + t.live + 1, version = t.version + 1, changed_at = now()
		FROM batch_items c WHERE c.batch_id = $1 AND t.id = c.task_id AND t.state = 'adjudicated' RETURNING t.id`, batch)
	if err != nil {
		return fmt.Errorf("tasks of an audit: %w", err)
	}
	steps := &pgx.Batch{}
	steps.Queue(`INSERT INTO audit_batches (audit_id, batch_id) VALUES ($1, $2)`, a.ID, batch)
	steps.Queue(`
		DELETE FROM audit_items i WHERE i.audit_id = $1 AND i.item_id = ANY($3)
		  AND NOT EXISTS (SELECT FROM batch_items c WHERE c.batch_id = $2 AND c.item_id = i.item_id)`, a.ID, batch, items)
	if err := tx.SendBatch(ctx, steps).Close(); err != nil {
		return fmt.Errorf("audit %d: %w", a.ID, err)
	}
	if err := refreshBatch(ctx, tx, batch); err != nil {
		return err
	}
	return reopen(ctx, tx, project, tasks...)
}

// audited is the condition that task t is answered for a blind audit now.
const audited = `EXISTS (SELECT FROM audit_items ai JOIN audits au ON au.id = ai.audit_id WHERE ai.item_id = t.item_id AND au.state = 'open')`
