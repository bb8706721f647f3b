package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/webhook"
)

// The states of a consumer's notice.
const (
	NoticeNoted   = "noted"   // there is no address to call; who answers for the consumer was told here
	NoticeWaiting = "waiting" // the call is on its way, or tried again
	NoticeTold    = "told"    // the call was answered with a 2xx
	NoticeDead    = "dead"    // the call was given up
)

// tellAttempts is how often a call is tried: with River's pauses, which grow with the fourth power, that takes about four hours.
const tellAttempts = 10

// ConsumerNotice tells a consumer that lines of a version that it uses were erased.
type ConsumerNotice struct {
	ID          int64
	ConsumerID  int64
	Consumer    string
	OwnerID     int64
	VersionID   int64
	Dataset     string
	Number      int
	ErasureID   int64
	Kind        string // of the erasure
	Lines       int
	State       string
	Attempts    int
	Fault       string // of the last attempt: one of the Fault constants
	Status      int    // of the last answer, 0 for none
	At          time.Time
	ToldAt      *time.Time
	ConfirmedAt *time.Time
	ConfirmedBy string // "" for who followed the signed link
}

const consumerNotices = `
	SELECT n.id, n.consumer_id, coalesce(c.name, pi.name, pe.pseudonym, t.name, '') AS consumer, coalesce(c.person_id, 0) AS owner_id, n.version_id,
		d.name AS dataset, v.number, n.erasure_id, e.kind, n.lines, n.state, n.attempts, n.fault, coalesce(n.status, 0) AS status,
		n.created_at AS at, n.told_at, n.confirmed_at, coalesce(bi.name, be.pseudonym, bt.name, '') AS confirmed_by
	FROM consumer_notices n JOIN consumers c ON c.id = n.consumer_id JOIN erasures e ON e.id = n.erasure_id
	JOIN dataset_versions v ON v.id = n.version_id JOIN datasets d ON d.id = v.dataset_id
	LEFT JOIN people pe ON pe.id = c.person_id LEFT JOIN person_identities pi ON pi.person_id = c.person_id LEFT JOIN api_tokens t ON t.id = c.token_id
	LEFT JOIN people be ON be.id = n.confirmed_by LEFT JOIN person_identities bi ON bi.person_id = n.confirmed_by
	LEFT JOIN api_tokens bt ON bt.id = n.confirmed_token
	WHERE ` + seesVersion

// NoticeFilter says which notices of consumers to return; what is 0 is not asked for.
type NoticeFilter struct {
	ID, Consumer, Version, Erasure int64
	Open                           bool // those that are not confirmed alone
	Before                         int64
}

// ConsumerNotices returns notices to consumers from the newest on, at most limit.
func (s *Store) ConsumerNotices(ctx context.Context, actor Actor, f NoticeFilter, limit int) ([]ConsumerNotice, error) {
	if err := actor.may(access.ReadDatasets); err != nil {
		return nil, err
	}
	where := ` AND (@open = false OR n.confirmed_at IS NULL)`
	for _, c := range []struct {
		asked     int64
		condition string
	}{
		{f.ID, `n.id = @id`},
		{f.Consumer, `n.consumer_id = @consumer`},
		{f.Version, `n.version_id = @version`},
		{f.Erasure, `n.erasure_id = @erasure`},
		{f.Before, `n.id < @before`},
	} {
		if c.asked != 0 {
			where += ` AND ` + c.condition
		}
	}
	rows, err := s.pool.Query(ctx, consumerNotices+where+` ORDER BY n.id DESC LIMIT @limit`, actor.args(pgx.NamedArgs{
		"open": f.Open, "id": f.ID, "consumer": f.Consumer, "version": f.Version, "erasure": f.Erasure, "before": f.Before, "limit": limit,
	}))
	if err != nil {
		return nil, fmt.Errorf("notices to consumers: %w", err)
	}
	notices, err := pgx.CollectRows(rows, pgx.RowToStructByName[ConsumerNotice])
	if err != nil {
		return nil, fmt.Errorf("notices to consumers: %w", err)
	}
	return notices, nil
}

// ConsumerNotice returns one notice, or ErrNotFound if the actor does not see its version.
func (s *Store) ConsumerNotice(ctx context.Context, actor Actor, id int64) (ConsumerNotice, error) {
	notices, err := s.ConsumerNotices(ctx, actor, NoticeFilter{ID: id}, 1)
	if err == nil && len(notices) == 0 {
		err = fmt.Errorf("notice %d to a consumer: %w", id, ErrNotFound)
	}
	if err != nil {
		return ConsumerNotice{}, err
	}
	return notices[0], nil
}

