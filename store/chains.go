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
)

// Reference stands, where a model version is named, for the truth itself in the place of a recognizer or of a formatting model.
const Reference = "reference"

// Chain is an ordered list of slots. A model version for each makes a path.
type Chain struct {
	ID          int64
	Name        string
	Description string
	Slots       []string   // one of modelKinds each
	Baseline    []string   // NAME@VERSION or Reference for each slot; nil for none
	Path        []int64    // the same as ids, 0 for Reference
	AlertDrop   float64    // how far the headline measure may fall, in its own unit
	ExpectDays  int        // within how many days a run is expected; 0: never
	Runs        int        // evaluations of it
	LastRun     *time.Time // when the newest of them began
	CreatedBy   string
	CreatedAt   time.Time
	ArchivedAt  *time.Time
}

const chainColumns = `c.id, c.name, c.description, c.slots, c.baseline AS path, c.alert_drop, coalesce(c.expect_days, 0) AS expect_days,
	names_of_path(c.baseline) AS baseline,
	(SELECT count(*)::int FROM evaluations e WHERE e.chain_id = c.id) AS runs, (SELECT max(e.created_at) FROM evaluations e WHERE e.chain_id = c.id) AS last_run,
	coalesce(n.name, p.pseudonym, '') AS created_by, c.created_at, c.archived_at`

const chainTables = `chains c LEFT JOIN people p ON p.id = c.created_by LEFT JOIN person_identities n ON n.person_id = c.created_by`

func chainsWhere(ctx context.Context, q querier, rest string, args ...any) ([]Chain, error) {
	rows, err := q.Query(ctx, `SELECT `+chainColumns+` FROM `+chainTables+` WHERE `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("chains: %w", err)
	}
	chains, err := pgx.CollectRows(rows, pgx.RowToStructByName[Chain])
	if err != nil {
		return nil, fmt.Errorf("chains: %w", err)
	}
	return chains, nil
}

// Chains lists the chains that are not archived, by name.
func (s *Store) Chains(ctx context.Context, actor Actor) ([]Chain, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	return chainsWhere(ctx, s.pool, `c.archived_at IS NULL ORDER BY lower(c.name), c.id`)
}

// Chain returns one chain, or ErrNotFound.
func (s *Store) Chain(ctx context.Context, actor Actor, id int64) (Chain, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return Chain{}, err
	}
	return oneChain(ctx, s.pool, `c.id = $1`, id)
}

// ChainNamed returns the chain of this name, or ErrNotFound.
func (s *Store) ChainNamed(ctx context.Context, actor Actor, name string) (Chain, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return Chain{}, err
	}
	return oneChain(ctx, s.pool, `c.name = $1`, name)
}

func oneChain(ctx context.Context, q querier, where string, args ...any) (Chain, error) {
	chains, err := chainsWhere(ctx, q, where, args...)
	if err == nil && len(chains) == 0 {
		err = fmt.Errorf("chain: %w", ErrNotFound)
	}
	if err != nil {
		return Chain{}, err
	}
	return chains[0], nil
}

// ChainSettings is what can be said of a chain.
type ChainSettings struct {
	Name        string
	Description string
	Baseline    []string // NAME@VERSION or Reference for each slot; empty for none
	AlertDrop   float64
	ExpectDays  int
}

// NewChain is what a chain needs.
type NewChain struct {
	ChainSettings

	Slots []string
}

// DefaultAlertDrop is how far the headline measure of a chain may fall before that is told, where nobody says.
const DefaultAlertDrop = 0.02

func (c *ChainSettings) check(ctx context.Context, q querier, slots []string) (baseline []int64, err error) {
	c.Name = strings.TrimSpace(c.Name)
	switch {
	case c.Name == "" || len([]rune(c.Name)) > titleLimit:
		return nil, invalid("name", fmt.Sprintf("Give the chain a name of at most %d characters.", titleLimit))
	case !(c.AlertDrop >= 0):
		return nil, invalid("alert_drop", "Say how far the measure may fall as a number that is not below 0, such as 0.02.")
	case c.ExpectDays < 0 || c.ExpectDays > 3650:
		return nil, invalid("expect_days", "Say within how many days a run is expected: 0 for never, at most 3650.")
	}
	if c.Description, err = checkDescription(c.Description); err != nil {
		return nil, err
	}
	return baselineOf(ctx, q, slots, c.Baseline)
}

