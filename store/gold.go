package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// A gold item is one whose truth is known, handed out like any other now and then to measure the labeler. Its answer
// is no vote, makes no truth and stands in no review: it is compared with the truth, and that is all. A labeler must
// not be able to tell one: whatever they are shown of it is what an ordinary item shows.

// pickGold returns a gold item's task that the labeler never had and never decided about, or 0. It goes round the
// ring of gold items from a random point, so that it passes over nothing but what they have had already.
func pickGold(ctx context.Context, tx pgx.Tx, c claimant) (task int64, err error) {
	err = tx.QueryRow(ctx, `
		WITH start AS MATERIALIZED (SELECT random() AS at)
		SELECT coalesce(
			(SELECT g.task_id FROM gold_items g WHERE g.project_id = $1 AND g.place >= (SELECT at FROM start) AND `+goldFor+` ORDER BY g.place LIMIT 1),
			(SELECT g.task_id FROM gold_items g WHERE g.project_id = $1 AND g.place < (SELECT at FROM start) AND `+goldFor+` ORDER BY g.place LIMIT 1), 0)`,
		c.Project, c.Person).Scan(&task)
	if err != nil {
		return 0, fmt.Errorf("gold: %w", err)
	}
	return task, nil
}

// goldFor is the condition that gold item g can be handed to person $2.
const goldFor = `NOT EXISTS (SELECT FROM assignments a WHERE a.task_id = g.task_id AND a.person_id = $2)
	AND NOT EXISTS (SELECT FROM reviews r WHERE r.task_id = g.task_id AND r.reviewer_id = $2)
	AND EXISTS (SELECT FROM tasks t JOIN items i ON i.id = t.item_id WHERE t.id = g.task_id AND t.state = 'adjudicated' AND i.state = 'ready')`

// GoldSettings are how a project uses its gold items. Share is the share of gold items among those that a labeler
// gets, at most GoldShareMost; 0 hands out none. A labeler whose mean score of the last Least of them lies under
// Limit is brought before a reviewer; a Limit of 0 brings nobody.
type GoldSettings struct {
	Share, Limit float64
	Least        int
}

// GoldShareMost is the largest share of gold items: more would be no labeling.
const GoldShareMost = 0.3

func (g GoldSettings) check() error {
	switch {
	case !(g.Share >= 0 && g.Share <= GoldShareMost):
		return invalid("gold_share", "Choose a share between 0 and 30 %.")
	case !(g.Limit >= 0 && g.Limit <= 1):
		return invalid("gold_limit", "Choose a limit between 0 and 1.")
	case g.Least < 3 || g.Least > 200:
		return invalid("gold_least", "Choose between 3 and 200 gold items.")
	}
	return nil
}

// GoldSettings returns how a project uses its gold items, for those who may know of them.
func (s *Store) GoldSettings(ctx context.Context, actor Actor, project int64) (g GoldSettings, err error) {
	if err := actor.may(access.ReadQuality); err != nil {
		return g, err
	}
	err = s.pool.QueryRow(ctx, `SELECT p.gold_share, p.gold_limit, p.gold_least FROM projects p WHERE p.id = @project AND `+sees,
		actor.args(pgx.NamedArgs{"project": project})).Scan(&g.Share, &g.Limit, &g.Least)
	if err != nil {
		return g, fmt.Errorf("gold settings of project %d: %w", project, notFound(err))
	}
	return g, nil
}

// SetGold changes how a project uses its gold items.
func (s *Store) SetGold(ctx context.Context, actor Actor, project int64, g GoldSettings) error {
	if err := g.check(); err != nil {
		return err
	}
	return s.changeProject(ctx, actor, project, "project.gold", func(tx pgx.Tx, _ Project) error {
		_, err := tx.Exec(ctx, `UPDATE projects SET gold_share = $2, gold_limit = $3, gold_least = $4, version = version + 1 WHERE id = $1`,
			project, g.Share, g.Limit, g.Least)
		return err
	})
}

// GoldItem is an item that is mixed in. Answered counts the labelers who answered it, Score is their mean.
type GoldItem struct {
	Item     int64
	Name     string
	AddedAt  time.Time
	Ready    bool // it can be handed out: decided, and its picture is there
	Boxes    int  // of its truth
	Answered int
	Score    *float64
}