// NoticeLines returns at most limit of the lines that a notice tells of, after a position; -1 is before the first. The notice came
// from a method that checked who asks.
func (s *Store) NoticeLines(ctx context.Context, notice ConsumerNotice, after, limit int) ([]webhook.Line, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT position, leaf FROM dataset_lines WHERE erasure_id = $1 AND version_id = $2 AND position > $3::bigint ORDER BY position LIMIT $4`,
		notice.ErasureID, notice.VersionID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("lines of notice %d: %w", notice.ID, err)
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (line webhook.Line, err error) {
		var leaf []byte
		err = row.Scan(&line.Position, &leaf)
		line.Leaf = hex.EncodeToString(leaf)
		return line, err
	})
	if err != nil {
		return nil, fmt.Errorf("lines of notice %d: %w", notice.ID, err)
	}
	return lines, nil
}

// tellConsumers notes for each consumer of each version how many of its lines an erasure has emptied, and has it told: its owner here,
// and it by a call. It belongs into the transaction that closes the erasure; called again, it counts again and tells nobody twice.
func (s *Store) tellConsumers(ctx context.Context, tx pgx.Tx, erasure int64) error {
	rows, err := tx.Query(ctx, `
		INSERT INTO consumer_notices (consumer_id, version_id, erasure_id, lines, state)
		SELECT vc.consumer_id, vc.version_id, $1, l.lines, CASE WHEN c.url = '' THEN 'noted' ELSE 'waiting' END
		FROM version_consumers vc JOIN consumers c ON c.id = vc.consumer_id
		JOIN (SELECT version_id, count(*) AS lines FROM dataset_lines WHERE erasure_id = $1 GROUP BY 1) l USING (version_id)
		WHERE vc.ended_at IS NULL ORDER BY vc.version_id, vc.consumer_id
		ON CONFLICT (consumer_id, version_id, erasure_id) DO UPDATE SET lines = EXCLUDED.lines
		RETURNING id, state, xmax = 0 AS added, coalesce((
			SELECT coalesce(c.person_id, t.created_by) FROM consumers c LEFT JOIN api_tokens t ON t.id = c.token_id WHERE c.id = consumer_id), 0) AS person`,
		erasure)
	if err != nil {
		return fmt.Errorf("tell consumers of erasure %d: %w", erasure, err)
	}
	type told struct {
		ID     int64
		State  string
		Added  bool
		Person int64
	}
	notices, err := pgx.CollectRows(rows, pgx.RowToStructByName[told])
	if err != nil {
		return fmt.Errorf("tell consumers of erasure %d: %w", erasure, err)
	}
	for _, n := range notices {
		if !n.Added {
			continue
		}
		if n.Person != 0 {
			if err := notify(ctx, tx, n.Person, LinesErased, "consumer_notice", n.ID, 0); err != nil {
				return err
			}
		}
		if n.State == NoticeWaiting {
			if err := s.queueCall(ctx, tx, n.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) queueCall(ctx context.Context, tx pgx.Tx, notice int64) error {
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.TellConsumer{NoticeID: notice}, &river.InsertOpts{MaxAttempts: tellAttempts}); err != nil {
		return fmt.Errorf("enqueue notice %d: %w", notice, err)
	}
	return nil
}

// TellAgain has a consumer called once more about a notice that was given up, or that came before it had an address.
func (s *Store) TellAgain(ctx context.Context, actor Actor, id int64) error {
	if err := actor.may(access.KeepConsumers); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE consumer_notices n SET state = 'waiting', attempts = 0, fault = '', status = NULL FROM consumers c
			WHERE n.id = $1 AND c.id = n.consumer_id AND c.url <> '' AND n.state <> 'waiting'`, id)
		if err != nil {
			return fmt.Errorf("notice %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("notice %d: nothing to call again: %w", id, ErrNotFound)
		}
		if err := s.queueCall(ctx, tx, id); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "consumer.tell", ObjectType: "consumer_notice", ObjectID: id})
	})
}

// ConfirmNotice notes that a consumer has deleted its copy of the lines that a notice tells of. Its owner, the token that took them,
// and who manages consumers may say so. Once more changes nothing.
func (s *Store) ConfirmNotice(ctx context.Context, actor Actor, id int64) (ConsumerNotice, error) {
	notice, err := s.ConsumerNotice(ctx, actor, id)
	if err != nil {
		return notice, err
	}
	if !actor.Allowed(access.KeepConsumers) {
		var own bool
		err := s.pool.QueryRow(ctx, `SELECT coalesce(person_id = $2 OR token_id = $3, false) FROM consumers WHERE id = $1`,
			notice.ConsumerID, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&own)
		if err != nil {
			return notice, fmt.Errorf("consumer %d: %w", notice.ConsumerID, notFound(err))
		}
		if !own {
			return notice, fmt.Errorf("notice %d is another's: %w", id, ErrDenied)
		}
	}
	if err := s.confirm(ctx, actor, id); err != nil {
		return notice, err
	}
	return s.ConsumerNotice(ctx, actor, id)
}

