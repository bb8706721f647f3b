package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Thread is what is said about one item, as the actor may see it. Whoever reads the project's items sees all of it,
// and so does a labeler to whom the item was handed out; while it is undecided no labeler in it bears a name. A
// labeler who has it as a gold item sees what they said themselves, and what was said to them: anything more would
// tell them that it is one.
type Thread struct {
	Item        int64
	Task        int64 // 0 for an item that was never in the queue
	Project     int64
	Slug        string
	Kind        string // of the project
	ProjectName string
	Name        string // the item's file name, or its external key
	Resolved    bool
	Settles     bool // the actor may say that it is settled, or open again
	Comments    []Comment
	People      []ThreadPerson // everybody who stands in it or may see it, the actor too
	Boxes       []ThreadBox    // what the actor can comment on, beside the whole and any place
}

// Comment is one entry of a thread, the oldest first.
type Comment struct {
	ID       int64
	PersonID int64
	Kind     string // said, resolved or reopened
	// What it is about: a box (BoxAnnotation or BoxTruth, and Position), a place (X, Y), or the whole. Of another
	// labeler's box a labeler learns no more than that, while the item is undecided.
	BoxAnnotation int64
	BoxTruth      int64
	BoxPerson     int64 // whose answer it is
	Foreign       bool  // the box is of an answer that the actor may not know
	Position      *int
	ClassName     string
	X, Y          *float64
	At            time.Time
	EditedAt      *time.Time
	DeletedAt     *time.Time
	Texts         []string // every version, the present one last; none of a deleted one
	Mine          bool
	Editable      bool
}

// ThreadPerson is somebody of a thread. Letter is their place among the labelers of the item while their name is
// hidden, and -1 otherwise: the answers of the review page have the same order.
type ThreadPerson struct {
	ID     int64
	Name   string // "" while it is hidden
	Letter int
	Sees   bool // they may see the thread, so that they can be mentioned
	Apart  bool // of it they see only what they said, and what was said to them
}

// ThreadBox is a box that a comment can be about. Person is whose answer it is of, 0 for the truth.
type ThreadBox struct {
	Annotation, Truth int64
	Position          int
	ClassName         string
	Person            int64
}

// commentLimit bounds a comment's text, in characters.
const commentLimit = 4000

// threadLimit bounds how many entries and boxes a thread shows.
const threadLimit = 500

// discussed is an item and how a person stands to its discussion.
type discussed struct {
	Item, Task, Project int64
	Slug, Kind          string
	ProjectName, Name   string
	Decided             bool
	Resolved            bool
	Handed, Gold        bool // to the actor
	Reads               bool
}

// apart reports whether the actor has the item as a gold one alone, and must not see what others said of it.
func (d discussed) apart() bool { return !d.Reads && !d.Handed }

// discussedItem returns the item if the actor may see its discussion, or ErrNotFound.
func discussedItem(ctx context.Context, q querier, actor Actor, item int64) (discussed, error) {
	if err := actor.may(access.Discuss); err != nil {
		return discussed{}, err
	}
	rows, err := q.Query(ctx, `
		SELECT i.id AS item, coalesce(t.id, 0) AS task, p.id AS project, p.slug, p.kind, p.name AS project_name, `+itemName+` AS name,
			coalesce(t.state IN ('adjudicated', 'discarded'), true) AS decided, d.resolved_at IS NOT NULL AS resolved, @reads::boolean AS reads,
			EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.person_id = @person AND a.reason <> 'gold' AND a.state <> 'cancelled') AS handed,
			EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.person_id = @person AND a.reason = 'gold') AS gold
		FROM items i JOIN projects p ON p.id = i.project_id LEFT JOIN tasks t ON t.item_id = i.id
		LEFT JOIN item_texts x ON x.item_id = i.id LEFT JOIN discussions d ON d.item_id = i.id
		WHERE i.id = @item AND p.archived_at IS NULL AND `+sees,
		actor.args(pgx.NamedArgs{"item": item, "reads": actor.Allowed(access.ReadItems)}))
	if err != nil {
		return discussed{}, err
	}
	d, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[discussed])
	if err != nil {
		return discussed{}, notFound(err)
	}
	if !d.Reads && !d.Handed && !d.Gold {
		return discussed{}, ErrNotFound
	}
	if d.apart() {
		d.Decided, d.Resolved = false, false
	}
	return d, nil
}

