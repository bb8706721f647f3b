package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// LegalHold keeps a source, a group or an item from being erased, or from expiring, until it is lifted.
type LegalHold struct {
	ID         int64
	SourceID   int64  // 0 unless it is on a source
	Source     string // its name; of a group the name of its source
	GroupID    int64
	Group      string
	ItemID     int64
	Project    string // of an item
	Reason     string
	PlacedBy   string // a name or a pseudonym; "" if no person did
	PlacedAt   time.Time
	LiftedBy   string
	LiftedAt   *time.Time
	LiftReason string
	Erasures   []int64 // that wait for it
}

// NewHold says what is to be kept, one of the three, and why.
type NewHold struct {
	Source, Group, Item int64
	Reason              string
}

const holdColumns = `h.id, coalesce(h.source_id, 0) AS source_id, coalesce(s.name, gs.name, '') AS source, coalesce(h.group_id, 0) AS group_id, coalesce(g.name, '') AS group,
	coalesce(h.item_id, 0) AS item_id, coalesce(p.name, '') AS project, h.reason, coalesce(bi.name, b.pseudonym, '') AS placed_by, h.placed_at,
	coalesce(li.name, l.pseudonym, '') AS lifted_by, h.lifted_at, h.lift_reason,
	(SELECT coalesce(array_agg(e.id ORDER BY e.id), '{}') FROM erasures e WHERE e.hold_id = h.id AND e.state = 'held') AS erasures`

const holdTables = `legal_holds h LEFT JOIN sources s ON s.id = h.source_id LEFT JOIN groups g ON g.id = h.group_id LEFT JOIN sources gs ON gs.id = g.source_id
	LEFT JOIN items i ON i.id = h.item_id LEFT JOIN projects p ON p.id = i.project_id
	LEFT JOIN people b ON b.id = h.placed_by LEFT JOIN person_identities bi ON bi.person_id = h.placed_by
	LEFT JOIN people l ON l.id = h.lifted_by LEFT JOIN person_identities li ON li.person_id = h.lifted_by`

// itemHeld is the condition that a legal hold keeps item i.
const itemHeld = `EXISTS (SELECT FROM legal_holds h WHERE h.lifted_at IS NULL AND (h.item_id = i.id OR h.group_id = i.group_id OR h.source_id = i.source_id))`

// LegalHolds returns the holds that are in force, or those that were lifted, the newest first, at most limit.
func (s *Store) LegalHolds(ctx context.Context, actor Actor, lifted bool, limit int) ([]LegalHold, error) {
	if err := actor.may(access.Erase); err != nil {
		return nil, err
	}
	return s.holdsWhere(ctx, `(h.lifted_at IS NOT NULL) = $1 ORDER BY h.id DESC LIMIT $2`, lifted, limit)
}

