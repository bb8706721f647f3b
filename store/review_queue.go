package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// ReviewQueue is what waits for a reviewer in one project.
type ReviewQueue struct {
	Slug, Name string
	Waiting    int
	Oldest     *time.Time // since when the first of them waits; nil if none does
	Reworked   int        // came back after a rejection
	Disputed   int        // a labeler contests a mark
	Undecided  int        // a labeler could not decide
}

// ReviewQueues returns every project that the actor sees, by name, with what waits in it.
func (s *Store) ReviewQueues(ctx context.Context, actor Actor) ([]ReviewQueue, error) {
	if err := actor.may(access.Review); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT p.slug, p.name, w.waiting, w.oldest,
			(SELECT count(DISTINCT a.task_id) FROM assignments a JOIN tasks t ON t.id = a.task_id AND t.state = 'in_review'
			 WHERE a.project_id = p.id AND a.reason = 'rework' AND a.state = 'submitted') AS reworked,
			(SELECT count(DISTINCT an.task_id) FROM review_marks m JOIN annotations an ON an.id = m.annotation_id
			 JOIN tasks t ON t.id = an.task_id AND t.state = 'in_review'
			 WHERE m.disputed_at IS NOT NULL AND t.project_id = p.id) AS disputed,
			(SELECT count(DISTINCT a.task_id) FROM assignments a JOIN tasks t ON t.id = a.task_id AND t.state = 'in_review'
			 WHERE a.project_id = p.id AND a.state = 'skipped' AND a.reason <> 'gold' AND a.skip_reason IN ('cannot_decide', 'broken_image', 'broken_sound')) AS undecided
		FROM projects p CROSS JOIN LATERAL (
			SELECT count(*) AS waiting, min(t.changed_at) AS oldest FROM tasks t WHERE t.project_id = p.id AND t.state = 'in_review') w
		WHERE p.archived_at IS NULL AND `+sees+` ORDER BY lower(p.name), p.id`, actor.args(nil))
	if err != nil {
		return nil, fmt.Errorf("review queues: %w", err)
	}
	queues, err := pgx.CollectRows(rows, pgx.RowToStructByName[ReviewQueue])
	if err != nil {
		return nil, fmt.Errorf("review queues: %w", err)
	}
	return queues, nil
}

// WaitingItem is an item that waits for review, and what it is about.
type WaitingItem struct {
	Item      int64
	Name      string
	Project   string
	Since     time.Time
	Answers   int
	Boxes     int
	Classes   []string
	Reworked  bool
	Disputed  bool
	Undecided bool
	Agreement *float64 // of its answers, between 0 and 1; nil where there is nothing to compare
	Worst     string   // the worst finding of internal/agreement, or ""
	Kind      string   // of the project
	Seconds   float64  // of sound
	WER       *float64 `db:"wer"` // word error rate between its answers; nil for an image
}

// WaitingForReview returns the first items that wait, over all projects that the actor sees, in the
// order in which they are handed out. An empty slug means every project.
func (s *Store) WaitingForReview(ctx context.Context, actor Actor, slug string, limit int) ([]WaitingItem, error) {
	if err := actor.may(access.Review); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT t.item_id AS item, `+itemName+` AS name, t.slug AS project, t.changed_at AS since,
			(SELECT count(*) FROM annotations an WHERE an.task_id = t.id AND `+counts+`) AS answers,
			(SELECT count(*) FROM annotations an JOIN annotation_boxes b ON b.annotation_id = an.id WHERE an.task_id = t.id AND `+counts+`) AS boxes,
			ARRAY(SELECT DISTINCT c.name FROM annotations an JOIN annotation_boxes b ON b.annotation_id = an.id JOIN classes c ON c.id = b.class_id
			      WHERE an.task_id = t.id AND `+counts+` ORDER BY c.name) AS classes,
			EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.reason = 'rework' AND a.state = 'submitted') AS reworked,
			EXISTS (SELECT FROM review_marks m JOIN annotations an ON an.id = m.annotation_id WHERE an.task_id = t.id AND m.disputed_at IS NOT NULL) AS disputed,
			EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.state = 'skipped' AND a.reason <> 'gold' AND a.skip_reason IN ('cannot_decide', 'broken_image', 'broken_sound')) AS undecided,
			g.score AS agreement, coalesce(g.worst, '') AS worst, t.kind, coalesce(i.ends - i.begins, 0) AS seconds, g.wer
		FROM (
			SELECT t.*, p.slug, p.kind FROM projects p CROSS JOIN LATERAL (
				SELECT t.id, t.item_id, t.priority, t.agreement, t.changed_at FROM tasks t WHERE t.project_id = p.id AND t.state = 'in_review'
				ORDER BY `+reviewOrder+` LIMIT @limit) t
			WHERE p.archived_at IS NULL AND (@slug = '' OR p.slug = @slug) AND `+sees+`
			ORDER BY `+reviewOrder+` LIMIT @limit) t
		JOIN items i ON i.id = t.item_id LEFT JOIN item_texts x ON x.item_id = t.item_id LEFT JOIN item_agreements g ON g.item_id = t.item_id
		ORDER BY `+reviewOrder, actor.args(pgx.NamedArgs{"slug": slug, "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("waiting for review: %w", err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowToStructByName[WaitingItem])
	if err != nil {
		return nil, fmt.Errorf("waiting for review: %w", err)
	}
	return items, nil
}

// reviewOrder is the order in which tasks t are handed out for review: the most urgent, of those the one whose
// answers agree least (tasks.agreement), of those the one that has waited longest.
const reviewOrder = `t.priority DESC, t.agreement, t.changed_at, t.id`

// itemName is what people know an item by; x is its row of item_texts. Of sound that is its key: its file is the recording's, in which
// there are many.
const itemName = `CASE WHEN (SELECT o.recording_id FROM items o WHERE o.id = x.item_id) IS NULL THEN coalesce(nullif(x.file_name, ''), x.external_key, '') ELSE x.external_key END`

// counts is the condition that answer an was neither superseded nor taken back.
const counts = `an.superseded_at IS NULL AND an.recalled_at IS NULL`

// NextReview hands the reviewer the first item that waits in a project (in any, for an empty slug), other than
// after, which they have before them. What another reviewer was handed within the last minutes is passed over
// while there is anything else. It returns ErrQueueEmpty when nothing waits.
func (s *Store) NextReview(ctx context.Context, actor Actor, slug string, after int64) (item int64, err error) {
	if err := actor.may(access.Review); err != nil {
		return 0, err
	}
	// A second look finds what somebody else was handed between ours and its noting.
	for _, passOver := range []bool{true, true, false} {
		item, err = s.nextReview(ctx, actor, slug, after, passOver)
		if !errors.Is(err, pgx.ErrNoRows) {
			break
		}
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrQueueEmpty
	}
	if err != nil {
		return 0, fmt.Errorf("next review: %w", err)
	}
	return item, nil
}

func (s *Store) nextReview(ctx context.Context, actor Actor, slug string, after int64, passOver bool) (item int64, err error) {
	err = s.pool.QueryRow(ctx, `
		WITH next AS (
			SELECT t.id, t.item_id FROM projects p CROSS JOIN LATERAL (
				SELECT t.id, t.item_id, t.priority, t.agreement, t.changed_at FROM tasks t
				WHERE t.project_id = p.id AND t.state = 'in_review' AND t.item_id <> @after
				  AND NOT (@pass_over AND EXISTS (SELECT FROM review_looks l WHERE l.task_id = t.id AND l.person_id <> @person AND `+recent+`))
				ORDER BY `+reviewOrder+` LIMIT 1) t
			WHERE p.archived_at IS NULL AND (@slug = '' OR p.slug = @slug) AND `+sees+`
			ORDER BY `+reviewOrder+` LIMIT 1
		), noted AS (
			INSERT INTO review_looks AS l (task_id, person_id) SELECT id, @person FROM next WHERE @person::bigint IS NOT NULL
			ON CONFLICT (task_id) DO UPDATE SET person_id = excluded.person_id, at = now()
			WHERE l.person_id = excluded.person_id OR NOT (@pass_over AND `+recent+`)
			RETURNING task_id
		)
		SELECT item_id FROM next WHERE @person::bigint IS NULL OR EXISTS (SELECT FROM noted)`,
		actor.args(pgx.NamedArgs{"slug": slug, "after": after, "pass_over": passOver})).Scan(&item)
	return item, err
}

// recent is the condition that look l is so young that its reviewer may still be at it.
const recent = `l.at > now() - interval '5 minutes'`

// ReviewDay is what a reviewer decided since midnight.
type ReviewDay struct {
	Counts    map[DecisionKind]int
	ActiveMS  int64
	Decisions []DayDecision // about single items, the newest first, at most 50
}

// DayDecision is one decision of a reviewer's day.
type DayDecision struct {
	ID       int64
	Item     int64
	Name     string
	Project  string
	Kind     DecisionKind
	At       time.Time
	Undone   bool
	Standing bool // the last about its item that stands: it can be undone
}

// MyReviewDay returns the actor's own decisions of today, by the database's clock.
func (s *Store) MyReviewDay(ctx context.Context, actor Actor) (ReviewDay, error) {
	if err := actor.may(access.Review); err != nil {
		return ReviewDay{}, err
	}
	day := ReviewDay{Counts: map[DecisionKind]int{}}
	rows, err := s.pool.Query(ctx, `
		SELECT decision, count(*), sum(active_ms)::bigint FROM reviews r
		WHERE reviewer_id = $1 AND decided_at >= date_trunc('day', now()) GROUP BY decision`, actor.PersonID)
	if err != nil {
		return ReviewDay{}, fmt.Errorf("review day: %w", err)
	}
	type count struct {
		Kind     DecisionKind
		N        int
		ActiveMS int64
	}
	counts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[count])
	if err != nil {
		return ReviewDay{}, fmt.Errorf("review day: %w", err)
	}
	for _, c := range counts {
		day.Counts[c.Kind] = c.N
		day.ActiveMS += c.ActiveMS
	}
	rows, err = s.pool.Query(ctx, `
		SELECT r.id, r.item_id AS item, `+itemName+` AS name, p.slug AS project, r.decision AS kind, r.decided_at AS at,
			EXISTS (SELECT FROM reviews back WHERE back.undoes = r.id) AS undone,
			r.id = (SELECT max(l.id) FROM reviews l WHERE l.task_id = r.task_id AND l.decision <> 'undone'
				AND NOT EXISTS (SELECT FROM reviews back WHERE back.undoes = l.id)) IS TRUE AS standing
		FROM (SELECT * FROM reviews WHERE reviewer_id = @person AND decided_at >= date_trunc('day', now()) AND decision <> 'undone' AND batch_id IS NULL
		      ORDER BY decided_at DESC, id DESC LIMIT 50) r
		JOIN tasks t ON t.id = r.task_id JOIN projects p ON p.id = t.project_id LEFT JOIN item_texts x ON x.item_id = r.item_id
		WHERE `+sees+` ORDER BY r.decided_at DESC, r.id DESC`, actor.args(nil))
	if err != nil {
		return ReviewDay{}, fmt.Errorf("review day: %w", err)
	}
	if day.Decisions, err = pgx.CollectRows(rows, pgx.RowToStructByName[DayDecision]); err != nil {
		return ReviewDay{}, fmt.Errorf("review day: %w", err)
	}
	return day, nil
}
