package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// The kinds of a Change.
const (
	PlainChange  = "change"       // something a team did
	Intervention = "intervention" // something it did to repair
)

// The origins of a Change.
const (
	FromPage   = "page"
	FromAPI    = "api"
	FromGitHub = "github"
)

const (
	longestChangeTitle  = 200
	longestChangeBody   = 5000
	longestChangeSystem = 100
	longestAddress      = 2000
)

// Change is something that a team did, on the timeline.
type Change struct {
	ID        int64
	At        time.Time // when it took effect
	Kind      string    // PlainChange or Intervention
	Title     string
	Body      string // Markdown
	System    string // where it was done, "" if nobody said
	URL       string // where more is written about it, "" for nowhere
	Origin    string // FromPage, FromAPI or FromGitHub
	Release   string // the model version that it brought, NAME@VERSION, "" for none
	By        string // who, or which token, recorded it; "" for nobody known
	Own       bool   // by the actor
	CreatedAt time.Time
	EditedAt  *time.Time // when it was put right last
}

const changeColumns = `c.id, c.at, c.kind, c.title, c.body, c.system, c.url, c.origin, coalesce(m.name || '@' || mv.version, '') AS release,
	coalesce(pi.name, pe.pseudonym, t.name, '') AS by, coalesce(c.created_by = @person OR c.token_id = @token, false) AS own, c.created_at, c.edited_at`

const changeTables = `changes c LEFT JOIN model_versions mv ON mv.id = c.model_version_id LEFT JOIN models m ON m.id = mv.model_id
	LEFT JOIN people pe ON pe.id = c.created_by LEFT JOIN person_identities pi ON pi.person_id = c.created_by
	LEFT JOIN api_tokens t ON t.id = c.token_id`

// ChangeFilter says which changes to return; what is zero is not asked for.
type ChangeFilter struct {
	ID       int64
	Kind     string
	System   string
	From, To time.Time // To is not included
	Before   int64     // the last one that was seen: those that follow it in the order of the list
}

func (f ChangeFilter) conditions() string {
	where := `c.removed_at IS NULL`
	for _, c := range []struct {
		asked     bool
		condition string
	}{
		{f.ID != 0, `c.id = @id`},
		{f.Kind != "", `c.kind = @kind`},
		{f.System != "", `c.system = @system`},
		{!f.From.IsZero(), `c.at >= @from`},
		{!f.To.IsZero(), `c.at < @to`},
		{f.Before != 0, `(c.at, c.id) < (SELECT at, id FROM changes WHERE id = @before)`},
	} {
		if c.asked {
			where += ` AND ` + c.condition
		}
	}
	return where
}

// Changes returns what teams did, the latest first, at most limit.
func (s *Store) Changes(ctx context.Context, actor Actor, f ChangeFilter, limit int) ([]Change, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+changeColumns+` FROM `+changeTables+` WHERE `+f.conditions()+` ORDER BY c.at DESC, c.id DESC LIMIT @limit`,
		pgx.NamedArgs{
			"person": orNull(actor.PersonID), "token": orNull(actor.TokenID), "id": f.ID, "kind": f.Kind, "system": f.System, "from": f.From,
			"to": f.To, "before": f.Before, "limit": limit,
		})
	if err != nil {
		return nil, fmt.Errorf("changes: %w", err)
	}
	changes, err := pgx.CollectRows(rows, pgx.RowToStructByName[Change])
	if err != nil {
		return nil, fmt.Errorf("changes: %w", err)
	}
	return changes, nil
}

