package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// grave is a project whose items have something in every place of the inventory.
type grave struct {
	*Store

	project Project
	admin   Actor
	labeler Actor
	class   int64
}

func newGrave(tb testing.TB, pool *pgxpool.Pool) *grave {
	tb.Helper()
	st, err := New(pool, storetest.Bucket(tb))
	if err != nil {
		tb.Fatal(err)
	}
	g := &grave{Store: st}
	if g.project, err = st.AddProject(tb.Context(), System(), NewProject{Slug: "strip", Kind: "image", Overlap: 2}); err != nil {
		tb.Fatal(err)
	}
	g.admin = Actor{Role: access.Admin, PersonID: g.one(tb, `INSERT INTO people (role, pseudonym) VALUES ('admin', 'ada') RETURNING id`)}
	g.labeler = Actor{Role: access.Labeler, PersonID: g.one(tb, `INSERT INTO people (role, pseudonym) VALUES ('labeler', 'ines') RETURNING id`)}
	g.exec(tb, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, g.project.ID, g.labeler.PersonID)
	g.class = g.one(tb, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'scratch', 0) RETURNING id`, g.project.ID)
	g.one(tb, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'pit', 1) RETURNING id`, g.project.ID)
	g.exec(tb, `INSERT INTO definitions (class_id, version, published_at) VALUES ($1, 1, now())`, g.class)
	g.exec(tb, `INSERT INTO project_agreements (project_id, items, summary) VALUES ($1, 2, '{}')`, g.project.ID)
	return g
}