// GoldItems returns the gold items of a project after one of them, by id, at most limit.
func (s *Store) GoldItems(ctx context.Context, actor Actor, project, after int64, limit int) ([]GoldItem, error) {
	if err := actor.may(access.ReadQuality); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT g.item_id AS item, `+itemName+` AS name, g.added_at, t.state = 'adjudicated' AND i.state = 'ready' AS ready,
			(SELECT count(*) FROM truths u JOIN truth_boxes b ON b.truth_id = u.id WHERE u.item_id = g.item_id AND u.current) AS boxes,
			r.answered, r.score
		FROM gold_items g JOIN projects p ON p.id = g.project_id JOIN tasks t ON t.id = g.task_id JOIN items i ON i.id = g.item_id
		LEFT JOIN item_texts x ON x.item_id = g.item_id
		CROSS JOIN LATERAL (SELECT count(*) AS answered, avg(score) AS score FROM gold_results WHERE item_id = g.item_id) r
		WHERE g.project_id = @project AND g.item_id > @after AND `+sees+` ORDER BY g.item_id LIMIT @limit`,
		actor.args(pgx.NamedArgs{"project": project, "after": after, "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("gold items: %w", err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowToStructByName[GoldItem])
	if err != nil {
		return nil, fmt.Errorf("gold items: %w", err)
	}
	return items, nil
}

// CountGold returns how many gold items a project has, and how many of them can be handed out.
func (s *Store) CountGold(ctx context.Context, actor Actor, project int64) (all, ready int, err error) {
	if err := actor.may(access.ReadQuality); err != nil {
		return 0, 0, err
	}
	err = s.pool.QueryRow(ctx, `
		SELECT count(*), count(*) FILTER (WHERE t.state = 'adjudicated' AND i.state = 'ready')
		FROM gold_items g JOIN projects p ON p.id = g.project_id JOIN tasks t ON t.id = g.task_id JOIN items i ON i.id = g.item_id
		WHERE g.project_id = @project AND `+sees, actor.args(pgx.NamedArgs{"project": project})).Scan(&all, &ready)
	if err != nil {
		return 0, 0, fmt.Errorf("count gold items: %w", err)
	}
	return all, ready, nil
}

// IsGold reports whether an item is a gold one.
func (s *Store) IsGold(ctx context.Context, actor Actor, item int64) (gold bool, err error) {
	if err := actor.may(access.ReadQuality); err != nil {
		return false, err
	}
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM gold_items g JOIN projects p ON p.id = g.project_id WHERE g.item_id = @item AND `+sees+`)`,
		actor.args(pgx.NamedArgs{"item": item})).Scan(&gold)
	if err != nil {
		return false, fmt.Errorf("gold item %d: %w", item, err)
	}
	return gold, nil
}

// AddGold makes a decided item a gold one and returns its project; it does nothing if it is one.
func (s *Store) AddGold(ctx context.Context, actor Actor, item int64) (slug string, err error) {
	if err := actor.may(access.ManageQuality); err != nil {
		return "", err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		project, name, err := goldProject(ctx, tx, actor, item)
		if err != nil {
			return err
		}
		slug = name
		_, err = addGoldItems(ctx, tx, actor, project, []int64{item})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("add gold item %d: %w", item, err)
	}
	return slug, nil
}

// AddGoldItems makes decided items of a project gold, all of them or none, and returns how many were none before.
func (s *Store) AddGoldItems(ctx context.Context, actor Actor, project int64, items []int64) (added int, err error) {
	if err := actor.may(access.ManageQuality); err != nil {
		return 0, err
	}
	if len(items) == 0 || len(items) > goldMost {
		return 0, invalid("items", fmt.Sprintf("Name between 1 and %d items.", goldMost))
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, project); err != nil {
			return err
		}
		added, err = addGoldItems(ctx, tx, actor, project, items)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("add gold items to project %d: %w", project, err)
	}
	return added, nil
}

// addGoldItems is addGold that refuses the whole if any item cannot be a gold one.
func addGoldItems(ctx context.Context, tx pgx.Tx, actor Actor, project int64, items []int64) (added int, err error) {
	if added, err = addGold(ctx, tx, actor, project, items); err != nil {
		return 0, err
	}
	var unfit *int64
	err = tx.QueryRow(ctx, `
		SELECT min(item) FROM unnest($1::bigint[]) item WHERE NOT EXISTS (SELECT FROM gold_items g WHERE g.item_id = item AND g.project_id = $2)`,
		items, project).Scan(&unfit)
	if err == nil && unfit != nil {
		err = invalid("items", fmt.Sprintf("Item %d cannot be a gold item: only one of the project that is decided, and stands as decided, can.", *unfit))
	}
	return added, err
}