// Change returns one, or ErrNotFound.
func (s *Store) Change(ctx context.Context, actor Actor, id int64) (Change, error) {
	changes, err := s.Changes(ctx, actor, ChangeFilter{ID: id}, 1)
	if err == nil && len(changes) == 0 {
		err = fmt.Errorf("change %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Change{}, err
	}
	return changes[0], nil
}

// ChangeSystems lists the systems that changes were made in, by name.
func (s *Store) ChangeSystems(ctx context.Context, actor Actor) ([]string, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT system FROM changes WHERE removed_at IS NULL AND system <> '' ORDER BY system LIMIT 200`)
	if err != nil {
		return nil, fmt.Errorf("systems of changes: %w", err)
	}
	systems, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("systems of changes: %w", err)
	}
	return systems, nil
}

// ticksAtMost is how many changes a chart's time axis carries; more would be a bar.
const ticksAtMost = 200

// Ticks returns the changes between two times, the earliest first, for the time axis of a chart: the latest of them if they are too many.
func (s *Store) Ticks(ctx context.Context, actor Actor, from, to time.Time) ([]Change, error) {
	changes, err := s.Changes(ctx, actor, ChangeFilter{From: from, To: to}, ticksAtMost)
	for i, j := 0, len(changes)-1; i < j; i, j = i+1, j-1 {
		changes[i], changes[j] = changes[j], changes[i]
	}
	return changes, err
}

// NewChange is what recording a change needs.
type NewChange struct {
	At                  time.Time // zero: now
	Kind                string    // "" is PlainChange
	Title, Body, System string
	URL                 string
	Key                 string // what names it where it comes from: told twice under one key, it is one change; "" for none
	Release             string // the model version that it brought, NAME@VERSION, "" for none
}

func (n *NewChange) check(now time.Time) error {
	n.Title, n.Body, n.System, n.URL = strings.TrimSpace(n.Title), strings.TrimSpace(n.Body), strings.TrimSpace(n.System), strings.TrimSpace(n.URL)
	if n.Kind == "" {
		n.Kind = PlainChange
	}
	if n.At.IsZero() {
		n.At = now
	}
	switch {
	case n.Title == "" || len([]rune(n.Title)) > longestChangeTitle || strings.ContainsAny(n.Title, "\r\n"):
		return invalid("title", fmt.Sprintf("Say in one line of at most %d letters what was done.", longestChangeTitle))
	case n.Kind != PlainChange && n.Kind != Intervention:
		return invalid("kind", "Choose change, or intervention for what was done to repair.")
	case len([]rune(n.Body)) > longestChangeBody:
		return invalid("body", fmt.Sprintf("Keep the text under %d letters, and link to the rest.", longestChangeBody))
	case len([]rune(n.System)) > longestChangeSystem:
		return invalid("system", fmt.Sprintf("Keep the name of the system under %d letters.", longestChangeSystem))
	case n.At.After(now.Add(24*time.Hour)) || n.At.Year() < 2000:
		return invalid("at", "Give the time at which it was done. What is only planned is recorded once it is done.")
	case len(n.Key) > 200:
		return invalid("key", "Keep the key under 200 letters.")
	}
	return checkPageAddress("url", n.URL)
}

// checkPageAddress refuses what does not lead to a page.
func checkPageAddress(field, address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") || len(address) > longestAddress {
		return invalid(field, "Give an address that begins with https://, such as https://example.org/changes/4711, without a password in it.")
	}
	return nil
}

// AddChange records something that a team did. Under a key that is known already it changes nothing and returns what is there.
func (s *Store) AddChange(ctx context.Context, actor Actor, n NewChange) (id int64, err error) {
	if err := actor.may(access.WriteChanges); err != nil {
		return 0, err
	}
	if n.Key != "" {
		n.Key = "api/" + n.Key
	}
	origin := FromPage
	if actor.TokenID != 0 {
		origin = FromAPI
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		var now time.Time
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
			return fmt.Errorf("add change: %w", err)
		}
		if err := n.check(now); err != nil {
			return err
		}
		version, err := releaseNamed(ctx, tx, n.Release)
		if err != nil {
			return err
		}
		if id, err = addChange(ctx, tx, actor, n, origin, version); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "change.add", ObjectType: "change", ObjectID: id, Detail: map[string]any{"kind": n.Kind}})
	})
	return id, err
}

// addChange writes a change that was checked, or finds the one under its key.
func addChange(ctx context.Context, tx pgx.Tx, actor Actor, n NewChange, origin string, version *int64) (id int64, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO changes (at, kind, title, body, system, url, origin, external_key, model_version_id, created_by, token_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), $9, $10, $11) ON CONFLICT (external_key) DO NOTHING RETURNING id`,
		n.At, n.Kind, n.Title, n.Body, n.System, n.URL, origin, n.Key, version, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		if err := tx.QueryRow(ctx, `SELECT id FROM changes WHERE external_key = $1`, n.Key).Scan(&id); err != nil {
			return 0, fmt.Errorf("known change: %w", err)
		}
		return id, nil
	}
	if err != nil {
		return 0, fmt.Errorf("add change: %w", err)
	}
	return id, nil
}