// checkSlots refuses a list of slots that makes no chain.
func checkSlots(slots []string) error {
	kinds := modelKinds()
	switch {
	case len(slots) == 0 || len(slots) > 5:
		return invalid("slots", "Say which kinds of models follow each other: one to five of detector, asr, formatting and nlp.")
	case slices.ContainsFunc(slots, func(s string) bool { return !slices.Contains(kinds, s) }):
		return invalid("slots", "A slot is one of detector, asr, formatting and nlp.")
	case slices.Contains(slots, "detector") && len(slots) > 1:
		return invalid("slots", "A detector stands alone: nothing here goes on from boxes.")
	case slices.Contains(slots[1:], "asr"):
		return invalid("slots", "A recognizer hears sound, so it can only be the first.")
	case slices.Contains(slots[:len(slots)-1], "nlp"):
		return invalid("slots", "Nothing goes on from what a language model says, so it can only be the last.")
	}
	return nil
}

// baselineOf reads a baseline: one version for each slot. None is nil.
func baselineOf(ctx context.Context, q querier, slots, named []string) ([]int64, error) {
	if len(named) == 0 || !slices.ContainsFunc(named, func(n string) bool { return n != "" }) {
		return nil, nil
	}
	if len(named) != len(slots) {
		return nil, invalid("baseline", fmt.Sprintf("A baseline names one version for each of the %d slots (%s).", len(slots), strings.Join(slots, ", ")))
	}
	path := make([]int64, len(slots))
	for i, name := range named {
		version, err := slotVersion(ctx, q, "baseline", slots[i], name)
		if err != nil {
			return nil, err
		}
		path[i] = version.ID
	}
	return path, nil
}

// slotModel is a model version that stands in a slot.
type slotModel struct {
	ID     int64 // 0: the reference
	Name   string
	Server ModelServer // not of the reference
}

// takesReference are the kinds of models in whose place the truth can stand.
var takesReference = []string{"asr", "formatting"}

// slotVersion finds the version that a slot names, NAME@latest being the newest. field is that of the form.
func slotVersion(ctx context.Context, q querier, field, kind, named string) (m slotModel, err error) {
	named = strings.TrimSpace(named)
	if named == Reference {
		if !slices.Contains(takesReference, kind) {
			return m, invalid(field, "The reference can stand in the place of a recognizer or of a formatting model alone.")
		}
		return slotModel{Name: Reference}, nil
	}
	name, version, ok := strings.Cut(named, "@")
	if !ok || name == "" || version == "" {
		return m, invalid(field, fmt.Sprintf("%q is no model version. Write it as NAME@VERSION, such as asr@4.2.", named))
	}
	row, err := modelServer(ctx, q, `
		WHERE m.name = $1 AND (v.version = $2 OR $2 = 'latest' AND v.id = (SELECT max(o.id) FROM model_versions o WHERE o.model_id = m.id)
			AND NOT EXISTS (SELECT FROM model_versions o WHERE o.model_id = m.id AND o.version = $2))`, name, version)
	switch {
	case errors.Is(err, ErrNotFound):
		return m, invalid(field, fmt.Sprintf("There is no %s. Register it on the page of its model, or with 'fiducial model release'.", named))
	case err != nil:
		return m, err
	case row.Kind != kind:
		return m, invalid(field, fmt.Sprintf("%s@%s is of the kind %s, and this slot is for %s.", row.Model, row.Version, row.Kind, kind))
	}
	server := row.server()
	return slotModel{ID: row.VersionID, Name: server.Name(), Server: server}, nil
}

// AddChain makes a chain.
func (s *Store) AddChain(ctx context.Context, actor Actor, n NewChain) (id int64, err error) {
	if err := actor.may(access.EditChains); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		id, err = addChain(ctx, tx, actor, n)
		return err
	})
	return id, err
}

