package store

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// The kinds of channels.
const (
	ToWebhook = "webhook" // as Slack's incoming webhooks take it
	ToMailbox = "email"
)

// AlertChannel is where alerts go beside the product's own notices. Its address is kept sealed: that of a webhook is a secret by itself.
type AlertChannel struct {
	ID        int64
	Name      string
	Kind      string // ToWebhook or ToMailbox
	Host      string // of the address; for a mailbox, its domain. "" if this installation's key does not open it
	ChainID   int64  // whose alerts it takes; 0: of every chain
	Chain     string
	Runs      bool // takes what finished runs came to, too
	CreatedAt time.Time
	Sent      int
	Dead      int // that could not be sent
}

func channelPlace(id int64) string { return fmt.Sprintf("alert channel %d", id) }

// AlertChannels returns the channels that are open, by name.
func (s *Store) AlertChannels(ctx context.Context, actor Actor) ([]AlertChannel, error) {
	if err := actor.may(access.EditChains); err != nil {
		return nil, err
	}
	key, err := s.sealing()
	if err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT h.id, h.name, h.kind, h.target, coalesce(h.chain_id, 0), coalesce(c.name, ''), h.runs, h.created_at,
			(SELECT count(*) FROM alert_sendings x WHERE x.channel_id = h.id AND x.state = 'sent'),
			(SELECT count(*) FROM alert_sendings x WHERE x.channel_id = h.id AND x.state = 'dead')
		FROM alert_channels h LEFT JOIN chains c ON c.id = h.chain_id WHERE h.removed_at IS NULL ORDER BY lower(h.name), h.id`)
	if err != nil {
		return nil, fmt.Errorf("channels: %w", err)
	}
	channels, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c AlertChannel, err error) {
		var box []byte
		err = row.Scan(&c.ID, &c.Name, &c.Kind, &box, &c.ChainID, &c.Chain, &c.Runs, &c.CreatedAt, &c.Sent, &c.Dead)
		if target, sealedErr := key.Open(box, channelPlace(c.ID)); err == nil && sealedErr == nil {
			c.Host = hostOf(c.Kind, string(target))
		}
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("channels: %w", err)
	}
	return channels, nil
}

func hostOf(kind, target string) string {
	if kind == ToMailbox {
		_, domain, _ := strings.Cut(target, "@")
		return domain
	}
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Host
}

// NewChannel is what a channel needs. Whether a webhook's host may be called is looked at by whoever calls.
type NewChannel struct {
	Name, Kind, Target string
	Chain              int64 // 0: of every chain
	Runs               bool  // what finished runs came to, too
}

func (n *NewChannel) check() error {
	n.Name, n.Target = strings.TrimSpace(n.Name), strings.TrimSpace(n.Target)
	if n.Name == "" || len([]rune(n.Name)) > 100 {
		return invalid("name", "Give the channel a name of at most 100 letters, such as that of the team.")
	}
	switch n.Kind {
	case ToWebhook:
		if n.Target == "" {
			return invalid("target", "Give the address that the chat made for its incoming webhook.")
		}
		if err := CheckHook(n.Target); err != nil {
			inv, _ := errors.AsType[*InvalidError](err)
			return invalid("target", inv.Reason)
		}
	case ToMailbox:
		address, err := mail.ParseAddress(n.Target)
		if err != nil || address.Address != n.Target || strings.ContainsAny(n.Target, "\r\n ") {
			return invalid("target", "Give one address, such as team@example.org.")
		}
	default:
		return invalid("kind", "Choose webhook or email.")
	}
	return nil
}

// AddAlertChannel opens a channel.
func (s *Store) AddAlertChannel(ctx context.Context, actor Actor, n NewChannel) (id int64, err error) {
	if err := actor.may(access.EditChains); err != nil {
		return 0, err
	}
	if err := n.check(); err != nil {
		return 0, err
	}
	key, err := s.sealing()
	if err != nil {
		return 0, err
	}
	if key.IsZero() {
		return 0, invalid("", "This server has no key to keep an address under: start it with a data folder, or with FIDUCIAL_SIGNING_KEY.")
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			INSERT INTO alert_channels (name, kind, target, chain_id, created_by, runs)
			SELECT $1, $2, '', $3, $4, $5 WHERE $3::bigint IS NULL OR EXISTS (SELECT FROM chains WHERE id = $3) RETURNING id`,
			n.Name, n.Kind, orNull(n.Chain), orNull(actor.PersonID), n.Runs).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return invalid("chain", "There is no such chain. Choose one of the list.")
		}
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE alert_channels SET target = $2 WHERE id = $1`, id, key.Seal([]byte(n.Target), channelPlace(id)))
		}
		if err != nil {
			return fmt.Errorf("add channel: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "channel.add", ObjectType: "alert_channel", ObjectID: id, Detail: map[string]any{"kind": n.Kind, "runs": n.Runs}})
	})
	return id, err
}

// SetChannelRuns says whether a channel takes what finished runs came to, beside alerts.
func (s *Store) SetChannelRuns(ctx context.Context, actor Actor, id int64, runs bool) error {
	if err := actor.may(access.EditChains); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE alert_channels SET runs = $2 WHERE id = $1 AND removed_at IS NULL`, id, runs)
		if err != nil {
			return fmt.Errorf("change channel %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("channel %d: %w", id, ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "channel.change", ObjectType: "alert_channel", ObjectID: id, Detail: map[string]any{"runs": runs}})
	})
}

// RemoveAlertChannel closes a channel. What was on its way to it is not sent.
func (s *Store) RemoveAlertChannel(ctx context.Context, actor Actor, id int64) error {
	if err := actor.may(access.EditChains); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE alert_channels SET removed_at = now(), target = '' WHERE id = $1 AND removed_at IS NULL`, id)
		if err != nil {
			return fmt.Errorf("remove channel %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("channel %d: %w", id, ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "channel.remove", ObjectType: "alert_channel", ObjectID: id})
	})
}
