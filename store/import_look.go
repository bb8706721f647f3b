package store

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/formats"
)

// look reads what is there about the items of the batch, and locks the tasks that its truth may close.
func (b *importBatch) look(ctx context.Context) (err error) {
	if b.classes, err = importClasses(ctx, b.tx, b.run.ProjectID); err != nil {
		return err
	}
	if b.definitions, err = definitionVersions(ctx, b.tx, b.run.ProjectID); err != nil {
		return err
	}
	var hashes [][]byte
	for i := range b.records {
		for _, key := range b.records[i].Keys {
			hashes = append(hashes, keyHash(b.run.secret, key))
		}
	}
	b.known, b.byID = map[string]*knownItem{}, map[int64]*knownItem{}
	b.truths, b.predictions = map[int64][]Box{}, map[int64][]Box{}
	if err := b.lookUp(ctx, `i.key_hash = ANY($2)`, hashes); err != nil {
		return err
	}
	if !b.run.Options.AllowErased {
		if b.tombs, err = tombsOf(ctx, b.tx, b.run.ProjectID, hashes); err != nil {
			return err
		}
	}
	return b.lookForTwins(ctx)
}

// lookUp reads the items of the project that meet the condition on $2 into known, byID, truths and
// predictions.
func (b *importBatch) lookUp(ctx context.Context, where string, argument any) error {
	if b.run.Purpose == PurposeTruth {
		_, err := b.tx.Exec(ctx, `
			SELECT FROM tasks t WHERE t.item_id IN (SELECT i.id FROM items i WHERE i.project_id = $1 AND `+where+`)
			ORDER BY t.id FOR NO KEY UPDATE`, b.run.ProjectID, argument)
		if err != nil {
			return fmt.Errorf("lock tasks: %w", err)
		}
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := b.tx.Query(ctx, `
		SELECT i.key_hash, i.id, coalesce(i.width, 0), coalesce(i.height, 0), a.sha256, coalesce(t.id, 0), t.import_id IS NOT NULL,
			coalesce(k.state = 'discarded', false),
			coalesce(k.state = 'in_review' OR k.live > 0 OR k.votes > 0 OR EXISTS (SELECT FROM assignments x WHERE x.task_id = k.id), false),
			coalesce(p.id, 0)
		FROM items i LEFT JOIN assets a ON a.item_id = i.id AND a.kind = 'original'
			LEFT JOIN truths t ON t.item_id = i.id AND t.current
			LEFT JOIN tasks k ON k.item_id = i.id
			LEFT JOIN predictions p ON p.item_id = i.id AND p.purpose = $3 AND coalesce(p.model_version_id, 0) = $4
		WHERE i.project_id = $1 AND `+where, b.run.ProjectID, argument, b.run.Purpose, b.run.modelVersion)
	if err != nil {
		return fmt.Errorf("look up items: %w", err)
	}
	var hash []byte
	var k knownItem
	var truths, predictions []int64
	_, err = pgx.ForEachRow(rows, []any{
		&hash, &k.ID, &k.Width, &k.Height, &k.SHA256, &k.Truth, &k.TruthImported, &k.Discarded, &k.Touched, &k.Prediction,
	}, func() error {
		item := k
		b.known[string(hash)], b.byID[item.ID] = &item, &item
		truths, predictions = append(truths, item.Truth), append(predictions, item.Prediction)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up items: %w", err)
	}
	return b.lookAtBoxes(ctx, truths, predictions)
}

// lookAtBoxes reads the boxes that the labels of the batch are compared with.
func (b *importBatch) lookAtBoxes(ctx context.Context, truths, predictions []int64) error {
	var sql string
	var owners []int64
	var into map[int64][]Box
	switch b.run.Purpose {
	case PurposeTruth:
		sql = `SELECT truth_id, class_id, x, y, w, h, rotation, crowd, NULL::float8 FROM truth_boxes WHERE truth_id = ANY($1) ORDER BY truth_id, position`
		owners, into = truths, b.truths
	case PurposePrefill, PurposePrediction:
		sql = `SELECT prediction_id, class_id, x, y, w, h, rotation, false, score FROM prediction_boxes WHERE prediction_id = ANY($1) ORDER BY prediction_id, position`
		owners, into = predictions, b.predictions
	default:
		return nil
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := b.tx.Query(ctx, sql, owners)
	if err != nil {
		return fmt.Errorf("look at boxes: %w", err)
	}
	var owner int64
	var box Box
	_, err = pgx.ForEachRow(rows, []any{
		&owner, &box.ClassID, &box.X, &box.Y, &box.W, &box.H, &box.Rotation, &box.Crowd, &box.Score,
	}, func() error {
		into[owner] = append(into[owner], box)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look at boxes: %w", err)
	}
	return nil
}

// lookForTwins finds items of the project that have one of the batch's pictures already.
func (b *importBatch) lookForTwins(ctx context.Context) error {
	b.twins = map[string]int64{}
	var hashes [][]byte
	for i := range b.records {
		if media := b.records[i].Media; media != nil {
			hashes = append(hashes, media.SHA256)
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := b.tx.Query(ctx, `
		SELECT a.sha256, min(i.id) FROM assets a JOIN items i ON i.id = a.item_id
		WHERE a.kind = 'original' AND a.sha256 = ANY($2) AND i.project_id = $1 GROUP BY a.sha256`, b.run.ProjectID, hashes)
	if err != nil {
		return fmt.Errorf("look for the same pictures: %w", err)
	}
	var hash []byte
	var item int64
	_, err = pgx.ForEachRow(rows, []any{&hash, &item}, func() error {
		b.twins[string(hash)] = item
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for the same pictures: %w", err)
	}
	return nil
}

// find returns the item that the record is about: by one of its keys, else by a likeness of names;
// nil if there is none. A likeness alone does not give an item that has a picture another one.
func (b *importBatch) find(ctx context.Context, record *ImportRecord) (*knownItem, error) {
	for _, key := range record.Keys {
		if item := b.known[string(keyHash(b.run.secret, key))]; item != nil {
			return item, nil
		}
	}
	names, err := b.names(ctx, record)
	if err != nil {
		return nil, err
	}
	id := names.files[record.File]
	if id == 0 && record.Alike != nil {
		if key, err := record.Alike(names.media); err == nil {
			id = names.ids[key]
		}
	}
	if id == 0 {
		return nil, nil
	}
	if b.byID[id] == nil {
		if err := b.lookUp(ctx, `i.id = $2`, id); err != nil {
			return nil, err
		}
	}
	item := b.byID[id]
	if item != nil && record.Media != nil && item.SHA256 != nil && string(item.SHA256) != string(record.Media.SHA256) {
		return nil, nil
	}
	return item, nil
}

// names indexes the project's items at the first need: it takes a look at all of them.
func (b *importBatch) names(ctx context.Context, record *ImportRecord) (*itemNames, error) {
	index, all := &b.run.files, record.Label != nil
	if all {
		index = &b.run.labels
	}
	if *index != nil {
		return *index, nil
	}
	names, err := b.run.loadNames(ctx, b.tx, all)
	if err != nil {
		return nil, err
	}
	*index = names
	return names, nil
}

// planLabels says what becomes of the labels; it returns why they are refused.
func (b *importBatch) planLabels(ctx context.Context, p *itemPlan) (refusal string, err error) {
	label := p.record.Label
	if label == nil {
		return "", nil
	}
	if label.Fractions != nil {
		if label, refusal = b.pixels(p); refusal != "" {
			return refusal, nil
		}
	}
	if p.width == 0 {
		p.width, p.height = label.Width, label.Height
	} else if label.Width > 0 && (label.Width != p.width || label.Height != p.height) {
		return fmt.Sprintf("The labels are for a picture of %d × %d pixels, and this one is %d × %d upright.",
			label.Width, label.Height, p.width, p.height), nil
	}
	if !label.Labeled {
		return "", nil
	}
	if refusal := b.closed(p); refusal != "" {
		return refusal, nil
	}
	boxes, refusal, err := b.boxes(ctx, p, label)
	if refusal != "" || err != nil {
		return refusal, err
	}
	p.labels, p.labeled = boxes, !b.same(p.item, boxes)
	if p.labeled && b.run.Purpose == PurposeTruth && p.item != nil && p.item.Truth != 0 && !p.item.TruthImported {
		p.labels, p.labeled = nil, false
		return "A reviewer has decided on this item, and that decision stays.", nil
	}
	return "", nil
}

// pixels are the labels of a file that gives them in fractions of a picture whose size it does not say.
func (b *importBatch) pixels(p *itemPlan) (label *formats.Image, refusal string) {
	label = p.record.Label
	if p.width == 0 && (p.item == nil || label.Fractions.Len() > 0) {
		return nil, "These labels are fractions of a picture whose size is not known. Import the picture together with them, or first."
	}
	sized, report := label.Fractions.Pixels(label.Key, p.width, p.height, b.run.Purpose != PurposeTruth)
	b.results = append(b.results, Losses(p.record.labelPlace(), report)...)
	copied := *label // a batch that is tried again begins with what was read
	copied.Boxes, copied.Labeled, copied.Fractions = sized.Boxes, sized.Labeled, nil
	return &copied, ""
}

// closed says why an item takes no labels of this import, whatever they are.
func (b *importBatch) closed(p *itemPlan) string {
	truth := b.run.Purpose == PurposeTruth
	switch {
	case p.item == nil && p.record.Media == nil && b.run.Purpose == PurposePrediction:
		return "There is no item of this name. Import its picture first."
	case p.item == nil || !truth:
		return ""
	case p.item.Discarded:
		return "A reviewer has discarded this item."
	case p.item.Touched && p.item.Truth == 0:
		return "People are labeling this item already: their answers decide."
	}
	return ""
}

// same tells whether the item has exactly these labels.
func (b *importBatch) same(item *knownItem, boxes []Box) bool {
	if item == nil {
		return false
	}
	owner, there := item.Truth, b.truths
	if b.run.Purpose != PurposeTruth {
		owner, there = item.Prediction, b.predictions
	}
	if owner == 0 || len(there[owner]) != len(boxes) {
		return false
	}
	for i, have := range there[owner] {
		want := boxes[i]
		scored := (have.Score == nil) == (want.Score == nil) && (have.Score == nil || *have.Score == *want.Score)
		if have.ClassID != want.ClassID || have.Crowd != want.Crowd || !scored || !samePlace(&have, &want) {
			return false
		}
	}
	return true
}

// samePlace tells whether two boxes differ by no more than what arithmetic leaves: a format that writes fractions, or
// corners instead of sizes, gives a box back some billionths of a pixel off.
func samePlace(a, b *Box) bool {
	const noise = 1e-6
	return math.Abs(a.X-b.X) < noise && math.Abs(a.Y-b.Y) < noise && math.Abs(a.W-b.W) < noise && math.Abs(a.H-b.H) < noise &&
		math.Abs(math.Remainder(a.Rotation-b.Rotation, 360)) < noise
}

// boxes turns the labels of a file into boxes of the project's classes. A class that is missing refuses
// them all, since truth that lacks a box would be wrong; a box that does not fit is refused alone.
func (b *importBatch) boxes(ctx context.Context, p *itemPlan, label *formats.Image) (boxes []Box, refusal string, err error) {
	truth := b.run.Purpose == PurposeTruth
	for i, box := range label.Boxes {
		class, refusal, err := b.class(ctx, box.Class)
		if refusal != "" || err != nil {
			return nil, refusal, err
		}
		if truth {
			box, _, err = formats.Fit(box, p.width, p.height)
		} else if p.width > 0 {
			var inside bool
			if box, inside = formats.Clip(box, p.width, p.height); !inside {
				err = fmt.Errorf("box outside the image of %d × %d", p.width, p.height)
			}
		}
		if err != nil {
			b.results = append(b.results, ImportResult{
				Name: fmt.Sprintf("%s: box %d", p.record.labelPlace(), i+1), Outcome: OutcomeRefused, Reason: err.Error(), ItemID: p.itemID(),
			})
			continue
		}
		converted := Box{ClassID: class, X: box.X, Y: box.Y, W: box.W, H: box.H, Rotation: box.Rotation}
		if truth {
			converted.Crowd = box.Crowd
		} else if box.Scored {
			converted.Score = &box.Score
		}
		boxes = append(boxes, converted)
	}
	return boxes, "", nil
}

// labelPlace is where the record's labels stand.
func (r *ImportRecord) labelPlace() string {
	if r.Place != "" {
		return r.Place
	}
	return r.Name
}
