package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// accessPage is how many items are read at once.
const accessPage = 200

// sourceParts are what is held on a source. Who labeled is no part of it: labelers are others' data.
func sourceParts() []AccessPart {
	return []AccessPart{
		records("source.json", "the source and its policy", `
			SELECT s.id, s.name, s.retention_days, s.expiry_action, s.open_to, s.created_at,
				(SELECT jsonb_agg(jsonb_build_object('kind', d.kind, 'name', d.name)) FROM source_destinations d WHERE d.source_id = s.id) AS destinations
			FROM sources s WHERE s.id = $1`),
		records("history.jsonl", "every change of the policy", `SELECT version, before, after, changed_at FROM source_changes WHERE source_id = $1 ORDER BY version`),
		records("groups.jsonl", "items that belong together", `SELECT id, name FROM groups WHERE source_id = $1 ORDER BY id`),
		records("recordings.jsonl", "every recording: its format, its files, and what was silenced in it", `
			SELECT r.id, p.slug AS project, r.state, r.encoding, r.rate, r.channels, r.frames, r.imported_at,
				(SELECT jsonb_agg(jsonb_build_object('kind', a.kind, 'content_type', a.content_type, 'bytes', a.bytes, 'sha256', encode(a.sha256, 'hex')) ORDER BY a.kind)
					FROM recording_assets a WHERE a.recording_id = r.id) AS media,
				(SELECT jsonb_agg(jsonb_build_object('channel', q.channel, 'begins', q.begins, 'ends', q.ends, 'at', q.at) ORDER BY q.begins)
					FROM recording_silences q WHERE q.recording_id = r.id) AS silenced
			FROM recordings r JOIN projects p ON p.id = r.project_id WHERE r.source_id = $1 ORDER BY r.id`),
		records("imports.jsonl", "how the items came in", `
			SELECT m.id, p.slug AS project, m.format, m.purpose, m.state, m.created_at, m.finished_at
			FROM imports m JOIN projects p ON p.id = m.project_id WHERE m.source_id = $1 ORDER BY m.id`),
		records("versions.jsonl", "dataset versions that hold items of it", `
			SELECT d.name AS dataset, v.number, x.split, x.items, x.erased, v.frozen_at
			FROM dataset_version_sources x JOIN dataset_versions v ON v.id = x.version_id JOIN datasets d ON d.id = v.dataset_id
			WHERE x.source_id = $1 ORDER BY v.id, x.split`),
		records("exports.jsonl", "archives of these versions", `
			SELECT e.id, d.name AS dataset, v.number, e.format, e.media, e.state, e.created_at, e.finished_at
			FROM exports e JOIN dataset_versions v ON v.id = e.version_id JOIN datasets d ON d.id = v.dataset_id
			WHERE EXISTS (SELECT FROM dataset_version_sources x WHERE x.version_id = v.id AND x.source_id = $1) ORDER BY e.id`),
		{"items.jsonl", "every item: key, file name, metadata, dates, answers, truth, predictions, transcripts, hypotheses, comments, and what holds it", eachItemHeld},
	}
}

