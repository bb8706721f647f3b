package store

import (
	"cmp"
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
	State     string // of the task (open, in_review, adjudicated, discarded), or of the item (awaiting_media, processing, broken, redacted)
	Class     int64  // its truth has a box of this class
	Source    int64
	Group     string // by name
	KeyPrefix string // its external key begins so
	After     int64  // the last item of the page before
	Before    int64  // or the first item of the page behind: those nearest to it are listed, in the same order
	Limit     int
}

// onward is the comparison with the item that a page is next to, and the direction in which it is read.
func (f ItemFilter) onward() (beyond, direction string) {
	if f.Before != 0 {
		return `<`, ` DESC`
	}
	return `>`, ``
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
	Sound       bool // it is one of sound
	Seconds     float64
	Text        string // how its truth begins, of sound
}

const itemLineColumns = `i.id, coalesce(x.external_key, '') AS external_key, i.state, coalesce(t.state, '') AS task_state,
	coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height,
	EXISTS (SELECT FROM assets s WHERE s.item_id = i.id AND s.kind = 'thumb') AS thumb,
	i.recording_id IS NOT NULL OR i.state = 'redacted' AS sound, coalesce(i.ends - coalesce(i.begins, 0), 0) AS seconds,
	CASE WHEN i.recording_id IS NULL AND i.state <> 'redacted' THEN '' ELSE coalesce((SELECT left(w.segments->0->>'text', 200) FROM truths u JOIN transcripts w
		ON w.item_id = u.item_id AND w.kind = 'truth' AND w.of_id = u.id WHERE u.item_id = i.id AND u.current), '') END AS text`

// Items lists items in the order in which they came, or, for a class, in the order in which their
// truth did, or, for a key, by key. Each order is one that an index has, so that a page costs the same
// among a million items as among a hundred.
func (s *Store) Items(ctx context.Context, actor Actor, f ItemFilter) ([]ItemLine, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	page, args, err := f.page()
	if err != nil {
		return nil, err
	}
	if known, err := s.classOf(ctx, f.Class, f.Project); err != nil || !known {
		return nil, err
	}
	if f.Group != "" {
		if args["groups"], err = s.groupsNamed(ctx, f.Group); err != nil {
			return nil, err
		}
	}
	// Planned anew each time: which index is best depends on the values.
	rows, err := s.pool.Query(ctx, `
		SELECT `+itemLineColumns+`
		FROM (`+page+`) page JOIN items i ON i.id = page.id LEFT JOIN item_texts x ON x.item_id = i.id LEFT JOIN tasks t ON t.item_id = i.id
		WHERE EXISTS (SELECT FROM projects p WHERE p.id = @project AND `+sees+`)
		ORDER BY page.place, page.id`, pgx.QueryExecModeCacheDescribe, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowToStructByName[ItemLine])
	if err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	return items, nil
}

// classOf tells whether class 0, which is any, or this one is the project's.
func (s *Store) classOf(ctx context.Context, class, project int64) (known bool, err error) {
	if class == 0 {
		return true, nil
	}
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM classes WHERE id = $1 AND project_id = $2)`, class, project).Scan(&known)
	if err != nil {
		return false, fmt.Errorf("class %d: %w", class, err)
	}
	return known, nil
}

// groupsNamed are the groups of this name; each source has its own.
func (s *Store) groupsNamed(ctx context.Context, name string) ([]int64, error) {
	rows, err := s.pool.Query(ctx, `SELECT id FROM groups WHERE name = $1`, name)
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	groups, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	return groups, nil
}

// taskStates and itemStates are the states that a list can be asked for; in fewStates there are few
// items at any time.
var (
	taskStates = []string{"open", "in_review", "adjudicated", "discarded"}
	itemStates = []string{"awaiting_media", "processing", "broken", "redacted"}
	fewStates  = []string{"in_review", "discarded", "awaiting_media", "processing", "broken", "redacted"}
)

// page is the SQL for the ids of one page with their place in the order. Its text depends on which conditions there
// are, never on their values.
func (f ItemFilter) page() (string, pgx.NamedArgs, error) {
	args := pgx.NamedArgs{
		"project": f.Project, "state": f.State, "class": f.Class, "source": f.Source, "from": cmp.Or(f.Before, f.After), "limit": f.Limit,
		"key": f.KeyPrefix, "key_end": f.KeyPrefix + "\U0010FFFF",
	}
	if f.State != "" && !slices.Contains(taskStates, f.State) && !slices.Contains(itemStates, f.State) {
		return "", nil, invalid("state", "There is no such state of an item.")
	}
	from, where, place := f.order()
	where = append(where, f.conditions()...)
	_, direction := f.onward()
	return `SELECT i.id, ` + place + ` AS place FROM ` + from + ` WHERE ` + strings.Join(where, " AND ") +
		` ORDER BY place` + direction + `, i.id` + direction + ` LIMIT @limit`, args, nil
}

// conditions restrict the items i of the project.
func (f ItemFilter) conditions() []string {
	where := []string{`i.project_id = @project`}
	if slices.Contains(taskStates, f.State) {
		where = append(where, `t.project_id = @project`, `t.state = @state`)
	}
	if slices.Contains(itemStates, f.State) {
		where = append(where, `i.state = @state`, `i.state <> 'ready'`)
	}
	if f.Source != 0 {
		where = append(where, `i.source_id = @source`)
	}
	if f.Group != "" {
		where = append(where, `i.group_id = ANY(@groups)`)
	}
	return where
}

// order says what the list is read from, from where it goes on, and what it is sorted by.
func (f ItemFilter) order() (from string, where []string, place string) {
	const ofClass = `b.class_id = @class`
	const hasClass = `EXISTS (SELECT FROM truths u JOIN truth_boxes b ON b.truth_id = u.id WHERE u.item_id = i.id AND u.current AND ` + ofClass + `)`
	beyond, direction := f.onward()
	next := f.Before != 0 || f.After != 0
	task := ""
	if slices.Contains(taskStates, f.State) {
		task = ` JOIN tasks t ON t.item_id = i.id`
	}
	switch {
	case f.KeyPrefix != "":
		from, place = `item_texts x JOIN items i ON i.id = x.item_id`+task, `x.external_key COLLATE "C"`
		where = []string{`x.project_id = @project`, place + ` >= @key`, place + ` < @key_end`}
		if f.Class != 0 {
			where = append(where, hasClass)
		}
		if next {
			where = append(where, `(`+place+`, x.item_id) `+beyond+` (SELECT y.external_key COLLATE "C", y.item_id FROM item_texts y WHERE y.item_id = @from)`)
		}
	case f.Class != 0 && !slices.Contains(fewStates, f.State):
		after := ""
		if next {
			after = ` AND b.truth_id ` + beyond + ` (SELECT id FROM truths WHERE item_id = @from AND current)`
		}
		// One truth after the other, in their order: a join that read all truths first would end with the class's last.
		from = `(SELECT DISTINCT b.truth_id FROM truth_boxes b WHERE ` + ofClass + after + ` ORDER BY b.truth_id` + direction + `) of_class
			CROSS JOIN LATERAL (SELECT item_id FROM truths WHERE id = of_class.truth_id AND current LIMIT 1) u JOIN items i ON i.id = u.item_id` + task
		place = `of_class.truth_id`
	default:
		from, place = `items i`+task, `i.id`
		where = []string{`i.id ` + beyond + ` @from`}
		if task != "" {
			where = append(where, `t.item_id `+beyond+` @from`) // the planner does not conclude it
		}
		if f.Class != 0 {
			where = append(where, hasClass)
		}
	}
	return from, where, place
}
