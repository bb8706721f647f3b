package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/erasure"
)

// CollectErasure lists what an erasure is about and counts what there is of it, in steps. Whatever stopped it, running it again
// does the rest.
func (s *Store) CollectErasure(ctx context.Context, id int64) error {
	for {
		more, err := s.collectSome(ctx, id)
		if err != nil || !more {
			return err
		}
	}
}

// collectSome does one step of a collecting, and says whether there is more.
func (s *Store) collectSome(ctx context.Context, id int64) (more bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		e, to, err := s.lockCollecting(ctx, tx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // done, or withdrawn
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, byIndex); err != nil {
			return err
		}
		items, err := nextOfScope(ctx, tx, e, to)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			_, err := tx.Exec(ctx, `UPDATE erasures SET state = 'previewed' WHERE id = $1`, id)
			return err
		}
		more = true
		if err := e.countItems(ctx, tx, items); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE erasures SET listed_to = $2, items = items + $3, counts = $4, touched = $5 WHERE id = $1`,
			id, items[len(items)-1], len(items), e.Counts, jsonOf(e.Touched))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("collect erasure %d: %w", id, err)
	}
	return more, nil
}

func (s *Store) lockCollecting(ctx context.Context, tx pgx.Tx, id int64) (e Erasure, to int64, err error) {
	if err := tx.QueryRow(ctx, `SELECT listed_to FROM erasures WHERE id = $1 AND state = 'collecting' FOR NO KEY UPDATE`, id).Scan(&to); err != nil {
		return e, 0, err
	}
	e, err = s.erasureByID(ctx, tx, id)
	return e, to, err
}

// nextOfScope returns the next items that an erasure is about, and puts them on its list. Items that were named are on it already.
func nextOfScope(ctx context.Context, tx pgx.Tx, e Erasure, after int64) ([]int64, error) {
	query, of := `SELECT item_id FROM erasure_lists WHERE erasure_id = $1 AND item_id > $2 ORDER BY item_id LIMIT $3`, e.ID
	switch e.Scope {
	case ScopeSource:
		query, of = `SELECT id FROM items WHERE source_id = $1 AND id > $2 ORDER BY id LIMIT $3`, e.SourceID
	case ScopeGroup:
		query, of = `SELECT id FROM items WHERE group_id = $1 AND id > $2 ORDER BY id LIMIT $3`, e.GroupID
	}
	rows, err := tx.Query(ctx, query, of, after, collectAtOnce)
	if err != nil {
		return nil, err
	}
	items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(items) == 0 || of == e.ID && e.Scope != ScopeSource && e.Scope != ScopeGroup {
		return items, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO erasure_lists (erasure_id, item_id) SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING`, e.ID, items)
	return items, err
}

// countItems adds what items have to what the erasure has found so far.
func (e *Erasure) countItems(ctx context.Context, tx pgx.Tx, items []int64) error {
	d := doomed{Items: items}
	if err := d.find(ctx, tx, false); err != nil {
		return err
	}
	counts, err := d.countPlaces(ctx, tx)
	if err != nil {
		return err
	}
	for kind, n := range counts {
		e.Counts[kind] += n
	}
	touched, err := d.touched(ctx, tx)
	if err != nil {
		return err
	}
	e.Touched.add(touched)
	return e.countSounds(ctx, tx, items)
}

// unmatchedLimit is how many lines that name nothing are told.
const unmatchedLimit = 200

// listNamed puts the items that a request names on its list, and notes the lines that name none. A key may name an item in each of
// several projects: all of them are meant.
func listNamed(ctx context.Context, tx pgx.Tx, id int64, r ErasureRequest) error {
	lines := map[int64][]int{} // by item
	if err := namedByID(ctx, tx, r.Items, lines); err != nil {
		return err
	}
	if err := namedByKey(ctx, tx, r, lines); err != nil {
		return err
	}
	matched := map[int]bool{}
	items := make([]int64, 0, len(lines))
	for item, of := range lines {
		items = append(items, item)
		for _, line := range of {
			matched[line] = true
		}
	}
	if len(items) == 0 {
		return invalid("items", "None of these names an item. Check the project, and whether the list holds external keys or ids (#17).")
	}
	if _, err := tx.Exec(ctx, `INSERT INTO erasure_lists (erasure_id, item_id) SELECT $1, unnest($2::bigint[])`, id, items); err != nil {
		return fmt.Errorf("list items: %w", err)
	}
	unmatched := []int{}
	for _, n := range r.Items {
		if !matched[n.Line] && len(unmatched) < unmatchedLimit {
			unmatched = append(unmatched, n.Line)
		}
	}
	slices.Sort(unmatched)
	_, err := tx.Exec(ctx, `UPDATE erasures SET unmatched = $2 WHERE id = $1`, id, unmatched)
	return err
}

