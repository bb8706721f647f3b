package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/sampling"
)

// The states of a plan.
const (
	PlanDrawing = "drawing" // its utterances are chosen, its batch is made
	PlanOpen    = "open"
	PlanFailed  = "failed"
)

// PlanMost is how many utterances fit into one plan.
const PlanMost = 20_000

// SamplingPlan is a choice of utterances by what a model version was how sure of, with the batch that they became.
type SamplingPlan struct {
	ID        int64
	ProjectID int64
	Slug      string
	Number    int // within the project
	Title     string
	Version   int64  // of the model
	Model     string // NAME@VERSION
	Settings  PlanSettings
	Modes     []string // of the first, second … labeler of an item
	State     string
	Error     string // why it failed
	Items     int
	Seconds   float64
	Histogram PlanHistogram
	Batch     int // its number, 0 for none
	BatchDone BatchState
	Answered  int // of its items
	Decided   int
	Report    *PlanReport
	Reported  *time.Time
	CreatedBy string
	CreatedAt time.Time
}

// PlanSettings is what a plan was asked for.
type PlanSettings struct {
	sampling.Choice

	Owner int64      `json:"owner,omitempty"`
	Due   *time.Time `json:"due,omitempty"`
}

// PlanHistogram is what a plan found, and what it took of it, by stratum.
type PlanHistogram struct {
	Strata  []sampling.StratumSum `json:"strata"`
	Items   int                   `json:"items"`
	Chosen  int                   `json:"chosen"`
	Control int                   `json:"control"`
	Capped  int                   `json:"capped"`
	Expired int                   `json:"expired"`
	Short   int                   `json:"short"`
}

func histogramOf(s sampling.Selection) PlanHistogram {
	return PlanHistogram{Strata: s.Strata, Items: s.Items, Chosen: s.Chosen, Control: s.Control, Capped: s.Capped, Expired: s.Expired, Short: s.Short}
}

const planColumns = `l.id, l.project_id, p.slug, l.number, l.title, l.model_version_id AS version, m.name || '@' || v.version AS model, l.settings, l.modes,
	l.state, l.error, l.items, l.seconds, l.histogram, coalesce(b.number, 0) AS batch, coalesce(b.state, '') AS batch_done, coalesce(b.answered, 0) AS answered,
	coalesce(b.decided, 0) AS decided, l.report, l.reported_at AS reported, coalesce(n.name, c.pseudonym, '') AS created_by, l.created_at`

const planTables = `plans l JOIN projects p ON p.id = l.project_id AND p.archived_at IS NULL JOIN model_versions v ON v.id = l.model_version_id
	JOIN models m ON m.id = v.model_id LEFT JOIN batches b ON b.id = l.batch_id
	LEFT JOIN people c ON c.id = l.created_by LEFT JOIN person_identities n ON n.person_id = l.created_by`

func plansWhere(ctx context.Context, q querier, actor Actor, rest string, args pgx.NamedArgs) ([]SamplingPlan, error) {
	rows, err := q.Query(ctx, `SELECT `+planColumns+` FROM `+planTables+` WHERE `+sees+` AND `+rest, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("plans: %w", err)
	}
	plans, err := pgx.CollectRows(rows, pgx.RowToStructByName[SamplingPlan])
	if err != nil {
		return nil, fmt.Errorf("plans: %w", err)
	}
	return plans, nil
}

// Plans lists the plans of a project, the newest first.
func (s *Store) Plans(ctx context.Context, actor Actor, project int64) ([]SamplingPlan, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	if err := s.refreshBatches(ctx, project); err != nil {
		return nil, err
	}
	return plansWhere(ctx, s.pool, actor, `l.project_id = @project ORDER BY l.number DESC`, pgx.NamedArgs{"project": project})
}

// Plan returns one plan of a project by its number, with the figures of its batch as of now.
func (s *Store) Plan(ctx context.Context, actor Actor, slug string, number int) (SamplingPlan, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return SamplingPlan{}, err
	}
	project, err := s.Project(ctx, actor, slug)
	if err != nil {
		return SamplingPlan{}, err
	}
	if err := s.refreshBatches(ctx, project.ID); err != nil {
		return SamplingPlan{}, err
	}
	plans, err := plansWhere(ctx, s.pool, actor, `l.project_id = @project AND l.number = @number::bigint`, pgx.NamedArgs{"project": project.ID, "number": number})
	if err == nil && len(plans) == 0 {
		err = fmt.Errorf("plan %d of %s: %w", number, slug, ErrNotFound)
	}
	if err != nil {
		return SamplingPlan{}, err
	}
	return plans[0], nil
}

