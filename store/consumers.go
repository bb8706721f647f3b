package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/sealed"
)

// Consumer is who uses dataset versions: a team, a training job, a system, or whoever took an export away.
type Consumer struct {
	ID        int64
	Name      string // of a taker: the person's or the token's
	Kind      string // "named", "person" or "token"
	OwnerID   int64  // the person who answers for it and is told; 0 for nobody
	Owner     string
	URL       string // where it is called; "" for nowhere
	CreatedAt time.Time
	Versions  int        // that it uses
	Open      int        // notices that it has not confirmed
	OpenSince *time.Time // the oldest of these
	Dead      int        // of these, calls that were given up
}

const consumerColumns = `c.id, coalesce(c.name, pi.name, pe.pseudonym, t.name, '') AS name,
	CASE WHEN c.name IS NOT NULL THEN 'named' WHEN c.token_id IS NULL THEN 'person' ELSE 'token' END AS kind,
	coalesce(c.person_id, 0) AS owner_id, coalesce(pi.name, pe.pseudonym, '') AS owner, c.url, c.created_at,
	(SELECT count(*)::int FROM version_consumers vc JOIN dataset_versions v ON v.id = vc.version_id
		WHERE vc.consumer_id = c.id AND vc.ended_at IS NULL AND ` + seesVersion + `) AS versions,
	n.open, n.open_since, n.dead`

const consumerTables = `consumers c LEFT JOIN people pe ON pe.id = c.person_id LEFT JOIN person_identities pi ON pi.person_id = c.person_id
	LEFT JOIN api_tokens t ON t.id = c.token_id
	CROSS JOIN LATERAL (
		SELECT count(*)::int AS open, min(n.created_at) AS open_since, count(*) FILTER (WHERE n.state = 'dead')::int AS dead
		FROM consumer_notices n JOIN dataset_versions v ON v.id = n.version_id
		WHERE n.consumer_id = c.id AND n.confirmed_at IS NULL AND ` + seesVersion + `) n`

// seesConsumer is the condition that the actor may know of consumer c: one of theirs, one of a version that they see, or any for who
// manages them.
const seesConsumer = `(@manages OR c.person_id = @person OR c.token_id = @token OR EXISTS (
	SELECT FROM version_consumers vc JOIN dataset_versions v ON v.id = vc.version_id WHERE vc.consumer_id = c.id AND ` + seesVersion + `))`

func (s *Store) consumersWhere(ctx context.Context, actor Actor, where string, args pgx.NamedArgs) ([]Consumer, error) {
	if err := actor.may(access.ReadDatasets); err != nil {
		return nil, err
	}
	args["manages"] = actor.Allowed(access.KeepConsumers)
	rows, err := s.pool.Query(ctx, `SELECT `+consumerColumns+` FROM `+consumerTables+` WHERE `+seesConsumer+` AND `+where, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("consumers: %w", err)
	}
	consumers, err := pgx.CollectRows(rows, pgx.RowToStructByName[Consumer])
	if err != nil {
		return nil, fmt.Errorf("consumers: %w", err)
	}
	return consumers, nil
}

// Consumers returns consumers from the newest on, at most limit; before is the id of the last one that was seen, 0 for the start.
func (s *Store) Consumers(ctx context.Context, actor Actor, before int64, limit int) ([]Consumer, error) {
	return s.consumersWhere(ctx, actor, `(@before::bigint = 0 OR c.id < @before) ORDER BY c.id DESC LIMIT @limit`, pgx.NamedArgs{"before": before, "limit": limit})
}

// Consumer returns one consumer, or ErrNotFound if there is none that the actor may know of.
func (s *Store) Consumer(ctx context.Context, actor Actor, id int64) (Consumer, error) {
	return s.oneConsumer(ctx, actor, `c.id = @id`, pgx.NamedArgs{"id": id})
}

// ConsumerNamed returns the consumer of that name, or ErrNotFound.
func (s *Store) ConsumerNamed(ctx context.Context, actor Actor, name string) (Consumer, error) {
	return s.oneConsumer(ctx, actor, `c.name = @name`, pgx.NamedArgs{"name": strings.TrimSpace(name)})
}

func (s *Store) oneConsumer(ctx context.Context, actor Actor, where string, args pgx.NamedArgs) (Consumer, error) {
	consumers, err := s.consumersWhere(ctx, actor, where, args)
	if err != nil {
		return Consumer{}, err
	}
	if len(consumers) == 0 {
		return Consumer{}, fmt.Errorf("consumer: %w", ErrNotFound)
	}
	return consumers[0], nil
}

// longestConsumerName is what the table takes.
const longestConsumerName = 100

