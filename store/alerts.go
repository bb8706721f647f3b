package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/alerts"
)

// The states of an alert.
const (
	AlertOpen         = "open"
	AlertAcknowledged = "acknowledged" // somebody is at it: it stays quiet until it is closed
	AlertClosed       = "closed"
)

// Alert tells that a figure has really fallen, that a run is missing, or that a figure leans. It is raised once while it is not closed.
type Alert struct {
	ID           int64
	Kind         string // alerts.Drop, Missing or Bias
	ChainID      int64
	Chain        string
	EvaluationID int64 // that raised it last; 0 for none
	CellID       int64 // that it is about; 0 for none
	Summary      alerts.Alarm
	State        string
	Times        int // how many runs have raised it
	RaisedAt     time.Time
	LastAt       time.Time // when a run raised it last
	SnoozedUntil *time.Time
	SettledBy    string // who acknowledged or closed it; "" for nobody, or itself
	SettledAt    *time.Time
}

const alertColumns = `a.id, a.kind, a.chain_id, c.name AS chain, coalesce(a.evaluation_id, 0) AS evaluation_id, coalesce(a.cell_id, 0) AS cell_id, a.summary,
	a.state, a.times, a.raised_at, a.last_at, a.snoozed_until, coalesce(pi.name, pe.pseudonym, '') AS settled_by, a.settled_at`

const alertTables = `alerts a JOIN chains c ON c.id = a.chain_id LEFT JOIN people pe ON pe.id = a.settled_by
	LEFT JOIN person_identities pi ON pi.person_id = a.settled_by`

// seesAlert is the condition that the actor sees the dataset version that alert a is about.
const seesAlert = `(a.cell_id IS NULL OR EXISTS (SELECT FROM cells k JOIN dataset_versions v ON v.id = k.version_id WHERE k.id = a.cell_id AND ` + seesVersion + `))`

// AlertFilter says which alerts to return; what is zero is not asked for.
type AlertFilter struct {
	ID, Chain, Evaluation int64
	Open                  bool // those that are not closed alone
	Before                int64
}