// PlanItem is an utterance that a plan took.
type PlanItem struct {
	ItemLine

	Confidence float32
	Control    bool // at random
}

// PlanChosen lists what a plan took, what its model was least sure of first, at most so many. The plan came from a method that checked who
// asks.
func (s *Store) PlanChosen(ctx context.Context, actor Actor, plan SamplingPlan, limit int) ([]PlanItem, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+itemLineColumns+`, l.confidence, l.arm = 'control' AS control
		FROM plan_items l JOIN items i ON i.id = l.item_id LEFT JOIN item_texts x ON x.item_id = i.id LEFT JOIN tasks t ON t.item_id = i.id
		WHERE l.plan_id = $1 ORDER BY l.confidence, l.item_id LIMIT $2`, plan.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("utterances of plan %d: %w", plan.ID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[PlanItem])
	if err != nil {
		return nil, fmt.Errorf("utterances of plan %d: %w", plan.ID, err)
	}
	return list, nil
}

// NewPlan is what a plan needs. A Seed of 0 means any; without Modes they are the project's own way of beginning, for as many
// labelers as it asks.
type NewPlan struct {
	Project int64
	Title   string
	Model   string // NAME@VERSION
	Choice  sampling.Choice
	Modes   []string
	OwnerID int64 // of its batch, 0 for nobody
	Due     *time.Time
}

// planModes are how a labeler can begin.
var planModes = []string{"blind", "edit", "reveal"}

// PlanModes lists how a labeler can begin: from silence, from the hypothesis, or from silence with the hypothesis to look at
// afterwards.
func PlanModes() []string { return slices.Clone(planModes) }

// asked is a plan as it was asked for, checked.
type askedPlan struct {
	NewPlan

	version int64
}

// check completes what was asked for and refuses what cannot be.
func (s *Store) check(ctx context.Context, q querier, actor Actor, n NewPlan) (a askedPlan, err error) {
	a.NewPlan = n
	var overlap int
	var kind, mode string
	err = q.QueryRow(ctx, `SELECT p.kind, p.overlap, p.prefill_mode FROM projects p WHERE p.id = @project AND p.archived_at IS NULL AND `+sees,
		actor.args(pgx.NamedArgs{"project": n.Project})).Scan(&kind, &overlap, &mode)
	if err != nil {
		return a, notFound(err)
	}
	if kind != "audio" {
		return a, invalid("", "Plans choose utterances by confidence, so they are for projects of sound.")
	}
	if field, fault := n.Choice.Fault(); fault != "" {
		return a, invalid(field, fault)
	}
	if a.Title, err = checkTitle(n.Title); err != nil {
		return a, err
	}
	if len(n.Modes) == 0 {
		a.Modes = slices.Repeat([]string{mode}, overlap)
	}
	if len(a.Modes) > 9 || slices.ContainsFunc(a.Modes, func(m string) bool { return !slices.Contains(planModes, m) }) {
		return a, invalid("modes", "Say of one to nine labelers how each begins: blind, edit or reveal.")
	}
	if a.Choice.Seed == 0 {
		a.Choice.Seed = SmallSeed()
	}
	a.version, err = versionOfModel(ctx, q, n.Model)
	return a, err
}

// versionOfModel is the id of a model version by NAME@VERSION.
func versionOfModel(ctx context.Context, q querier, named string) (id int64, err error) {
	name, version, _ := strings.Cut(named, "@")
	err = q.QueryRow(ctx, `SELECT v.id FROM models m JOIN model_versions v ON v.model_id = m.id WHERE m.name = $1 AND v.version = $2`, name, version).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, invalid("model", "Name a model version that is registered, as NAME@VERSION.")
	}
	if err != nil {
		return 0, fmt.Errorf("model version: %w", err)
	}
	return id, nil
}

// PlanPreview is what a plan would come to now.
type PlanPreview struct {
	PlanHistogram

	Choice  sampling.Choice // with the seed that was drawn for it
	Seconds float64         // of sound
	Modes   []string
	Pace    sampling.Pace // of the project; not Known until enough was answered
	Unready int           // items that cannot be chosen yet: their recordings have not come, or are still being read
}