// allOfItem is all that is held on the items of a page, one JSON document an item. Mentions in comments name nobody.
const allOfItem = `
	SELECT i.id, jsonb_build_object(
		'item', i.id, 'project', p.slug, 'key', x.external_key, 'file_name', x.file_name, 'metadata', x.metadata, 'group', g.name, 'state', i.state,
		'width', i.width, 'height', i.height, 'imported_at', i.imported_at, 'captured_at', i.captured_at, 'own_retain_until', i.own_retain_until,
		'retain_until', i.retain_until,
		'media', (SELECT jsonb_agg(jsonb_build_object('kind', a.kind, 'content_type', a.content_type, 'bytes', a.bytes, 'sha256', encode(a.sha256, 'hex')) ORDER BY a.kind)
			FROM assets a WHERE a.item_id = i.id),
		'answers', (SELECT jsonb_agg(jsonb_build_object('id', an.id, 'submitted_at', an.submitted_at, 'superseded_at', an.superseded_at, 'boxes', (
				SELECT jsonb_agg(jsonb_build_object('class', c.name, 'x', b.x, 'y', b.y, 'w', b.w, 'h', b.h, 'rotation', b.rotation, 'crowd', b.crowd) ORDER BY b.position)
				FROM annotation_boxes b JOIN classes c ON c.id = b.class_id WHERE b.annotation_id = an.id)) ORDER BY an.id)
			FROM annotations an WHERE an.item_id = i.id),
		'drafts', (SELECT jsonb_agg(jsonb_build_object('saved_at', d.saved_at, 'boxes', d.boxes) ORDER BY d.assignment_id)
			FROM tasks t JOIN assignments s ON s.task_id = t.id JOIN drafts d ON d.assignment_id = s.id WHERE t.item_id = i.id),
		'reviews', (SELECT jsonb_agg(jsonb_build_object('id', r.id, 'decision', r.decision, 'decided_at', r.decided_at) ORDER BY r.id)
			FROM reviews r WHERE r.item_id = i.id),
		'notes', (SELECT jsonb_agg(jsonb_build_object('kind', n.kind, 'of', n.of_id, 'text', n.body) ORDER BY n.kind, n.of_id) FROM item_notes n WHERE n.item_id = i.id),
		'truth', (SELECT jsonb_agg(jsonb_build_object('id', u.id, 'current', u.current, 'created_at', u.created_at, 'boxes', (
				SELECT jsonb_agg(jsonb_build_object('class', c.name, 'x', b.x, 'y', b.y, 'w', b.w, 'h', b.h, 'rotation', b.rotation, 'crowd', b.crowd) ORDER BY b.position)
				FROM truth_boxes b JOIN classes c ON c.id = b.class_id WHERE b.truth_id = u.id)) ORDER BY u.id)
			FROM truths u WHERE u.item_id = i.id),
		'predictions', (SELECT jsonb_agg(jsonb_build_object('model', m.name, 'version', v.version, 'purpose', d.purpose, 'created_at', d.created_at, 'boxes', (
				SELECT jsonb_agg(jsonb_build_object('class', c.name, 'x', b.x, 'y', b.y, 'w', b.w, 'h', b.h, 'rotation', b.rotation, 'score', b.score) ORDER BY b.position)
				FROM prediction_boxes b JOIN classes c ON c.id = b.class_id WHERE b.prediction_id = d.id)) ORDER BY d.id)
			FROM predictions d JOIN model_versions v ON v.id = d.model_version_id JOIN models m ON m.id = v.model_id WHERE d.item_id = i.id),
		'recording', i.recording_id, 'channel', i.channel, 'begins', i.begins, 'ends', i.ends,
		'transcripts', (SELECT jsonb_agg(jsonb_build_object('kind', t.kind, 'of', t.of_id, 'segments', t.segments) ORDER BY t.kind, t.of_id)
			FROM transcripts t WHERE t.item_id = i.id),
		'hypotheses', (SELECT jsonb_agg(jsonb_build_object('prediction', h.prediction_id, 'text', h.text, 'words', h.words) ORDER BY h.prediction_id)
			FROM hypotheses h WHERE h.item_id = i.id),
		'personal_data_found', (SELECT jsonb_agg(jsonb_build_object('truth', f.truth_id, 'segment', f.segment, 'first', f.first, 'last', f.last, 'kind', f.kind,
				'state', f.state) ORDER BY f.id) FROM personal_findings f WHERE f.item_id = i.id),
		'comments', (SELECT jsonb_agg(jsonb_build_object('at', c.at, 'text', regexp_replace(t.body, '\uE000[0-9]+\uE001', '@…', 'g')) ORDER BY c.id, t.version)
			FROM comments c JOIN comment_texts t ON t.item_id = c.item_id AND t.comment_id = c.id WHERE c.item_id = i.id),
		'examples', (SELECT jsonb_agg(jsonb_build_object('class', c.name, 'shows', e.shows, 'caption', e.caption) ORDER BY e.id)
			FROM definition_examples e JOIN definitions d ON d.id = e.definition_id JOIN classes c ON c.id = d.class_id WHERE e.item_id = i.id),
		'dataset_versions', (SELECT jsonb_agg(jsonb_build_object('dataset', d.name, 'number', v.number, 'split', l.split) ORDER BY v.id)
			FROM dataset_lines l JOIN dataset_versions v ON v.id = l.version_id JOIN datasets d ON d.id = v.dataset_id WHERE l.item_id = i.id),
		'exports', (SELECT jsonb_agg(e.id ORDER BY e.id) FROM dataset_lines l JOIN exports e ON e.version_id = l.version_id AND e.state = 'done' WHERE l.item_id = i.id)
	)
	FROM items i JOIN projects p ON p.id = i.project_id JOIN item_texts x ON x.item_id = i.id LEFT JOIN groups g ON g.id = i.group_id
	WHERE i.source_id = $1 AND i.id > $2 ORDER BY i.id LIMIT $3`

