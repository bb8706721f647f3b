package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/jobargs"
)

// What happens to an item of a source when its time is up. An erasure request always takes all.
const (
	ExpireDelete    = "delete"    // everything goes
	ExpireRedaction = "redaction" // an approved redaction stays; whatever has none goes
)

// DestinationKind is a kind of place outside that data can reach.
type DestinationKind string

// The kinds of destination.
const (
	ToExports   DestinationKind = "exports"   // archives of dataset versions
	ToConsumers DestinationKind = "consumers" // those who take versions, by name, and their webhooks
	ToModels    DestinationKind = "models"    // servers of models, by the model's name
)

// DestinationKinds lists the kinds in the order in which pages show them.
func DestinationKinds() []DestinationKind { return []DestinationKind{ToExports, ToConsumers, ToModels} }

// Policy is what holds for the data of a source.
type Policy struct {
	RetentionDays *int              `json:"retention_days"` // nil: kept without a time limit
	ExpiryAction  string            `json:"expiry_action"`
	OpenTo        []DestinationKind `json:"open_to"`   // kinds of which every one may have the data
	Consumers     []string          `json:"consumers"` // of a kind that is not in OpenTo, the ones that may
	Models        []string          `json:"models"`
}

// DefaultPolicy deletes what has been here for days, or keeps it for nil, and holds nothing back.
func DefaultPolicy(days *int) Policy {
	return Policy{RetentionDays: days, ExpiryAction: ExpireDelete, OpenTo: DestinationKinds()}
}

// longestRetention is 100 years, beyond which a policy is a mistyped one.
const longestRetention = 36_500

// mostDestinations and longestDestination bound what a policy can name.
const (
	mostDestinations   = 100
	longestDestination = 200
)

// complete checks a policy and puts its lists in order. A kind that is open needs no names.
func (p *Policy) complete() error {
	if p.RetentionDays != nil && (*p.RetentionDays < 1 || *p.RetentionDays > longestRetention) {
		return invalid("retention_days", "Choose a retention between 1 day and 36500, or leave it empty for no limit.")
	}
	if p.ExpiryAction != ExpireDelete && p.ExpiryAction != ExpireRedaction {
		return invalid("expiry_action", "Choose what happens when the time is up: delete, or redaction.")
	}
	for _, kind := range p.OpenTo {
		if !slices.Contains(DestinationKinds(), kind) {
			return invalid("open_to", "There is no kind of destination called "+string(kind)+". Use exports, consumers or models.")
		}
	}
	open := []DestinationKind{} // an empty list, not NULL
	for _, kind := range DestinationKinds() {
		if slices.Contains(p.OpenTo, kind) {
			open = append(open, kind)
		}
	}
	p.OpenTo = open
	var err error
	if p.Consumers, err = destinationNames(p, ToConsumers, p.Consumers); err != nil {
		return err
	}
	p.Models, err = destinationNames(p, ToModels, p.Models)
	return err
}

