package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/jobargs"
	"fiducial/internal/receipt"
	"fiducial/store/blob"
)

// proofStep is how many tombstones are looked for at once.
const proofStep = 1_000

// prove looks for what should be gone, in every place of the inventory and under every prefix of objects. If nothing is there the erasure is
// done, with its receipt; else it has failed, and says where what is. done is false if more of the source came in this moment.
func (r *erasureRun) prove(ctx context.Context) (done bool, err error) {
	if err := r.at(ctx, "proof"); err != nil {
		return false, err
	}
	proof := Proof{At: time.Now().UTC(), Found: map[string]int64{}}
	for after := int64(0); ; {
		dead, last, err := r.tombstones(ctx, after)
		if err != nil {
			return false, err
		}
		if len(dead.Items) == 0 {
			break
		}
		after = last
		proof.Items += len(dead.Items)
		if err := r.lookInPlaces(ctx, &dead, &proof); err != nil {
			return false, err
		}
		if err := r.lookForObjects(ctx, dead.Items, &proof); err != nil {
			return false, err
		}
		if err := r.lookForSounds(ctx, dead.Items, &proof); err != nil {
			return false, err
		}
	}
	if err := r.lookBeside(ctx, &proof); err != nil {
		return false, err
	}
	if err := r.at(ctx, "receipt"); err != nil {
		return false, err
	}
	return r.finish(ctx, proof)
}

// tombstones returns the next items that the erasure took, with their tasks; what else was theirs is known by foreign keys alone.
func (r *erasureRun) tombstones(ctx context.Context, after int64) (d doomed, last int64, err error) {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := r.pool.Query(ctx, `
		SELECT item_id, coalesce(task_id, 0) FROM erasure_items WHERE erasure_id = $1 AND item_id > $2 ORDER BY item_id LIMIT $3`, r.id, after, proofStep)
	if err != nil {
		return d, 0, err
	}
	var item, task int64
	_, err = pgx.ForEachRow(rows, []any{&item, &task}, func() error {
		d.Items, last = append(d.Items, item), item
		if task != 0 {
			d.Tasks = append(d.Tasks, task)
		}
		return nil
	})
	if err != nil {
		return d, 0, fmt.Errorf("tombstones: %w", err)
	}
	return d, last, nil
}

// lookInPlaces looks for rows of the items. Places whose rows are found by an answer, a truth and so on hold nothing once those are
// gone, since a foreign key binds each of their rows to one; lookBeside sees to it that the keys are there.
func (r *erasureRun) lookInPlaces(ctx context.Context, d *doomed, proof *Proof) error {
	return r.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, byIndex); err != nil {
			return err
		}
		proof.Columns = 0
		for _, p := range Inventory() {
			if p.Of != OfItem {
				continue
			}
			proof.Columns += len(p.Columns)
			if p.rows() == "" {
				continue
			}
			var found int64
			if err := tx.QueryRow(ctx, p.count(), d.args(nil)).Scan(&found); err != nil {
				return fmt.Errorf("look in %s: %w", p.Table, err)
			}
			if found > 0 {
				proof.Found[p.Table] += found
			}
		}
		return nil
	})
}

