package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"
	"golang.org/x/text/unicode/norm"

	"fiducial/internal/jobargs"
	"fiducial/internal/speech"
)

// write does what was planned.
func (b *speechBatch) write(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		b.writeRecordings, b.putSounds, b.writeSounds, b.writeItems, b.groupItems, b.writeTexts, b.writeTruths, b.writeHypotheses, b.writeTasks,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// writeRecordings makes the new recordings: those whose sound comes under the reserved ids.
func (b *speechBatch) writeRecordings(ctx context.Context) error {
	comes := map[*knownRecording]bool{}
	for _, a := range b.attached {
		comes[a.recording] = true
	}
	var used []int64
	var bare []*knownRecording
	var rows [][]any
	row := func(k *knownRecording) {
		rows = append(rows, []any{k.ID, b.run.ProjectID, b.run.SourceID, k.hash, k.State})
	}
	seen := map[*knownRecording]bool{}
	for _, p := range b.plans {
		switch k := p.recording; {
		case k.ID != 0 || seen[k]:
		case comes[k]:
			k.ID = b.run.reservedRecordings[len(used)]
			used = append(used, k.ID)
			row(k)
		default:
			bare = append(bare, k)
		}
		seen[p.recording] = true
	}
	ids, err := nextIDs(ctx, b.tx, "recordings", len(bare))
	if err != nil {
		return err
	}
	for i, k := range bare {
		k.ID = ids[i]
		row(k)
	}
	b.used = len(used)
	tag, err := b.tx.Exec(ctx, `DELETE FROM recording_reservations WHERE recording_id = ANY($1)`, used)
	if err != nil {
		return fmt.Errorf("take reserved recordings: %w", err)
	}
	if tag.RowsAffected() != int64(len(used)) { // another run has taken over, and deleted what was stored under them
		return ErrImportBusy
	}
	return copyRows(ctx, b.tx, "recordings", []string{"id", "project_id", "source_id", "key_hash", "state"}, rows)
}

// putSounds stores the files, untouched, before the rows that say that they are there.
func (b *speechBatch) putSounds(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(importUploads)
	for _, a := range b.attached {
		group.Go(func() error {
			media := a.sound.Media
			_, err := b.run.store.blobs.Put(ctx, RecordingKey(a.recording.ID, "original"), io.NewSectionReader(media.Content, 0, media.Bytes),
				media.Bytes, media.ContentType)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("store sounds: %w", err)
	}
	return nil
}

// writeSounds records that the files are there, and asks for them to be read.
func (b *speechBatch) writeSounds(ctx context.Context) error {
	if len(b.attached) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	reads := make([]river.InsertManyParams, 0, len(b.attached))
	for _, a := range b.attached {
		id, media := a.recording.ID, a.sound.Media
		batch.Queue(`UPDATE recordings SET state = 'processing', fault = '' WHERE id = $1`, id)
		batch.Queue(`UPDATE items SET state = 'processing', fault = '' WHERE recording_id = $1 AND state IN ('awaiting_media', 'broken')`, id)
		batch.Queue(`UPDATE item_texts t SET file_name = $2 FROM items i WHERE i.id = t.item_id AND i.recording_id = $1 AND t.file_name <> $2`, id, a.sound.Name)
		batch.Queue(`
			INSERT INTO recording_assets (recording_id, kind, content_type, bytes, sha256) VALUES ($1, 'original', $2, $3, $4)
			ON CONFLICT (recording_id, kind) DO UPDATE SET content_type = excluded.content_type, bytes = excluded.bytes, sha256 = excluded.sha256`,
			id, media.ContentType, media.Bytes, media.SHA256)
		a.recording.State = "processing"
		reads = append(reads, river.InsertManyParams{Args: jobargs.ReadRecording{RecordingID: id}, InsertOpts: renderLater()})
	}
	if err := b.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write sounds: %w", err)
	}
	if _, err := b.run.store.queue.InsertManyTx(ctx, b.tx, reads); err != nil {
		return fmt.Errorf("enqueue reading: %w", err)
	}
	return nil
}

func (b *speechBatch) writeItems(ctx context.Context) error {
	fresh := 0
	for _, p := range b.plans {
		if p.item == nil {
			fresh++
		}
	}
	ids, err := nextIDs(ctx, b.tx, "items", fresh)
	if err != nil {
		return err
	}
	groups, err := b.groups(ctx)
	if err != nil {
		return err
	}
	var rows [][]any
	for _, p := range b.plans {
		if p.item == nil {
			p.span.Item = ids[len(rows)]
			rows = append(rows, []any{
				p.span.Item, b.run.ProjectID, b.run.SourceID, orNull(groups[p.group]), keyHash(b.run.secret, p.key), p.recording.State, p.recording.Fault,
				p.recording.ID, p.span.Channel, p.span.Begins, p.span.Ends,
			})
		} else {
			p.span.Item = p.item.Item
		}
		for i := p.first; i <= p.result; i++ {
			b.results[i].ItemID = p.span.Item
		}
	}
	columns := []string{"id", "project_id", "source_id", "group_id", "key_hash", "state", "fault", "recording_id", "channel", "begins", "ends"}
	if err := copyRows(ctx, b.tx, "items", columns, rows); err != nil || len(rows) == 0 {
		return err
	}
	return retainItems(ctx, b.tx, b.run.SourceID, ids)
}

// groups finds or makes the groups of the new items; "" is none.
func (b *speechBatch) groups(ctx context.Context) (map[string]int64, error) {
	ids := map[string]int64{"": 0}
	var names []string
	for _, p := range b.plans {
		if _, seen := ids[p.group]; p.item == nil && !seen {
			ids[p.group] = 0
			names = append(names, p.group)
		}
	}
	if len(names) == 0 {
		return ids, nil
	}
	return ids, fillGroups(ctx, b.tx, b.run.SourceID, names, ids)
}

// groupItems lets the first part of a recording, which came as if it were the whole, follow the parts that came after it.
func (b *speechBatch) groupItems(ctx context.Context) error {
	var recordings []int64
	for _, p := range b.plans {
		if p.item == nil && p.group != "" && p.group == p.recording.Path {
			recordings = append(recordings, p.recording.ID)
		}
	}
	if len(recordings) == 0 {
		return nil
	}
	_, err := b.tx.Exec(ctx, `
		UPDATE items i SET group_id = g.group_id
		FROM (SELECT recording_id, min(group_id) AS group_id FROM items WHERE recording_id = ANY($1) GROUP BY recording_id) g
		WHERE i.recording_id = g.recording_id AND i.group_id IS NULL`, recordings)
	if err != nil {
		return fmt.Errorf("group items: %w", err)
	}
	return nil
}

func (b *speechBatch) writeTexts(ctx context.Context) error {
	keys, err := keptKeys(ctx, b.tx, b.run.ProjectID)
	if err != nil {
		return err
	}
	var texts, salts [][]any
	for _, p := range b.plans {
		if p.item != nil {
			continue
		}
		salt := make([]byte, 32)
		_, _ = rand.Read(salt) // documented never to fail
		texts = append(texts, []any{
			p.span.Item, b.run.ProjectID, norm.NFC.String(p.key), norm.NFC.String(p.recording.Path), allowed(p.metadata, keys),
		})
		salts = append(salts, []any{p.span.Item, salt})
	}
	if err := copyRows(ctx, b.tx, "item_texts", []string{"item_id", "project_id", "external_key", "file_name", "metadata"}, texts); err != nil {
		return err
	}
	return copyRows(ctx, b.tx, "item_salts", []string{"item_id", "salt"}, salts)
}

func (b *speechBatch) writeTruths(ctx context.Context) error {
	if b.run.Purpose != PurposeTruth {
		return nil
	}
	var labeled []*utterancePlan
	var replaced []int64
	for _, p := range b.plans {
		if p.labeled {
			labeled = append(labeled, p)
		}
		if p.labeled && p.item != nil && p.item.Truth != 0 {
			replaced = append(replaced, p.item.Truth)
		}
	}
	if _, err := b.tx.Exec(ctx, `UPDATE truths SET current = false WHERE id = ANY($1)`, replaced); err != nil {
		return fmt.Errorf("replace truths: %w", err)
	}
	ids, err := nextIDs(ctx, b.tx, "truths", len(labeled))
	if err != nil {
		return err
	}
	truths, transcripts := make([][]any, len(labeled)), make([][]any, len(labeled))
	for i, p := range labeled {
		truths[i] = []any{ids[i], p.span.Item, b.run.ID}
		transcripts[i] = []any{p.span.Item, truthTranscript, ids[i], append(speech.Transcript{}, p.transcript...)}
	}
	if err := copyRows(ctx, b.tx, "truths", []string{"id", "item_id", "import_id"}, truths); err != nil {
		return err
	}
	if err := copyRows(ctx, b.tx, "transcripts", []string{"item_id", "kind", "of_id", "segments"}, transcripts); err != nil {
		return err
	}
	return b.writeMoments(ctx, labeled, ids)
}

func (b *speechBatch) writeHypotheses(ctx context.Context) error {
	var heard []*utterancePlan
	var replaced, of []int64
	for _, p := range b.plans {
		if p.hypothesis == nil || !p.labeled {
			continue
		}
		heard = append(heard, p)
		if p.item != nil && p.item.Prediction != 0 {
			replaced, of = append(replaced, p.item.Prediction), append(of, p.item.Item)
		}
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM hypotheses WHERE item_id = ANY($2) AND prediction_id = ANY($1)`, replaced, of)
	batch.Queue(`DELETE FROM prediction_boxes WHERE prediction_id = ANY($1)`, replaced)
	batch.Queue(`DELETE FROM predictions WHERE id = ANY($1)`, replaced)
	if err := b.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("replace hypotheses: %w", err)
	}
	ids, err := nextIDs(ctx, b.tx, "predictions", len(heard))
	if err != nil {
		return err
	}
	predictions, hypotheses := make([][]any, len(heard)), make([][]any, len(heard))
	for i, p := range heard {
		h := p.hypothesis
		var confidence *float32
		if h.Confidence != nil {
			rounded := float32(*h.Confidence)
			confidence = &rounded
		}
		predictions[i] = []any{ids[i], p.span.Item, orNull(b.run.modelVersion), b.run.Purpose, confidence, h.words()}
		hypotheses[i] = []any{p.span.Item, ids[i], h.Text, append([]HeardWord{}, h.Words...)}
	}
	columns := []string{"id", "item_id", "model_version_id", "purpose", "confidence", "words"}
	if err := copyRows(ctx, b.tx, "predictions", columns, predictions); err != nil {
		return err
	}
	return copyRows(ctx, b.tx, "hypotheses", []string{"item_id", "prediction_id", "text", "words"}, hypotheses)
}

// words is how many words the hypothesis has.
func (h *ImportHypothesis) words() int {
	if len(h.Words) > 0 {
		return len(h.Words)
	}
	return len(strings.Fields(h.Text))
}

// writeTasks puts new items into the queue. An item with imported truth is not handed out.
func (b *speechBatch) writeTasks(ctx context.Context) error {
	var open, decided []int64
	for _, p := range b.plans {
		switch truth := p.labeled && b.run.Purpose == PurposeTruth; {
		case truth:
			decided = append(decided, p.span.Item)
		case p.item == nil:
			open = append(open, p.span.Item)
		}
	}
	return importTasks(ctx, b.tx, b.run.ProjectID, open, decided)
}
