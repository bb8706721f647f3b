package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// BatchChoice says which items of a project a batch is made of: those that are named by id or key, or, where none is
// named, those that the rest selects; what is empty or 0 does not restrict. Items without a picture, discarded ones
// and those in another unfinished batch are never among them.
type BatchChoice struct {
	Items []int64
	Keys  []string // external keys, each as a whole

	Class    int64 // the truth, a prediction or a prefill has a box of this class
	Source   int64
	Group    string    // by name
	Folder   string    // the key begins so
	State    ItemStand // how far its labeling is
	From, To time.Time // captured at; To is not included
	Lasting  bool      // without a date on which they go
	// Size is how many at most, 0 for all. With a Seed they are drawn at random, the same for the same seed, else
	// the first that came in.
	Size int
	Seed int64
}

// ItemStand is how far the labeling of an item is.
type ItemStand string

// What a batch can be made of.
const (
	NeverLabeled ItemStand = "never_labeled" // no answer, no truth
	InReview     ItemStand = "in_review"
	HasTruth     ItemStand = "has_truth"
)

// ItemStands lists them in the order in which forms show them.
func ItemStands() []ItemStand { return []ItemStand{NeverLabeled, InReview, HasTruth} }

// BatchMost is how many items fit into one batch.
const BatchMost = 2000

// matchesMost is up to how many matching items are counted.
const matchesMost = 10_000

func (c BatchChoice) named() bool { return len(c.Items)+len(c.Keys) > 0 }

func (c BatchChoice) check() error {
	switch {
	case c.State != "" && c.State != NeverLabeled && c.State != InReview && c.State != HasTruth:
		return invalid("state", "Choose never labeled, in review or has truth.")
	case c.Size < 0 || c.Size > BatchMost || len(c.Items) > BatchMost || len(c.Keys) > BatchMost:
		return invalid("size", fmt.Sprintf("At most %d items fit into one batch.", BatchMost))
	case !c.From.IsZero() && !c.To.IsZero() && !c.From.Before(c.To):
		return invalid("to", "The second day must come after the first.")
	}
	return nil
}

// query is the SQL after SELECT … that selects items i, and its arguments. Its text depends on which conditions there
// are, never on their values.
func (c BatchChoice) query(p Project, secret []byte, groups []int64) (string, pgx.NamedArgs) {
	args := pgx.NamedArgs{
		"project": p.ID, "class": c.Class, "source": c.Source, "groups": groups, "folder": c.Folder, "folder_end": c.Folder + "\U0010FFFF",
		"from": c.From, "to": c.To, "seed": c.Seed, "items": c.Items,
	}
	from := `items i LEFT JOIN tasks t ON t.item_id = i.id LEFT JOIN batches b ON b.id = t.batch_id`
	where := []string{`i.project_id = @project`, `i.state = 'ready'`, `t.state IS DISTINCT FROM 'discarded'`, `(b.id IS NULL OR ` + finishedBatch + `)`}
	add := func(asked bool, condition string) {
		if asked {
			where = append(where, condition)
		}
	}
	const truth = `EXISTS (SELECT FROM truths u WHERE u.item_id = i.id AND u.current)`
	if c.named() {
		hashes := make([][]byte, 0, len(c.Keys))
		for _, key := range c.Keys {
			hashes = append(hashes, keyHash(secret, strings.TrimSpace(key)))
		}
		args["hashes"] = hashes
		add(true, `(i.id = ANY(@items) OR i.key_hash = ANY(@hashes))`)
		return from + ` WHERE ` + strings.Join(where, " AND "), args
	}
	if c.Folder != "" {
		from += ` JOIN item_texts x ON x.item_id = i.id`
		add(true, `x.project_id = @project AND x.external_key COLLATE "C" >= @folder AND x.external_key COLLATE "C" < @folder_end`)
	}
	add(c.Source != 0, `i.source_id = @source`)
	add(c.Group != "", `i.group_id = ANY(@groups)`)
	add(!c.From.IsZero(), `i.captured_at >= @from`)
	add(!c.To.IsZero(), `i.captured_at < @to`)
	add(c.Lasting, `i.retain_until IS NULL`)
	// Written without coalesce, of which the planner thinks that hardly any row has it: it would sort a million items for fifty.
	add(c.State == NeverLabeled, `(t.id IS NULL OR t.state = 'open' AND t.votes = 0) AND NOT `+truth)
	add(c.State == InReview, `t.state = 'in_review'`)
	add(c.State == HasTruth, truth)
	add(c.Class != 0, `i.id IN (
		SELECT q.item_id FROM prediction_boxes o JOIN predictions q ON q.id = o.prediction_id WHERE o.class_id = @class
		UNION ALL SELECT u.item_id FROM truth_boxes o JOIN truths u ON u.id = o.truth_id AND u.current WHERE o.class_id = @class)`)
	return from + ` WHERE ` + strings.Join(where, " AND "), args
}

// order is in which order items are taken. The seeded one is Postgres' own hash, so that a draw from a million items
// need not leave the database.
func (c BatchChoice) order() string {
	if c.Seed != 0 {
		return ` ORDER BY hashint8extended(i.id, @seed), i.id`
	}
	return ` ORDER BY i.id`
}

