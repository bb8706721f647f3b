package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/sampling"
)

// BatchState is how far a batch is. It follows from what was done to its items, never from what somebody says.
type BatchState string

// The states. Approved and Closed are the ends; an item is in one batch at most that is in any other.
const (
	BatchOpen     BatchState = "open"      // nobody has begun
	BatchLabeling BatchState = "labeling"  // wanted answers are missing
	BatchInReview BatchState = "in_review" // every item was answered, or sent to review by a skip
	BatchReturned BatchState = "returned"  // sent back as a whole, and nobody has begun again
	BatchApproved BatchState = "approved"  // every item was decided
	BatchClosed   BatchState = "closed"    // given up: its items are free for another one
)

// BatchStates lists every state in the order of a batch's life.
func BatchStates() []BatchState {
	return []BatchState{BatchOpen, BatchLabeling, BatchInReview, BatchReturned, BatchApproved, BatchClosed}
}

// Finished reports whether the batch has come to its end.
func (s BatchState) Finished() bool { return s == BatchApproved || s == BatchClosed }

// finishedBatch is the condition that batch b has come to its end.
const finishedBatch = `b.state IN ('approved', 'closed')`

// Batch is a set of items that are handed out, reviewed and approved together.
type Batch struct {
	ID        int64
	ProjectID int64
	Slug      string
	Kind      string // of the project
	Number    int    // within the project
	Round     int    // its round's number, 0 for none
	Title     string
	OwnerID   int64
	Owner     string // who answers for it; "" for nobody
	Due       *time.Time
	Overdue   bool // by the database's day, and not finished
	Priority  int
	State     BatchState
	Version   int
	Items     int
	Answered  int // no answer is wanted any more
	Decided   int // adjudicated or discarded
	Compared  int // whose answers were compared with each other
	// ScoreSum and ScoreSquares are of the scores of those.
	ScoreSum, ScoreSquares float64

	PlanLimit            *float64 // nil until a sample was drawn
	PlanAccept, PlanLot  int
	PlanSize             int
	PlannedAt            *time.Time
	Looked, Faulty       int // of the sample
	Settling             string
	SettledBy            string // who approves or returned it
	Fault                Fault  // why it was returned
	Note                 string
	OfItems, Done        int    // what is settled, and how much of it
	Error                string // why the last settling gave up
	ApprovedBy           string
	ApprovedAt           *time.Time
	ReturnedAt           *time.Time
	CreatedBy            string
	CreatedAt, ChangedAt time.Time
}

// Mean is a mean with the margin of its 95 % confidence interval (1.96 standard errors); of fewer than two values
// there is none.
type Mean struct {
	Value, Margin float64
	N             int
}

// meanOf makes a mean from sums.
func meanOf(n int, sum, squares float64) Mean {
	if n == 0 {
		return Mean{}
	}
	m := Mean{Value: sum / float64(n), N: n}
	if n > 1 {
		variance := max(0, (squares-sum*m.Value)/float64(n-1))
		m.Margin = 1.96 * math.Sqrt(variance/float64(n))
	}
	return m
}

// Agreement is the mean score of the batch's items that several answered.
func (b *Batch) Agreement() Mean { return meanOf(b.Compared, b.ScoreSum, b.ScoreSquares) }

// Plan is the plan of the sampled look; ok is false until there is one.
func (b *Batch) Plan() (plan sampling.Plan, ok bool) {
	if b.PlanLimit == nil {
		return sampling.Plan{}, false
	}
	return sampling.Plan{Lot: b.PlanLot, Limit: *b.PlanLimit, Accept: b.PlanAccept, Size: b.PlanSize}, true
}

const batchColumns = `b.id, b.project_id, p.slug, p.kind, b.number, coalesce(r.number, 0) AS round, b.title, coalesce(b.owner_id, 0) AS owner_id,
	coalesce(oi.name, op.pseudonym, '') AS owner, b.due_on AS due, coalesce(b.due_on < (now() AT TIME ZONE 'UTC')::date AND NOT ` + finishedBatch + `, false) AS overdue,
	b.priority, b.state, b.version, b.items, b.answered, b.decided, b.compared, b.score_sum, b.score_squares,
	b.plan_limit, coalesce(b.plan_accept, 0) AS plan_accept, coalesce(b.plan_lot, 0) AS plan_lot, coalesce(b.plan_size, 0) AS plan_size, b.planned_at,
	b.looked, b.faulty, coalesce(b.settling, '') AS settling, coalesce(si.name, sp.pseudonym, '') AS settled_by, b.fault, b.note, b.of_items, b.done, b.error,
	coalesce(ai.name, ap.pseudonym, '') AS approved_by, b.approved_at, b.returned_at, coalesce(ci.name, cp.pseudonym, '') AS created_by, b.created_at, b.changed_at`