func namedByID(ctx context.Context, tx pgx.Tx, named []erasure.Named, lines map[int64][]int) error {
	var ids []int64
	var of []int
	for _, n := range named {
		if n.ID != 0 {
			ids, of = append(ids, n.ID), append(of, n.Line)
		}
	}
	// An item whose time ran out is named by those who noted its id, and what is meant then is the redaction that is left of it.
	rows, err := tx.Query(ctx, `
		SELECT i.id, u.line FROM unnest($1::bigint[], $2::int[]) AS u (id, line) JOIN items i ON i.id = u.id
		UNION SELECT i.id, u.line FROM unnest($1::bigint[], $2::int[]) AS u (id, line) JOIN erasure_items e ON e.item_id = u.id
		JOIN items i ON i.project_id = e.project_id AND i.key_hash = e.key_hash AND i.state = 'redacted'`, ids, of)
	if err != nil {
		return err
	}
	return noteLines(rows, lines)
}

func noteLines(rows pgx.Rows, lines map[int64][]int) error {
	var item int64
	var line int
	_, err := pgx.ForEachRow(rows, []any{&item, &line}, func() error {
		lines[item] = append(lines[item], line)
		return nil
	})
	if err != nil {
		return fmt.Errorf("named items: %w", err)
	}
	return nil
}

func namedByKey(ctx context.Context, tx pgx.Tx, r ErasureRequest, lines map[int64][]int) error {
	keyed := slices.DeleteFunc(slices.Clone(r.Items), func(n erasure.Named) bool { return n.ID != 0 })
	if len(keyed) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `SELECT id, key_secret FROM projects WHERE $1 = '' OR slug = $1`, r.Project)
	if err != nil {
		return err
	}
	type keyOwner struct {
		ID        int64
		KeySecret []byte
	}
	projects, err := pgx.CollectRows(rows, pgx.RowToStructByName[keyOwner])
	if err != nil {
		return err
	}
	if len(projects) == 0 {
		return invalid("project", "There is no project of that name.")
	}
	of := make([]int, len(keyed))
	for i, n := range keyed {
		of[i] = n.Line
	}
	for _, project := range projects {
		hashes := make([][]byte, len(keyed))
		for i, n := range keyed {
			hashes[i] = keyHash(project.KeySecret, n.Key)
		}
		found, err := tx.Query(ctx, `
			SELECT i.id, u.line FROM unnest($2::bytea[], $3::int[]) AS u (hash, line) JOIN items i ON i.project_id = $1 AND i.key_hash = u.hash`,
			project.ID, hashes, of)
		if err != nil {
			return err
		}
		if err := noteLines(found, lines); err != nil {
			return err
		}
	}
	return nil
}

// LiveLease is somebody who has an item of an erasure in hand at this moment.
type LiveLease struct {
	Task    int64
	Item    int64
	Project string
	Person  string
}

// LeasesOf returns who is at work on what an erasure would take, at most limit.
func (s *Store) LeasesOf(ctx context.Context, actor Actor, id int64, limit int) ([]LiveLease, error) {
	if err := actor.may(access.Erase); err != nil {
		return nil, err
	}
	// It goes from the leases, which are as many as people, to the list.
	rows, err := s.pool.Query(ctx, `
		SELECT t.id AS task, t.item_id AS item, p.name AS project, coalesce(n.name, q.pseudonym) AS person
		FROM (SELECT * FROM assignments WHERE state = 'leased' OFFSET 0) a JOIN tasks t ON t.id = a.task_id JOIN projects p ON p.id = a.project_id
		JOIN people q ON q.id = a.person_id LEFT JOIN person_identities n ON n.person_id = q.id
		WHERE EXISTS (SELECT FROM erasure_lists l WHERE l.erasure_id = $1 AND l.item_id = t.item_id)
		ORDER BY lower(coalesce(n.name, q.pseudonym)), t.id LIMIT $2`, id, limit)
	if err != nil {
		return nil, fmt.Errorf("leases of erasure %d: %w", id, err)
	}
	leases, err := pgx.CollectRows(rows, pgx.RowToStructByName[LiveLease])
	if err != nil {
		return nil, fmt.Errorf("leases of erasure %d: %w", id, err)
	}
	return leases, nil
}