func (s *Store) confirm(ctx context.Context, actor Actor, id int64) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE consumer_notices SET confirmed_at = now(), confirmed_by = $2, confirmed_token = $3 WHERE id = $1 AND confirmed_at IS NULL`,
			id, orNull(actor.PersonID), orNull(actor.TokenID))
		if err != nil {
			return fmt.Errorf("confirm notice %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		return audit(ctx, tx, actor, auditEvent{Action: "consumer.confirm", ObjectType: "consumer_notice", ObjectID: id})
	})
}

// confirmMark is what the signed link of a notice is for.
func confirmMark(notice int64) string { return fmt.Sprintf("confirm %d", notice) }

// ConfirmLink returns the path of the page on which whoever has the link confirms a notice.
func (s *Store) ConfirmLink(notice int64) (string, error) {
	key, err := s.sealing()
	if err != nil || key.IsZero() {
		return "", err
	}
	return fmt.Sprintf("/confirm/%d/%s", notice, key.Mark(confirmMark(notice))), nil
}

// NoticeByLink returns the notice that a signed link is of, or ErrNotFound for a link that is not ours.
func (s *Store) NoticeByLink(ctx context.Context, id int64, mark string) (ConsumerNotice, error) {
	key, err := s.sealing()
	if err != nil {
		return ConsumerNotice{}, err
	}
	if !key.Marked(confirmMark(id), mark) {
		return ConsumerNotice{}, fmt.Errorf("link of notice %d: %w", id, ErrNotFound)
	}
	return s.ConsumerNotice(ctx, System(), id)
}

// ConfirmByLink confirms the notice that a signed link is of.
func (s *Store) ConfirmByLink(ctx context.Context, id int64, mark string) (ConsumerNotice, error) {
	if _, err := s.NoticeByLink(ctx, id, mark); err != nil {
		return ConsumerNotice{}, err
	}
	return s.ConfirmNotice(ctx, System(), id)
}

// The faults of a call that was not taken.
const (
	FaultAddress    = "address"    // it leads to a network that calls may not go to
	FaultHost       = "host"       // its host is not one of those that may be called
	FaultRedirect   = "redirect"   // the answer sends elsewhere, and calls follow nobody
	FaultTimeout    = "timeout"    // no answer in time
	FaultConnection = "connection" // nobody answers, or not as they should
	FaultStatus     = "status"     // the answer says no
	FaultSealed     = "sealed"     // the secret cannot be opened with this installation's key
)

// Call is one call to a consumer, ready to be signed and sent.
type Call struct {
	URL      string
	Secret   string
	SignedAt time.Time
	Event    webhook.Event // links are paths
}

// CallOf returns the call of a notice. ok is false if there is none to make any more: the consumer has confirmed, or has no address.
// A secret that this installation cannot open is the error sealed.ErrSealed.
func (s *Store) CallOf(ctx context.Context, id int64) (call Call, ok bool, err error) {
	notice, err := s.ConsumerNotice(ctx, System(), id)
	if err != nil || notice.State != NoticeWaiting || notice.ConfirmedAt != nil {
		return call, false, err
	}
	var box, hash []byte
	err = s.pool.QueryRow(ctx, `SELECT c.url, c.secret, v.hash, now() FROM consumers c, dataset_versions v WHERE c.id = $1 AND v.id = $2`,
		notice.ConsumerID, notice.VersionID).Scan(&call.URL, &box, &hash, &call.SignedAt)
	if err != nil || call.URL == "" {
		return call, false, err
	}
	key, err := s.sealing()
	if err != nil {
		return call, false, err
	}
	secret, err := key.Open(box, consumerPlace(notice.ConsumerID))
	if err != nil {
		return call, true, err
	}
	call.Secret = string(secret)
	call.Event = webhook.Event{
		Event: webhook.Erased, Notice: notice.ID, At: notice.At, Lines: notice.Lines,
		Version: webhook.Version{Dataset: notice.Dataset, Number: notice.Number, SHA256: hex.EncodeToString(hash)},
		Erasure: webhook.Erasure{ID: notice.ErasureID, Kind: notice.Kind},
	}
	if call.Event.Listed, err = s.NoticeLines(ctx, notice, -1, webhook.ListedLines); err != nil {
		return call, false, err
	}
	if len(call.Event.Listed) < notice.Lines {
		call.Event.More = fmt.Sprintf("/api/v1/consumer-notices/%d/lines", id)
	}
	call.Event.Confirm, err = s.ConfirmLink(id)
	return call, true, err
}

// NoteCall records how a call went: fault is empty for one that was taken, and last means that it is not tried again.
func (s *Store) NoteCall(ctx context.Context, id int64, fault string, status int, last bool) error {
	state := NoticeWaiting
	switch {
	case fault == "":
		state = NoticeTold
	case last:
		state = NoticeDead
	}
	_, err := s.pool.Exec(ctx, `
		UPDATE consumer_notices SET state = $2, attempts = attempts + 1, fault = $3, status = nullif($4, 0),
			told_at = CASE WHEN $2 = 'told' THEN now() ELSE told_at END
		WHERE id = $1`, id, state, fault, status)
	if err != nil {
		return fmt.Errorf("call of notice %d: %w", id, err)
	}
	return nil
}
