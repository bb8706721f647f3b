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
	"github.com/riverqueue/river"

	"fiducial/internal/access"
	"fiducial/internal/alerts"
	"fiducial/internal/jobargs"
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
		SELECT h.id, h.name, h.kind, h.target, coalesce(h.chain_id, 0), coalesce(c.name, ''), h.created_at,
			(SELECT count(*) FROM alert_sendings x WHERE x.channel_id = h.id AND x.state = 'sent'),
			(SELECT count(*) FROM alert_sendings x WHERE x.channel_id = h.id AND x.state = 'dead')
		FROM alert_channels h LEFT JOIN chains c ON c.id = h.chain_id WHERE h.removed_at IS NULL ORDER BY lower(h.name), h.id`)
	if err != nil {
		return nil, fmt.Errorf("channels: %w", err)
	}
	channels, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c AlertChannel, err error) {
		var box []byte
		err = row.Scan(&c.ID, &c.Name, &c.Kind, &box, &c.ChainID, &c.Chain, &c.CreatedAt, &c.Sent, &c.Dead)
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
			INSERT INTO alert_channels (name, kind, target, chain_id, created_by)
			SELECT $1, $2, '', $3, $4 WHERE $3::bigint IS NULL OR EXISTS (SELECT FROM chains WHERE id = $3) RETURNING id`,
			n.Name, n.Kind, orNull(n.Chain), orNull(actor.PersonID)).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return invalid("chain", "There is no such chain. Choose one of the list.")
		}
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE alert_channels SET target = $2 WHERE id = $1`, id, key.Seal([]byte(n.Target), channelPlace(id)))
		}
		if err != nil {
			return fmt.Errorf("add channel: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "channel.add", ObjectType: "alert_channel", ObjectID: id, Detail: map[string]any{"kind": n.Kind}})
	})
	return id, err
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

// AlertSending is an alert on its way to a channel.
type AlertSending struct {
	AlertID   int64
	ChannelID int64
	Channel   string
	Kind      string
	State     string // "waiting", "sending", "sent" or "dead"
	Attempts  int
	Fault     string // of the last attempt, one of the Fault constants
	SentAt    *time.Time
}

// The faults of a sending, beside those of calls.
const (
	FaultInterrupted = "interrupted" // the server stopped while it was being sent: it may have arrived
	FaultMail        = "mail"        // this server has no mail server to send by
	FaultRecipient   = "recipient"   // the mail server does not take it
)

// AlertSendings returns where an alert went; the alert came from a method that checked who asks.
func (s *Store) AlertSendings(ctx context.Context, alert Alert) ([]AlertSending, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT x.alert_id, x.channel_id, h.name AS channel, h.kind, x.state, x.attempts, x.fault, x.sent_at
		FROM alert_sendings x JOIN alert_channels h ON h.id = x.channel_id WHERE x.alert_id = $1 ORDER BY lower(h.name), h.id`, alert.ID)
	if err != nil {
		return nil, fmt.Errorf("sendings of alert %d: %w", alert.ID, err)
	}
	sendings, err := pgx.CollectRows(rows, pgx.RowToStructByName[AlertSending])
	if err != nil {
		return nil, fmt.Errorf("sendings of alert %d: %w", alert.ID, err)
	}
	return sendings, nil
}

// sendAttempts is how often a sending is tried that surely did not arrive: about four hours, with River's pauses.
const sendAttempts = 10

