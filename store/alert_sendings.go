package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/access"
	"fiducial/internal/alerts"
	"fiducial/internal/jobargs"
)

// AlertSending is an alert, or what a run came to, on its way to a channel.
type AlertSending struct {
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
	FaultCertificate = "certificate" // the mail server's certificate is not one that is trusted
	FaultPlain       = "plain"       // the mail server does not encrypt, which is insisted on
	FaultSignIn      = "sign_in"     // the mail server does not know the user, or their password
)

// AlertSendings returns where an alert went; the alert came from a method that checked who asks.
func (s *Store) AlertSendings(ctx context.Context, alert Alert) ([]AlertSending, error) {
	return s.sendings(ctx, `x.alert_id = $1`, alert.ID)
}

// RunSendings returns where it was told what a run came to; the run came from a method that checked who asks.
func (s *Store) RunSendings(ctx context.Context, e Evaluation) ([]AlertSending, error) {
	return s.sendings(ctx, `x.evaluation_id = $1`, e.ID)
}

func (s *Store) sendings(ctx context.Context, where string, id int64) ([]AlertSending, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT x.channel_id, h.name AS channel, h.kind, x.state, x.attempts, x.fault, x.sent_at
		FROM alert_sendings x JOIN alert_channels h ON h.id = x.channel_id WHERE `+where+` ORDER BY lower(h.name), h.id`, id)
	if err != nil {
		return nil, fmt.Errorf("sendings: %w", err)
	}
	sendings, err := pgx.CollectRows(rows, pgx.RowToStructByName[AlertSending])
	if err != nil {
		return nil, fmt.Errorf("sendings: %w", err)
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
		RETURNING alert_id, 0, channel_id`, alert, channel)
	sent, err := s.enqueueSendings(ctx, tx, rows, err)
	if err != nil {
		return fmt.Errorf("sendings of alert %d: %w", alert, err)
	}
	if channel != 0 && sent == 0 {
		return fmt.Errorf("alert %d: nothing to send again: %w", alert, ErrNotFound)
	}
	return nil
}

// queueOutcome has the channels told that take what runs came to, in the transaction that ends the run: once each time it ends.
func (s *Store) queueOutcome(ctx context.Context, tx pgx.Tx, evaluation int64) error {
	rows, err := tx.Query(ctx, `
		INSERT INTO alert_sendings (evaluation_id, channel_id)
		SELECT e.id, h.id FROM evaluations e JOIN alert_channels h ON h.chain_id IS NULL OR h.chain_id = e.chain_id
		WHERE e.id = $1 AND h.removed_at IS NULL AND h.runs ORDER BY h.id
		ON CONFLICT (evaluation_id, channel_id) DO UPDATE SET state = 'waiting', attempts = 0, fault = '' WHERE alert_sendings.state IN ('sent', 'dead')
		RETURNING 0, evaluation_id, channel_id`, evaluation)
	if _, err = s.enqueueSendings(ctx, tx, rows, err); err != nil {
		return fmt.Errorf("sendings of evaluation %d: %w", evaluation, err)
	}
	return nil
}

