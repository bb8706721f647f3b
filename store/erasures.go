package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/erasure"
	"fiducial/internal/jobargs"
)

// What an erasure is asked by, what it is about, and how far it is.
const (
	ErasureRequested = "request" // somebody asked for it: it takes everything
	ErasureExpiry    = "expiry"  // a policy's time has run out

	ScopeSource  = "source"
	ScopeGroup   = "group"
	ScopeItems   = "items"
	ScopeExpired = "expired"

	ErasureCollecting = "collecting" // its items are being listed
	ErasurePreviewed  = "previewed"  // waits for a person to confirm it
	ErasureQueued     = "queued"
	ErasureErasing    = "erasing"
	ErasureHeld       = "held"      // a legal hold stops it; it goes on by itself once that is lifted
	ErasureErased     = "erased"    // no query finds anything of it, which was looked for
	ErasureRewritten  = "rewritten" // nor do the files of the database
	ErasureFailed     = "failed"
	ErasureCancelled  = "cancelled"
)

// dueDays is by when a request is to be done where it does not say otherwise.
const dueDays = 30

// ErasureRequest asks for the erasure of a source, of a group, or of items.
type ErasureRequest struct {
	Scope   string // ScopeSource, ScopeGroup or ScopeItems
	Source  int64
	Group   int64
	Project string          // slug: where the keys of Items are looked for; "" for every project
	Items   []erasure.Named // of ScopeItems
	Reason  string          // the number of a ticket, or words; nothing of what is to be erased
	DueDays int             // from now; 0 for 30
}

// Erasure is one taking away of items for good.
type Erasure struct {
	ID          int64
	Kind        string
	Scope       string
	SourceID    int64
	Source      string // its name, "" where it is of none
	GroupID     int64
	Group       string // its name, "" once it is erased
	State       string
	Reason      string
	DueAt       time.Time
	Overdue     bool
	RequestedBy string // a name or a pseudonym; "" if no person did
	ConfirmedBy string
	RequestedAt time.Time
	ConfirmedAt *time.Time
	StartedAt   *time.Time
	ErasedAt    *time.Time // since when nothing of it can be reached
	RewrittenAt *time.Time // since when the files of the database do not know it
	BackupsTill *time.Time // until when backups do
	Items       int
	DoneItems   int
	Late        int     // of Items: came in after the preview
	Kept        int     // redactions that it left, as the policy says
	Unmatched   []int32 // lines of the list that name no item, the first of them
	Counts      map[string]int64
	Erased      map[string]int64
	Touched     TouchedVersions
	Proof       *Proof
	Receipt     []byte // its canonical form, nil until it is erased
	Signature   []byte
	HoldID      int64
	Error       string
}

// Open reports whether something is left to do about it.
func (e *Erasure) Open() bool {
	return !slices.Contains([]string{ErasureErased, ErasureRewritten, ErasureCancelled}, e.State)
}

// TouchedVersions says which dataset versions and exports held something of an erasure's items.
type TouchedVersions struct {
	Versions map[int64]map[string]int64 `json:"versions,omitempty"` // how many lines, by version and split
	Exports  []int64                    `json:"exports,omitempty"`
}

// add takes in what one step found.
func (t *TouchedVersions) add(more TouchedVersions) {
	for version, splits := range more.Versions {
		if t.Versions == nil {
			t.Versions = map[int64]map[string]int64{}
		}
		if t.Versions[version] == nil {
			t.Versions[version] = map[string]int64{}
		}
		for split, n := range splits {
			t.Versions[version][split] += n
		}
	}
	t.Exports = slices.Compact(slices.Sorted(slices.Values(append(t.Exports, more.Exports...))))
}

const erasureColumns = `e.id, e.kind, e.scope, coalesce(e.source_id, 0) AS source_id, coalesce(s.name, '') AS source, coalesce(e.group_id, 0) AS group_id, coalesce(g.name, '') AS group, e.state, e.reason,
	e.due_at, e.due_at < now() AND e.state NOT IN ('erased', 'rewritten', 'cancelled') AS overdue,
	coalesce(ri.name, rp.pseudonym, '') AS requested_by, coalesce(ci.name, cp.pseudonym, '') AS confirmed_by,
	e.requested_at, e.confirmed_at, e.started_at, e.erased_at, e.rewritten_at, e.backups_until AS backups_till, e.items, e.done_items, e.late, e.kept, e.unmatched,
	e.counts, e.erased, e.touched, e.proof, e.receipt::bytea AS receipt, e.signature, coalesce(e.hold_id, 0) AS hold_id, e.error`