// releaseNamed returns the id of NAME@VERSION, nil for "".
func releaseNamed(ctx context.Context, tx pgx.Tx, named string) (id *int64, err error) {
	if named = strings.TrimSpace(named); named == "" {
		return nil, nil
	}
	name, version, _ := strings.Cut(named, "@")
	err = tx.QueryRow(ctx, `SELECT v.id FROM models m JOIN model_versions v ON v.model_id = m.id WHERE m.name = $1 AND v.version = $2`, name, version).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, invalid("release", "No such release is registered. Write it as NAME@VERSION, as the page of models lists it.")
	}
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return id, nil
}

// changeRelease writes the release of a model version on the timeline, in the transaction of the release.
func changeRelease(ctx context.Context, tx pgx.Tx, actor Actor, version int64) error {
	var n NewChange
	err := tx.QueryRow(ctx, `
		SELECT now(), m.name || '@' || v.version || ' was released', m.name FROM model_versions v JOIN models m ON m.id = v.model_id WHERE v.id = $1`,
		version).Scan(&n.At, &n.Title, &n.System)
	if err != nil {
		return fmt.Errorf("release %d: %w", version, err)
	}
	n.Kind, n.Key = PlainChange, fmt.Sprintf("release/%d", version)
	origin := FromPage
	if actor.TokenID != 0 {
		origin = FromAPI
	}
	_, err = addChange(ctx, tx, actor, n, origin, &version)
	return err
}

// MayEdit tells whether the actor may put the change right, or withdraw it: whoever recorded it may, and an admin.
func (c *Change) MayEdit(actor Actor) bool {
	return actor.Allowed(access.WriteChanges) && (c.Own || actor.Allowed(access.EditChains))
}

// changeToEdit returns a change that the actor may edit.
func (s *Store) changeToEdit(ctx context.Context, actor Actor, id int64) (Change, error) {
	if err := actor.may(access.WriteChanges); err != nil {
		return Change{}, err
	}
	change, err := s.Change(ctx, actor, id)
	if err == nil && !change.MayEdit(actor) {
		err = fmt.Errorf("change %d is another's: %w", id, ErrDenied)
	}
	return change, err
}

// EditChange puts a change right; what names it where it comes from stays. A zero time leaves it where it is.
func (s *Store) EditChange(ctx context.Context, actor Actor, id int64, n NewChange) error {
	change, err := s.changeToEdit(ctx, actor, id)
	if err != nil {
		return err
	}
	if n.At.IsZero() {
		n.At = change.At
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var now time.Time
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
			return fmt.Errorf("edit change %d: %w", id, err)
		}
		if err := n.check(now); err != nil {
			return err
		}
		version, err := releaseNamed(ctx, tx, n.Release)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE changes SET at = $2, kind = $3, title = $4, body = $5, system = $6, url = $7, model_version_id = $8, edited_at = now()
			WHERE id = $1 AND removed_at IS NULL`, id, n.At, n.Kind, n.Title, n.Body, n.System, n.URL, version)
		if err != nil {
			return fmt.Errorf("edit change %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("change %d: %w", id, ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "change.edit", ObjectType: "change", ObjectID: id, Detail: map[string]any{"kind": n.Kind}})
	})
}

// RemoveChange withdraws a change from the timeline: whoever recorded it may, and an admin.
func (s *Store) RemoveChange(ctx context.Context, actor Actor, id int64) error {
	if _, err := s.changeToEdit(ctx, actor, id); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE changes SET removed_at = now() WHERE id = $1 AND removed_at IS NULL`, id)
		if err != nil {
			return fmt.Errorf("remove change %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("change %d: %w", id, ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "change.remove", ObjectType: "change", ObjectID: id})
	})
}