// Thread returns the discussion of an item, or ErrNotFound unless the actor may see it.
func (s *Store) Thread(ctx context.Context, actor Actor, item int64) (Thread, error) {
	d, err := discussedItem(ctx, s.pool, actor, item)
	if err != nil {
		return Thread{}, fmt.Errorf("discussion of item %d: %w", item, err)
	}
	t := Thread{
		Item: d.Item, Task: d.Task, Project: d.Project, Slug: d.Slug, Kind: d.Kind, ProjectName: d.ProjectName, Name: d.Name, Resolved: d.Resolved,
		Settles: actor.Allowed(access.Review) && actor.PersonID != 0,
	}
	for _, part := range []func() error{
		func() (err error) { t.People, err = threadPeople(ctx, s.pool, actor, d); return err },
		func() (err error) { t.Comments, err = s.comments(ctx, actor, d); return err },
		func() (err error) { t.Boxes, err = s.threadBoxes(ctx, actor, d); return err },
	} {
		if err := part(); err != nil {
			return Thread{}, fmt.Errorf("discussion of item %d: %w", item, err)
		}
	}
	return t, nil
}

func (s *Store) comments(ctx context.Context, actor Actor, d discussed) ([]Comment, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT c.id, c.person_id, c.kind, coalesce(c.annotation_id, 0) AS box_annotation, coalesce(c.truth_id, 0) AS box_truth,
			coalesce(an.person_id, 0) AS box_person, false AS "foreign", c.position, coalesce(l.name, '') AS class_name, c.x, c.y, c.at, c.edited_at, c.deleted_at,
			ARRAY(SELECT body FROM comment_texts WHERE item_id = c.item_id AND comment_id = c.id ORDER BY version) AS texts,
			c.person_id IS NOT DISTINCT FROM @person AS mine, (`+editable+`) IS TRUE AS editable
		FROM comments c LEFT JOIN annotations an ON an.id = c.annotation_id
		LEFT JOIN annotation_boxes ab ON ab.annotation_id = c.annotation_id AND ab.position = c.position
		LEFT JOIN truth_boxes tb ON tb.truth_id = c.truth_id AND tb.position = c.position
		LEFT JOIN classes l ON l.id = coalesce(ab.class_id, tb.class_id)
		WHERE c.item_id = @item AND (NOT @apart OR c.person_id = @person AND c.kind = 'said'
			OR EXISTS (SELECT FROM comment_mentions cm WHERE cm.comment_id = c.id AND cm.person_id = @person))
		ORDER BY c.id LIMIT @limit`, pgx.NamedArgs{"item": d.Item, "person": orNull(actor.PersonID), "apart": d.apart(), "limit": threadLimit})
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Comment])
	if err != nil {
		return nil, err
	}
	for i := range list {
		c := &list[i]
		foreign := c.BoxTruth != 0 || c.BoxPerson != 0 && c.BoxPerson != actor.PersonID
		if foreign && !d.Reads && !d.Decided {
			c.BoxAnnotation, c.BoxTruth, c.BoxPerson, c.Position, c.ClassName, c.Foreign = 0, 0, 0, nil, "", true
		}
	}
	return list, nil
}

// editable is the condition that person @person may still change the text of comment c.
const editable = `c.person_id = @person AND c.kind = 'said' AND c.deleted_at IS NULL AND c.at > now() - interval '15 minutes'`

// threadBoxes are the boxes that the actor can comment on: whoever reads items, those of every answer that counts and
// of the truth; a labeler, those of their own newest answer, and the truth's once it is there for them.
func (s *Store) threadBoxes(ctx context.Context, actor Actor, d discussed) ([]ThreadBox, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT annotation, truth, position, class_name, person FROM (`+commentable+`) b
		ORDER BY annotation, position LIMIT @limit`, commentableArgs(actor, d, pgx.NamedArgs{"limit": threadLimit}))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[ThreadBox])
}

// commentable selects the boxes that a person can comment on.
const commentable = `
	SELECT an.id AS annotation, 0::bigint AS truth, b.position, c.name AS class_name, an.person_id AS person
	FROM annotations an JOIN annotation_boxes b ON b.annotation_id = an.id JOIN classes c ON c.id = b.class_id
	WHERE an.task_id = @task AND (@reads AND ` + counts + `
		OR an.person_id = @person AND an.id = (SELECT max(o.id) FROM annotations o WHERE o.task_id = @task AND o.person_id = @person AND o.recalled_at IS NULL))
	UNION ALL
	SELECT 0, t.id, b.position, c.name, 0
	FROM truths t JOIN truth_boxes b ON b.truth_id = t.id JOIN classes c ON c.id = b.class_id
	WHERE t.item_id = @item AND t.current AND (@reads OR @decided)`

func commentableArgs(actor Actor, d discussed, own pgx.NamedArgs) pgx.NamedArgs {
	args := pgx.NamedArgs{"item": d.Item, "task": d.Task, "person": orNull(actor.PersonID), "reads": d.Reads, "decided": d.Decided}
	for name, value := range own {
		args[name] = value
	}
	return args
}

// threadRow is a person of a thread as the database knows them.
type threadRow struct {
	ID     int64
	Name   string
	Sees   bool
	Apart  bool
	Handed *int64 // their first assignment of the item
	Answer *int64 // their answer that counts
}