const erasureTables = `erasures e LEFT JOIN sources s ON s.id = e.source_id LEFT JOIN groups g ON g.id = e.group_id
	LEFT JOIN people rp ON rp.id = e.requested_by LEFT JOIN person_identities ri ON ri.person_id = e.requested_by
	LEFT JOIN people cp ON cp.id = e.confirmed_by LEFT JOIN person_identities ci ON ci.person_id = e.confirmed_by`

func (s *Store) erasuresWhere(ctx context.Context, q querier, where string, args ...any) ([]Erasure, error) {
	rows, err := q.Query(ctx, `SELECT `+erasureColumns+` FROM `+erasureTables+` WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("erasures: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Erasure])
	if err != nil {
		return nil, fmt.Errorf("erasures: %w", err)
	}
	return all, nil
}

// seesErasure is the condition that the actor sees erasure e: whoever is bound to one project sees those that took items of that alone.
const seesErasure = `(@scope::bigint IS NULL OR EXISTS (SELECT FROM erasure_items t WHERE t.erasure_id = e.id)
	AND NOT EXISTS (SELECT FROM erasure_items t WHERE t.erasure_id = e.id AND t.project_id <> @scope::bigint))`

// OpenErasures returns what is still to be done, overdue ones and what is due next first, at most limit.
func (s *Store) OpenErasures(ctx context.Context, actor Actor, limit int) ([]Erasure, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	return s.erasuresWhere(ctx, s.pool, `e.state NOT IN ('erased', 'rewritten', 'cancelled') AND `+seesErasure+` ORDER BY e.due_at, e.id LIMIT @limit`,
		actor.args(pgx.NamedArgs{"limit": limit}))
}

// Erasures returns erasures from the newest on, at most limit; before is the id of the last that was seen, 0 for the start.
func (s *Store) Erasures(ctx context.Context, actor Actor, before int64, limit int) ([]Erasure, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	return s.erasuresWhere(ctx, s.pool, `(@before::bigint = 0 OR e.id < @before) AND `+seesErasure+` ORDER BY e.id DESC LIMIT @limit`,
		actor.args(pgx.NamedArgs{"before": before, "limit": limit}))
}

// Erasure returns one, or ErrNotFound.
func (s *Store) Erasure(ctx context.Context, actor Actor, id int64) (Erasure, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return Erasure{}, err
	}
	all, err := s.erasuresWhere(ctx, s.pool, `e.id = @id AND `+seesErasure, actor.args(pgx.NamedArgs{"id": id}))
	return onlyErasure(id, all, err)
}

func (s *Store) erasureByID(ctx context.Context, q querier, id int64) (Erasure, error) {
	all, err := s.erasuresWhere(ctx, q, `e.id = $1`, id)
	return onlyErasure(id, all, err)
}

func onlyErasure(id int64, all []Erasure, err error) (Erasure, error) {
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("erasure %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Erasure{}, err
	}
	return all[0], nil
}

func (r *ErasureRequest) check() error {
	r.Reason = strings.TrimSpace(r.Reason)
	switch {
	case r.Reason == "":
		return invalid("reason", "Say who asked for it: the number of a ticket, or a few words. Nothing of what is to be erased.")
	case len([]rune(r.Reason)) > noteLimit:
		return invalid("reason", fmt.Sprintf("Keep the reason under %d characters.", noteLimit))
	case r.DueDays < 0 || r.DueDays > 365:
		return invalid("due_days", "Choose between 1 and 365 days until it is due.")
	case !slices.Contains([]string{ScopeSource, ScopeGroup, ScopeItems}, r.Scope):
		return invalid("scope", "Choose what is to be erased: a source, a group, or items.")
	case r.Scope == ScopeSource && r.Source == 0:
		return invalid("source", "Choose the source that is to be erased.")
	case r.Scope == ScopeGroup && r.Group == 0:
		return invalid("group", "Choose the group that is to be erased.")
	case r.Scope == ScopeItems && len(r.Items) == 0:
		return invalid("items", "Name the items: one external key a line, or #17 for an item's id.")
	case len(r.Items) > erasure.LongestList:
		return invalid("items", erasure.ErrTooLong.Error()+".")
	}
	if r.DueDays == 0 {
		r.DueDays = dueDays
	}
	return nil
}

// collectAtOnce is how many items are listed while whoever asks waits; more are listed by a job.
const collectAtOnce = 5_000

// PreviewErasure notes a request and lists what it would take, without changing anything of that. It is done at once for up
// to a few thousand items; else the erasure that it returns is still collecting.
func (s *Store) PreviewErasure(ctx context.Context, actor Actor, r ErasureRequest) (Erasure, error) {
	if err := actor.may(access.Erase); err != nil {
		return Erasure{}, err
	}
	if err := r.check(); err != nil {
		return Erasure{}, err
	}
	var id int64
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		n := newErasure{Kind: ErasureRequested, Scope: r.Scope, Reason: r.Reason, DueDays: r.DueDays}
		if n.Source, err = scopeSource(ctx, tx, r); err != nil {
			return err
		}
		if r.Scope == ScopeGroup {
			n.Group = r.Group
		}
		if id, err = insertErasure(ctx, tx, actor, n); err != nil {
			return err
		}
		if r.Scope == ScopeItems {
			if err := listNamed(ctx, tx, id, r); err != nil {
				return err
			}
		}
		_, err = s.queue.InsertTx(ctx, tx, jobargs.CollectErasure{ErasureID: id}, nil)
		return err
	})
	if err != nil {
		return Erasure{}, fmt.Errorf("preview erasure: %w", err)
	}
	for range 2 { // the second step of a small one finds that it was all; of a large one the job does the rest
		if _, err := s.collectSome(ctx, id); err != nil {
			return Erasure{}, err
		}
	}
	return s.erasureByID(ctx, s.pool, id)
}

// scopeSource returns the source that a request is about; of items there may be several, and 0 is returned.
func scopeSource(ctx context.Context, tx pgx.Tx, r ErasureRequest) (source int64, err error) {
	switch r.Scope {
	case ScopeSource:
		err = tx.QueryRow(ctx, `SELECT id FROM sources WHERE id = $1`, r.Source).Scan(&source)
		if errors.Is(err, pgx.ErrNoRows) {
			return 0, invalid("source", "There is no such source.")
		}
	case ScopeGroup:
		err = tx.QueryRow(ctx, `SELECT source_id FROM groups WHERE id = $1`, r.Group).Scan(&source)
		if errors.Is(err, pgx.ErrNoRows) {
			return 0, invalid("group", "There is no such group (any more).")
		}
	}
	return source, err
}

// newErasure is what insertErasure needs to know.
type newErasure struct {
	Kind, Scope   string
	Source, Group int64
	Reason        string
	DueDays       int
}

// insertErasure notes an erasure that is to be collected.
func insertErasure(ctx context.Context, tx pgx.Tx, actor Actor, n newErasure) (id int64, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO erasures (kind, scope, source_id, group_id, reason, due_at, requested_by, token_id)
		VALUES ($1, $2, $3, $4, $5, now() + make_interval(days => $6), $7, $8) RETURNING id`,
		n.Kind, n.Scope, orNull(n.Source), orNull(n.Group), n.Reason, n.DueDays, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("insert erasure: %w", err)
	}
	return id, audit(ctx, tx, actor, auditEvent{
		Action: "erasure.request", ObjectType: "erasure", ObjectID: id,
		Detail: map[string]any{"kind": n.Kind, "scope": n.Scope, "source": n.Source, "group": n.Group},
	})
}