// lookForObjects looks for each object that an item can have.
func (r *erasureRun) lookForObjects(ctx context.Context, items []int64, proof *Proof) error {
	keys := objectsOf(items)
	found := make([]bool, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(eraseDeletes)
	for i, key := range keys {
		group.Go(func() error {
			_, err := r.blobs.Stat(ctx, key)
			if errors.Is(err, blob.ErrNotFound) {
				return nil
			}
			found[i] = err == nil
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	proof.Prefixes += len(items)
	for _, there := range found {
		if there {
			proof.Found["items/{item}/"]++
		}
	}
	return nil
}

// lookBeside looks for archives, for uploads of a source, and for the foreign keys that the rest of the proof stands on.
func (r *erasureRun) lookBeside(ctx context.Context, proof *Proof) error {
	e, err := r.erasureByID(ctx, r.pool, r.id)
	if err != nil {
		return err
	}
	for _, id := range e.Touched.Exports {
		proof.Prefixes++
		switch _, err := r.blobs.Stat(ctx, (&Export{ID: id}).Blob()); {
		case err == nil:
			proof.Found["exports/{export}"]++
		case !errors.Is(err, blob.ErrNotFound):
			return err
		}
	}
	var logs int64
	if err := r.pool.QueryRow(ctx, `SELECT count(*) FROM model_launches l WHERE l.log_bytes IS NOT NULL AND `+launchesOfErasure, r.id).Scan(&logs); err != nil {
		return err
	}
	if logs > 0 {
		proof.Found["launches/{launch}"] = logs
	}
	var withdrawn int64 // archives of what is held on the sources, and still in the object store
	if err := r.pool.QueryRow(ctx, `SELECT count(*) FROM access_requests WHERE source_id IS NOT NULL AND state = 'deleted' AND deleted_at IS NULL`).Scan(&withdrawn); err != nil {
		return err
	}
	if withdrawn > 0 {
		proof.Found["access/{request}"] = withdrawn
	}
	var groups int64
	if err := r.pool.QueryRow(ctx, `SELECT count(*) FROM groups g WHERE g.id = $1 AND NOT EXISTS (SELECT FROM items i WHERE i.group_id = g.id)`, e.GroupID).Scan(&groups); err != nil {
		return err
	}
	if groups > 0 {
		proof.Found["groups"] = groups
	}
	if r.Scope == ScopeSource {
		bare, err := collectIDs(ctx, r.pool, bareRecordings, r.SourceID)
		if err != nil {
			return err
		}
		if len(bare) > 0 {
			proof.Found["recordings"] += int64(len(bare))
		}
	}
	return r.lookForKeys(ctx, proof)
}

// boundBy names, for the ways that go by something of the item, the table that a foreign key must lead to.
var boundBy = map[Clearing]string{
	ByAssignment: "assignments", ByAnnotation: "annotations", ByPrediction: "predictions", ByReview: "reviews", ByTruth: "truths", ByComment: "comments",
}

func (r *erasureRun) lookForKeys(ctx context.Context, proof *Proof) error {
	for _, p := range Inventory() {
		parent, bound := boundBy[p.Erasure]
		if !bound {
			continue
		}
		var there bool
		err := r.pool.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND convalidated AND conrelid = $1::regclass AND confrelid = $2::regclass)`,
			p.Table, parent).Scan(&there)
		if err != nil {
			return fmt.Errorf("foreign key of %s: %w", p.Table, err)
		}
		if !there {
			proof.Found[p.Table+" without a foreign key"] = 1
		}
	}
	return nil
}

// finish writes what the proof came to.
func (r *erasureRun) finish(ctx context.Context, proof Proof) (done bool, err error) {
	err = r.inTx(ctx, func(tx pgx.Tx) error {
		if err := r.lock(ctx, tx); err != nil {
			return err
		}
		if proof.Total() > 0 {
			done = true
			return r.fail(ctx, tx, proof)
		}
		var more bool
		err := tx.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM erasure_lists WHERE erasure_id = $1) OR $2 = 'source' AND EXISTS (SELECT FROM items WHERE source_id = $3)
				OR $2 = 'group' AND EXISTS (SELECT FROM items WHERE group_id = $4)`, r.id, r.Scope, r.SourceID, r.GroupID).Scan(&more)
		if err != nil || more {
			return err
		}
		done = true
		return r.write(ctx, tx, proof)
	})
	return done, err
}

// fail says what is still there, and where.
func (r *erasureRun) fail(ctx context.Context, tx pgx.Tx, proof Proof) error {
	places := make([]string, 0, len(proof.Found))
	for _, place := range slices.Sorted(maps.Keys(proof.Found)) {
		places = append(places, fmt.Sprintf("%d in %s", proof.Found[place], place))
	}
	words := "The proof found something that should be gone: " + strings.Join(places, ", ") + ". Run it again; if it stays, tell whoever maintains this installation."
	_, err := tx.Exec(ctx, `UPDATE erasures SET state = 'failed', error = $2, proof = $3 WHERE id = $1`, r.id, words, jsonOf(proof))
	if err != nil {
		return err
	}
	return audit(ctx, tx, System(), auditEvent{Action: "erasure.failed", ObjectType: "erasure", ObjectID: r.id, Detail: map[string]any{"found": proof.Found}})
}

// write closes the erasure with its receipt, and has the files rewritten.
func (r *erasureRun) write(ctx context.Context, tx pgx.Tx, proof Proof) error {
	now := time.Now()
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return err
	}
	canonical, err := r.firstReceipt(now, proof)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE erasures SET state = 'erased', erased_at = $2, error = '', hold_id = NULL, items = done_items, proof = $3, receipt = $4 WHERE id = $1`,
		r.id, now, jsonOf(proof), string(canonical))
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if err := r.tellConsumers(ctx, tx, r.id); err != nil {
		return err
	}
	if _, err := r.queue.InsertTx(ctx, tx, jobargs.RewriteErased{}, nil); err != nil {
		return fmt.Errorf("enqueue the rewriting: %w", err)
	}
	return audit(ctx, tx, System(), auditEvent{
		Action: "erasure.done", ObjectType: "erasure", ObjectID: r.id, Detail: map[string]any{"items": r.DoneItems, "late": r.Late, "redactions": r.Kept},
	})
}

// firstReceipt is the receipt as far as it can be written before the files are rewritten.
func (r *erasureRun) firstReceipt(now time.Time, proof Proof) ([]byte, error) {
	paper := receipt.Receipt{
		Erasure: r.id, Kind: r.Kind, Scope: r.Scope, Source: r.SourceID, Items: int64(r.DoneItems), Counts: r.Erased, Redactions: int64(r.Kept),
		Requested: receipt.At(r.RequestedAt), Erased: receipt.At(now),
		Proof: &receipt.Proof{At: receipt.At(proof.At), Columns: int64(proof.Columns), Prefixes: int64(proof.Prefixes), Found: proof.Total()},
	}
	return paper.Canonical()
}
