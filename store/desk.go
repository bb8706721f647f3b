package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Desk is what waits for a labeler, and what they did lately.
type Desk struct {
	Held     []DeskItem // leased to them, or run out and not decided yet; begun ones first, then the newest
	Returned []DeskItem // came back from review, the oldest first
	Projects []DeskProject
	News     []DeskNews
	Hours    []Hours // the last 14 days
	Work     DeskWork
}

// DeskItem is one item on a labeler's desk.
type DeskItem struct {
	Task       int64
	Item       int64
	Name       string
	Project    string
	State      string // leased, expired or returned
	LeaseUntil *time.Time
	Drafted    *time.Time // when the draft was saved, nil for none
	Reason     string     // the first remark of the review that returned it, or Sharpened
	Note       string
	Remarks    int
	Since      time.Time // when it was handed out, or came back
	Batch      int       // the number of its batch, 0 for none
	Sound      bool      // an utterance, which has no picture
}

// LeftLimit is up to where a DeskProject counts what is left.
const LeftLimit = 1000

// DeskProject is a project that a labeler works in. Left counts what they could claim, up to LeftLimit + 1. Where gold
// items are mixed in it is Rough, in whole tens and never less than there is: one that an item left as it was would
// tell that it was gold. PausedAt is set while they get nothing new there; PausedBy said so, for the PauseReason.
type DeskProject struct {
	ID          int64
	Slug        string
	Name        string
	Paused      bool
	Left        int
	Rough       bool
	PausedAt    *time.Time
	PausedBy    string
	PauseReason string
}

// DeskNews is a definition that was published lately.
type DeskNews struct {
	Class   int64
	Name    string
	Slot    int
	Version int
	Slug    string
	Project string
	At      time.Time
}

// Hours is a person's work of one day (UTC) in one project.
type Hours struct {
	Day       time.Time
	Project   string
	Submitted int
	Skipped   int
	ActiveMS  int64
}

// DeskWork sums a labeler's last 14 days; Today counts what they finished today (UTC).
type DeskWork struct {
	Items    int
	Today    int
	MedianMS float64
	Reworks  int
}

const deskDays = 14

// roughly is what a count is rounded up to that must not tell one item from another.
const roughly = 10

// Desk returns what is on the actor's desk.
func (s *Store) Desk(ctx context.Context, actor Actor) (d Desk, err error) {
	if err := actor.may(access.Label); err != nil {
		return Desk{}, err
	}
	for _, part := range []func() error{
		func() (err error) { d.Held, d.Returned, err = s.deskItems(ctx, actor); return err },
		func() (err error) { d.Projects, err = s.deskProjects(ctx, actor); return err },
		func() (err error) { d.News, err = s.deskNews(ctx, actor); return err },
		func() (err error) { d.Hours, err = s.Hours(ctx, actor, deskDays); return err },
		func() (err error) { d.Work, err = s.deskWork(ctx, actor); return err },
	} {
		if err := part(); err != nil {
			return Desk{}, fmt.Errorf("desk of person %d: %w", actor.PersonID, err)
		}
	}
	return d, nil
}

// deskItems reads what the actor holds and what came back to them.
func (s *Store) deskItems(ctx context.Context, actor Actor) (held, returned []DeskItem, err error) {
	rows, err := s.pool.Query(ctx, `
		SELECT t.id AS task, t.item_id AS item, `+itemName+` AS name, p.name AS project,
			a.state, a.lease_until, d.saved_at AS drafted, coalesce(m.reason, '') AS reason, coalesce(m.note, '') AS note,
			coalesce(m.remarks, 0) AS remarks, a.claimed_at AS since,
			coalesce((SELECT o.number FROM batches o WHERE o.id = `+shownBatch+`), 0) AS batch, i.recording_id IS NOT NULL AS sound
		FROM assignments a JOIN tasks t ON t.id = a.task_id JOIN items i ON i.id = t.item_id JOIN projects p ON p.id = a.project_id
		LEFT JOIN item_texts x ON x.item_id = i.id LEFT JOIN drafts d ON d.assignment_id = a.id
		LEFT JOIN LATERAL (
			(SELECT rm.reason, `+noteOf(markNote, "an.item_id", "rm.id")+` AS note, count(*) OVER () AS remarks
			FROM review_marks rm JOIN annotations an ON an.id = rm.annotation_id AND an.task_id = t.id AND an.person_id = a.person_id
			WHERE a.reason = 'rework' AND rm.review_id = (
				SELECT max(lm.review_id) FROM review_marks lm JOIN annotations la ON la.id = lm.annotation_id
				WHERE la.task_id = t.id AND la.person_id = a.person_id)
			ORDER BY rm.id LIMIT 1)
			UNION ALL
			(SELECT '`+Sharpened+`', `+relabelOf+` || ' v' || r.version || CASE r.note WHEN '' THEN '' ELSE ': ' || r.note END, count(*) OVER ()
			FROM relabel_answers ra JOIN relabels r ON r.id = ra.relabel_id LEFT JOIN classes c ON c.id = r.class_id
			WHERE a.reason = 'relabel' AND ra.assignment_id = a.id
			ORDER BY r.id LIMIT 1)) m ON true
		WHERE a.person_id = $1 AND `+stillMember+` AND a.state IN ('leased', 'expired', 'returned')
		  AND i.state = 'ready' AND `+workable+` AND p.archived_at IS NULL
		ORDER BY a.state = 'leased' DESC, a.state = 'leased' AND d.saved_at IS NULL, CASE a.state WHEN 'returned' THEN -a.id ELSE a.id END DESC LIMIT 50`, actor.PersonID)
	if err != nil {
		return nil, nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[DeskItem])
	if err != nil {
		return nil, nil, err
	}
	for _, item := range all {
		if item.State == "returned" {
			returned = append(returned, item)
		} else {
			held = append(held, item)
		}
	}
	return held, returned, nil
}

