package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"fiducial/internal/formats"
)

// ImportMedia is a picture that was looked at and may come in.
type ImportMedia struct {
	Content       io.ReaderAt
	Bytes         int64
	SHA256        []byte
	ContentType   string
	Width, Height int // pixels of the upright picture
	// StoredWidth and StoredHeight are the size before it is turned upright.
	StoredWidth, StoredHeight int
	Facts                     json.RawMessage
}

// ImportRecord is what an import has about one item.
type ImportRecord struct {
	Name string // where it stands in what was uploaded; unique in the import
	// Keys are the external keys under which the item may exist; a new one gets the first.
	Keys []string
	// Alike finds, among the keys of the project's items, the one that is meant where none of Keys is there.
	Alike func(*formats.Media) (string, error)
	File  string         // the picture's own path; "" without Media
	Media *ImportMedia   // nil: labels alone
	Label *formats.Image // nil: a picture alone
	Place string         // where the labels stand, when that is elsewhere than Name
	Fault string         // why it is refused whatever else there is; "" if it may come in
	// Losses are single boxes and the like that reading refused already, and what it lost.
	Losses []ImportResult
}

// Merge brings records in, all of them in one transaction: what each is about is added, completed, or
// found unchanged, or refused with its reason. Records that have a result already are passed over. It
// returns ErrImportEnded once the import was cancelled.
func (r *ImportRun) Merge(ctx context.Context, records []ImportRecord) error {
	fresh := records[:0:0]
	for _, record := range records {
		if !r.done[record.Name] {
			fresh = append(fresh, record)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	err := r.merge(ctx, fresh)
	rule := unstorable(err)
	if rule == "" {
		return err
	}
	// One of them cannot be stored: the others must not suffer for it.
	if half := len(fresh) / 2; half > 0 {
		if err := r.Merge(ctx, fresh[:half]); err != nil {
			return err
		}
		return r.Merge(ctx, fresh[half:])
	}
	return r.refuse(ctx, fresh[0].Name, "The database does not take this record ("+rule+"). Look for odd values in it.")
}

// unstorable tells a fault of the data (value out of range, constraint) from one of the service: it
// returns the rule that was broken, "" for anything else.
func unstorable(err error) string {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || !strings.HasPrefix(pgErr.Code, "22") && !strings.HasPrefix(pgErr.Code, "23") {
		return ""
	}
	return strings.TrimSpace(pgErr.Code + " " + pgErr.ConstraintName)
}

func (r *ImportRun) refuse(ctx context.Context, name, reason string) error {
	err := r.store.inTx(ctx, func(tx pgx.Tx) error {
		if err := r.stillRunning(ctx, tx); err != nil {
			return err
		}
		return insertResults(ctx, tx, r.ID, []ImportResult{{Name: name, Outcome: OutcomeRefused, Reason: reason}})
	})
	if err != nil {
		return fmt.Errorf("merge into import %d: %w", r.ID, err)
	}
	r.done[name] = true
	return nil
}

func (r *ImportRun) merge(ctx context.Context, records []ImportRecord) error {
	if err := r.reserve(ctx, records); err != nil {
		return err
	}
	b := &importBatch{run: r, records: records}
	err := r.store.inTx(ctx, func(tx pgx.Tx) error {
		b.tx = tx
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2::bigint::int)`, importMergeLock, r.ProjectID); err != nil {
			return err
		}
		if err := r.stillRunning(ctx, tx); err != nil {
			return err
		}
		if err := b.look(ctx); err != nil {
			return err
		}
		if err := b.decide(ctx); err != nil {
			return err
		}
		if !r.Options.DryRun {
			if err := b.write(ctx); err != nil {
				return err
			}
		}
		if err := b.noteClasses(ctx); err != nil {
			return err
		}
		return insertResults(ctx, tx, r.ID, b.results)
	})
	if err != nil {
		return fmt.Errorf("merge into import %d: %w", r.ID, err)
	}
	b.settle()
	return nil
}

// reserve keeps enough ids at hand for the new items among records that have a picture.
func (r *ImportRun) reserve(ctx context.Context, records []ImportRecord) error {
	missing := -len(r.reserved)
	for _, record := range records {
		if record.Media != nil {
			missing++
		}
	}
	return r.reserveIDs(ctx, &r.reserved, missing, `
		INSERT INTO import_reservations (import_id, item_id)
		SELECT $1, nextval(pg_get_serial_sequence('items', 'id')) FROM generate_series(1, $2) RETURNING item_id`)
}

// reserveIDs keeps so many more ids at hand, by a query that notes them for the import.
func (r *ImportRun) reserveIDs(ctx context.Context, at *[]int64, missing int, query string) error {
	if missing <= 0 || r.Options.DryRun {
		return nil
	}
	ids, err := collectIDs(ctx, r.conn, query, r.ID, missing)
	if err != nil {
		return fmt.Errorf("reserve ids: %w", err)
	}
	*at = append(*at, ids...)
	return nil
}

// importBatch is one transaction of a run.
type importBatch struct {
	run     *ImportRun
	tx      pgx.Tx
	records []ImportRecord

	classes     map[string]importClass
	definitions map[int64]*int
	known       map[string]*knownItem // by key hash
	byID        map[int64]*knownItem
	truths      map[int64][]Box // by truth
	predictions map[int64][]Box // by prediction
	twins       map[string]int64
	tombs       map[string]tomb // of erased items, by key hash
	newClasses  []string

	plans   []*itemPlan
	planned map[string]bool // key hashes of items to be made
	used    int             // of the run's reserved ids
	results []ImportResult
}

// knownItem is an item that is there already.
type knownItem struct {
	ID            int64
	Width, Height int
	SHA256        []byte // of the original; nil without one
	Truth         int64  // 0 for none
	TruthImported bool
	Discarded     bool
	Touched       bool // somebody has begun to label it
	Prediction    int64
}

// itemPlan is what is to be done about one item.
type itemPlan struct {
	record        *ImportRecord
	item          *knownItem // nil: to be made
	id            int64      // once it is made
	attach        bool       // its picture comes
	width, height int
	labels        []Box
	labeled       bool // labels are to be written
	first, result int  // index in results of the first that is about it, and of its outcome
}

func (b *importBatch) decide(ctx context.Context) error {
	b.planned = map[string]bool{}
	for i := range b.records {
		if err := b.decideOne(ctx, &b.records[i]); err != nil {
			return err
		}
	}
	return nil
}

// decideOne says what is to be done about one record, and what its result is.
func (b *importBatch) decideOne(ctx context.Context, record *ImportRecord) error {
	first := len(b.results)
	b.results = append(b.results, record.Losses...)
	if record.Fault != "" {
		b.results = append(b.results, ImportResult{Name: record.Name, Outcome: OutcomeRefused, Reason: record.Fault})
		return nil
	}
	item, err := b.find(ctx, record)
	if err != nil {
		return err
	}
	if item == nil {
		if reason := b.erased(record); reason != "" {
			b.results = append(b.results[:first], ImportResult{Name: record.Name, Outcome: OutcomeRefused, Reason: reason})
			return nil
		}
	}
	plan := &itemPlan{record: record, item: item, first: first}
	if reason := b.planMedia(plan); reason != "" {
		b.results = append(b.results, ImportResult{Name: record.Name, Outcome: OutcomeRefused, Reason: reason, ItemID: plan.itemID()})
		return nil
	}
	reason, err := b.planLabels(ctx, plan)
	if err != nil {
		return err
	}
	if reason != "" {
		place := record.Place
		if place == "" || record.Media == nil {
			place = record.Name
		}
		b.results = append(b.results, ImportResult{Name: place, Outcome: OutcomeRefused, Reason: reason, ItemID: plan.itemID()})
		if record.Media == nil {
			return nil
		}
	}
	b.accept(plan)
	return nil
}

// erased says why a record is refused whose item was erased, "" if it was not.
func (b *importBatch) erased(record *ImportRecord) string {
	for _, key := range record.Keys {
		if t, ok := b.tombs[string(keyHash(b.run.secret, key))]; ok {
			return t.refusal()
		}
	}
	return ""
}

func (p *itemPlan) itemID() int64 {
	if p.item == nil {
		return 0
	}
	return p.item.ID
}

// planMedia says what becomes of the picture, and fixes the item's size; it returns why the record is refused.
func (b *importBatch) planMedia(p *itemPlan) (refusal string) {
	record, item := p.record, p.item
	if item == nil {
		if b.planned[string(keyHash(b.run.secret, record.Keys[0]))] {
			return "Another file of this import has the same name."
		}
		if other := b.run.pretended(record); other != "" {
			return fmt.Sprintf("It is about the same item as %s of this import.", other)
		}
	} else {
		if other, taken := b.run.taken[item.ID]; taken {
			return fmt.Sprintf("It is about the same item as %s of this import.", other)
		}
		p.width, p.height = item.Width, item.Height
	}
	media := record.Media
	switch {
	case media == nil:
		return ""
	case item != nil && item.SHA256 != nil && string(item.SHA256) != string(media.SHA256):
		return "The item exists with another picture. Give the new picture another name, or erase the item first."
	case item != nil && item.SHA256 != nil:
		return ""
	case item != nil && item.Width > 0 && (item.Width != media.Width || item.Height != media.Height):
		return fmt.Sprintf("The labels of this item are for a picture of %d × %d pixels, and this one is %d × %d upright.",
			item.Width, item.Height, media.Width, media.Height)
	}
	p.attach, p.width, p.height = true, media.Width, media.Height
	return ""
}

// accept takes the plan in, with its result.
func (b *importBatch) accept(p *itemPlan) {
	result := ImportResult{Name: p.record.Name, Outcome: OutcomeUnchanged, ItemID: p.itemID()}
	switch {
	case p.item == nil:
		result.Outcome = OutcomeAdded
		b.planned[string(keyHash(b.run.secret, p.record.Keys[0]))] = true
	case p.attach || p.labeled:
		result.Outcome = OutcomeChanged
	}
	result.Boxes = len(p.labels)
	if p.attach {
		sha := string(p.record.Media.SHA256)
		if twin, ok := b.twins[sha]; ok && twin != 0 && b.run.taken[twin] == "" {
			result.Reason = fmt.Sprintf("Item %d has the same picture, byte for byte.", twin)
		} else if ok || b.run.pretendedMedia[sha] {
			result.Reason = "Another file of this import has the same picture, byte for byte."
		} else {
			b.twins[sha] = 0
		}
	}
	if p.item != nil {
		b.run.taken[p.item.ID] = p.record.Name
	}
	p.result = len(b.results)
	b.results = append(b.results, result)
	if p.item == nil || p.attach || p.labeled {
		b.plans = append(b.plans, p)
	}
}

// settle remembers what the committed batch has done.
func (b *importBatch) settle() {
	for _, result := range b.results {
		b.run.done[result.Name] = true
	}
	b.run.reserved = b.run.reserved[b.used:]
	for _, p := range b.plans {
		if p.item == nil && p.id != 0 {
			b.run.taken[p.id] = p.record.Name
		}
	}
	if b.run.Options.DryRun {
		b.pretend()
	}
}

// pretend remembers what the batch of a dry run would have made, since no later batch finds it in the database.
func (b *importBatch) pretend() {
	for _, p := range b.plans {
		if p.item == nil {
			b.run.pretendedItems[string(keyHash(b.run.secret, p.record.Keys[0]))] = p.record.Name
		}
		if p.attach {
			b.run.pretendedMedia[string(p.record.Media.SHA256)] = true
		}
	}
}

// pretended is the record that would have made the item which this one is about, if this is a dry run; "" for none.
func (r *ImportRun) pretended(record *ImportRecord) string {
	for _, key := range record.Keys {
		if other := r.pretendedItems[string(keyHash(r.secret, key))]; other != "" {
			return other
		}
	}
	return ""
}