// listItems puts items on the list of an erasure, but for those that another one, which is not done, is about to take.
func listItems(ctx context.Context, tx pgx.Tx, id int64, items []int64) (listed int, err error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO erasure_lists (erasure_id, item_id) SELECT $1, i FROM unnest($2::bigint[]) i
		WHERE NOT EXISTS (SELECT FROM erasure_lists l JOIN erasures e ON e.id = l.erasure_id AND e.state IN ('queued', 'erasing', 'held') WHERE l.item_id = i)
		ON CONFLICT DO NOTHING`, id, items)
	if err != nil {
		return 0, fmt.Errorf("list items: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// expireItems has items taken away whose time has run out, of one source. Nobody is asked: the policy was decided on. Items that are
// on the list of another erasure are left to that; id is 0 if none is left. What a legal hold keeps is listed and stays until it is lifted.
func (s *Store) expireItems(ctx context.Context, tx pgx.Tx, source int64, items []int64, reason string) (id int64, listed int, err error) {
	if id, err = insertErasure(ctx, tx, System(), newErasure{Kind: ErasureExpiry, Scope: ScopeExpired, Source: source, Reason: reason}); err != nil {
		return 0, 0, err
	}
	if listed, err = listItems(ctx, tx, id, items); err != nil {
		return 0, 0, err
	}
	if listed == 0 {
		_, err = tx.Exec(ctx, `UPDATE erasures SET state = 'cancelled', error = 'Other erasures have these items on their lists.' WHERE id = $1`, id)
		return 0, 0, err
	}
	if _, err := tx.Exec(ctx, `UPDATE erasures SET state = 'queued', items = $2 WHERE id = $1`, id, listed); err != nil {
		return 0, 0, err
	}
	return id, listed, s.queueErasure(ctx, tx, id)
}

func (s *Store) queueErasure(ctx context.Context, tx pgx.Tx, id int64) error {
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.Erase{ErasureID: id}, nil); err != nil {
		return fmt.Errorf("enqueue erasure %d: %w", id, err)
	}
	return nil
}

// ConfirmErasure has a previewed erasure done, or one that failed done again.
func (s *Store) ConfirmErasure(ctx context.Context, actor Actor, id int64) error {
	return s.changeErasure(ctx, actor, id, "erasure.confirm", func(tx pgx.Tx, state string) error {
		switch state {
		case ErasureQueued, ErasureErasing, ErasureErased, ErasureRewritten:
			return nil // a confirmation that was sent again
		case ErasureCollecting:
			return invalid("", "Its items are still being listed. Look at the list before you confirm.")
		case ErasurePreviewed, ErasureFailed:
		case ErasureHeld:
			return invalid("", "A legal hold stops it. It goes on by itself once that is lifted.")
		default:
			return invalid("", "This request was withdrawn. Make another one.")
		}
		_, err := tx.Exec(ctx, `
			UPDATE erasures SET state = 'queued', error = '', confirmed_by = coalesce(confirmed_by, $2), confirmed_at = coalesce(confirmed_at, now()) WHERE id = $1`,
			id, orNull(actor.PersonID))
		if err != nil {
			return err
		}
		return s.queueErasure(ctx, tx, id)
	})
}

// CancelErasure withdraws a request of which nothing has been erased.
func (s *Store) CancelErasure(ctx context.Context, actor Actor, id int64) error {
	return s.changeErasure(ctx, actor, id, "erasure.cancel", func(tx pgx.Tx, state string) error {
		if state == ErasureCancelled {
			return nil
		}
		var begun bool
		err := tx.QueryRow(ctx, `SELECT started_at IS NOT NULL FROM erasures WHERE id = $1`, id).Scan(&begun)
		if err != nil {
			return err
		}
		if begun || state == ErasureQueued {
			return invalid("", "It has been confirmed, and what is erased does not come back.")
		}
		batch := &pgx.Batch{}
		batch.Queue(`DELETE FROM erasure_lists WHERE erasure_id = $1`, id)
		batch.Queue(`UPDATE erasures SET state = 'cancelled', hold_id = NULL WHERE id = $1`, id)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// changeErasure locks an erasure and changes it, with an audit event.
func (s *Store) changeErasure(ctx context.Context, actor Actor, id int64, action string, change func(tx pgx.Tx, state string) error) error {
	if err := actor.may(access.Erase); err != nil {
		return err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var state string
		if err := tx.QueryRow(ctx, `SELECT state FROM erasures WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&state); err != nil {
			return notFound(err)
		}
		if err := change(tx, state); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: action, ObjectType: "erasure", ObjectID: id, Detail: map[string]any{"was": state}})
	})
	if err != nil {
		return fmt.Errorf("erasure %d: %w", id, err)
	}
	return nil
}