// deskProjects counts what is left from the actor's cursor on, and no further than is worth saying.
func (s *Store) deskProjects(ctx context.Context, actor Actor) ([]DeskProject, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT p.id, p.slug, p.name, p.paused, (
			SELECT count(*) FROM (
				SELECT FROM tasks t
				WHERE t.project_id = p.id AND `+freePlace+` AND `+forPerson+`
				  AND (-t.priority, t.id) >= (-coalesce(c.priority, @first_priority), coalesce(c.task_id, @first_task))
				ORDER BY -t.priority, t.id LIMIT @limit + 1) claimable) AS left,
			p.gold_share > 0 AS rough, m.paused_at, coalesce(n.name, b.pseudonym, '') AS paused_by, m.pause_reason
		FROM members m JOIN projects p ON p.id = m.project_id AND p.archived_at IS NULL
		LEFT JOIN queue_cursors c ON c.project_id = p.id AND c.person_id = m.person_id
		LEFT JOIN people b ON b.id = m.paused_by LEFT JOIN person_identities n ON n.person_id = b.id
		WHERE m.person_id = @person ORDER BY lower(p.name), p.id`,
		pgx.NamedArgs{
			"person": actor.PersonID, "limit": LeftLimit, "first_priority": queueStart.Priority, "first_task": queueStart.Task,
		})
	if err != nil {
		return nil, err
	}
	projects, err := pgx.CollectRows(rows, pgx.RowToStructByName[DeskProject])
	if err != nil {
		return nil, err
	}
	for i := range projects {
		p := &projects[i]
		switch {
		case p.PausedAt != nil:
			p.Left = 0
		case p.Rough && p.Left <= LeftLimit:
			p.Left = (p.Left + roughly - 1) / roughly * roughly
		}
	}
	return projects, nil
}

func (s *Store) deskNews(ctx context.Context, actor Actor) ([]DeskNews, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT c.id AS class, c.name, c.slot, d.version, p.slug, p.name AS project, d.published_at AS at
		FROM members m JOIN projects p ON p.id = m.project_id AND p.archived_at IS NULL
		JOIN classes c ON c.project_id = p.id AND c.retired_at IS NULL JOIN definitions d ON d.class_id = c.id
		WHERE m.person_id = $1 AND d.published_at > now() - make_interval(days => $2)
		  AND d.version = (SELECT max(version) FROM definitions WHERE class_id = c.id)
		ORDER BY d.published_at DESC, d.id DESC LIMIT 5`, actor.PersonID, deskDays)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[DeskNews])
}

// Hours returns what the actor did on each of the last days (1 is today alone), the newest day first.
func (s *Store) Hours(ctx context.Context, actor Actor, days int) ([]Hours, error) {
	if err := actor.may(access.Label); err != nil {
		return nil, err
	}
	if days < 1 || days > 366 {
		return nil, invalid("days", "Choose between 1 and 366 days.")
	}
	rows, err := s.pool.Query(ctx, `
		SELECT date_trunc('day', a.finished_at, 'UTC') AS day, p.name AS project,
			count(*) FILTER (WHERE a.state = 'submitted') AS submitted, count(*) FILTER (WHERE a.state = 'skipped') AS skipped,
			sum(a.active_ms)::bigint AS active_ms
		FROM assignments a JOIN projects p ON p.id = a.project_id
		WHERE a.person_id = $1 AND a.state IN ('submitted', 'skipped')
		  AND a.finished_at >= date_trunc('day', now(), 'UTC') - make_interval(days => $2 - 1)
		GROUP BY 1, p.id ORDER BY 1 DESC, lower(p.name), p.id`, actor.PersonID, days)
	if err != nil {
		return nil, fmt.Errorf("hours: %w", err)
	}
	hours, err := pgx.CollectRows(rows, pgx.RowToStructByName[Hours])
	if err != nil {
		return nil, fmt.Errorf("hours: %w", err)
	}
	return hours, nil
}

func (s *Store) deskWork(ctx context.Context, actor Actor) (w DeskWork, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE state = 'submitted'), count(*) FILTER (WHERE finished_at >= date_trunc('day', now(), 'UTC')),
			coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY active_ms) FILTER (WHERE state = 'submitted'), 0),
			count(*) FILTER (WHERE reason = 'rework' AND state = 'submitted')
		FROM assignments
		WHERE person_id = $1 AND state IN ('submitted', 'skipped')
		  AND finished_at >= date_trunc('day', now(), 'UTC') - make_interval(days => $2 - 1)`,
		actor.PersonID, deskDays).Scan(&w.Items, &w.Today, &w.MedianMS, &w.Reworks)
	return w, err
}

// DoneToday is how many items the actor finished today (UTC).
func (s *Store) DoneToday(ctx context.Context, actor Actor) (done int, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT count(*) FROM assignments
		WHERE person_id = $1 AND state IN ('submitted', 'skipped') AND finished_at >= date_trunc('day', now(), 'UTC')`, actor.PersonID).Scan(&done)
	if err != nil {
		return 0, fmt.Errorf("done today: %w", err)
	}
	return done, nil
}