func destinationNames(p *Policy, kind DestinationKind, typed []string) ([]string, error) {
	names := []string{}
	if slices.Contains(p.OpenTo, kind) {
		return names, nil
	}
	for _, name := range typed {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
		if len(name) > longestDestination {
			return nil, invalid(string(kind), "This name is too long.")
		}
	}
	if len(names) > mostDestinations {
		return nil, invalid(string(kind), "Name at most 100.")
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Redactable reports whether anything here can have a redaction: transcripts can, pictures cannot.
func (s *Store) Redactable(ctx context.Context) (bool, error) { return redactable(ctx, s.pool) }

func redactable(ctx context.Context, q querier) (yes bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM projects WHERE kind = 'audio' AND archived_at IS NULL)`).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("redactable: %w", err)
	}
	return yes, nil
}

// fits refuses what no project here could do.
func (p *Policy) fits(ctx context.Context, tx pgx.Tx) error {
	if p.ExpiryAction != ExpireRedaction {
		return nil
	}
	yes, err := redactable(ctx, tx)
	if err == nil && !yes {
		return invalid("expiry_action", "Only transcripts can have a redaction, and no project here has any. Choose to delete everything.")
	}
	return err
}

func setDestinations(ctx context.Context, tx pgx.Tx, source int64, p Policy) error {
	_, err := tx.Exec(ctx, `
		WITH named AS (
			SELECT 'consumers' AS kind, unnest($2::text[]) AS name UNION ALL SELECT 'models', unnest($3::text[])
		), dropped AS (
			DELETE FROM source_destinations d WHERE d.source_id = $1 AND (d.kind, d.name) NOT IN (SELECT kind, name FROM named)
		)
		INSERT INTO source_destinations (source_id, kind, name) SELECT $1, kind, name FROM named ON CONFLICT DO NOTHING`,
		source, p.Consumers, p.Models)
	if err != nil {
		return fmt.Errorf("destinations of source %d: %w", source, err)
	}
	return nil
}

// SourceEdit is a change of a source. Confirmed says that whoever shortens the retention has seen what that makes due.
type SourceEdit struct {
	ID   int64
	Name string
	Policy

	Version   int // that was edited
	Confirmed bool
}

// ErrUnconfirmed means that the change makes items due, and nobody has said yet that they mean it. See PreviewRetention.
var ErrUnconfirmed = errors.New("store: not confirmed")

// shortens reports whether a retention of after days ends sooner than one of before.
func shortens(before, after *int) bool { return after != nil && (before == nil || *after < *before) }

func sameDays(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }

// same reports whether two policies say the same, whatever the order of their lists.
func (p Policy) same(other Policy) bool {
	names := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	kinds := func(list []DestinationKind) []DestinationKind { return slices.Sorted(slices.Values(list)) }
	return sameDays(p.RetentionDays, other.RetentionDays) && p.ExpiryAction == other.ExpiryAction && slices.Equal(kinds(p.OpenTo), kinds(other.OpenTo)) &&
		slices.Equal(names(p.Consumers), names(other.Consumers)) && slices.Equal(names(p.Models), names(other.Models))
}

// UpdateSource renames a source and sets its policy. A changed retention holds for new imports at once; a job moves the dates
// of the items that are there. It returns ErrConflict when somebody else changed the source since edit.Version, and
// ErrUnconfirmed when a retention is shortened without having been confirmed.
func (s *Store) UpdateSource(ctx context.Context, actor Actor, edit SourceEdit) (change SourceChange, err error) {
	edit.Name = strings.TrimSpace(edit.Name)
	if err := actor.manages(edit.Name, &edit.Policy); err != nil {
		return SourceChange{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// Imports hold the row while they write: this waits for theirs, and theirs find what this writes.
		before, err := sourcesWhere(ctx, tx, `s.id = @id FOR UPDATE OF s`, pgx.NamedArgs{"id": edit.ID})
		switch {
		case err != nil:
			return err
		case len(before) == 0:
			return fmt.Errorf("source %d: %w", edit.ID, ErrNotFound)
		case before[0].Version != edit.Version:
			return fmt.Errorf("source %d: %w", edit.ID, ErrConflict)
		}
		change, err = s.updateSource(ctx, tx, actor, before[0], edit)
		return err
	})
	return change, err
}

func (s *Store) updateSource(ctx context.Context, tx pgx.Tx, actor Actor, before Source, edit SourceEdit) (change SourceChange, err error) {
	if edit.Name == before.Name && edit.same(before.Policy) { // nothing for the history
		return SourceChange{SourceID: edit.ID, Version: before.Version, State: "done"}, nil
	}
	if edit.ExpiryAction != before.ExpiryAction {
		if err := edit.fits(ctx, tx); err != nil {
			return change, err
		}
	}
	moves := !sameDays(before.RetentionDays, edit.RetentionDays)
	if moves {
		if moves, err = hasItems(ctx, tx, edit.ID); err != nil {
			return change, err
		}
	}
	if moves && !edit.Confirmed && shortens(before.RetentionDays, edit.RetentionDays) {
		return change, fmt.Errorf("source %d: %w", edit.ID, ErrUnconfirmed)
	}
	_, err = tx.Exec(ctx, `UPDATE sources SET name = $2, retention_days = $3, expiry_action = $4, open_to = $5, version = version + 1 WHERE id = $1`,
		edit.ID, edit.Name, edit.RetentionDays, edit.ExpiryAction, edit.OpenTo)
	if violates(err, "sources_name_key") {
		return change, invalid("name", "There is a source with this name already.")
	}
	if err != nil {
		return change, fmt.Errorf("update source: %w", err)
	}
	if err := setDestinations(ctx, tx, edit.ID, edit.Policy); err != nil {
		return change, err
	}
	return s.followChange(ctx, tx, actor, before, edit, moves)
}

// followChange writes the history of a change and has a job move the dates if they move.
func (s *Store) followChange(ctx context.Context, tx pgx.Tx, actor Actor, before Source, edit SourceEdit, moves bool) (change SourceChange, err error) {
	after := Source{ID: edit.ID, Name: edit.Name, Policy: edit.Policy, Version: before.Version + 1}
	state := "done"
	if moves {
		state = "moving"
		_, err := tx.Exec(ctx, `UPDATE source_changes SET state = 'superseded', finished_at = now() WHERE source_id = $1 AND state = 'moving'`, edit.ID)
		if err != nil {
			return change, fmt.Errorf("source %d: supersede: %w", edit.ID, err)
		}
	}
	id, err := noteChange(ctx, tx, actor, &before, after, state)
	if err != nil {
		return change, err
	}
	if moves {
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.MoveDates{ChangeID: id}, nil); err != nil {
			return change, fmt.Errorf("enqueue dates of source %d: %w", edit.ID, err)
		}
	}
	err = audit(ctx, tx, actor, auditEvent{
		Action: "source.update", ObjectType: "source", ObjectID: edit.ID, Detail: map[string]any{"retention_days": edit.RetentionDays, "change": id},
	})
	return SourceChange{ID: id, SourceID: edit.ID, Version: after.Version, State: state}, err
}

func hasItems(ctx context.Context, tx pgx.Tx, source int64) (yes bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM items WHERE source_id = $1)`, source).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("items of source %d: %w", source, err)
	}
	return yes, nil
}