// Work is how many hours of work the plan means, for all labelers together, with its interval.
func (p *PlanPreview) Work() (hours, low, high float64) {
	sound := p.Seconds / 3600 * float64(len(p.Modes))
	return sound * p.Pace.Ratio, sound * p.Pace.Low, sound * p.Pace.High
}

// PreviewPlan says what a plan would come to now.
func (s *Store) PreviewPlan(ctx context.Context, actor Actor, n NewPlan) (v PlanPreview, err error) {
	if err := actor.may(access.EditBatches); err != nil {
		return v, err
	}
	asked, err := s.check(ctx, s.pool, actor, n)
	if err != nil {
		return v, err
	}
	pool, err := s.planPool(ctx, n.Project, asked.version)
	if err != nil {
		return v, err
	}
	out := sampling.Select(pool, asked.Choice)
	v = PlanPreview{PlanHistogram: histogramOf(out), Choice: asked.Choice, Seconds: out.Seconds, Modes: asked.Modes}
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM items WHERE project_id = $1 AND state IN ('awaiting_media', 'processing')`, n.Project).Scan(&v.Unready)
	if err != nil {
		return v, fmt.Errorf("items that are not ready: %w", err)
	}
	v.Pace, err = s.planPace(ctx, n.Project)
	return v, err
}

// DrawPlan makes a plan: a job chooses its utterances and opens a batch of them.
func (s *Store) DrawPlan(ctx context.Context, actor Actor, n NewPlan) (plan SamplingPlan, err error) {
	if err := actor.may(access.EditBatches); err != nil {
		return SamplingPlan{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := lockProject(ctx, tx, actor, n.Project); err != nil {
			return err
		}
		asked, err := s.check(ctx, tx, actor, n)
		if err != nil {
			return err
		}
		if err := checkOwner(ctx, tx, n.Project, n.OwnerID); err != nil {
			return err
		}
		id, err := s.addPlan(ctx, tx, actor, asked)
		if err != nil {
			return err
		}
		plans, err := plansWhere(ctx, tx, actor, `l.id = @id`, pgx.NamedArgs{"id": id})
		if err == nil {
			plan = plans[0]
		}
		return err
	})
	if err != nil {
		return SamplingPlan{}, fmt.Errorf("draw plan: %w", err)
	}
	return plan, nil
}

func (s *Store) addPlan(ctx context.Context, tx pgx.Tx, actor Actor, a askedPlan) (id int64, err error) {
	var drawing bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM plans WHERE project_id = $1 AND state = 'drawing')`, a.Project).Scan(&drawing); err != nil {
		return 0, err
	}
	if drawing {
		return 0, invalid("", "The last plan is still being drawn. Wait until its batch is there.")
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO plans (project_id, number, title, model_version_id, settings, modes, created_by, token_id)
		SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7 FROM plans WHERE project_id = $1 RETURNING id`,
		a.Project, a.Title, a.version, PlanSettings{Choice: a.Choice, Owner: a.OwnerID, Due: a.Due}, a.Modes, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
	if err != nil {
		return 0, err
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.DrawPlan{PlanID: id}, nil); err != nil {
		return 0, fmt.Errorf("enqueue plan %d: %w", id, err)
	}
	return id, audit(ctx, tx, actor, auditEvent{
		Action: "plan.draw", ObjectType: "plan", ObjectID: id, ProjectID: a.Project, Detail: map[string]any{"model_version": a.version, "method": a.Choice.Method, "seed": a.Choice.Seed},
	})
}

// drawnPlan is a plan as its job sees it.
type drawnPlan struct {
	ID, Project, Version int64
	Title                string
	Settings             PlanSettings
	Modes                []string
	CreatedBy, Token     int64
}

// FillPlan chooses a plan's utterances and makes its batch, all in one transaction. Nothing happens if the plan is not being drawn.
func (s *Store) FillPlan(ctx context.Context, id int64) error {
	rows, err := s.pool.Query(ctx, `
		SELECT id, project_id AS project, model_version_id AS version, title, settings, modes, coalesce(created_by, 0) AS created_by, coalesce(token_id, 0) AS token
		FROM plans WHERE id = $1 AND state = 'drawing'`, id)
	if err != nil {
		return fmt.Errorf("fill plan %d: %w", id, err)
	}
	plan, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[drawnPlan])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("fill plan %d: %w", id, err)
	}
	err = s.fillPlan(ctx, plan)
	if refused, ok := errors.AsType[*InvalidError](err); ok {
		return s.FailPlan(ctx, id, refused.Reason)
	}
	if err != nil {
		return fmt.Errorf("fill plan %d: %w", id, err)
	}
	return nil
}

func (s *Store) fillPlan(ctx context.Context, plan drawnPlan) error {
	pool, err := s.planPool(ctx, plan.Project, plan.Version)
	if err != nil {
		return err
	}
	out := sampling.Select(pool, plan.Settings.Choice)
	switch n := len(out.Picks); {
	case len(pool) == 0:
		return invalid("", "Nothing is left to choose from: this model version heard nothing here that is neither decided nor in another batch.")
	case n == 0:
		return invalid("", "No utterance is like that. Choose a higher confidence, a larger share, or more hours.")
	case n > PlanMost:
		return invalid("", fmt.Sprintf("That would be %d utterances, and at most %d fit into one plan. Choose fewer.", n, PlanMost))
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := lockProject(ctx, tx, System(), plan.Project); err != nil {
			return err
		}
		var state string
		if err := tx.QueryRow(ctx, `SELECT state FROM plans WHERE id = $1 FOR NO KEY UPDATE`, plan.ID).Scan(&state); err != nil || state != PlanDrawing {
			return err
		}
		return plan.take(ctx, tx, out)
	})
}

// take writes what was chosen, and makes a batch of it.
func (plan drawnPlan) take(ctx context.Context, tx pgx.Tx, out sampling.Selection) error {
	items := make([]int64, len(out.Picks))
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"plan_items"}, []string{"item_id", "plan_id", "arm", "stratum", "decile", "confidence"},
		pgx.CopyFromSlice(len(out.Picks), func(i int) ([]any, error) {
			p := out.Picks[i]
			items[i] = p.Item
			arm := "chosen"
			if p.Control {
				arm = "control"
			}
			return []any{p.Item, plan.ID, arm, p.Stratum, p.Decile, p.Confidence}, nil
		}))
	if err != nil {
		return fmt.Errorf("items of a plan: %w", err)
	}
	actor := Actor{PersonID: plan.CreatedBy, TokenID: plan.Token, Role: access.Admin}
	batch, err := makeBatch(ctx, tx, actor, madeBatch{
		Project: plan.Project, Title: plan.Title, Owner: plan.Settings.Owner, Due: plan.Settings.Due, Plan: plan.ID, Overlap: len(plan.Modes),
	}, items)
	if err != nil {
		return err
	}
	// Somebody may have put some of them into another batch since they were read.
	_, err = tx.Exec(ctx, `
		DELETE FROM plan_items i WHERE i.plan_id = $1 AND NOT EXISTS (SELECT FROM batch_items c WHERE c.batch_id = $2 AND c.item_id = i.item_id)`, plan.ID, batch)
	if err != nil {
		return fmt.Errorf("items of a plan: %w", err)
	}
	_, err = tx.Exec(ctx, `
		UPDATE plans SET state = 'open', batch_id = $2, seconds = $3, histogram = $4, items = (SELECT count(*) FROM plan_items WHERE plan_id = $1) WHERE id = $1`,
		plan.ID, batch, out.Seconds, histogramOf(out))
	if err != nil {
		return fmt.Errorf("plan %d: %w", plan.ID, err)
	}
	return nil
}

// FailPlan gives up on a plan that is being drawn; reason is a sentence for people.
func (s *Store) FailPlan(ctx context.Context, id int64, reason string) error {
	_, err := s.pool.Exec(ctx, `UPDATE plans SET state = 'failed', error = $2 WHERE id = $1 AND state = 'drawing'`, id, reason)
	if err != nil {
		return fmt.Errorf("fail plan %d: %w", id, err)
	}
	return nil
}

// PlanModels lists the model versions that heard something in a project, as NAME@VERSION, the newest first.
func (s *Store) PlanModels(ctx context.Context, actor Actor, project int64) ([]string, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT m.name || '@' || v.version FROM projects p, models m JOIN model_versions v ON v.model_id = m.id
		WHERE p.id = @project AND `+sees+` AND EXISTS (
			SELECT FROM predictions q JOIN items i ON i.id = q.item_id WHERE q.model_version_id = v.id AND q.confidence IS NOT NULL AND i.project_id = p.id)
		ORDER BY v.id DESC`, actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("models of a project: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("models of a project: %w", err)
	}
	return names, nil
}