// queueSendings has an alert sent to its channels, or to one of them alone.
func (s *Store) queueSendings(ctx context.Context, tx pgx.Tx, alert, channel int64) error {
	rows, err := tx.Query(ctx, `
		INSERT INTO alert_sendings (alert_id, channel_id)
		SELECT a.id, h.id FROM alerts a JOIN alert_channels h ON h.chain_id IS NULL OR h.chain_id = a.chain_id
		WHERE a.id = $1 AND h.removed_at IS NULL AND ($2::bigint = 0 OR h.id = $2) ORDER BY h.id
		ON CONFLICT (alert_id, channel_id) DO UPDATE SET state = 'waiting', attempts = 0, fault = '' WHERE alert_sendings.state IN ('sent', 'dead')
		RETURNING channel_id`, alert, channel)
	if err != nil {
		return fmt.Errorf("sendings of alert %d: %w", alert, err)
	}
	channels, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("sendings of alert %d: %w", alert, err)
	}
	if channel != 0 && len(channels) == 0 {
		return fmt.Errorf("alert %d: nothing to send again: %w", alert, ErrNotFound)
	}
	for _, id := range channels {
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.SendAlert{AlertID: alert, ChannelID: id}, &river.InsertOpts{MaxAttempts: sendAttempts}); err != nil {
			return fmt.Errorf("enqueue alert %d: %w", alert, err)
		}
	}
	return nil
}

// SendAlertAgain sends an alert once more to a channel, which it may not have reached.
func (s *Store) SendAlertAgain(ctx context.Context, actor Actor, alert, channel int64) error {
	if err := actor.may(access.SettleAlerts); err != nil {
		return err
	}
	if _, err := s.Alert(ctx, actor, alert); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.queueSendings(ctx, tx, alert, channel); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "alert.send", ObjectType: "alert", ObjectID: alert, Detail: map[string]any{"channel": channel}})
	})
}

// Letter is an alert ready to be sent.
type Letter struct {
	Alert   int64
	Kind    string // of the channel
	Target  string
	Summary alerts.Alarm
	Nth     int // how often the alert was raised: with its id, it names this letter
}

// BeginSending takes a sending that waits, for this worker alone. ok is false if there is none: it was sent, its channel is closed, or a
// worker was interrupted in the middle of it. That one may have arrived, so it is not tried again by itself.
// An address that this installation cannot open is the error sealed.ErrSealed.
func (s *Store) BeginSending(ctx context.Context, alert, channel int64) (letter Letter, ok bool, err error) {
	var box []byte
	err = s.pool.QueryRow(ctx, `
		UPDATE alert_sendings x SET state = 'sending', attempts = x.attempts + 1 FROM alerts a, alert_channels h
		WHERE x.alert_id = $1 AND x.channel_id = $2 AND x.state = 'waiting' AND a.id = x.alert_id AND h.id = x.channel_id AND h.removed_at IS NULL
		RETURNING h.kind, h.target, a.summary, a.times`, alert, channel).Scan(&letter.Kind, &box, &letter.Summary, &letter.Nth)
	if errors.Is(err, pgx.ErrNoRows) {
		_, err := s.pool.Exec(ctx, `UPDATE alert_sendings SET state = 'dead', fault = $3 WHERE alert_id = $1 AND channel_id = $2 AND state = 'sending'`,
			alert, channel, FaultInterrupted)
		if err != nil {
			return letter, false, fmt.Errorf("sending of alert %d: %w", alert, err)
		}
		return letter, false, nil
	}
	if err != nil {
		return letter, false, fmt.Errorf("sending of alert %d: %w", alert, err)
	}
	letter.Alert = alert
	key, err := s.sealing()
	if err != nil {
		return letter, false, err
	}
	target, err := key.Open(box, channelPlace(channel))
	letter.Target = string(target)
	return letter, true, err
}

// NoteSending records how a sending went: fault is empty for one that was taken, and last means that it is not tried again.
func (s *Store) NoteSending(ctx context.Context, alert, channel int64, fault string, last bool) error {
	state := "waiting"
	switch {
	case fault == "":
		state = "sent"
	case last:
		state = "dead"
	}
	_, err := s.pool.Exec(ctx, `
		UPDATE alert_sendings SET state = $3, fault = $4, sent_at = CASE WHEN $3 = 'sent' THEN now() ELSE sent_at END
		WHERE alert_id = $1 AND channel_id = $2 AND state = 'sending'`, alert, channel, state, fault)
	if err != nil {
		return fmt.Errorf("sending of alert %d: %w", alert, err)
	}
	return nil
}