const batchTables = `batches b JOIN projects p ON p.id = b.project_id AND p.archived_at IS NULL LEFT JOIN rounds r ON r.id = b.round_id
	LEFT JOIN people op ON op.id = b.owner_id LEFT JOIN person_identities oi ON oi.person_id = b.owner_id
	LEFT JOIN people sp ON sp.id = b.settle_by LEFT JOIN person_identities si ON si.person_id = b.settle_by
	LEFT JOIN people ap ON ap.id = b.approved_by LEFT JOIN person_identities ai ON ai.person_id = b.approved_by
	LEFT JOIN people cp ON cp.id = b.created_by LEFT JOIN person_identities ci ON ci.person_id = b.created_by`

func batchesWhere(ctx context.Context, q querier, actor Actor, rest string, args pgx.NamedArgs) ([]Batch, error) {
	rows, err := q.Query(ctx, `SELECT `+batchColumns+` FROM `+batchTables+` WHERE `+sees+` AND `+rest, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("batches: %w", err)
	}
	batches, err := pgx.CollectRows(rows, pgx.RowToStructByName[Batch])
	if err != nil {
		return nil, fmt.Errorf("batches: %w", err)
	}
	return batches, nil
}

// BatchFilter selects batches of a project; what is empty or 0 does not restrict.
type BatchFilter struct {
	State  BatchState
	Round  int // by number
	Before int // batches with a smaller number
	Limit  int
}

// Batches lists batches of a project, the newest first, with their figures as of now.
func (s *Store) Batches(ctx context.Context, actor Actor, project int64, f BatchFilter) ([]Batch, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	if err := s.refreshBatches(ctx, project); err != nil {
		return nil, err
	}
	return batchesWhere(ctx, s.pool, actor, `b.project_id = @project AND (@state = '' OR b.state = @state) AND (@round::bigint = 0 OR r.number = @round)
		AND (@before::bigint = 0 OR b.number < @before) ORDER BY b.number DESC LIMIT @limit`,
		pgx.NamedArgs{"project": project, "state": string(f.State), "round": f.Round, "before": f.Before, "limit": f.Limit})
}

// Batch returns one batch of a project by its number, with its figures as of now.
func (s *Store) Batch(ctx context.Context, actor Actor, slug string, number int) (Batch, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return Batch{}, err
	}
	project, err := s.Project(ctx, actor, slug)
	if err != nil {
		return Batch{}, err
	}
	if err := s.refreshBatches(ctx, project.ID); err != nil {
		return Batch{}, err
	}
	batches, err := batchesWhere(ctx, s.pool, actor, `b.project_id = @project AND b.number = @number::bigint`, pgx.NamedArgs{"project": project.ID, "number": number})
	if err != nil {
		return Batch{}, err
	}
	if len(batches) == 0 {
		return Batch{}, fmt.Errorf("batch %d of %s: %w", number, slug, ErrNotFound)
	}
	return batches[0], nil
}

// BatchPlace returns where a batch stands, by its id: what notices lead by.
func (s *Store) BatchPlace(ctx context.Context, actor Actor, id int64) (slug string, number int, err error) {
	if err := actor.may(access.ReadItems); err != nil {
		return "", 0, err
	}
	err = s.pool.QueryRow(ctx, `SELECT p.slug, b.number FROM batches b JOIN projects p ON p.id = b.project_id AND p.archived_at IS NULL WHERE b.id = @id AND `+sees,
		actor.args(pgx.NamedArgs{"id": id})).Scan(&slug, &number)
	if err != nil {
		return "", 0, fmt.Errorf("batch %d: %w", id, notFound(err))
	}
	return slug, number, nil
}

// BatchCounts returns how many batches of a project are in each state.
func (s *Store) BatchCounts(ctx context.Context, actor Actor, project int64) (map[BatchState]int, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	counts := map[BatchState]int{}
	var state BatchState
	var n int
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `SELECT b.state, count(*) FROM batches b JOIN projects p ON p.id = b.project_id WHERE p.id = @project AND `+sees+` GROUP BY b.state`,
		actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("batch counts: %w", err)
	}
	_, err = pgx.ForEachRow(rows, []any{&state, &n}, func() error {
		counts[state] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("batch counts: %w", err)
	}
	return counts, nil
}

// BatchWorker is somebody who works on a batch.
type BatchWorker struct {
	Person   int64
	Name     string
	Held     int // in their hands now, or returned to them
	Answered int
	LastAt   *time.Time // when they last answered
}

