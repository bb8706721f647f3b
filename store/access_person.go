package store

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AccessPart is one file of an archive of what is held: its name, a sentence on it, and its records.
type AccessPart struct {
	Name  string
	About string

	each func(ctx context.Context, q querier, subject int64, yield func(json.RawMessage) error) error
}

// records makes a part of the rows of a query, each as JSON; $1 is the subject's id.
func records(name, about, sql string) AccessPart {
	return AccessPart{name, about, func(ctx context.Context, q querier, subject int64, yield func(json.RawMessage) error) error {
		return eachRecord(ctx, q, yield, `SELECT to_jsonb(r) FROM (`+sql+`) r`, subject)
	}}
}

func eachRecord(ctx context.Context, q querier, yield func(json.RawMessage) error, sql string, args ...any) error {
	rows, err := q.Query(ctx, sql, args...) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return err
	}
	var record json.RawMessage
	_, err = pgx.ForEachRow(rows, []any{&record}, func() error { return yield(record) })
	return err
}

// personParts are what is held on a person. What they wrote themselves is in it; of answers and decisions when they were made and
// how long they took, since what they say is the customers' data.
func personParts() []AccessPart { //nolint:revive // a list, not logic
	return []AccessPart{
		records("identity.json", "who you are here", `
			SELECT p.id, p.pseudonym, i.name, i.email, p.role, p.preferences, p.created_at, p.left_at
			FROM people p LEFT JOIN person_identities i ON i.person_id = p.id WHERE p.id = $1`),
		{"sessions.jsonl", "browsers that are signed in", eachSession},
		records("memberships.jsonl", "your projects", `
			SELECT j.slug AS project, m.added_at, m.paused_at, m.pause_reason FROM members m JOIN projects j ON j.id = m.project_id WHERE m.person_id = $1 ORDER BY 1`),
		records("tokens.jsonl", "API tokens that you made", `
			SELECT id, name, role, project_id, created_at, expires_at, last_used_at, revoked_at FROM api_tokens WHERE created_by = $1 ORDER BY id`),
		records("audit.jsonl", "what you did", `
			SELECT id, at, action, object_type, object_id, project_id, request_id, detail FROM audit_events WHERE person_id = $1 ORDER BY id`),
		records("audit-about.jsonl", "what others did to your account", `
			SELECT id, at, action, detail FROM audit_events WHERE object_type = 'person' AND object_id = $1 ORDER BY id`),
		records("assignments.jsonl", "what you were handed", `
			SELECT id, task_id, project_id, pass, reason, state, lease_until, claimed_at, finished_at, active_ms, skip_reason,
				(SELECT n.body FROM tasks t JOIN item_notes n ON n.item_id = t.item_id AND n.kind = 'skip' AND n.of_id = a.id WHERE t.id = a.task_id) AS skip_note
			FROM assignments a WHERE person_id = $1 ORDER BY id`),
		records("annotations.jsonl", "your answers", `
			SELECT id, assignment_id, task_id, item_id, surplus, prefilled, active_ms, submitted_at, superseded_at, recalled_at, gold,
				(SELECT count(*) FROM annotation_boxes b WHERE b.annotation_id = a.id) AS boxes FROM annotations a WHERE person_id = $1 ORDER BY id`),
		records("drafts.jsonl", "answers that you have not submitted", `
			SELECT d.assignment_id, d.version, d.saved_at FROM drafts d JOIN assignments a ON a.id = d.assignment_id WHERE a.person_id = $1 ORDER BY 1`),
		records("disputes.jsonl", "what you said to marks on your answers", `
			SELECT m.id, m.review_id, m.reason, n.body AS dispute, m.disputed_at FROM review_marks m JOIN annotations a ON a.id = m.annotation_id
			LEFT JOIN item_notes n ON n.item_id = a.item_id AND n.kind = 'dispute' AND n.of_id = m.id
			WHERE a.person_id = $1 AND m.disputed_at IS NOT NULL ORDER BY m.id`),
		records("reviews.jsonl", "your decisions, with your notes", `
			SELECT id, task_id, item_id, decision, active_ms, decided_at,
				(SELECT n.body FROM item_notes n WHERE n.item_id = r.item_id AND n.kind = 'review' AND n.of_id = r.id) AS note
			FROM reviews r WHERE reviewer_id = $1 ORDER BY id`),
		records("marks.jsonl", "marks that you set in reviews", `
			SELECT m.id, m.review_id, m.reason, n.body AS note FROM review_marks m JOIN reviews r ON r.id = m.review_id
			LEFT JOIN item_notes n ON n.item_id = r.item_id AND n.kind = 'mark' AND n.of_id = m.id WHERE r.reviewer_id = $1 ORDER BY m.id`),
		records("comments.jsonl", "your comments, every version of their text", `
			SELECT c.id, c.item_id, c.kind, c.at, c.edited_at, c.deleted_at,
				(SELECT jsonb_agg(t.body ORDER BY t.version) FROM comment_texts t WHERE t.item_id = c.item_id AND t.comment_id = c.id) AS texts
			FROM comments c WHERE c.person_id = $1 ORDER BY c.id`),
		records("notices.jsonl", "what you were told", `SELECT id, kind, object_type, object_id, project_id, created_at, read_at FROM notices WHERE person_id = $1 ORDER BY id`),
		records("figures.jsonl", "figures about your work", `SELECT * FROM labeler_figures WHERE person_id = $1`),
		records("gold.jsonl", "how your answers to gold items were scored", `
			SELECT annotation_id, score, agreed, missed, class, loose, split, answered_at, scored_at FROM gold_results WHERE person_id = $1 ORDER BY 1`),
		records("concerns.jsonl", "when your figures fell below a limit", `
			SELECT id, project_id, score, results, gold_limit, raised_at, settled_at, outcome FROM concerns WHERE person_id = $1 ORDER BY id`),
		records("confusions.jsonl", "where your answers were held against others'", `
			SELECT id, project_id, item_id, class_a, class_b, found_at FROM confusions WHERE $1 = ANY (people_a) OR $1 = ANY (people_b) ORDER BY id`),
		records("transcripts.jsonl", "of which utterances you wrote something down, in answers and in drafts", `
			SELECT t.item_id, t.kind, t.of_id, jsonb_array_length(t.segments) AS segments FROM transcripts t
			JOIN annotations a ON t.kind = 'annotation' AND t.of_id = a.id AND t.item_id = a.item_id WHERE a.person_id = $1
			UNION ALL
			SELECT t.item_id, t.kind, t.of_id, jsonb_array_length(t.segments) FROM transcripts t JOIN assignments a ON t.kind = 'draft' AND t.of_id = a.id
			JOIN tasks k ON k.id = a.task_id AND k.item_id = t.item_id WHERE a.person_id = $1 ORDER BY 1, 2, 3`),
		records("hypothesis-views.jsonl", "what models heard that you were shown, and how far you went from it", `
			SELECT item_id, how, seen_at, annotation_id, review_id, edits, words FROM hypothesis_views WHERE person_id = $1 ORDER BY seen_at`),
		records("wider-contexts.jsonl", "when you asked to hear more, and why", `
			SELECT w.item_id, w.seconds, w.at, (SELECT n.body FROM item_notes n WHERE n.item_id = w.item_id AND n.kind = 'context' AND n.of_id = w.id) AS reason
			FROM wider_contexts w WHERE w.person_id = $1 ORDER BY w.id`),
		records("media-reads.jsonl", "images that you were shown and utterances that you heard", `SELECT at, item_id, kind FROM media_reads WHERE person_id = $1 ORDER BY at`),
		records("requests.jsonl", "requests that were kept for a day so that they are not done twice", `
			SELECT key, status, response, created_at FROM idempotency_keys WHERE actor = 'person:' || $1::bigint ORDER BY created_at`),
		{"elsewhere.jsonl", "every other row of the database that names your number", eachMention},
	}
}