// SourceTerms is a source's name and policy at one time, as its history keeps them.
type SourceTerms struct {
	Name string `json:"name"`
	Policy
}

// SourceChange is one change of a source.
type SourceChange struct {
	ID        int64
	SourceID  int64
	Version   int          // that it made
	Before    *SourceTerms // nil: the source was made
	After     SourceTerms
	State     string // moving, done, superseded
	Items     *int64 // of the source when their dates began to move; nil until then
	DoneItems int64
	Moved     int64
	By        string // a name or a pseudonym; empty if no person did it
	ByToken   string // the token's name
	At        time.Time
}

func noteChange(ctx context.Context, tx pgx.Tx, actor Actor, before *Source, after Source, state string) (id int64, err error) {
	var former *SourceTerms
	if before != nil {
		former = &SourceTerms{before.Name, before.Policy}
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO source_changes (source_id, version, before, after, state, changed_by, token_id) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
		after.ID, after.Version, former, SourceTerms{after.Name, after.Policy}, state, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("history of source %d: %w", after.ID, err)
	}
	return id, nil
}

// SourceChanges returns the changes of a source with versions below one, the newest first, at most limit. The source came from a
// method that checked who asks.
func (s *Store) SourceChanges(ctx context.Context, source Source, before, limit int) ([]SourceChange, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT c.id, c.source_id, c.version, c.before, c.after, c.state, c.items, c.done_items, c.moved,
			coalesce(pi.name, pe.pseudonym, '') AS by, coalesce(t.name, '') AS by_token, c.changed_at AS at
		FROM source_changes c LEFT JOIN people pe ON pe.id = c.changed_by LEFT JOIN person_identities pi ON pi.person_id = c.changed_by
		LEFT JOIN api_tokens t ON t.id = c.token_id
		WHERE c.source_id = $1 AND c.version < $2::bigint ORDER BY c.version DESC LIMIT $3`, source.ID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("changes of source %d: %w", source.ID, err)
	}
	changes, err := pgx.CollectRows(rows, pgx.RowToStructByName[SourceChange])
	if err != nil {
		return nil, fmt.Errorf("changes of source %d: %w", source.ID, err)
	}
	return changes, nil
}