// BatchWorkers lists who has or had items of a batch in hand, whoever answered most first.
func (s *Store) BatchWorkers(ctx context.Context, actor Actor, batch Batch) ([]BatchWorker, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT a.person_id AS person, coalesce(n.name, q.pseudonym) AS name, count(*) FILTER (WHERE a.state IN ('leased', 'returned')) AS held,
			count(DISTINCT a.task_id) FILTER (WHERE a.state = 'submitted') AS answered, max(a.finished_at) FILTER (WHERE a.state = 'submitted') AS last_at
		FROM batch_items i JOIN assignments a ON a.task_id = i.task_id JOIN people q ON q.id = a.person_id LEFT JOIN person_identities n ON n.person_id = q.id
		WHERE i.batch_id = $1 AND a.reason <> 'gold' AND a.state IN ('leased', 'returned', 'submitted')
		GROUP BY a.person_id, n.name, q.pseudonym ORDER BY answered DESC, lower(coalesce(n.name, q.pseudonym)), a.person_id`, batch.ID)
	if err != nil {
		return nil, fmt.Errorf("workers of batch %d: %w", batch.ID, err)
	}
	workers, err := pgx.CollectRows(rows, pgx.RowToStructByName[BatchWorker])
	if err != nil {
		return nil, fmt.Errorf("workers of batch %d: %w", batch.ID, err)
	}
	return workers, nil
}

// lockBatch locks a batch that the actor sees and brings its figures and state up to date. version is the one that
// they read, 0 where that does not matter: ErrConflict if it was changed since. Nothing can be done to a batch that is
// being settled.
func lockBatch(ctx context.Context, tx pgx.Tx, actor Actor, id int64, version int) (Batch, error) {
	if err := refreshBatch(ctx, tx, id); err != nil {
		return Batch{}, err
	}
	batches, err := batchesWhere(ctx, tx, actor, `b.id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return Batch{}, err
	}
	switch {
	case len(batches) == 0:
		return Batch{}, ErrNotFound
	case version != 0 && batches[0].Version != version:
		return Batch{}, ErrConflict
	case batches[0].Settling != "":
		return Batch{}, invalid("", "This batch is being settled. Wait until that is done.")
	}
	return batches[0], nil
}

// BatchEdit is what can be changed of a batch. Version is the one that was read.
type BatchEdit struct {
	ID      int64
	Version int
	Title   string
	OwnerID int64 // 0 for nobody
	Due     *time.Time
}

// UpdateBatch changes a batch's title, owner and date. A new owner is told.
func (s *Store) UpdateBatch(ctx context.Context, actor Actor, e BatchEdit) error {
	return s.changeBatch(ctx, actor, e.ID, e.Version, func(tx pgx.Tx, b Batch) error {
		title, err := checkTitle(e.Title)
		if err != nil {
			return err
		}
		if err := checkOwner(ctx, tx, b.ProjectID, e.OwnerID); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE batches SET title = $2, owner_id = $3, due_on = $4, version = version + 1, changed_at = now() WHERE id = $1`,
			b.ID, title, orNull(e.OwnerID), e.Due)
		if err != nil {
			return err
		}
		if e.OwnerID != b.OwnerID {
			if err := notifyOthers(ctx, tx, actor, []int64{e.OwnerID}, BatchYours, b.ID, b.ProjectID); err != nil {
				return err
			}
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "batch.update", ObjectType: "batch", ObjectID: b.ID, ProjectID: b.ProjectID, Detail: map[string]any{"owner": e.OwnerID},
		})
	})
}

// changeBatch makes one change to a batch, locked, by somebody who may edit batches.
func (s *Store) changeBatch(ctx context.Context, actor Actor, id int64, version int, change func(pgx.Tx, Batch) error) error {
	if err := actor.may(access.EditBatches); err != nil {
		return err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		b, err := lockBatch(ctx, tx, actor, id, version)
		if err != nil {
			return err
		}
		return change(tx, b)
	})
	if err != nil {
		return fmt.Errorf("change batch %d: %w", id, err)
	}
	return nil
}

const titleLimit = 200

func checkTitle(title string) (string, error) {
	title = strings.TrimSpace(title)
	if len([]rune(title)) > titleLimit {
		return "", invalid("title", fmt.Sprintf("Keep the title under %d characters.", titleLimit))
	}
	return title, nil
}

// BatchOwner is somebody who can answer for a batch.
type BatchOwner struct {
	Person int64
	Name   string
	Email  string
}

// owners selects those people o who can answer for a batch of project @project: who may edit its batches and sees it.
const owners = `o.left_at IS NULL AND (o.role = 'admin' OR o.role = 'reviewer' AND EXISTS (SELECT FROM members m WHERE m.project_id = @project AND m.person_id = o.id))`

// BatchOwners lists, by name, who can answer for a batch of the project.
func (s *Store) BatchOwners(ctx context.Context, actor Actor, project int64) ([]BatchOwner, error) {
	if err := actor.may(access.EditBatches); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT o.id AS person, coalesce(n.name, o.pseudonym) AS name, coalesce(n.email, '') AS email
		FROM people o LEFT JOIN person_identities n ON n.person_id = o.id JOIN projects p ON p.id = @project
		WHERE `+owners+` AND `+sees+` ORDER BY lower(coalesce(n.name, o.pseudonym)), o.id`, actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("owners: %w", err)
	}
	people, err := pgx.CollectRows(rows, pgx.RowToStructByName[BatchOwner])
	if err != nil {
		return nil, fmt.Errorf("owners: %w", err)
	}
	return people, nil
}

// checkOwner refuses an owner who could not do anything about the batch.
func checkOwner(ctx context.Context, tx pgx.Tx, project, owner int64) error {
	if owner == 0 {
		return nil
	}
	err := tx.QueryRow(ctx, `SELECT o.id FROM people o WHERE o.id = @owner AND `+owners, pgx.NamedArgs{"owner": owner, "project": project}).Scan(&owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return invalid("owner", "The owner of a batch is a reviewer of the project, or an admin.")
	}
	return err
}