// eachItemHeld yields the items of a source, a page at a time: what is held in memory does not grow with them.
func eachItemHeld(ctx context.Context, q querier, source int64, yield func(json.RawMessage) error) error {
	for last, full := int64(0), true; full; {
		rows, err := q.Query(ctx, allOfItem, source, last, accessPage) //nolint:rowserrcheck // ForEachRow checks it
		if err != nil {
			return err
		}
		var record json.RawMessage
		n := 0
		_, err = pgx.ForEachRow(rows, []any{&last, &record}, func() error {
			n++
			return yield(record)
		})
		if err != nil {
			return err
		}
		full = n == accessPage
	}
	return nil
}

// AccessParts lists the files of what is held on the subject of a request.
func (a *AccessRequest) AccessParts() []AccessPart {
	if a.SourceID != 0 {
		return sourceParts()
	}
	return personParts()
}

// EachRecord yields the records of a part of what is held, in order. A record holds until the next.
func (s *Store) EachRecord(ctx context.Context, request AccessRequest, part AccessPart, yield func(json.RawMessage) error) error {
	if err := part.each(ctx, s.pool, request.SourceID+request.PersonID, yield); err != nil { // one of them is 0
		return fmt.Errorf("access %d: %s: %w", request.ID, part.Name, err)
	}
	return nil
}

// HeldMedia is an original of a source: of an item, or of a recording.
type HeldMedia struct {
	Item        int64
	Recording   int64
	ContentType string
}

// Key is the object.
func (m HeldMedia) Key() string {
	if m.Recording != 0 {
		return RecordingKey(m.Recording, "original")
	}
	return AssetKey(m.Item, "original")
}

// Name is what it is called.
func (m HeldMedia) Name() string {
	if m.Recording != 0 {
		return fmt.Sprintf("recording-%d", m.Recording)
	}
	return fmt.Sprint(m.Item)
}

// The originals of a source: of items, and of recordings.
const (
	heldPictures = `
		SELECT i.id AS item, 0::bigint AS recording, a.content_type FROM items i JOIN assets a ON a.item_id = i.id AND a.kind = 'original'
		WHERE i.source_id = $1 AND i.id > $2 ORDER BY i.id LIMIT $3`
	heldRecordings = `
		SELECT 0::bigint AS item, r.id AS recording, a.content_type FROM recordings r JOIN recording_assets a ON a.recording_id = r.id AND a.kind = 'original'
		WHERE r.source_id = $1 AND r.id > $2 ORDER BY r.id LIMIT $3`
)

// EachOriginal yields the originals of a source in the order of their items, then those of its recordings.
func (s *Store) EachOriginal(ctx context.Context, source int64, yield func(HeldMedia) error) error {
	for _, query := range []string{heldPictures, heldRecordings} {
		for last, full := int64(0), true; full; {
			page, err := collect[HeldMedia](ctx, s.pool, query, source, last, accessPage)
			if err != nil {
				return fmt.Errorf("originals of source %d: %w", source, err)
			}
			for _, media := range page {
				last = media.Item + media.Recording // one of them is 0
				if err := yield(media); err != nil {
					return err
				}
			}
			full = len(page) == accessPage
		}
	}
	return nil
}
