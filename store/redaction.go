package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/pii"
	"fiducial/internal/speech"
)

// A redaction is what may stay of an utterance whose time ran out: the words of its truth with everything personal masked, and its moments,
// as the truth of an item of its own. That item has no sound, name, metadata, answer or hypothesis, and no time limit but one that
// somebody gives it. The utterance itself goes as a whole, in the same transaction, with its lines of dataset versions: tombstone, proof
// and receipt are about that. The redaction has the hash of its key, so that a request for the erasure of that key finds it, and the source
// and the group, so that a request for these takes it too. A request leaves none.

// approvedRedaction is the condition that all is decided that makes a redaction of item i: its current truth has words, a detector has read
// them, and nothing that was found is open. Whatever a request for erasure has on its list, confirmed or not, has none.
const approvedRedaction = `i.recording_id IS NOT NULL AND EXISTS (
		SELECT FROM truths t JOIN transcripts tr ON tr.item_id = t.item_id AND tr.kind = 'truth' AND tr.of_id = t.id
		WHERE t.item_id = i.id AND t.current AND jsonb_array_length(tr.segments) > 0
		  AND EXISTS (SELECT FROM personal_scans z WHERE z.truth_id = t.id AND z.detector = '` + pii.Detector + `')
		  AND NOT EXISTS (SELECT FROM personal_findings f WHERE f.truth_id = t.id AND f.state = 'found'))
	AND NOT EXISTS (SELECT FROM tasks k WHERE k.item_id = i.id AND k.state = 'discarded')
	AND NOT EXISTS (SELECT FROM erasure_lists el JOIN erasures er ON er.id = el.erasure_id
		WHERE el.item_id = i.id AND er.kind = 'request' AND er.state <> 'cancelled')`

// redaction is an utterance that leaves one.
type redaction struct {
	Item, Truth int64
	Transcript  speech.Transcript
	Spans       []PersonalSpan // that were confirmed

	made      int64 // the item that stays
	madeTruth int64
}

// redact leaves the redactions of the step's items, where the policies of their sources say so. Their hashes are those of items that are there
// until the places are cleared: settleRedactions gives them theirs.
func (c *clearing) redact(ctx context.Context) error {
	rows, err := c.tx.Query(ctx, `
		SELECT i.id AS item, t.id AS truth, tr.segments AS transcript, coalesce(`+personalSpans+`, '[]') AS spans
		FROM items i JOIN sources s ON s.id = i.source_id AND s.expiry_action = 'redaction' JOIN truths t ON t.item_id = i.id AND t.current
		JOIN transcripts tr ON tr.item_id = t.item_id AND tr.kind = 'truth' AND tr.of_id = t.id
		WHERE i.id = ANY(@items) AND `+approvedRedaction+` ORDER BY i.id`, c.args(nil))
	if err != nil {
		return fmt.Errorf("redactions: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[redaction])
	if err != nil || len(all) == 0 {
		return err
	}
	items, err := nextIDs(ctx, c.tx, "items", len(all))
	if err != nil {
		return err
	}
	truths, err := nextIDs(ctx, c.tx, "truths", len(all))
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	for i := range all {
		all[i].made, all[i].madeTruth = items[i], truths[i]
		all[i].write(batch, c.erasure)
	}
	if err := c.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write redactions: %w", err)
	}
	c.redacted = items
	return nil
}

// write makes the item that stays, with its truth. What was found in the words is not noted any more: where it stood is a place now that
// says of what kind it was.
func (r *redaction) write(batch *pgx.Batch, erasure int64) {
	batch.Queue(`
		INSERT INTO items (id, project_id, source_id, group_id, key_hash, state, channel) OVERRIDING SYSTEM VALUE
		SELECT $1, project_id, source_id, group_id, key_hash || '\x00', 'redacted', channel FROM items WHERE id = $2`, r.made, r.Item)
	batch.Queue(`INSERT INTO item_texts (item_id, project_id, external_key, file_name) SELECT id, project_id, $2, $2 FROM items WHERE id = $1`,
		r.made, fmt.Sprintf("redaction-%d", r.made))
	batch.Queue(`INSERT INTO item_salts (item_id, salt) VALUES ($1, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))`, r.made)
	batch.Queue(`
		INSERT INTO truths (id, item_id, erasure_id, rules_version) OVERRIDING SYSTEM VALUE SELECT $1, $2, $3, rules_version FROM truths WHERE id = $4`,
		r.madeTruth, r.made, erasure, r.Truth)
	batch.Queue(`INSERT INTO transcripts (item_id, kind, of_id, segments) VALUES ($1, 'truth', $2, $3)`, r.made, r.madeTruth, r.masked())
	batch.Queue(`
		INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h, rotation, crowd)
		SELECT $1, position, class_id, definition_version, x, y, w, h, rotation, crowd FROM truth_boxes WHERE truth_id = $2`, r.madeTruth, r.Truth)
	batch.Queue(`
		INSERT INTO personal_scans (item_id, truth_id, detector, findings, scanned_at) SELECT $1, $2, detector, 0, scanned_at FROM personal_scans WHERE truth_id = $3`,
		r.made, r.madeTruth, r.Truth)
}

// masked are the words without what is personal. Speakers, in whose names no detector looks, are told by letters.
func (r *redaction) masked() speech.Transcript {
	spans := make([]pii.Span, len(r.Spans))
	for i, s := range r.Spans {
		spans[i] = pii.Span{Segment: s.Segment, First: s.First, Last: s.Last, Kind: pii.Kind(s.Kind)}
	}
	masked, _ := pii.Mask(r.Transcript, spans, pii.Label)
	return masked.Anonymous()
}

// settleRedactions gives the redactions the hashes of the keys, once the items that had them are gone, and takes their names from groups that have
// nothing else any more: they are those of calls.
func (c *clearing) settleRedactions(ctx context.Context) error {
	if len(c.redacted) > 0 {
		_, err := c.tx.Exec(ctx, `UPDATE items SET key_hash = substr(key_hash, 1, length(key_hash) - 1) WHERE id = ANY($1)`, c.redacted)
		if err != nil {
			return fmt.Errorf("keys of redactions: %w", err)
		}
	}
	_, err := c.tx.Exec(ctx, `
		UPDATE groups g SET name = 'redacted ' || gen_random_uuid() WHERE g.id = ANY($1) AND g.name NOT LIKE 'redacted %'
		  AND EXISTS (SELECT FROM items i WHERE i.group_id = g.id)
		  AND NOT EXISTS (SELECT FROM items i WHERE i.group_id = g.id AND i.state <> 'redacted')`, c.groups)
	if err != nil {
		return fmt.Errorf("groups of redactions: %w", err)
	}
	return nil
}

// RedactionOf returns the redaction that was left of an erased item, 0 if there is none, or it was erased since, or the actor does not
// see its project.
func (s *Store) RedactionOf(ctx context.Context, actor Actor, item int64) (redaction int64, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT coalesce((SELECT i.id FROM erasure_items e JOIN items i ON i.project_id = e.project_id AND i.key_hash = e.key_hash AND i.state = 'redacted'
			JOIN projects p ON p.id = i.project_id WHERE e.item_id = @item AND `+sees+`), 0)`, actor.args(pgx.NamedArgs{"item": item})).Scan(&redaction)
	if err != nil {
		return 0, fmt.Errorf("redaction of item %d: %w", item, err)
	}
	return redaction, nil
}