// AddConsumer makes a consumer; owner is the address of the person who answers for it, empty for nobody.
func (s *Store) AddConsumer(ctx context.Context, actor Actor, name, owner string) (id int64, err error) {
	if err := actor.may(access.KeepConsumers); err != nil {
		return 0, err
	}
	name = strings.TrimSpace(name)
	if name == "" || len([]rune(name)) > longestConsumerName {
		return 0, invalid("name", "Give the consumer a name of at most 100 letters: a team, a training job, a system.")
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		person, err := consumerOwner(ctx, tx, owner)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `INSERT INTO consumers (name, person_id, created_by) VALUES ($1, $2, $3) RETURNING id`,
			name, orNull(person), orNull(actor.PersonID)).Scan(&id)
		if violates(err, "consumers_name_key") {
			return invalid("name", "There is a consumer with this name already.")
		}
		if err != nil {
			return fmt.Errorf("add consumer: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "consumer.add", ObjectType: "consumer", ObjectID: id})
	})
	return id, err
}

// consumerOwner finds the person with that address, 0 for an empty one.
func consumerOwner(ctx context.Context, tx pgx.Tx, email string) (id int64, err error) {
	if email = strings.TrimSpace(email); email == "" {
		return 0, nil
	}
	err = tx.QueryRow(ctx, `SELECT person_id FROM person_identities WHERE lower(email) = lower($1)`, email).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, invalid("owner", "Nobody here has this address. Check it, or leave it empty.")
	}
	if err != nil {
		return 0, fmt.Errorf("owner: %w", err)
	}
	return id, nil
}

// hookPrefix lets secret scanners recognise a secret that leaked.
const hookPrefix = "fidhook_"

// SetConsumerURL has a consumer called at an address from now on, or nowhere for "", and returns the new secret with which calls
// to it are signed. The secret is shown this once, and kept sealed under the installation's key.
func (s *Store) SetConsumerURL(ctx context.Context, actor Actor, id int64, address string) (secret string, err error) {
	if err := actor.may(access.KeepConsumers); err != nil {
		return "", err
	}
	address = strings.TrimSpace(address)
	if err := CheckHook(address); err != nil {
		return "", err
	}
	key, err := s.sealing()
	if err != nil {
		return "", err
	}
	var box []byte
	if address != "" {
		if key.IsZero() {
			return "", invalid("url", "This server has no key to keep a secret under: start it with a data folder, or with FIDUCIAL_SIGNING_KEY.")
		}
		secret = hookPrefix + strings.ToLower(rand.Text())
		box = key.Seal([]byte(secret), consumerPlace(id))
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE consumers SET url = $2, secret = $3 WHERE id = $1`, id, address, box)
		if err != nil {
			return fmt.Errorf("address of consumer %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("consumer %d: %w", id, ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "consumer.url", ObjectType: "consumer", ObjectID: id, Detail: map[string]any{"called": address != ""},
		})
	})
	return secret, err
}

// CheckHook refuses an address that cannot be called.
func CheckHook(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || len(address) > 2000:
		return invalid("url", "Give an address that begins with https://, such as https://train.example.org/fiducial.")
	case u.User != nil:
		return invalid("url", "Leave name and password out of the address: calls are signed, and a password would stand in a table.")
	case u.Fragment != "":
		return invalid("url", "Leave what follows the # out of the address: no server is told of it.")
	}
	return nil
}

// consumerPlace is where a consumer's secret is sealed for.
func consumerPlace(id int64) string { return fmt.Sprintf("consumer %d", id) }

// sealing returns the key that secrets are sealed under, the zero value without a key of the installation.
func (s *Store) sealing() (sealed.Key, error) {
	if s.signer.IsZero() {
		return sealed.Key{}, nil
	}
	return sealed.Derive(s.signer.Secret())
}

// VersionConsumer is a consumer of one version.
type VersionConsumer struct {
	VersionID  int64
	Dataset    string
	Number     int
	ConsumerID int64
	Consumer   string
	Kind       string
	OwnerID    int64
	How        string // "recorded", or "download" for who took an export away
	ExportID   int64  // the last that was taken
	Since      time.Time
	EndedAt    *time.Time
	Told       int        // notices about lines that were erased
	Open       int        // of these, not confirmed
	OpenSince  *time.Time // the oldest of these
}

const versionConsumers = `
	SELECT vc.version_id, d.name AS dataset, v.number, vc.consumer_id, coalesce(c.name, pi.name, pe.pseudonym, t.name, '') AS consumer,
		CASE WHEN c.name IS NOT NULL THEN 'named' WHEN c.token_id IS NULL THEN 'person' ELSE 'token' END AS kind,
		coalesce(c.person_id, 0) AS owner_id, vc.how, coalesce(vc.export_id, 0) AS export_id, vc.since, vc.ended_at, n.told, n.open, n.open_since
	FROM version_consumers vc JOIN dataset_versions v ON v.id = vc.version_id JOIN datasets d ON d.id = v.dataset_id
	JOIN consumers c ON c.id = vc.consumer_id LEFT JOIN people pe ON pe.id = c.person_id LEFT JOIN person_identities pi ON pi.person_id = c.person_id
	LEFT JOIN api_tokens t ON t.id = c.token_id
	CROSS JOIN LATERAL (
		SELECT count(*)::int AS told, count(*) FILTER (WHERE confirmed_at IS NULL)::int AS open,
			min(created_at) FILTER (WHERE confirmed_at IS NULL) AS open_since
		FROM consumer_notices n WHERE n.consumer_id = vc.consumer_id AND n.version_id = vc.version_id) n
	WHERE ` + seesVersion

func (s *Store) versionConsumers(ctx context.Context, actor Actor, where string, args pgx.NamedArgs) ([]VersionConsumer, error) {
	if err := actor.may(access.ReadDatasets); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, versionConsumers+` AND `+where, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("consumers of versions: %w", err)
	}
	uses, err := pgx.CollectRows(rows, pgx.RowToStructByName[VersionConsumer])
	if err != nil {
		return nil, fmt.Errorf("consumers of versions: %w", err)
	}
	return uses, nil
}

// ConsumersOf returns the consumers of a version, those that use it still first.
func (s *Store) ConsumersOf(ctx context.Context, actor Actor, version DatasetVersion) ([]VersionConsumer, error) {
	return s.versionConsumers(ctx, actor, `vc.version_id = @version ORDER BY vc.ended_at NULLS FIRST, vc.since DESC`, pgx.NamedArgs{"version": version.ID})
}

// VersionsOf returns the versions that a consumer uses, or has used.
func (s *Store) VersionsOf(ctx context.Context, actor Actor, consumer int64) ([]VersionConsumer, error) {
	return s.versionConsumers(ctx, actor, `vc.consumer_id = @consumer ORDER BY vc.ended_at NULLS FIRST, vc.since DESC`, pgx.NamedArgs{"consumer": consumer})
}

// RecordConsumer notes that a consumer uses a version, unless a source of its data may not reach that one. Once more changes nothing; of a use that had ended it is a new one.
func (s *Store) RecordConsumer(ctx context.Context, actor Actor, version DatasetVersion, consumer int64) error {
	if err := actor.may(access.KeepConsumers); err != nil {
		return err
	}
	if version.State != VersionFrozen {
		return invalid("", "This version is not frozen, so nobody can use it yet.")
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var name string
		if err := tx.QueryRow(ctx, `SELECT coalesce(name, '') FROM consumers WHERE id = $1 FOR SHARE`, consumer).Scan(&name); err != nil {
			return fmt.Errorf("consumer %d: %w", consumer, notFound(err))
		}
		if err := destinationAllowed(ctx, tx, version.ID, Destination{Kind: ToConsumers, Name: name}); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO version_consumers (version_id, consumer_id, how) VALUES ($1, $2, 'recorded')
			ON CONFLICT (version_id, consumer_id) DO UPDATE SET how = 'recorded', ended_at = NULL,
				since = CASE WHEN version_consumers.ended_at IS NULL THEN version_consumers.since ELSE now() END`, version.ID, consumer)
		if err != nil {
			return fmt.Errorf("consumer %d of version %d: %w", consumer, version.ID, err)
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "consumer.record", ObjectType: "consumer", ObjectID: consumer, Detail: map[string]any{"version": version.ID},
		})
	})
}

