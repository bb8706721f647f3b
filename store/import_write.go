package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"
	"golang.org/x/text/unicode/norm"

	"fiducial/internal/jobargs"
)

// importUploads is how many originals are stored at once.
const importUploads = 4

// write does what was planned. Rows are copied in, table by table: an import of hundreds of thousands
// of boxes has no time for a statement each.
func (b *importBatch) write(ctx context.Context) error {
	if err := b.identify(ctx); err != nil {
		return err
	}
	if err := b.putOriginals(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		b.writeItems, b.writeTexts, b.completeItems, b.writeAssets, b.writeTruths, b.writePredictions, b.writeTasks,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// identify gives the new items their ids: those with a picture the reserved ones.
func (b *importBatch) identify(ctx context.Context) error {
	bare := 0
	for _, p := range b.plans {
		if p.item == nil && !p.attach {
			bare++
		}
	}
	fresh, err := nextIDs(ctx, b.tx, "items", bare)
	if err != nil {
		return err
	}
	var used []int64
	for _, p := range b.plans {
		switch {
		case p.item != nil:
			p.id = p.item.ID
		case p.attach:
			p.id = b.run.reserved[len(used)]
			used = append(used, p.id)
		default:
			p.id, fresh = fresh[0], fresh[1:]
		}
		for i := p.first; i <= p.result; i++ {
			b.results[i].ItemID = p.id
		}
	}
	b.used = len(used)
	tag, err := b.tx.Exec(ctx, `DELETE FROM import_reservations WHERE item_id = ANY($1)`, used)
	if err != nil {
		return fmt.Errorf("take reserved items: %w", err)
	}
	if tag.RowsAffected() != int64(len(used)) { // another run has taken over, and deleted what was stored under them
		return ErrImportBusy
	}
	return nil
}

// nextIDs takes n ids from a table's sequence.
func nextIDs(ctx context.Context, tx pgx.Tx, table string, n int) ([]int64, error) {
	rows, err := tx.Query(ctx, `SELECT nextval(pg_get_serial_sequence($1, 'id')) FROM generate_series(1, $2)`, table, n)
	if err != nil {
		return nil, fmt.Errorf("ids of %s: %w", table, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("ids of %s: %w", table, err)
	}
	return ids, nil
}

// putOriginals stores the pictures, untouched, before the rows that say that they are there.
func (b *importBatch) putOriginals(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(importUploads)
	for _, p := range b.plans {
		if !p.attach {
			continue
		}
		group.Go(func() error {
			media := p.record.Media
			_, err := b.run.store.blobs.Put(ctx, AssetKey(p.id, "original"), io.NewSectionReader(media.Content, 0, media.Bytes), media.Bytes, media.ContentType)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("store originals: %w", err)
	}
	return nil
}

// copyRows adds rows to a table.
func copyRows(ctx context.Context, tx pgx.Tx, table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows)); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	return nil
}

func (b *importBatch) writeItems(ctx context.Context) error {
	groups, err := b.groups(ctx)
	if err != nil {
		return err
	}
	var rows [][]any
	var ids []int64
	for _, p := range b.plans {
		if p.item != nil {
			continue
		}
		state := "awaiting_media"
		if p.attach {
			state = "processing"
		}
		var captured *time.Time
		if label := p.record.Label; label != nil && !label.CapturedAt.IsZero() {
			captured = &label.CapturedAt
		}
		rows = append(rows, []any{
			p.id, b.run.ProjectID, b.run.SourceID, orNull(groups[b.run.group(p.record)]), keyHash(b.run.secret, p.record.Keys[0]),
			state, orNullInt(p.width), orNullInt(p.height), captured,
		})
		ids = append(ids, p.id)
	}
	columns := []string{"id", "project_id", "source_id", "group_id", "key_hash", "state", "width", "height", "captured_at"}
	if err := copyRows(ctx, b.tx, "items", columns, rows); err != nil || len(ids) == 0 {
		return err
	}
	return retainItems(ctx, b.tx, b.run.SourceID, ids)
}

// retainItems gives new items of a source the date until which they may be kept.
func retainItems(ctx context.Context, tx pgx.Tx, source int64, ids []int64) error {
	// The lock makes a change of the policy wait: it must find these items, or these must find it.
	_, err := tx.Exec(ctx, `
		WITH policy AS MATERIALIZED (SELECT id, retention_days FROM sources WHERE id = $1 FOR SHARE)
		UPDATE items i SET retain_until = item_retain_until(i.own_retain_until, i.captured_at, i.imported_at, p.retention_days)
		FROM policy p WHERE i.source_id = p.id AND p.retention_days IS NOT NULL AND i.id = ANY($2)`, source, ids)
	if err != nil {
		return fmt.Errorf("retention of items: %w", err)
	}
	return nil
}

// groups finds or makes the groups of the new items; "" is none.
func (b *importBatch) groups(ctx context.Context) (map[string]int64, error) {
	ids := map[string]int64{"": 0}
	var names []string
	for _, p := range b.plans {
		name := b.run.group(p.record)
		if _, seen := ids[name]; p.item == nil && !seen {
			ids[name] = 0
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ids, nil
	}
	return ids, fillGroups(ctx, b.tx, b.run.SourceID, names, ids)
}

// fillGroups finds or makes the groups of these names.
func fillGroups(ctx context.Context, tx pgx.Tx, source int64, names []string, ids map[string]int64) error {
	slices.Sort(names) // the same order everywhere, so that two projects of one source never wait in a circle
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `
		INSERT INTO groups (source_id, name) SELECT $1, unnest($2::text[])
		ON CONFLICT (source_id, name) DO UPDATE SET name = EXCLUDED.name RETURNING name, id`, source, names)
	if err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	var name string
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&name, &id}, func() error {
		ids[name] = id
		return nil
	})
	if err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	return nil
}

func orNullInt(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

func (b *importBatch) writeTexts(ctx context.Context) error {
	keys, err := keptKeys(ctx, b.tx, b.run.ProjectID)
	if err != nil {
		return err
	}
	var texts, salts [][]any
	for _, p := range b.plans {
		if p.item != nil {
			continue
		}
		metadata := map[string]string{}
		if p.record.Label != nil {
			metadata = allowed(p.record.Label.Metadata, keys)
		}
		key := norm.NFC.String(p.record.Keys[0])
		file := p.record.File
		if file == "" {
			file = key
		}
		salt := make([]byte, 32)
		_, _ = rand.Read(salt) // documented never to fail
		texts = append(texts, []any{p.id, b.run.ProjectID, key, file, metadata})
		salts = append(salts, []any{p.id, salt})
	}
	if err := copyRows(ctx, b.tx, "item_texts", []string{"item_id", "project_id", "external_key", "file_name", "metadata"}, texts); err != nil {
		return err
	}
	return copyRows(ctx, b.tx, "item_salts", []string{"item_id", "salt"}, salts)
}

// completeItems gives items that were there what they lacked: their picture, their size.
func (b *importBatch) completeItems(ctx context.Context) error {
	var ids []int64
	var widths, heights []int
	var attached []bool
	var files []string
	for _, p := range b.plans {
		if p.item == nil || !p.attach && p.item.Width == p.width {
			continue
		}
		ids, widths, heights = append(ids, p.id), append(widths, p.width), append(heights, p.height)
		attached, files = append(attached, p.attach), append(files, p.record.File)
	}
	if len(ids) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		UPDATE items i SET width = u.width, height = u.height, state = CASE WHEN u.attached THEN 'processing' ELSE i.state END
		FROM unnest($1::bigint[], $2::int[], $3::int[], $4::bool[]) AS u (id, width, height, attached) WHERE i.id = u.id`,
		ids, widths, heights, attached)
	batch.Queue(`
		UPDATE item_texts t SET file_name = u.file FROM unnest($1::bigint[], $2::text[]) AS u (id, file) WHERE t.item_id = u.id AND u.file <> ''`,
		ids, files)
	if err := b.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("complete items: %w", err)
	}
	return nil
}

// writeAssets records the originals and asks for their renditions.
func (b *importBatch) writeAssets(ctx context.Context) error {
	var rows [][]any
	var renders []river.InsertManyParams
	for _, p := range b.plans {
		if !p.attach {
			continue
		}
		media := p.record.Media
		rows = append(rows, []any{p.id, "original", media.ContentType, media.Bytes, media.SHA256, media.StoredWidth, media.StoredHeight, media.Facts})
		renders = append(renders, river.InsertManyParams{Args: jobargs.RenderItem{ItemID: p.id}, InsertOpts: renderLater()})
	}
	if len(rows) == 0 {
		return nil
	}
	columns := []string{"item_id", "kind", "content_type", "bytes", "sha256", "width", "height", "facts"}
	if err := copyRows(ctx, b.tx, "assets", columns, rows); err != nil {
		return err
	}
	if _, err := b.run.store.queue.InsertManyTx(ctx, b.tx, renders); err != nil {
		return fmt.Errorf("enqueue renderings: %w", err)
	}
	return nil
}

func (b *importBatch) writeTruths(ctx context.Context) error {
	if b.run.Purpose != PurposeTruth {
		return nil
	}
	var labeled []*itemPlan
	var replaced []int64
	for _, p := range b.plans {
		if p.labeled {
			labeled = append(labeled, p)
		}
		if p.labeled && p.item != nil && p.item.Truth != 0 {
			replaced = append(replaced, p.item.Truth)
		}
	}
	if len(replaced) > 0 {
		if _, err := b.tx.Exec(ctx, `UPDATE truths SET current = false WHERE id = ANY($1)`, replaced); err != nil {
			return fmt.Errorf("replace truths: %w", err)
		}
	}
	ids, err := nextIDs(ctx, b.tx, "truths", len(labeled))
	if err != nil {
		return err
	}
	rows := make([][]any, len(labeled))
	for i, p := range labeled {
		rows[i] = []any{ids[i], p.id, b.run.ID}
	}
	if err := copyRows(ctx, b.tx, "truths", []string{"id", "item_id", "import_id"}, rows); err != nil {
		return err
	}
	columns := []string{"truth_id", "position", "class_id", "definition_version", "x", "y", "w", "h", "rotation", "crowd"}
	return b.copyBoxes(ctx, "truth_boxes", columns, labeled, func(row []any, plan, position int, box *Box) []any {
		return append(row, ids[plan], position, box.ClassID, b.definitions[box.ClassID], box.X, box.Y, box.W, box.H, box.Rotation, box.Crowd)
	})
}

// copyBoxes copies the labels of plans in, one row at a time.
func (b *importBatch) copyBoxes(ctx context.Context, table string, columns []string, plans []*itemPlan,
	fill func(row []any, plan, position int, box *Box) []any,
) error {
	plan, position := 0, 0
	row := make([]any, 0, len(columns))
	_, err := b.tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		for plan < len(plans) && position == len(plans[plan].labels) {
			plan, position = plan+1, 0
		}
		if plan == len(plans) {
			return nil, nil
		}
		row = fill(row[:0], plan, position, &plans[plan].labels[position])
		position++
		return row, nil
	}))
	if err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	return nil
}

func (b *importBatch) writePredictions(ctx context.Context) error {
	if b.run.Purpose != PurposePrefill && b.run.Purpose != PurposePrediction {
		return nil
	}
	var labeled []*itemPlan
	var replaced []int64
	for _, p := range b.plans {
		if p.labeled {
			labeled = append(labeled, p)
		}
		if p.labeled && p.item != nil && p.item.Prediction != 0 {
			replaced = append(replaced, p.item.Prediction)
		}
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM prediction_boxes WHERE prediction_id = ANY($1)`, replaced)
	batch.Queue(`DELETE FROM predictions WHERE id = ANY($1)`, replaced)
	if err := b.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("replace predictions: %w", err)
	}
	ids, err := nextIDs(ctx, b.tx, "predictions", len(labeled))
	if err != nil {
		return err
	}
	rows := make([][]any, len(labeled))
	for i, p := range labeled {
		rows[i] = []any{ids[i], p.id, orNull(b.run.modelVersion), b.run.Purpose}
	}
	if err := copyRows(ctx, b.tx, "predictions", []string{"id", "item_id", "model_version_id", "purpose"}, rows); err != nil {
		return err
	}
	columns := []string{"prediction_id", "position", "class_id", "x", "y", "w", "h", "rotation", "score"}
	return b.copyBoxes(ctx, "prediction_boxes", columns, labeled, func(row []any, plan, position int, box *Box) []any {
		return append(row, ids[plan], position, box.ClassID, box.X, box.Y, box.W, box.H, box.Rotation, box.Score)
	})
}