func addChain(ctx context.Context, tx pgx.Tx, actor Actor, n NewChain) (id int64, err error) {
	if err := checkSlots(n.Slots); err != nil {
		return 0, err
	}
	baseline, err := n.check(ctx, tx, n.Slots)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO chains (name, description, slots, baseline, alert_drop, expect_days, created_by) VALUES ($1, $2, $3, $4, $5, nullif($6, 0), $7) RETURNING id`,
		n.Name, n.Description, n.Slots, baseline, n.AlertDrop, n.ExpectDays, orNull(actor.PersonID)).Scan(&id)
	if violates(err, "chains_name_key") {
		return 0, invalid("name", "There is a chain of this name already. Choose another.")
	}
	if err != nil {
		return 0, fmt.Errorf("add chain: %w", err)
	}
	return id, audit(ctx, tx, actor, auditEvent{Action: "chain.add", ObjectType: "chain", ObjectID: id, Detail: map[string]any{"slots": n.Slots}})
}

// ChangeChain gives a chain other settings. Its slots stay what they are: runs of it stand side by side.
func (s *Store) ChangeChain(ctx context.Context, actor Actor, id int64, n ChainSettings) error {
	if err := actor.may(access.EditChains); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var slots []string
		if err := tx.QueryRow(ctx, `SELECT slots FROM chains WHERE id = $1 FOR UPDATE`, id).Scan(&slots); err != nil {
			return fmt.Errorf("change chain: %w", notFound(err))
		}
		baseline, err := n.check(ctx, tx, slots)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE chains SET name = $2, description = $3, baseline = $4, alert_drop = $5, expect_days = nullif($6, 0) WHERE id = $1`,
			id, n.Name, n.Description, baseline, n.AlertDrop, n.ExpectDays)
		if violates(err, "chains_name_key") {
			return invalid("name", "There is a chain of this name already. Choose another.")
		}
		if err != nil {
			return fmt.Errorf("change chain: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "chain.change", ObjectType: "chain", ObjectID: id, Detail: map[string]any{"baseline": baseline, "alert_drop": n.AlertDrop}})
	})
}

// ArchiveChain puts a chain away, or brings it back. Its runs stay.
func (s *Store) ArchiveChain(ctx context.Context, actor Actor, id int64, away bool) error {
	if err := actor.may(access.EditChains); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE chains SET archived_at = CASE WHEN $2 THEN coalesce(archived_at, now()) END WHERE id = $1`, id, away)
		if err != nil {
			return fmt.Errorf("archive chain: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("archive chain: %w", ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "chain.archive", ObjectType: "chain", ObjectID: id, Detail: map[string]any{"away": away}})
	})
}

// chainFor is the chain that a run is of: the one named, or else the only one of these slots, which is made if there is none.
func chainFor(ctx context.Context, tx pgx.Tx, actor Actor, name string, slots []string) (Chain, error) {
	if name != "" {
		chain, err := oneChain(ctx, tx, `c.name = $1 AND c.archived_at IS NULL`, name)
		if errors.Is(err, ErrNotFound) {
			return Chain{}, invalid("chain", "There is no chain of this name. 'fiducial chain list' and the page Chains show them.")
		}
		return chain, err
	}
	if err := checkSlots(slots); err != nil {
		return Chain{}, err
	}
	chains, err := chainsWhere(ctx, tx, `c.slots = $1 AND c.archived_at IS NULL ORDER BY c.id`, slots)
	switch {
	case err != nil:
		return Chain{}, err
	case len(chains) == 1:
		return chains[0], nil
	case len(chains) > 1:
		return Chain{}, invalid("chain", fmt.Sprintf("There are %d chains of %s. Say which one you mean.", len(chains), strings.Join(slots, ", ")))
	case !actor.Allowed(access.EditChains):
		return Chain{}, invalid("chain", fmt.Sprintf("There is no chain of %s yet. Ask an admin to make one.", strings.Join(slots, ", ")))
	}
	id, err := addChain(ctx, tx, actor, NewChain{ChainSettings: ChainSettings{Name: strings.Join(slots, " → "), AlertDrop: DefaultAlertDrop}, Slots: slots})
	if err != nil {
		return Chain{}, err
	}
	return oneChain(ctx, tx, `c.id = $1`, id)
}