// goldProject returns the project of an item that the actor sees.
func goldProject(ctx context.Context, tx pgx.Tx, actor Actor, item int64) (project int64, slug string, err error) {
	err = tx.QueryRow(ctx, `SELECT p.id, p.slug FROM items i JOIN projects p ON p.id = i.project_id WHERE i.id = @item AND p.archived_at IS NULL AND `+sees,
		actor.args(pgx.NamedArgs{"item": item})).Scan(&project, &slug)
	return project, slug, notFound(err)
}

// addGold makes those of a project's items gold that have a truth which stands, and returns how many were none
// before. What came with its truth and was never in the queue gets its task, decided.
func addGold(ctx context.Context, tx pgx.Tx, actor Actor, project int64, items []int64) (added int, err error) {
	_, err = tx.Exec(ctx, `
		INSERT INTO tasks (project_id, item_id, overlap, state)
		SELECT p.id, i.id, p.overlap, 'adjudicated' FROM items i JOIN projects p ON p.id = i.project_id
		WHERE i.id = ANY($1) AND p.id = $2 AND i.state <> 'redacted' AND EXISTS (SELECT FROM truths u WHERE u.item_id = i.id AND u.current) ORDER BY i.id
		ON CONFLICT (item_id) DO NOTHING`, items, project)
	if err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, `
		INSERT INTO gold_items (item_id, task_id, project_id, added_by, token_id)
		SELECT t.item_id, t.id, t.project_id, $3, $4 FROM tasks t
		WHERE t.item_id = ANY($1) AND t.project_id = $2 AND t.state = 'adjudicated' AND EXISTS (SELECT FROM truths u WHERE u.item_id = t.item_id AND u.current)
		ON CONFLICT DO NOTHING RETURNING item_id`, items, project, orNull(actor.PersonID), orNull(actor.TokenID))
	if err != nil {
		return 0, err
	}
	made, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, err
	}
	for _, item := range made {
		if err := audit(ctx, tx, actor, auditEvent{Action: "gold.add", ObjectType: "item", ObjectID: item, ProjectID: project}); err != nil {
			return 0, err
		}
	}
	return len(made), nil
}

// goldMost bounds how many gold items are made at once.
const goldMost = 500

// AddGoldFromTruth makes up to n decided items of a project gold, chosen at random among those that show something
// and are none yet, and returns how many that were.
func (s *Store) AddGoldFromTruth(ctx context.Context, actor Actor, project int64, n int) (added int, err error) {
	if err := actor.may(access.ManageQuality); err != nil {
		return 0, err
	}
	if n < 1 || n > goldMost {
		return 0, invalid("n", fmt.Sprintf("Choose between 1 and %d items.", goldMost))
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, project); err != nil {
			return err
		}
		// Drawn from a sample that is large enough, however many there are.
		rows, err := tx.Query(ctx, `
			SELECT item_id FROM (
				SELECT i.id AS item_id FROM items i JOIN truths u ON u.item_id = i.id AND u.current LEFT JOIN tasks t ON t.item_id = i.id
				WHERE i.project_id = $1 AND i.state = 'ready' AND coalesce(t.state, 'adjudicated') = 'adjudicated'
				  AND (EXISTS (SELECT FROM truth_boxes b WHERE b.truth_id = u.id)
				       OR EXISTS (SELECT FROM transcripts w WHERE w.item_id = i.id AND w.kind = 'truth' AND w.of_id = u.id)) AND NOT EXISTS (SELECT FROM gold_items g WHERE g.item_id = i.id)
				LIMIT 20000) decided
			ORDER BY random() LIMIT $2`, project, n)
		if err != nil {
			return err
		}
		items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		added, err = addGold(ctx, tx, actor, project, items)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("gold items from truth of project %d: %w", project, err)
	}
	return added, nil
}

// RemoveGold makes a gold item an ordinary one again and returns its project. What it measured stays.
func (s *Store) RemoveGold(ctx context.Context, actor Actor, item int64) (slug string, err error) {
	if err := actor.may(access.ManageQuality); err != nil {
		return "", err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		project, name, err := goldProject(ctx, tx, actor, item)
		if err != nil {
			return err
		}
		slug = name
		var was int64
		err = tx.QueryRow(ctx, `DELETE FROM gold_items WHERE item_id = $1 RETURNING item_id`, item).Scan(&was)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "gold.remove", ObjectType: "item", ObjectID: item, ProjectID: project})
	})
	if err != nil {
		return "", fmt.Errorf("remove gold item %d: %w", item, err)
	}
	return slug, nil
}