// one returns the number that a query comes to.
func (g *grave) one(tb testing.TB, sql string, args ...any) (n int64) {
	tb.Helper()
	if err := g.pool.QueryRow(tb.Context(), sql, args...).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (g *grave) exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	if _, err := g.pool.Exec(tb.Context(), sql, args...); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

// buried is an item with everything that it left.
type buried struct {
	item, task, source, group, version, export, batch, recording int64
	canary                                                       string
}

// bury makes an item of a source of its own that has something in every place, with the canary in every text of it.
func (g *grave) bury(tb testing.TB, canary string) (b buried) {
	tb.Helper()
	b.canary = canary
	b.source = g.one(tb, `INSERT INTO sources (name) VALUES ($1) RETURNING id`, "of "+strings.ToUpper(canary))
	b.group = g.one(tb, `INSERT INTO groups (source_id, name) VALUES ($1, $2) RETURNING id`, b.source, "group "+canary)
	g.fillItem(tb, &b)
	return b
}

// fillItem is bury for a source and a group that are there.
func (g *grave) fillItem(tb testing.TB, b *buried) {
	tb.Helper()
	var secret []byte
	if err := g.pool.QueryRow(tb.Context(), `SELECT key_secret FROM projects WHERE id = $1`, g.project.ID).Scan(&secret); err != nil {
		tb.Fatal(err)
	}
	b.item = g.one(tb, `INSERT INTO items (project_id, source_id, group_id, key_hash, width, height, fault) VALUES ($1, $2, nullif($3::bigint, 0), $4, 100, 80, $5) RETURNING id`,
		g.project.ID, b.source, b.group, keyHash(secret, "key "+b.canary), b.canary)
	for _, kind := range []string{"original", "thumb"} {
		if _, err := g.blobs.Put(tb.Context(), AssetKey(b.item, kind), strings.NewReader(b.canary), int64(len(b.canary)), "image/png"); err != nil {
			tb.Fatal(err)
		}
	}
	g.record(tb, b)
	person, project, admin := g.labeler.PersonID, g.project.ID, g.admin.PersonID
	g.exec(tb, `INSERT INTO item_texts (item_id, external_key, file_name, metadata) VALUES ($1, $2, $3, jsonb_build_object('line', $4::text))`,
		b.item, "key "+b.canary, "file "+b.canary, b.canary)
	g.exec(tb, `INSERT INTO item_salts (item_id, salt) VALUES ($1, sha256('salt'))`, b.item)
	g.exec(tb, `INSERT INTO assets (item_id, kind, content_type, bytes, sha256) VALUES ($1, 'original', 'image/png', 5, sha256('x')), ($1, 'thumb', 'image/png', 5, sha256('x'))`, b.item)
	g.exec(tb, `INSERT INTO media_reads (person_id, item_id, kind) VALUES ($1, $2, 'display')`, person, b.item)
	imported := g.one(tb, `INSERT INTO imports (project_id, format, purpose, source_id, state) VALUES ($1, 'images', 'media', $2, 'done') RETURNING id`, project, b.source)
	g.exec(tb, `INSERT INTO import_results (import_id, name, outcome, item_id) VALUES ($1, $2, 'added', $3), ($1, $4, 'refused', NULL)`,
		imported, "key "+b.canary, b.item, "labels.xml: file "+b.canary)
	g.exec(tb, `INSERT INTO definition_examples (definition_id, item_id, shows, x, y, w, h, caption, position)
		SELECT id, $2, 'yes', 1, 1, 2, 2, $3, 0 FROM definitions WHERE class_id = $1`, g.class, b.item, b.canary)
	round := g.one(tb, `INSERT INTO rounds (project_id, number, share, seed, batch_size, state, items) SELECT $1, coalesce(max(number), 0) + 1, 1, 1, 1, 'open', 1 FROM rounds RETURNING id`, project)
	b.batch = g.one(tb, `INSERT INTO batches (project_id, number, round_id, part, priority, items, plan_size, plan_lot, plan_limit, plan_accept, planned_at)
		SELECT $1, coalesce(max(number), 0) + 1, $2, 1, 0, 1, 1, 1, 0.1, 0, now() FROM batches RETURNING id`, project, round)
	b.task = g.one(tb, `INSERT INTO tasks (project_id, item_id, state, overlap, live, votes, batch_id) VALUES ($1, $2, 'open', 2, 1, 1, $3) RETURNING id`, project, b.item, b.batch)
	g.exec(tb, `INSERT INTO queue_cursors (project_id, person_id, priority, task_id) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING`, project, person, b.task)
	lease := g.one(tb, `INSERT INTO assignments (task_id, project_id, person_id, pass, state, lease_until)
		VALUES ($1, $2, $3, 2, 'leased', now() + interval '1 hour') RETURNING id`, b.task, project, person)
	done := g.one(tb, `INSERT INTO assignments (task_id, project_id, person_id, state, finished_at) VALUES ($1, $2, $3, 'submitted', now()) RETURNING id`, b.task, project, person)
	g.exec(tb, `INSERT INTO transcripts (item_id, kind, of_id, segments) VALUES ($1, 'draft', $2, jsonb_build_array(jsonb_build_object('text', $3::text)))`, b.item, lease, b.canary)
	g.exec(tb, `INSERT INTO drafts (assignment_id, boxes) VALUES ($1, '[]')`, lease)
	answer := g.one(tb, `INSERT INTO annotations (assignment_id, task_id, item_id, person_id) VALUES ($1, $2, $3, $4) RETURNING id`, done, b.task, b.item, person)
	g.exec(tb, `INSERT INTO annotation_boxes (annotation_id, position, class_id, x, y, w, h) VALUES ($1, 0, $2, 1, 1, 2, 2)`, answer, g.class)
	prediction := g.one(tb, `INSERT INTO predictions (item_id, purpose) VALUES ($1, 'prefill') RETURNING id`, b.item)
	g.exec(tb, `INSERT INTO hypotheses (item_id, prediction_id, text) VALUES ($1, $2, $3)`, b.item, prediction, b.canary)
	g.exec(tb, `INSERT INTO hypothesis_views (item_id, person_id, how, annotation_id) VALUES ($1, $2, 'edit', $3)`, b.item, person, answer)
	wider := g.one(tb, `INSERT INTO wider_contexts (item_id, person_id, seconds) VALUES ($1, $2, 10) RETURNING id`, b.item, person)
	g.exec(tb, `INSERT INTO item_notes (item_id, kind, of_id, body) VALUES ($1, 'context', $2, $3)`, b.item, wider, b.canary)
	g.plan(tb, b)
	g.exec(tb, `INSERT INTO prediction_boxes (prediction_id, position, class_id, x, y, w, h) VALUES ($1, 0, $2, 1, 1, 2, 2)`, prediction, g.class)
	review := g.one(tb, `INSERT INTO reviews (task_id, item_id, reviewer_id, decision) VALUES ($1, $2, $3, 'approved') RETURNING id`, b.task, b.item, admin)
	former := g.one(tb, `INSERT INTO truths (item_id, review_id, annotation_id, current) VALUES ($1, $2, $3, false) RETURNING id`, b.item, review, answer)
	undone := g.one(tb, `INSERT INTO reviews (task_id, item_id, reviewer_id, decision, undoes, former_truth_id) VALUES ($1, $2, $3, 'undone', $4, $5) RETURNING id`, b.task, b.item, admin, review, former)
	g.exec(tb, `UPDATE assignments SET review_id = $2 WHERE id = $1`, lease, review)
	g.exec(tb, `INSERT INTO review_marks (review_id, annotation_id, reason) VALUES ($1, $2, 'other')`, undone, answer)
	g.exec(tb, `INSERT INTO item_notes (item_id, kind, of_id, body) VALUES ($1, 'review', $2, $3), ($1, 'skip', $4, $3)`, b.item, review, b.canary, lease)
	g.exec(tb, `INSERT INTO review_looks (task_id, person_id) VALUES ($1, $2)`, b.task, admin)
	truth := g.one(tb, `INSERT INTO truths (item_id, review_id, annotation_id) VALUES ($1, $2, $3) RETURNING id`, b.item, review, answer)
	g.exec(tb, `INSERT INTO personal_findings (item_id, truth_id, segment, first, last, kind, detector, confidence) VALUES ($1, $2, 0, 0, 3, 'name', 'names@1', 1)`, b.item, truth)
	g.exec(tb, `INSERT INTO personal_scans (item_id, truth_id, detector, findings) VALUES ($1, $2, 'names@1', 1)`, b.item, truth)
	g.exec(tb, `INSERT INTO truth_boxes (truth_id, position, class_id, x, y, w, h) VALUES ($1, 0, $2, 1, 1, 2, 2)`, truth, g.class)
	g.exec(tb, `INSERT INTO item_agreements (item_id, project_id, task_id, answers, truth_id, objects, worst) VALUES ($1, $2, $3, 1, $4, 1, 'agreed')`, b.item, project, b.task, truth)
	g.exec(tb, `INSERT INTO confusions (project_id, item_id, class_a, class_b, annotations_a, truth_id, truth_position, truth_class, decided, x, y, w, h)
		VALUES ($1, $2, $3::bigint, $3::bigint + 1, ARRAY[$4::bigint], $5, 0, $3::bigint, true, 1, 1, 2, 2)`, project, b.item, g.class, answer, truth)
	relabel := g.one(tb, `INSERT INTO relabels (project_id, class_id, version, state, items) VALUES ($1, $2, 1, 'sending', 1) RETURNING id`, project, g.class)
	g.exec(tb, `INSERT INTO relabel_items (relabel_id, item_id) VALUES ($1, $2)`, relabel, b.item)
	g.exec(tb, `INSERT INTO relabel_answers (assignment_id, relabel_id, annotation_id, positions) VALUES ($1, $2, $3, '{0}')`, lease, relabel, answer)
	g.exec(tb, `INSERT INTO gold_items (item_id, task_id, project_id) VALUES ($1, $2, $3)`, b.item, b.task, project)
	g.exec(tb, `INSERT INTO gold_results (annotation_id, item_id, project_id, person_id, truth_id, score, agreed, missed, class, loose, split, answered_at)
		VALUES ($1, $2, $3, $4, $5, 1, 1, 0, 0, 0, 0, now())`, answer, b.item, project, person, truth)
	g.exec(tb, `INSERT INTO discussions (item_id, project_id) VALUES ($1, $2)`, b.item, project)
	comment := g.one(tb, `INSERT INTO comments (item_id, person_id, kind, annotation_id, position) VALUES ($1, $2, 'said', $3, 0) RETURNING id`, b.item, person, answer)
	g.exec(tb, `INSERT INTO comment_texts (item_id, comment_id, version, body) VALUES ($1, $2, 1, $3)`, b.item, comment, b.canary)
	g.exec(tb, `INSERT INTO comment_mentions (comment_id, person_id) VALUES ($1, $2)`, comment, admin)
	g.exec(tb, `INSERT INTO notices (person_id, kind, object_type, object_id) VALUES ($1, 'answer.rejected', 'task', $2), ($1, 'comment.mention', 'comment', $3)`, person, b.task, comment)
	g.exec(tb, `INSERT INTO round_items (item_id, round_id, part) VALUES ($1, $2, 1)`, b.item, round)
	g.exec(tb, `INSERT INTO batch_items (batch_id, item_id, task_id, position, former_priority, look) VALUES ($1, $2, $3, 0, 0, 0)`, b.batch, b.item, b.task)
	dataset := g.one(tb, `INSERT INTO datasets (name) VALUES ($1) RETURNING id`, fmt.Sprintf("set-%d", b.item))
	b.version = g.one(tb, `INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, lines) VALUES ($1, 1, '{}', 'frozen', sha256('v'), 1) RETURNING id`, dataset)
	g.exec(tb, `INSERT INTO dataset_lines (version_id, position, leaf, split, item_id, truth_id, media, width, height) VALUES ($1, 0, sha256('leaf'), 'test', $2, $3, sha256('m'), 1, 1)`,
		b.version, b.item, truth)
	g.evaluate(tb, b, truth)
	b.export = g.one(tb, `INSERT INTO exports (version_id, format, state, report, created_by) VALUES ($1, 'coco', 'done', jsonb_build_object('note', $2::text), $3) RETURNING id`,
		b.version, b.canary, admin)
	if _, err := g.blobs.Put(tb.Context(), (&Export{ID: b.export}).Blob(), strings.NewReader(b.canary), int64(len(b.canary)), "application/zip"); err != nil {
		tb.Fatal(err)
	}
}

// record makes the item a recording as a whole, with its files.
func (g *grave) record(tb testing.TB, b *buried) {
	tb.Helper()
	b.recording = g.one(tb, `INSERT INTO recordings (project_id, source_id, key_hash, state, encoding, rate, channels, frames)
		VALUES ($1, $2, sha256($3::bytea), 'ready', 'PCM, 16 bit', 8000, 1, 8000) RETURNING id`, g.project.ID, b.source, []byte(b.canary))
	for _, kind := range recordingKinds {
		if _, err := g.blobs.Put(tb.Context(), RecordingKey(b.recording, kind), strings.NewReader(b.canary), int64(len(b.canary)), "audio/wav"); err != nil {
			tb.Fatal(err)
		}
		g.exec(tb, `INSERT INTO recording_assets (recording_id, kind, content_type, bytes, sha256) VALUES ($1, $2, 'audio/wav', 5, sha256('x'))`, b.recording, kind)
	}
	g.exec(tb, `INSERT INTO recording_silences (recording_id, begins, ends) VALUES ($1, 0.5, 0.6)`, b.recording)
	g.exec(tb, `UPDATE items SET recording_id = $2, begins = 0, ends = 1 WHERE id = $1`, b.item, b.recording)
	g.exec(tb, `INSERT INTO item_sounds (item_id, recording_version, sha256) VALUES ($1, 1, sha256('x'))`, b.item)
	g.exec(tb, `INSERT INTO item_waves (item_id, recording_version, amounts) VALUES ($1, 1, $2)`, b.item, []byte(b.canary))
}

// plan has the item chosen by a plan of its own.
func (g *grave) plan(tb testing.TB, b *buried) {
	tb.Helper()
	model := g.one(tb, `INSERT INTO models (name, kind) VALUES ('asr-' || $1::bigint, 'asr') RETURNING id`, b.item)
	version := g.one(tb, `INSERT INTO model_versions (model_id, version) VALUES ($1, '1') RETURNING id`, model)
	plan := g.one(tb, `INSERT INTO plans (project_id, number, model_version_id, settings, modes, state, items)
		SELECT $1, coalesce(max(number), 0) + 1, $2, '{}', '{blind}', 'open', 1 FROM plans RETURNING id`, g.project.ID, version)
	g.exec(tb, `INSERT INTO plan_items (plan_id, item_id, arm, stratum, decile, confidence) VALUES ($1, $2, 'chosen', 0, 1, 0.5)`, plan, b.item)
}

// evaluate has the item's line measured, and looked at again.
func (g *grave) evaluate(tb testing.TB, b *buried, truth int64) {
	tb.Helper()
	model := g.one(tb, `SELECT v.id FROM model_versions v JOIN models m ON m.id = v.model_id WHERE m.name = 'asr-' || $1::bigint`, b.item)
	chain := g.one(tb, `INSERT INTO chains (name, slots) VALUES ('chain-' || $1::bigint, '{asr}') RETURNING id`, b.item)
	evaluation := g.one(tb, `INSERT INTO evaluations (chain_id) VALUES ($1) RETURNING id`, chain)
	step := g.one(tb, `INSERT INTO evaluation_steps (evaluation_id, version_id, path, configuration, state, items) VALUES ($1, $2, ARRAY[$3::bigint], sha256('c'), 'done', 1) RETURNING id`,
		evaluation, b.version, model)
	g.exec(tb, `INSERT INTO evaluation_failures (step_id, item_id, reason) VALUES ($1, $2, 'status')`, step, b.item)
	g.exec(tb, `INSERT INTO model_outputs (item_id, model_version_id, configuration, input, text) VALUES ($1, $2, sha256('c'), sha256('i'), $3)`, b.item, model, b.canary)
	cell := g.one(tb, `INSERT INTO cells (version_id, split, path, configurations, labels, normalizer, task, evaluation_id, items, failed, measure, value, low, high, figures)
		VALUES ($1, 'test', ARRAY[$2::bigint], sha256('c'), 'frozen', '', 'speech', $3, 1, 0, 'wer', 0.5, 0.4, 0.6, '{}') RETURNING id`, b.version, model, evaluation)
	cause := g.one(tb, `INSERT INTO causes (name) VALUES ('cause-' || $1::bigint) RETURNING id`, b.item)
	g.exec(tb, `INSERT INTO item_causes (item_id, cell_id, kind, cause_id) VALUES ($1, $2, 'words', $3)`, b.item, cell, cause)
	audit := g.one(tb, `INSERT INTO audits (version_id, items, seed) VALUES ($1, 1, 7) RETURNING id`, b.version)
	g.exec(tb, `INSERT INTO audit_items (item_id, audit_id, truth_id) VALUES ($1, $2, $3)`, b.item, audit, truth)
}

// erase confirms and runs the erasure of a source.
func (g *grave) erase(tb testing.TB, source int64) Erasure {
	tb.Helper()
	e, err := g.PreviewErasure(tb.Context(), g.admin, ErasureRequest{Scope: ScopeSource, Source: source, Reason: "Ticket 17"})
	if err != nil {
		tb.Fatal(err)
	}
	if e.State != ErasurePreviewed {
		tb.Fatalf("the erasure is %s: %s", e.State, e.Error)
	}
	if err := g.ConfirmErasure(tb.Context(), g.admin, e.ID); err != nil {
		tb.Fatal(err)
	}
	if err := g.RunErasure(tb.Context(), e.ID); err != nil {
		tb.Fatal(err)
	}
	return g.erasure(tb, e.ID)
}

func (g *grave) erasure(tb testing.TB, id int64) Erasure {
	tb.Helper()
	e, err := g.Erasure(tb.Context(), g.admin, id)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// objects are the keys of the objects of an item and its export.
func (g *grave) objects(tb testing.TB, b buried) (keys []string) {
	tb.Helper()
	for _, prefix := range []string{itemPrefix(b.item), recordingPrefix(b.recording), (&Export{ID: b.export}).Blob()} {
		for object, err := range g.blobs.List(tb.Context(), prefix) {
			if err != nil {
				tb.Fatal(err)
			}
			keys = append(keys, object.Key)
		}
	}
	return keys
}

// columnsOf lists the columns of our tables whose type is one of these.
func (g *grave) columnsOf(tb testing.TB, types ...string) (columns [][2]string) {
	tb.Helper()
	rows, err := g.pool.Query(tb.Context(), `
		SELECT table_name, column_name FROM information_schema.columns c
		WHERE table_schema = 'public' AND table_name NOT LIKE 'river\_%' AND table_name <> 'goose_db_version' AND data_type = ANY($1)
		  AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.table_name::regclass) ORDER BY 1, ordinal_position`, types)
	if err != nil {
		tb.Fatal(err)
	}
	if columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c [2]string, err error) {
		err = row.Scan(&c[0], &c[1])
		return c, err
	}); err != nil {
		tb.Fatal(err)
	}
	return columns
}
