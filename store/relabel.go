package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
)

// Labels under one version of a class's definition are stale once a newer one is published. A relabel sends them
// back: each answer that has some is superseded, and its labeler goes through it again in a pass of their own
// (reason relabel), beginning with what they had, the boxes in question marked. The pass holds the place that the
// answer had, so the queue sees what it sees of a rework. A truth that stood stays current until the next decision; a
// task that was decided is open again while its labelers are at it, then in review. Where the truth alone is older
// (it was imported, or a reviewer drew it), the item goes to review, and whoever confirms it there confirms it under
// the definitions of now. What was frozen refers to truths that never change.

// LabelCount is how many labels of a class were made under one version of its definition: in answers that count, and
// in the truth.
type LabelCount struct {
	Class   int64
	Version int // 0: before any definition
	Answers int
	Truth   int
}

// LabelCounts returns how many labels the classes of a project have under each version, by class, the newest version
// first. It reads sums that are kept, not the labels.
func (s *Store) LabelCounts(ctx context.Context, actor Actor, project int64) ([]LabelCount, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT n.class_id AS class, n.definition_version AS version,
			coalesce(sum(n.change) FILTER (WHERE n.counted = 'answers'), 0)::bigint AS answers,
			coalesce(sum(n.change) FILTER (WHERE n.counted = 'truth'), 0)::bigint AS truth
		FROM projects p JOIN classes c ON c.project_id = p.id JOIN label_counts n ON n.class_id = c.id
		WHERE p.id = @project AND `+sees+`
		GROUP BY n.class_id, n.definition_version HAVING sum(abs(n.change)) > 0 ORDER BY n.class_id, n.definition_version DESC`,
		actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("label counts: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[LabelCount])
	if err != nil {
		return nil, fmt.Errorf("label counts: %w", err)
	}
	return slices.DeleteFunc(list, func(c LabelCount) bool { return c.Answers == 0 && c.Truth == 0 }), nil
}

// SendBack says which labels a definition's publication, or a look at the stale ones, sends back.
type SendBack struct {
	All    bool    // every label that was made under an older version
	Others []int64 // without All: only what was confused with one of these classes
	Note   string  // what has changed, for whoever labels again
}

func (b *SendBack) none() bool { return !b.All && len(b.Others) == 0 }

func (b *SendBack) check() error {
	b.Note = strings.TrimSpace(b.Note)
	if len([]rune(b.Note)) > noteLimit {
		return invalid("note", fmt.Sprintf("Keep the note under %d characters.", noteLimit))
	}
	if b.All {
		b.Others = nil
	}
	return nil
}

// Relabel is one sending back of labels.
type Relabel struct {
	ID         int64
	Project    int64
	Class      int64 // 0: of the rules for transcripts
	ClassName  string
	Version    int     // of the definition, or of the rules that the labels are to be made under
	Others     []int64 // empty: every label
	Note       string
	State      string // queued, sending or done
	Items      int    // that were found
	DoneItems  int
	Answers    int // sent back to their labelers
	Reviews    int // items whose truth alone was older, sent to review
	Answered   int // of Answers, given again by now
	By         string
	CreatedAt  time.Time
	FinishedAt *time.Time
}

// relabelOf is what a relabel r is called by: its class c, or, where it is of none, the rules for transcripts.
const relabelOf = `coalesce(c.name, 'Transcription rules')`

const relabelColumns = `r.id, r.project_id AS project, coalesce(r.class_id, 0) AS class, ` + relabelOf + ` AS class_name, r.version, r.others, r.note, r.state, r.items,
	r.done_items, r.answers, r.reviews,
	(SELECT count(*) FROM relabel_answers x JOIN assignments a ON a.id = x.assignment_id AND a.state = 'submitted' WHERE x.relabel_id = r.id)::int AS answered,
	coalesce(d.name, q.pseudonym, '') AS by, r.created_at, r.finished_at`

const relabelTables = `relabels r LEFT JOIN classes c ON c.id = r.class_id JOIN projects p ON p.id = r.project_id
	LEFT JOIN people q ON q.id = r.created_by LEFT JOIN person_identities d ON d.person_id = r.created_by`

// Relabels returns the last of a project, the newest first, of one class or, for 0, of all.
func (s *Store) Relabels(ctx context.Context, actor Actor, project, class int64, limit int) ([]Relabel, error) {
	return s.relabels(ctx, actor, `r.project_id = @project AND (@class::bigint = 0 OR r.class_id = @class) AND `+sees+` ORDER BY r.id DESC LIMIT @limit`,
		pgx.NamedArgs{"project": project, "class": class, "limit": limit})
}

// RelabelByID returns one, or ErrNotFound if there is none that the actor sees.
func (s *Store) RelabelByID(ctx context.Context, actor Actor, id int64) (Relabel, error) {
	list, err := s.relabels(ctx, actor, `r.id = @id AND `+sees, pgx.NamedArgs{"id": id})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("relabel %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Relabel{}, err
	}
	return list[0], nil
}

func (s *Store) relabels(ctx context.Context, actor Actor, where string, args pgx.NamedArgs) ([]Relabel, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+relabelColumns+` FROM `+relabelTables+` WHERE `+where, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("relabels: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Relabel])
	if err != nil {
		return nil, fmt.Errorf("relabels: %w", err)
	}
	return list, nil
}

// ItemRelabel is why the labels of an item are made again.
type ItemRelabel struct {
	Class     int64 // 0: the rules for transcripts
	ClassName string
	Version   int
	Note      string
	Review    bool // its truth alone was older: it went to review
	At        time.Time
}

// ItemRelabels returns what an undecided item was sent back for, the newest first.
func (s *Store) ItemRelabels(ctx context.Context, actor Actor, item int64) ([]ItemRelabel, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT coalesce(r.class_id, 0) AS class, `+relabelOf+` AS class_name, r.version, r.note, x.state = 'review' AS review, r.created_at AS at
		FROM relabel_items x JOIN relabels r ON r.id = x.relabel_id LEFT JOIN classes c ON c.id = r.class_id JOIN projects p ON p.id = r.project_id
		JOIN tasks t ON t.item_id = x.item_id AND t.state IN ('open', 'in_review')
		WHERE x.item_id = @item AND x.state IN ('sent', 'review') AND `+sees+`
		  AND NOT EXISTS (SELECT FROM reviews v WHERE v.task_id = t.id AND v.decided_at > r.created_at AND v.decision <> 'undone')
		ORDER BY r.id DESC`, actor.args(pgx.NamedArgs{"item": item}))
	if err != nil {
		return nil, fmt.Errorf("relabels of item %d: %w", item, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[ItemRelabel])
	if err != nil {
		return nil, fmt.Errorf("relabels of item %d: %w", item, err)
	}
	return list, nil
}

