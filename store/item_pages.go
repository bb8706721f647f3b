package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Item is one item with all that is known of it, for those who read items.
type Item struct {
	ID          int64
	ProjectID   int64
	Slug        string
	ProjectName string
	ExternalKey string
	FileName    string
	Metadata    map[string]string
	State       string
	Fault       string // why it is broken
	Width       int
	Height      int
	Source      string
	SourceDays  *int // the source's retention
	Group       string
	ImportedAt  time.Time
	CapturedAt  *time.Time
	OwnUntil    *time.Time // its own date
	RetainUntil *time.Time // the earlier of that and what the source's retention comes to
	Held        bool       // a legal hold keeps it
	MediaReads  int
	TaskID      int64 // 0 before it came into the queue
	TaskState   string
	Priority    int
	Overlap     int
	Votes       int
	Live        int
	TaskVersion int
	Previous    int64 // its neighbours in the project, 0 for none
	Next        int64

	Assets   []Asset      `db:"-"`
	Truth    []Box        `db:"-"`
	HasTruth bool         `db:"-"`
	Answers  []ItemAnswer `db:"-"`
	History  []ItemEvent  `db:"-"`
	Sound    *ItemSound   `db:"-"` // nil of an image
}

// ItemAnswer is one submitted answer that counts.
type ItemAnswer struct {
	ID          int64
	PersonID    int64
	Name        string
	SubmittedAt time.Time
	Surplus     bool
	Prefilled   bool
	ActiveMS    int64
	Boxes       []Box `db:"-"`
}

// ItemEvent is something that happened to an item. PersonID is 0 where nobody did it by hand.
type ItemEvent struct {
	At       time.Time
	What     string // imported, claimed, submitted, skipped, recalled, approved, amended, rejected, discarded, undone, truth, widened
	PersonID int64
	Name     string
	Note     string
}

const itemColumns = `i.id, i.project_id, p.slug, p.name AS project_name, coalesce(x.external_key, '') AS external_key,
	coalesce(x.file_name, '') AS file_name, coalesce(x.metadata, '{}') AS metadata, i.state, i.fault,
	coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height, s.name AS source, s.retention_days AS source_days,
	coalesce(g.name, '') AS "group", i.imported_at, i.captured_at, i.own_retain_until AS own_until, i.retain_until, ` + itemHeld + ` AS held,
	(SELECT count(*) FROM media_reads r WHERE r.item_id = i.id) AS media_reads,
	coalesce(t.id, 0) AS task_id, coalesce(t.state, '') AS task_state, coalesce(t.priority, 0) AS priority, coalesce(t.overlap, 0) AS overlap,
	coalesce(t.votes, 0) AS votes, coalesce(t.live, 0) AS live, coalesce(t.version, 0) AS task_version,
	coalesce((SELECT max(o.id) FROM items o WHERE o.project_id = i.project_id AND o.id < i.id), 0) AS previous,
	coalesce((SELECT min(o.id) FROM items o WHERE o.project_id = i.project_id AND o.id > i.id), 0) AS next`

// Item returns one item with its pictures, its truth, the answers that count and what happened to it.
func (s *Store) Item(ctx context.Context, actor Actor, id int64) (Item, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return Item{}, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+itemColumns+`
		FROM items i JOIN projects p ON p.id = i.project_id AND p.archived_at IS NULL JOIN sources s ON s.id = i.source_id
		LEFT JOIN item_texts x ON x.item_id = i.id LEFT JOIN groups g ON g.id = i.group_id LEFT JOIN tasks t ON t.item_id = i.id
		WHERE i.id = @item AND `+sees, actor.args(pgx.NamedArgs{"item": id}))
	if err != nil {
		return Item{}, fmt.Errorf("item %d: %w", id, err)
	}
	item, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Item])
	if err != nil {
		return Item{}, fmt.Errorf("item %d: %w", id, s.ErasedItem(ctx, actor, id, notFound(err)))
	}
	for _, part := range []func(context.Context, *Item) error{s.itemAssets, s.itemTruth, s.itemAnswers, s.itemHistory, s.itemSound} {
		if err := part(ctx, &item); err != nil {
			return Item{}, fmt.Errorf("item %d: %w", id, err)
		}
	}
	return item, nil
}

func (s *Store) itemAssets(ctx context.Context, item *Item) error {
	rows, err := s.pool.Query(ctx, `
		SELECT kind, content_type, bytes, sha256, coalesce(width, 0) AS width, coalesce(height, 0) AS height, facts
		FROM assets WHERE item_id = $1 ORDER BY kind`, item.ID)
	if err != nil {
		return fmt.Errorf("assets: %w", err)
	}
	item.Assets, err = pgx.CollectRows(rows, pgx.RowToStructByName[Asset])
	return err
}

func (s *Store) itemTruth(ctx context.Context, item *Item) error {
	rows, err := s.pool.Query(ctx, `SELECT id FROM truths WHERE item_id = $1 AND current`, item.ID)
	if err != nil {
		return fmt.Errorf("truth: %w", err)
	}
	truths, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(truths) == 0 {
		return err
	}
	item.HasTruth = true
	item.Truth, err = boxesOf(ctx, s.pool, "truth_boxes", "truth_id", truths[0])
	return err
}