// writeTasks puts new items into the queue. An item with imported truth is not handed out: its task is
// there as adjudicated, so that a reviewer can still open it.
func (b *importBatch) writeTasks(ctx context.Context) error {
	var open, decided []int64
	for _, p := range b.plans {
		switch truth := p.labeled && b.run.Purpose == PurposeTruth; {
		case truth:
			decided = append(decided, p.id)
		case p.item == nil:
			open = append(open, p.id)
		}
	}
	return importTasks(ctx, b.tx, b.run.ProjectID, open, decided)
}

// importTasks puts open items into the queue, and those that are decided beside it.
func importTasks(ctx context.Context, tx pgx.Tx, project int64, open, decided []int64) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO tasks (project_id, item_id, state, overlap)
		SELECT p.id, item, 'adjudicated', p.overlap
		FROM (SELECT id, overlap FROM projects WHERE id = $1 FOR SHARE) p, unnest($2::bigint[]) AS u (item)
		ON CONFLICT (item_id) DO UPDATE SET state = 'adjudicated', version = tasks.version + 1, changed_at = now() WHERE tasks.state = 'open'`,
		project, decided)
	if err != nil {
		return fmt.Errorf("close tasks: %w", err)
	}
	if len(open) == 0 {
		return nil
	}
	return addTasks(ctx, tx, project, open, 0)
}