// TellOverdueErasures tells the admins, once of each, which erasures are not done by the day on which they were due.
func (s *Store) TellOverdueErasures(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		WITH late AS (
			UPDATE erasures SET told_at = now() WHERE due_at < now() AND told_at IS NULL AND state NOT IN ('erased', 'rewritten', 'cancelled') RETURNING id)
		INSERT INTO notices (person_id, kind, object_type, object_id)
		SELECT p.id, $1, 'erasure', late.id FROM late, people p WHERE p.role = 'admin' AND p.left_at IS NULL`, ErasureOverdue)
	if err != nil {
		return fmt.Errorf("overdue erasures: %w", err)
	}
	return nil
}

// Proof is what came of looking for what should be gone.
type Proof struct {
	At       time.Time        `json:"at"`
	Items    int              `json:"items"`
	Columns  int              `json:"columns"`  // of tables that were looked through
	Prefixes int              `json:"prefixes"` // of object storage
	Found    map[string]int64 `json:"found"`    // what was still there, by place; empty
}

// Total is how much was still there.
func (p *Proof) Total() (n int64) {
	for _, found := range p.Found {
		n += found
	}
	return n
}

// jsonOf makes a document of what has no secrets and cannot fail to be one.
func jsonOf(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of numbers
	}
	return raw
}