// pick returns the ids that a choice comes to, in the order of the draw, at most BatchMost; it refuses to leave any out
// unasked.
func (s *Store) pick(ctx context.Context, q querier, p Project, c BatchChoice) ([]int64, error) {
	query, args, err := s.choiceQuery(ctx, q, p, c)
	if err != nil {
		return nil, err
	}
	args["limit"] = BatchMost + 1
	if c.Size > 0 {
		args["limit"] = c.Size
	}
	rows, err := q.Query(ctx, `SELECT i.id FROM `+query+c.order()+` LIMIT @limit`, pgx.QueryExecModeCacheDescribe, args)
	if err != nil {
		return nil, fmt.Errorf("choose items: %w", err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	switch {
	case err != nil:
		return nil, fmt.Errorf("choose items: %w", err)
	case len(items) > BatchMost:
		return nil, invalid("size", fmt.Sprintf("More than %d items are like that. Say how many of them the batch is to have.", BatchMost))
	case len(items) == 0:
		return nil, invalid("", "No item is like that and free for a batch: look whether they are in another one.")
	}
	return items, nil
}

func (s *Store) choiceQuery(ctx context.Context, q querier, p Project, c BatchChoice) (string, pgx.NamedArgs, error) {
	if err := c.check(); err != nil {
		return "", nil, err
	}
	var secret []byte
	if err := q.QueryRow(ctx, `SELECT key_secret FROM projects WHERE id = $1`, p.ID).Scan(&secret); err != nil {
		return "", nil, fmt.Errorf("choose items: %w", err)
	}
	var groups []int64
	if c.Group != "" {
		var err error
		if groups, err = s.groupsNamed(ctx, c.Group); err != nil {
			return "", nil, err
		}
	}
	query, args := c.query(p, secret, groups)
	return query, args, nil
}

// BatchPreview is what a choice comes to.
type BatchPreview struct {
	Matching int // items that are like that and free, counted up to 10,000
	More     bool
	Taken    int        // of them, how many the batch would have
	First    []ItemLine // a few of those
	Unknown  []string   // keys that no item of the project has
}

// previewed is how many items a preview shows.
const previewed = 12

// PreviewBatch says what a choice comes to now.
func (s *Store) PreviewBatch(ctx context.Context, actor Actor, project int64, c BatchChoice) (v BatchPreview, err error) {
	if err := actor.may(access.EditBatches); err != nil {
		return v, err
	}
	p, err := projectByID(ctx, s.pool, actor, project)
	if err != nil {
		return v, err
	}
	query, args, err := s.choiceQuery(ctx, s.pool, p, c)
	if err != nil {
		return v, err
	}
	args["limit"] = matchesMost + 1
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM `+query+` LIMIT @limit) matching`, pgx.QueryExecModeCacheDescribe, args).Scan(&v.Matching)
	if err != nil {
		return v, fmt.Errorf("preview: %w", err)
	}
	v.More, v.Matching = v.Matching > matchesMost, min(v.Matching, matchesMost)
	v.Taken = v.Matching
	if c.Size > 0 {
		v.Taken = min(v.Taken, c.Size)
	}
	args["limit"] = min(previewed, max(v.Taken, 1))
	rows, err := s.pool.Query(ctx, `
		SELECT `+itemLineColumns+` FROM (SELECT i.id, row_number() OVER (`+c.order()+`) AS place FROM `+query+c.order()+` LIMIT @limit) page
		JOIN items i ON i.id = page.id LEFT JOIN item_texts x ON x.item_id = i.id LEFT JOIN tasks t ON t.item_id = i.id ORDER BY page.place`,
		pgx.QueryExecModeCacheDescribe, args)
	if err != nil {
		return v, fmt.Errorf("preview: %w", err)
	}
	if v.First, err = pgx.CollectRows(rows, pgx.RowToStructByName[ItemLine]); err != nil {
		return v, fmt.Errorf("preview: %w", err)
	}
	v.Unknown, err = s.unknownKeys(ctx, p, c.Keys)
	return v, err
}

// unknownKeys are those of the keys that no item of the project has.
func (s *Store) unknownKeys(ctx context.Context, p Project, keys []string) (unknown []string, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var secret []byte
	if err := s.pool.QueryRow(ctx, `SELECT key_secret FROM projects WHERE id = $1`, p.ID).Scan(&secret); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	hashes := make([][]byte, len(keys))
	for i, key := range keys {
		hashes[i] = keyHash(secret, strings.TrimSpace(key))
	}
	rows, err := s.pool.Query(ctx, `
		SELECT h.at FROM unnest($2::bytea[]) WITH ORDINALITY h (hash, at)
		WHERE NOT EXISTS (SELECT FROM items i WHERE i.project_id = $1 AND i.key_hash = h.hash) ORDER BY h.at`, p.ID, hashes)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	places, err := pgx.CollectRows(rows, pgx.RowTo[int])
	for _, at := range places {
		unknown = append(unknown, keys[at-1])
	}
	return unknown, err
}
