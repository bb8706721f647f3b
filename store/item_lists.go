package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// ItemFilter selects items of one project; what is empty or 0 does not restrict.
type ItemFilter struct {
	Project   int64
	State     string // of the task (open, in_review, adjudicated, discarded), or of the item (awaiting_media, processing, broken)
	Class     int64  // its truth has a box of this class
	Source    int64
	Group     string // by name
	KeyPrefix string // its external key begins so
	After     int64  // the last item of the page before
	Limit     int
}

// ItemLine is an item in a list.
type ItemLine struct {
	ID          int64
	ExternalKey string
	State       string
	TaskState   string // "" before it came into the queue
	Width       int    // of the upright image; 0 while that is not known
	Height      int
	Thumb       bool // there is a small picture
}

const itemLineColumns = `i.id, coalesce(x.external_key, '') AS external_key, i.state, coalesce(t.state, '') AS task_state,
	coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height,
	EXISTS (SELECT FROM assets s WHERE s.item_id = i.id AND s.kind = 'thumb') AS thumb`

// Items lists items in the order in which they came, or, for a class, in the order in which their
// truth did, or, for a key, by key. Each order is one that an index has, so that a page costs the same
// among a million items as among a hundred.
func (s *Store) Items(ctx context.Context, actor Actor, f ItemFilter) ([]ItemLine, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	sql, args, err := f.query()
	if err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, sql, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowToStructByName[ItemLine])
	if err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	return items, nil
}

// taskStates and itemStates are the states that a list can be asked for.
var (
	taskStates = []string{"open", "in_review", "adjudicated", "discarded"}
	itemStates = []string{"awaiting_media", "processing", "broken"}
)

// query builds the list's SQL. Its text depends on which conditions there are, never on their values.
func (f ItemFilter) query() (string, pgx.NamedArgs, error) {
	where := []string{`i.project_id = @project`, `EXISTS (SELECT FROM projects p WHERE p.id = @project AND ` + sees + `)`}
	switch {
	case f.State == "":
	case slices.Contains(taskStates, f.State):
		where = append(where, `t.project_id = @project`, `t.state = @state`)
	case slices.Contains(itemStates, f.State):
		where = append(where, `i.state = @state`, `i.state <> 'ready'`)
	default:
		return "", nil, invalid("state", "There is no such state of an item.")
	}
	if f.Source != 0 {
		where = append(where, `i.source_id = @source`)
	}
	if f.Group != "" {
		where = append(where, `i.group_id IN (SELECT id FROM groups WHERE name = @group)`)
	}
	from, conditions, order := f.order()
	sql := `SELECT ` + itemLineColumns + ` FROM ` + from + ` LEFT JOIN tasks t ON t.item_id = i.id
		WHERE ` + strings.Join(append(where, conditions...), " AND ") + ` ORDER BY ` + order + ` LIMIT @limit`
	return sql, pgx.NamedArgs{
		"project": f.Project, "state": f.State, "class": f.Class, "source": f.Source, "group": f.Group, "after": f.After, "limit": f.Limit,
		"key": f.KeyPrefix, "key_end": f.KeyPrefix + "\U0010FFFF",
	}, nil
}

// order says what the list is read from, in which order, and where it goes on.
func (f ItemFilter) order() (from string, conditions []string, order string) {
	const texts = ` LEFT JOIN item_texts x ON x.item_id = i.id`
	const ofClass = `b.class_id = @class`
	switch {
	case f.KeyPrefix != "":
		from, order = `item_texts x JOIN items i ON i.id = x.item_id`, `x.external_key COLLATE "C", x.item_id`
		conditions = []string{`x.external_key COLLATE "C" >= @key`, `x.external_key COLLATE "C" < @key_end`}
		if f.Class != 0 {
			conditions = append(conditions, `EXISTS (SELECT FROM truths u JOIN truth_boxes b ON b.truth_id = u.id WHERE u.item_id = i.id AND u.current AND `+ofClass+`)`)
		}
		if f.After != 0 {
			conditions = append(conditions, `(x.external_key COLLATE "C", x.item_id) > (SELECT y.external_key COLLATE "C", y.item_id FROM item_texts y WHERE y.item_id = @after)`)
		}
	case f.Class != 0:
		from = `(SELECT DISTINCT b.truth_id FROM truth_boxes b WHERE ` + ofClass + f.afterTruth() + ` ORDER BY b.truth_id) of_class
			JOIN truths u ON u.id = of_class.truth_id AND u.current JOIN items i ON i.id = u.item_id` + texts
		order = `of_class.truth_id`
	default:
		from, order = `items i`+texts, `i.id`
		if f.After != 0 {
			conditions = []string{`i.id > @after`}
		}
	}
	return from, conditions, order
}

func (f ItemFilter) afterTruth() string {
	if f.After == 0 {
		return ""
	}
	return ` AND b.truth_id > (SELECT id FROM truths WHERE item_id = @after AND current)`
}