func (s *Store) enqueueSendings(ctx context.Context, tx pgx.Tx, rows pgx.Rows, err error) (n int, _ error) {
	if err != nil {
		return 0, err
	}
	letters, err := pgx.CollectRows(rows, pgx.RowToStructByPos[jobargs.SendAlert])
	if err != nil {
		return 0, err
	}
	for _, args := range letters {
		if _, err := s.queue.InsertTx(ctx, tx, args, &river.InsertOpts{MaxAttempts: sendAttempts}); err != nil {
			return 0, fmt.Errorf("enqueue a letter: %w", err)
		}
	}
	return len(letters), nil
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

// SendingOf names a sending: of an alert, or of a run, to a channel.
type SendingOf struct{ Alert, Evaluation, Channel int64 }

func (o SendingOf) args() pgx.NamedArgs {
	return pgx.NamedArgs{"alert": o.Alert, "evaluation": o.Evaluation, "channel": o.Channel}
}

const theSending = `x.channel_id = @channel AND (x.alert_id = @alert OR x.evaluation_id = @evaluation)`

// Letter is an alert, or what a run came to, ready to be sent.
type Letter struct {
	Of     SendingOf
	Kind   string // of the channel
	Target string
	Told   alerts.Told
	Nth    int // how often the alert was raised, or the run ended: with its id, it names this letter
}

// BeginSending takes a sending that waits, for this worker alone. ok is false if there is none: it was sent, its channel is closed, or a
// worker was interrupted in the middle of it. That one may have arrived, so it is not tried again by itself.
// An address that this installation cannot open is the error sealed.ErrSealed.
func (s *Store) BeginSending(ctx context.Context, of SendingOf) (letter Letter, ok bool, err error) {
	var box []byte
	letter.Of = of
	err = s.pool.QueryRow(ctx, `
		UPDATE alert_sendings x SET state = 'sending', attempts = x.attempts + 1 FROM alert_channels h
		WHERE `+theSending+` AND x.state = 'waiting' AND h.id = x.channel_id AND h.removed_at IS NULL RETURNING h.kind, h.target`, of.args()).
		Scan(&letter.Kind, &box)
	if errors.Is(err, pgx.ErrNoRows) {
		args := of.args()
		args["fault"] = FaultInterrupted
		if _, err := s.pool.Exec(ctx, `UPDATE alert_sendings x SET state = 'dead', fault = @fault WHERE `+theSending+` AND x.state = 'sending'`, args); err != nil {
			return letter, false, fmt.Errorf("begin a sending: %w", err)
		}
		return letter, false, nil
	}
	if err != nil {
		return letter, false, fmt.Errorf("begin a sending: %w", err)
	}
	if err := s.write(ctx, &letter); err != nil {
		return letter, false, err
	}
	key, err := s.sealing()
	if err != nil {
		return letter, false, err
	}
	target, err := key.Open(box, channelPlace(of.Channel))
	letter.Target = string(target)
	return letter, true, err
}

// write fills in what a letter says.
func (s *Store) write(ctx context.Context, letter *Letter) error {
	if letter.Of.Alert != 0 {
		var summary alerts.Alarm
		err := s.pool.QueryRow(ctx, `SELECT summary, times FROM alerts WHERE id = $1`, letter.Of.Alert).Scan(&summary, &letter.Nth)
		if err != nil {
			return fmt.Errorf("letter of alert %d: %w", letter.Of.Alert, notFound(err))
		}
		letter.Told = summary.Told()
		return nil
	}
	outcome, at, err := s.outcome(ctx, letter.Of.Evaluation)
	letter.Told, letter.Nth = outcome.Told(), int(at.Unix())
	return err
}

// outcome is what a run came to, in figures and names of models, datasets and chains alone.
func (s *Store) outcome(ctx context.Context, id int64) (o alerts.Outcome, finished time.Time, err error) {
	e, err := s.Evaluation(ctx, System(), id)
	if err != nil {
		return o, finished, err
	}
	chain, err := s.Chain(ctx, System(), e.ChainID)
	if err != nil {
		return o, finished, err
	}
	o = alerts.Outcome{Evaluation: id, Chain: e.Chain, Versions: e.Versions, Unanswered: e.Failed}
	if e.FinishedAt != nil {
		finished = *e.FinishedAt
	}
	if e.State == EvaluationFailed {
		o.Fault = e.Error
		return o, finished, nil
	}
	cells, err := s.Cells(ctx, System(), CellQuery{Evaluation: id})
	if err != nil {
		return o, finished, err
	}
	for i := range cells {
		c := &cells[i]
		f := alerts.OutcomeFigure{
			Models: c.Models, Version: c.VersionName(), Measure: c.Measure, Value: c.Value, Low: c.Low, High: c.High, Items: c.Items - c.Failed,
			Dropped: c.Dropped(chain.AlertDrop),
		}
		if d := c.Difference; d != nil {
			f.Difference, f.Real, f.Better = d.Value, d.Real(), d.Better
		}
		o.Figures = append(o.Figures, f)
	}
	return o, finished, nil
}

// NoteSending records how a sending went: fault is empty for one that was taken, and last means that it is not tried again.
func (s *Store) NoteSending(ctx context.Context, of SendingOf, fault string, last bool) error {
	args := of.args()
	args["fault"], args["state"] = fault, "waiting"
	switch {
	case fault == "":
		args["state"] = "sent"
	case last:
		args["state"] = "dead"
	}
	_, err := s.pool.Exec(ctx, `
		UPDATE alert_sendings x SET state = @state, fault = @fault, sent_at = CASE WHEN @state = 'sent' THEN now() ELSE x.sent_at END
		WHERE `+theSending+` AND x.state = 'sending'`, args)
	if err != nil {
		return fmt.Errorf("note a sending: %w", err)
	}
	return nil
}