// Alerts returns alerts from the newest on, at most limit.
func (s *Store) Alerts(ctx context.Context, actor Actor, f AlertFilter, limit int) ([]Alert, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	where := seesAlert
	for _, c := range []struct {
		asked     bool
		condition string
	}{
		{f.ID != 0, `a.id = @id`},
		{f.Chain != 0, `a.chain_id = @chain`},
		{f.Evaluation != 0, `a.evaluation_id = @evaluation`},
		{f.Open, `a.state <> 'closed'`},
		{f.Before != 0, `a.id < @before`},
	} {
		if c.asked {
			where += ` AND ` + c.condition
		}
	}
	rows, err := s.pool.Query(ctx, `SELECT `+alertColumns+` FROM `+alertTables+` WHERE `+where+` ORDER BY a.id DESC LIMIT @limit`,
		actor.args(pgx.NamedArgs{"id": f.ID, "chain": f.Chain, "evaluation": f.Evaluation, "before": f.Before, "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Alert])
	if err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	return list, nil
}

// Alert returns one alert, or ErrNotFound if the actor does not see what it is about.
func (s *Store) Alert(ctx context.Context, actor Actor, id int64) (Alert, error) {
	list, err := s.Alerts(ctx, actor, AlertFilter{ID: id}, 1)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("alert %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Alert{}, err
	}
	return list[0], nil
}

// AlertsWaiting returns how many alerts the actor sees that nobody has acknowledged or snoozed.
func (s *Store) AlertsWaiting(ctx context.Context, actor Actor) (n int, err error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return 0, err
	}
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM alerts a WHERE a.state = 'open' AND (a.snoozed_until IS NULL OR a.snoozed_until <= now()) AND `+seesAlert,
		actor.args(nil)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("open alerts: %w", err)
	}
	return n, nil
}

// AcknowledgeAlert says that somebody is at it: the alert stays, and is quiet until it is closed.
func (s *Store) AcknowledgeAlert(ctx context.Context, actor Actor, id int64) error {
	return s.settleAlert(ctx, actor, id, "alert.acknowledge", `
		UPDATE alerts SET state = 'acknowledged', snoozed_until = NULL, settled_by = @person, settled_at = now() WHERE id = @id AND state = 'open'`, nil)
}

// CloseAlert says that it is done, or accepted: what figures fell to is what they are compared with from now on.
func (s *Store) CloseAlert(ctx context.Context, actor Actor, id int64) error {
	return s.settleAlert(ctx, actor, id, "alert.close", `
		UPDATE alerts SET state = 'closed', snoozed_until = NULL, settled_by = @person, settled_at = now() WHERE id = @id AND state <> 'closed'`, nil)
}

// longestSnooze is for how many days an alert can be put off.
const longestSnooze = 90

// SnoozeAlert puts an alert off for some days: then it tells of itself again, unless it is over.
func (s *Store) SnoozeAlert(ctx context.Context, actor Actor, id int64, days int) error {
	if days < 1 || days > longestSnooze {
		return invalid("days", fmt.Sprintf("Put it off for 1 to %d days.", longestSnooze))
	}
	return s.settleAlert(ctx, actor, id, "alert.snooze", `
		UPDATE alerts SET state = 'open', snoozed_until = now() + make_interval(days => @days), settled_by = @person, settled_at = now()
		WHERE id = @id AND state <> 'closed'`, pgx.NamedArgs{"days": days})
}

func (s *Store) settleAlert(ctx context.Context, actor Actor, id int64, action, update string, args pgx.NamedArgs) error {
	if err := actor.may(access.SettleAlerts); err != nil {
		return err
	}
	if _, err := s.Alert(ctx, actor, id); err != nil {
		return err
	}
	all := pgx.NamedArgs{"id": id, "person": orNull(actor.PersonID)}
	for k, v := range args {
		all[k] = v
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, update, all)
		if err != nil {
			return fmt.Errorf("%s %d: %w", action, id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("%s %d: %w", action, id, ErrConflict)
		}
		return audit(ctx, tx, actor, auditEvent{Action: action, ObjectType: "alert", ObjectID: id})
	})
}

// newAlert is an alert to be raised.
type newAlert struct {
	Key     string // what it is of
	Chain   int64
	Summary alerts.Alarm
	Once    bool // not again under this key, even after it was closed
}

// raiseAlert raises an alert, or notes that the one under its key was raised again. It tells of a new one, and of one that was put off
// for long enough; a run that is looked at twice raises nothing twice.
func (s *Store) raiseAlert(ctx context.Context, tx pgx.Tx, n newAlert) error {
	summary, err := json.Marshal(n.Summary)
	if err != nil {
		return fmt.Errorf("raise alert: %w", err)
	}
	var id int64
	var added, due bool
	err = tx.QueryRow(ctx, `
		INSERT INTO alerts (kind, chain_id, evaluation_id, cell_id, key, summary)
		SELECT @kind, @chain, @evaluation, @cell, @key, @summary
		WHERE NOT EXISTS (SELECT FROM alerts o WHERE o.key = @key AND (@once OR o.state = 'closed' AND o.evaluation_id IS NOT DISTINCT FROM @evaluation))
		ON CONFLICT (key) WHERE state <> 'closed' DO UPDATE SET summary = excluded.summary, cell_id = excluded.cell_id,
			times = alerts.times + (alerts.evaluation_id IS DISTINCT FROM excluded.evaluation_id)::int,
			last_at = CASE WHEN alerts.evaluation_id IS DISTINCT FROM excluded.evaluation_id THEN now() ELSE alerts.last_at END,
			evaluation_id = excluded.evaluation_id
		RETURNING id, xmax = 0, coalesce(state = 'open' AND snoozed_until <= now(), false)`, pgx.NamedArgs{
		"kind": n.Summary.Kind, "chain": n.Chain, "evaluation": orNull(n.Summary.Evaluation), "cell": orNull(n.Summary.Cell), "key": n.Key,
		"summary": summary, "once": n.Once,
	}).Scan(&id, &added, &due)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("raise alert: %w", err)
	}
	if !added && !due {
		return nil
	}
	return s.announceAlert(ctx, tx, id)
}

// announceAlert tells of an alert: in the product whoever settles such things here or started it, and every channel.
func (s *Store) announceAlert(ctx context.Context, tx pgx.Tx, id int64) error {
	_, err := tx.Exec(ctx, `UPDATE alerts SET snoozed_until = NULL WHERE id = $1`, id)
	if err != nil {
		return fmt.Errorf("announce alert %d: %w", id, err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO notices (person_id, kind, object_type, object_id)
		SELECT p.id, $2, 'alert', $1 FROM people p WHERE p.left_at IS NULL AND (p.role = 'admin' OR p.role = 'reviewer' AND p.id IN (
			SELECT c.created_by FROM alerts a JOIN chains c ON c.id = a.chain_id WHERE a.id = $1
			UNION SELECT e.created_by FROM alerts a JOIN evaluations e ON e.id = a.evaluation_id WHERE a.id = $1))`, id, AlertRaised)
	if err != nil {
		return fmt.Errorf("notices of alert %d: %w", id, err)
	}
	return s.queueSendings(ctx, tx, id, 0)
}

// closeByItself closes the alert under a key, if there is one, since what it told of is over.
func closeByItself(ctx context.Context, tx pgx.Tx, key string) error {
	_, err := tx.Exec(ctx, `UPDATE alerts SET state = 'closed', snoozed_until = NULL, settled_by = NULL, settled_at = now() WHERE key = $1 AND state <> 'closed'`, key)
	if err != nil {
		return fmt.Errorf("close alert: %w", err)
	}
	return nil
}