// EndConsumer notes that a consumer does not use a version any more and has no copy of it: it is not told of later erasures.
func (s *Store) EndConsumer(ctx context.Context, actor Actor, version DatasetVersion, consumer int64) error {
	if err := actor.may(access.KeepConsumers); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE version_consumers SET ended_at = now() WHERE version_id = $1 AND consumer_id = $2 AND ended_at IS NULL`,
			version.ID, consumer)
		if err != nil {
			return fmt.Errorf("consumer %d of version %d: %w", consumer, version.ID, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("consumer %d of version %d: %w", consumer, version.ID, ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "consumer.end", ObjectType: "consumer", ObjectID: consumer, Detail: map[string]any{"version": version.ID},
		})
	})
}

// noteTaker makes whoever takes an export away a consumer of its version. One that is recorded by name stays beside it.
func noteTaker(ctx context.Context, tx pgx.Tx, actor Actor, export Export) error {
	if actor.PersonID == 0 && actor.TokenID == 0 { // the product itself
		return nil
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO consumers (person_id, token_id) SELECT $1::bigint, $2::bigint
		WHERE NOT EXISTS (SELECT FROM consumers WHERE name IS NULL AND (person_id = $1 OR token_id = $2)) ON CONFLICT DO NOTHING`,
		orNull(actor.PersonID), orNull(actor.TokenID))
	if err != nil {
		return fmt.Errorf("taker of export %d: %w", export.ID, err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO version_consumers (version_id, consumer_id, how, export_id)
		SELECT $1, id, 'download', $2 FROM consumers WHERE name IS NULL AND (person_id = $3 OR token_id = $4)
		ON CONFLICT (version_id, consumer_id) DO UPDATE SET export_id = EXCLUDED.export_id, ended_at = NULL`,
		export.VersionID, export.ID, orNull(actor.PersonID), orNull(actor.TokenID))
	if err != nil {
		return fmt.Errorf("taker of export %d: %w", export.ID, err)
	}
	return nil
}