// threadPeople returns everybody who stands in a thread or may see it.
func threadPeople(ctx context.Context, q querier, actor Actor, d discussed) ([]ThreadPerson, error) {
	rows, err := q.Query(ctx, `
		WITH handed AS (
			SELECT person_id, min(id) AS first, bool_or(state <> 'cancelled') AS open, bool_and(reason = 'gold') AS apart
			FROM assignments WHERE task_id = @task GROUP BY person_id
		), standing AS (
			SELECT person_id FROM handed
			UNION SELECT m.person_id FROM members m WHERE m.project_id = @project
			UNION SELECT id FROM people WHERE role = 'admin'
			UNION SELECT person_id FROM comments WHERE item_id = @item
		)
		SELECT p.id, coalesce(n.name, p.pseudonym) AS name, h.first AS handed,
			(SELECT max(an.id) FROM annotations an WHERE an.task_id = @task AND an.person_id = p.id AND `+counts+`) AS answer,
			p.left_at IS NULL AND (p.role = 'admin' OR EXISTS (SELECT FROM members m WHERE m.project_id = @project AND m.person_id = p.id)
				AND (p.role = ANY(@readers) OR h.open IS TRUE AND p.role = ANY(@labelers))) AS sees,
			h.apart IS TRUE AND NOT p.role = ANY(@readers) AS apart
		FROM standing JOIN people p ON p.id = standing.person_id LEFT JOIN person_identities n ON n.person_id = p.id
		LEFT JOIN handed h ON h.person_id = p.id ORDER BY lower(coalesce(n.name, p.pseudonym)), p.id`,
		pgx.NamedArgs{
			"item": d.Item, "task": d.Task, "project": d.Project,
			"readers": rolesThat(access.ReadItems), "labelers": rolesThat(access.Label),
		})
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	known, err := pgx.CollectRows(rows, pgx.RowToStructByName[threadRow])
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	return d.named(known, actor.PersonID), nil
}

// rolesThat are the roles that may do action.
func rolesThat(action access.Action) (roles []string) {
	for _, role := range access.Roles() {
		if access.Allows(role, action) {
			roles = append(roles, string(role))
		}
	}
	return roles
}

// named gives the people of a thread the names that the actor may know.
func (d discussed) named(known []threadRow, actor int64) []ThreadPerson {
	var labelers []threadRow
	for _, p := range known {
		if p.Handed != nil {
			labelers = append(labelers, p)
		}
	}
	// The review page's letters first: those who answered, by their answers. Then in the order of handing out.
	slices.SortFunc(labelers, func(a, b threadRow) int {
		switch {
		case a.Answer != nil && b.Answer != nil:
			return int(*a.Answer - *b.Answer)
		case a.Answer != nil:
			return -1
		case b.Answer != nil:
			return 1
		}
		return int(*a.Handed - *b.Handed)
	})
	people := make([]ThreadPerson, 0, len(known))
	for _, p := range known {
		labeler := p.Handed != nil
		switch {
		case labeler && d.apart() && p.ID != actor:
		case labeler && !d.Decided:
			letter := slices.IndexFunc(labelers, func(l threadRow) bool { return l.ID == p.ID })
			people = append(people, ThreadPerson{ID: p.ID, Letter: letter, Sees: p.Sees, Apart: p.Apart})
		default:
			people = append(people, ThreadPerson{ID: p.ID, Name: p.Name, Letter: -1, Sees: p.Sees, Apart: p.Apart})
		}
	}
	return people
}

// OpenThread is a discussion that nobody settled yet.
type OpenThread struct {
	Item     int64
	Name     string
	LastAt   time.Time
	Comments int
}

// OpenThreads returns the discussions of a project that are open, the latest first, for those who read its items.
func (s *Store) OpenThreads(ctx context.Context, actor Actor, project int64, limit int) ([]OpenThread, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT d.item_id AS item, `+itemName+` AS name, d.last_at,
			(SELECT count(*) FROM comments c WHERE c.item_id = d.item_id AND c.kind = 'said' AND c.deleted_at IS NULL) AS comments
		FROM discussions d JOIN projects p ON p.id = d.project_id LEFT JOIN item_texts x ON x.item_id = d.item_id
		WHERE d.project_id = @project AND d.resolved_at IS NULL AND `+sees+` ORDER BY d.last_at DESC, d.item_id DESC LIMIT @limit`,
		actor.args(pgx.NamedArgs{"project": project, "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("open discussions: %w", err)
	}
	threads, err := pgx.CollectRows(rows, pgx.RowToStructByName[OpenThread])
	if err != nil {
		return nil, fmt.Errorf("open discussions: %w", err)
	}
	return threads, nil
}

// trimmedComment refuses a text that cannot be a comment.
func trimmedComment(body string) (string, error) {
	body = strings.TrimSpace(body)
	switch {
	case body == "":
		return "", invalid("body", "Write what you want to say.")
	case len([]rune(body)) > commentLimit:
		return "", invalid("body", fmt.Sprintf("Keep a comment under %d characters.", commentLimit))
	}
	return body, nil
}