// Relabel sends labels of a class back that were made under older versions than its newest, and returns its id. A job
// does the work.
func (s *Store) Relabel(ctx context.Context, actor Actor, class int64, back SendBack) (id int64, err error) {
	if err := back.check(); err != nil {
		return 0, err
	}
	if back.none() {
		return 0, invalid("scope", "Say whether all older labels go back, or which class they were confused with.")
	}
	err = s.changeClass(ctx, actor, class, "definition.relabel", func(tx pgx.Tx, c Class) error {
		if c.Version == nil {
			return invalid("class", "Nothing is published for this class yet, so no label is older.")
		}
		id, err = s.addRelabel(ctx, tx, actor, c, *c.Version, back)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("relabel class %d: %w", class, err)
	}
	return id, nil
}

// addRelabel notes that labels are to be sent back, and has a job do it. A class without an id stands for the rules for transcripts.
func (s *Store) addRelabel(ctx context.Context, tx pgx.Tx, actor Actor, c Class, version int, back SendBack) (id int64, err error) {
	if !back.All {
		var known int
		err := tx.QueryRow(ctx, `SELECT count(*) FROM classes WHERE project_id = $1 AND id = ANY($2) AND id <> $3`, c.ProjectID, back.Others, c.ID).Scan(&known)
		if err != nil {
			return 0, err
		}
		if known != len(back.Others) {
			return 0, invalid("others", "One of the classes is none of this project's, or is the class itself.")
		}
	}
	if back.Others == nil {
		back.Others = []int64{}
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO relabels (project_id, class_id, version, others, note, created_by, token_id) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
		c.ProjectID, orNull(c.ID), version, back.Others, back.Note, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add relabel: %w", err)
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.SendBack{RelabelID: id}, nil); err != nil {
		return 0, fmt.Errorf("enqueue relabel %d: %w", id, err)
	}
	return id, nil
}

// PublishAndSendBack is PublishDefinition that sends labels of the older versions back; for a back that names none
// it is just that, and the relabel is 0.
func (s *Store) PublishAndSendBack(ctx context.Context, actor Actor, class int64, editVersion int, back SendBack) (version int, relabel int64, err error) {
	if err := back.check(); err != nil {
		return 0, 0, err
	}
	err = s.changeClass(ctx, actor, class, "definition.publish", func(tx pgx.Tx, c Class) error {
		if version, err = publishDraft(ctx, tx, c, editVersion); err != nil || back.none() {
			return err
		}
		relabel, err = s.addRelabel(ctx, tx, actor, c, version, back)
		return err
	})
	return version, relabel, err
}

// SendBackPreview is what a sending back would find: of a class whose newest definition, or next one, the labels are
// to be made under.
type SendBackPreview struct {
	Labels  int // boxes of answers
	Answers int // to labelers
	Truths  int // boxes of the truth; those of items that get no answer back go to review
	Items   int
}

// PreviewSendBack counts what would be sent back by a publication of the class's draft (next), or under what is
// published. It reads the labels in question, by index.
func (s *Store) PreviewSendBack(ctx context.Context, actor Actor, class int64, back SendBack, next bool) (p SendBackPreview, err error) {
	if err := actor.may(access.ReadItems); err != nil {
		return p, err
	}
	c, err := s.Class(ctx, actor, class)
	if err != nil {
		return p, err
	}
	r := relabel{Project: c.ProjectID, Class: class, Others: back.Others, Published: endOfTime}
	switch {
	case next && c.Version != nil:
		r.Version = *c.Version + 1
	case next:
		r.Version = 1
	case c.Version == nil:
		return p, nil
	default:
		r.Version = *c.Version
		err = s.pool.QueryRow(ctx, `SELECT published_at FROM definitions WHERE class_id = $1 AND version = $2`, class, r.Version).Scan(&r.Published)
		if err != nil {
			return p, fmt.Errorf("preview of class %d: %w", class, err)
		}
	}
	if back.All {
		r.Others = nil
	}
	err = s.pool.QueryRow(ctx, `
		WITH boxes AS MATERIALIZED (`+r.boxes()+`), truths AS MATERIALIZED (`+r.truths()+`)
		SELECT (SELECT count(*) FROM boxes), (SELECT count(DISTINCT annotation) FROM boxes), (SELECT count(*) FROM truths),
			(SELECT count(*) FROM (SELECT item FROM boxes UNION SELECT item FROM truths) found)`, r.args(nil)).Scan(&p.Labels, &p.Answers, &p.Truths, &p.Items)
	if err != nil {
		return p, fmt.Errorf("preview of class %d: %w", class, err)
	}
	return p, nil
}