// eachSession yields when the sessions of a person end. What a session holds is known to its own codec alone, so all are read.
func eachSession(ctx context.Context, q querier, person int64, yield func(json.RawMessage) error) error {
	rows, err := q.Query(ctx, `SELECT data, expiry FROM sessions ORDER BY expiry`) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return err
	}
	var data []byte
	var expiry time.Time
	_, err = pgx.ForEachRow(rows, []any{&data, &expiry}, func() error {
		var session struct {
			Deadline time.Time
			Values   map[string]any
		}
		if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&session); err != nil || session.Values["person"] != person {
			return nil //nolint:nilerr // another's, or of no codec that is in use
		}
		record, err := json.Marshal(map[string]any{"ends_at": expiry.UTC(), "at_the_latest": session.Deadline.UTC()})
		if err != nil {
			return err
		}
		return yield(record)
	})
	return err
}

// told are the columns with a person's number whose rows other parts hold.
var told = []string{
	"person_identities.person_id", "members.person_id", "api_tokens.created_by", "assignments.person_id", "annotations.person_id", "reviews.reviewer_id",
	"comments.person_id", "notices.person_id", "labeler_figures.person_id", "gold_results.person_id", "concerns.person_id",
	"hypothesis_views.person_id", "wider_contexts.person_id",
}

// eachMention yields the table, the column and the key of every row that refers to a person and is in no part of its own. It asks the
// schema, so that a table that is new is in it.
func eachMention(ctx context.Context, q querier, person int64, yield func(json.RawMessage) error) error {
	columns, err := collect[personColumn](ctx, q, `
		SELECT c.conrelid::regclass::text AS "table", a.attname AS "column", ARRAY(
				SELECT k.attname::text FROM pg_index x JOIN pg_attribute k ON k.attrelid = x.indrelid AND k.attnum = ANY (x.indkey)
				WHERE x.indrelid = c.conrelid AND x.indisprimary ORDER BY k.attnum) AS "key"
		FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
		WHERE c.contype = 'f' AND c.confrelid = 'people'::regclass AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.conrelid)
		  AND c.conrelid::regclass::text || '.' || a.attname <> ALL ($1)
		ORDER BY 1, 2`, told)
	if err != nil {
		return err
	}
	for _, column := range columns {
		if err := eachRecord(ctx, q, yield, column.query(), person); err != nil {
			return fmt.Errorf("%s.%s: %w", column.Table, column.Column, err)
		}
	}
	return nil
}

// personColumn is a column of the schema that refers to people.
type personColumn struct {
	Table  string // as SQL writes it
	Column string
	Key    []string // the columns of the table's primary key
}

func (c personColumn) query() string {
	key := ""
	for _, column := range c.Key {
		key += ", '" + column + "', t." + pgx.Identifier{column}.Sanitize()
	}
	return `SELECT jsonb_build_object('table', '` + c.Table + `', 'column', '` + c.Column + `'` + key + `) FROM ` + c.Table + ` t WHERE t.` +
		pgx.Identifier{c.Column}.Sanitize() + ` = $1`
}