func (s *Store) itemAnswers(ctx context.Context, item *Item) error {
	rows, err := s.pool.Query(ctx, `
		SELECT n.id, n.person_id, coalesce(d.name, q.pseudonym) AS name, n.submitted_at, n.surplus, n.prefilled, n.active_ms
		FROM annotations n JOIN people q ON q.id = n.person_id LEFT JOIN person_identities d ON d.person_id = q.id
		WHERE n.item_id = $1 AND n.superseded_at IS NULL AND n.recalled_at IS NULL ORDER BY n.id`, item.ID)
	if err != nil {
		return fmt.Errorf("answers: %w", err)
	}
	if item.Answers, err = pgx.CollectRows(rows, pgx.RowToStructByName[ItemAnswer]); err != nil {
		return fmt.Errorf("answers: %w", err)
	}
	for i := range item.Answers {
		answer := &item.Answers[i]
		if answer.Boxes, err = boxesOf(ctx, s.pool, "annotation_boxes", "annotation_id", answer.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) itemHistory(ctx context.Context, item *Item) error {
	rows, err := s.pool.Query(ctx, `
		SELECT e.at, e.what, coalesce(e.person_id, 0) AS person_id, coalesce(d.name, q.pseudonym, '') AS name, e.note
		FROM (
			SELECT imported_at AS at, 'imported' AS what, NULL::bigint AS person_id, '' AS note FROM items WHERE id = $1
			UNION ALL
			SELECT a.claimed_at, 'claimed', a.person_id, '' FROM assignments a WHERE a.task_id = $2
			UNION ALL
			SELECT a.finished_at, 'skipped', a.person_id, a.skip_reason FROM assignments a WHERE a.task_id = $2 AND a.state = 'skipped' AND a.finished_at IS NOT NULL
			UNION ALL
			SELECT n.submitted_at, 'submitted', n.person_id, CASE WHEN n.gold THEN 'gold' WHEN n.surplus THEN 'surplus' ELSE '' END FROM annotations n WHERE n.item_id = $1
			UNION ALL
			SELECT n.recalled_at, 'recalled', n.person_id, '' FROM annotations n WHERE n.item_id = $1 AND n.recalled_at IS NOT NULL
			UNION ALL
			SELECT r.decided_at, r.decision, r.reviewer_id, `+noteOf(reviewNote, "r.item_id", "r.id")+` FROM reviews r WHERE r.item_id = $1
			UNION ALL
			SELECT l.created_at, 'relabel', l.created_by, `+relabelOf+` || ' v' || l.version
			FROM relabel_items x JOIN relabels l ON l.id = x.relabel_id LEFT JOIN classes c ON c.id = l.class_id
			WHERE x.item_id = $1 AND x.state IN ('sent', 'review')
			UNION ALL
			SELECT w.at, 'widened', w.person_id, w.seconds || ' s: ' || `+noteOf(contextNote, "w.item_id", "w.id")+` FROM wider_contexts w WHERE w.item_id = $1
			UNION ALL
			SELECT u.created_at, 'truth', m.person_id, CASE WHEN u.import_id IS NULL THEN '' ELSE 'imported' END
			FROM truths u LEFT JOIN imports m ON m.id = u.import_id WHERE u.item_id = $1
		) e LEFT JOIN people q ON q.id = e.person_id LEFT JOIN person_identities d ON d.person_id = q.id
		ORDER BY e.at DESC, e.what LIMIT 500`, item.ID, item.TaskID)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if item.History, err = pgx.CollectRows(rows, pgx.RowToStructByName[ItemEvent]); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// priorityMost keeps priorities in a range that people can tell apart.
const priorityMost = 1000

// SetPriority moves an item's task forward (up) or back (down) in the queue. version is the task's, as
// it was read: ErrConflict if it was decided on since.
func (s *Store) SetPriority(ctx context.Context, actor Actor, item int64, priority, version int) error {
	if err := actor.may(access.EditProjects); err != nil {
		return err
	}
	if priority < -priorityMost || priority > priorityMost {
		return invalid("priority", fmt.Sprintf("Choose a priority between −%d and %d.", priorityMost, priorityMost))
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var project, task int64
		var now int
		err := tx.QueryRow(ctx, `
			SELECT t.project_id, t.id, t.version FROM tasks t JOIN projects p ON p.id = t.project_id
			WHERE t.item_id = @item AND `+sees+` FOR NO KEY UPDATE OF t`, actor.args(pgx.NamedArgs{"item": item})).Scan(&project, &task, &now)
		if err != nil {
			return fmt.Errorf("priority of item %d: %w", item, notFound(err))
		}
		if now != version {
			return ErrConflict
		}
		if _, err := tx.Exec(ctx, `UPDATE tasks SET priority = $2 WHERE id = $1`, task, priority); err != nil {
			return fmt.Errorf("priority of item %d: %w", item, err)
		}
		err = audit(ctx, tx, actor, auditEvent{
			Action: "task.priority", ObjectType: "item", ObjectID: item, ProjectID: project, Detail: map[string]any{"priority": priority},
		})
		if err != nil {
			return err
		}
		return reopen(ctx, tx, project, task)
	})
}

// SetOwnRetention gives an item a date of its own until which it may be kept, or takes it away with nil. The
// source's retention holds beside it: the earlier date counts.
func (s *Store) SetOwnRetention(ctx context.Context, actor Actor, item int64, until *time.Time) error {
	if err := actor.may(access.ManageSources); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var project int64
		err := tx.QueryRow(ctx, `
			UPDATE items i SET own_retain_until = @until,
				retain_until = item_retain_until(@until, i.captured_at, i.imported_at,
					CASE WHEN i.state <> 'redacted' THEN (SELECT retention_days FROM sources WHERE id = i.source_id FOR SHARE) END)
			FROM projects p WHERE p.id = i.project_id AND i.id = @item AND `+sees+` RETURNING p.id`,
			actor.args(pgx.NamedArgs{"item": item, "until": until})).Scan(&project)
		if err != nil {
			return fmt.Errorf("retention of item %d: %w", item, notFound(err))
		}
		return audit(ctx, tx, actor, auditEvent{Action: "item.retention", ObjectType: "item", ObjectID: item, ProjectID: project})
	})
}