// LegalHold returns one hold, or ErrNotFound.
func (s *Store) LegalHold(ctx context.Context, actor Actor, id int64) (LegalHold, error) {
	if err := actor.may(access.Erase); err != nil {
		return LegalHold{}, err
	}
	holds, err := s.holdsWhere(ctx, `h.id = $1`, id)
	if err == nil && len(holds) == 0 {
		err = fmt.Errorf("hold %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return LegalHold{}, err
	}
	return holds[0], nil
}

func (s *Store) holdsWhere(ctx context.Context, where string, args ...any) ([]LegalHold, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+holdColumns+` FROM `+holdTables+` WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("holds: %w", err)
	}
	holds, err := pgx.CollectRows(rows, pgx.RowToStructByName[LegalHold])
	if err != nil {
		return nil, fmt.Errorf("holds: %w", err)
	}
	return holds, nil
}

// PlaceHold keeps something from being erased. What an erasure has taken in hand before still goes.
func (s *Store) PlaceHold(ctx context.Context, actor Actor, n NewHold) (id int64, err error) {
	if err := actor.may(access.Erase); err != nil {
		return 0, err
	}
	n.Reason = strings.TrimSpace(n.Reason)
	switch {
	case n.Reason == "":
		return 0, invalid("reason", "Say why it must be kept: a case, a complaint, who asked for it.")
	case len([]rune(n.Reason)) > noteLimit:
		return 0, invalid("reason", fmt.Sprintf("Keep the reason under %d characters.", noteLimit))
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// Steps of erasures that took items before have ended with this; those that come find the hold.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, 0)`, holdLock); err != nil {
			return err
		}
		if err := n.check(ctx, tx); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `
			INSERT INTO legal_holds (source_id, group_id, item_id, reason, placed_by, placed_token) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			orNull(n.Source), orNull(n.Group), orNull(n.Item), n.Reason, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
		if violates(err, "legal_holds_source_key") || violates(err, "legal_holds_group_key") || violates(err, "legal_holds_item_key") {
			return invalid("", "There is a hold on it already.")
		}
		if err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "hold.place", ObjectType: "hold", ObjectID: id, Detail: map[string]any{"source": n.Source, "group": n.Group, "item": n.Item},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("place hold: %w", err)
	}
	return id, nil
}

func (n *NewHold) check(ctx context.Context, tx pgx.Tx) error {
	named := 0
	for _, of := range []struct {
		id    int64
		query string
		field string
		words string
	}{
		{n.Source, `SELECT true FROM sources WHERE id = $1`, "source", "There is no such source."},
		{n.Group, `SELECT true FROM groups WHERE id = $1`, "group", "There is no such group (any more)."},
		{n.Item, `SELECT NOT EXISTS (SELECT FROM erasure_lists l WHERE l.item_id = i.id AND l.state <> 'waiting') FROM items i WHERE i.id = $1`, "item", "There is no such item (any more)."},
	} {
		if of.id == 0 {
			continue
		}
		named++
		var keeps bool
		err := tx.QueryRow(ctx, of.query, of.id).Scan(&keeps)
		if errors.Is(err, pgx.ErrNoRows) {
			return invalid(of.field, of.words)
		}
		if err != nil {
			return err
		}
		if !keeps {
			return invalid(of.field, "It is being erased at this moment, and can be kept no more.")
		}
	}
	if named != 1 {
		return invalid("", "Choose a source, a group, or an item.")
	}
	return nil
}

// LiftHold ends a hold. The erasures that waited for it go on by themselves, unless another one stops them.
func (s *Store) LiftHold(ctx context.Context, actor Actor, id int64, reason string) error {
	if err := actor.may(access.Erase); err != nil {
		return err
	}
	reason = strings.TrimSpace(reason)
	if reason == "" || len([]rune(reason)) > noteLimit {
		return invalid("reason", fmt.Sprintf("Say why it is lifted, in at most %d characters.", noteLimit))
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, 0)`, holdLock); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE legal_holds SET lifted_at = now(), lifted_by = $2, lifted_token = $3, lift_reason = $4 WHERE id = $1 AND lifted_at IS NULL`,
			id, orNull(actor.PersonID), orNull(actor.TokenID), reason)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			var there bool
			if err := tx.QueryRow(ctx, `SELECT true FROM legal_holds WHERE id = $1`, id).Scan(&there); err != nil {
				return notFound(err)
			}
			return nil // lifted before
		}
		if err := audit(ctx, tx, actor, auditEvent{Action: "hold.lift", ObjectType: "hold", ObjectID: id}); err != nil {
			return err
		}
		return s.goOn(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("lift hold %d: %w", id, err)
	}
	return nil
}

// goOn queues the held erasures that no hold stops any more, or of which some part is free again.
func (s *Store) goOn(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT id FROM erasures WHERE state = 'held' ORDER BY id FOR NO KEY UPDATE`)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for _, id := range ids {
		e, err := s.erasureByID(ctx, tx, id)
		if err != nil {
			return err
		}
		hold, err := holdOn(ctx, tx, e)
		if err != nil {
			return err
		}
		if hold != 0 && e.Kind == ErasureRequested {
			if _, err := tx.Exec(ctx, `UPDATE erasures SET hold_id = $2 WHERE id = $1`, id, hold); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.Exec(ctx, `UPDATE erasures SET state = 'queued', hold_id = NULL WHERE id = $1`, id); err != nil {
			return err
		}
		if err := s.queueErasure(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}

// holdOn returns the oldest hold that keeps something of what an erasure is still to take, 0 for none.
func holdOn(ctx context.Context, q querier, e Erasure) (hold int64, err error) {
	err = q.QueryRow(ctx, `
		SELECT coalesce(min(h.id), 0) FROM legal_holds h
		WHERE h.lifted_at IS NULL AND CASE
			WHEN h.item_id IS NOT NULL THEN EXISTS (SELECT FROM erasure_lists l WHERE l.erasure_id = $1 AND l.item_id = h.item_id)
			WHEN h.group_id IS NOT NULL THEN h.group_id = $4 OR EXISTS (
				SELECT FROM items i JOIN erasure_lists l ON l.erasure_id = $1 AND l.item_id = i.id WHERE i.group_id = h.group_id)
			WHEN $2 IN ('source', 'group') THEN h.source_id = $3
			ELSE EXISTS (SELECT FROM erasure_lists l JOIN items i ON i.id = l.item_id AND i.source_id = h.source_id WHERE l.erasure_id = $1) END`,
		e.ID, e.Scope, e.SourceID, e.GroupID).Scan(&hold)
	if err != nil {
		return 0, fmt.Errorf("holds on erasure %d: %w", e.ID, err)
	}
	return hold, nil
}

// HeldItem is an item that a hold keeps on the list of an erasure.
type HeldItem struct {
	Item    int64
	Project string
	Hold    int64
}

// HeldItems returns what holds keep on an erasure's list, at most limit.
func (s *Store) HeldItems(ctx context.Context, actor Actor, erasure int64, limit int) ([]HeldItem, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT i.id AS item, p.name AS project, (SELECT min(h.id) FROM legal_holds h
			WHERE h.lifted_at IS NULL AND (h.item_id = i.id OR h.group_id = i.group_id OR h.source_id = i.source_id)) AS hold
		FROM erasure_lists l JOIN items i ON i.id = l.item_id JOIN projects p ON p.id = i.project_id
		WHERE l.erasure_id = $1 AND ($3::bigint = 0 OR p.id = $3) AND `+itemHeld+` ORDER BY i.id LIMIT $2`, erasure, limit, actor.Scope)
	if err != nil {
		return nil, fmt.Errorf("held items of erasure %d: %w", erasure, err)
	}
	held, err := pgx.CollectRows(rows, pgx.RowToStructByName[HeldItem])
	if err != nil {
		return nil, fmt.Errorf("held items of erasure %d: %w", erasure, err)
	}
	return held, nil
}
