package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/erasure"
	"fiducial/migrations"
	"fiducial/store"
	"fiducial/store/backup"
	"fiducial/store/blob"
	"fiducial/store/ledger"
	"fiducial/store/storetest"
)

// backedUp is an installation with a ledger, a frozen version, and a backup of before an erasure.
type backedUp struct {
	*store.Store

	pool    *pgxpool.Pool
	book    *ledger.File
	version store.DatasetVersion
	file    []byte
}

func newBackedUp(t *testing.T) *backedUp {
	t.Helper()
	b := &backedUp{pool: storetest.Pool(t), book: &ledger.File{Path: filepath.Join(t.TempDir(), "erasures.ledger")}}
	bucket := storetest.Bucket(t)
	b.Store = over(t, b.pool, bucket, b.book)
	stockUp(t, b.pool, "strip", 30)
	for _, key := range []string{"items/7/original", "items/8/original"} {
		if _, err := bucket.Put(t.Context(), key, strings.NewReader("pixels"), 6, "image/jpeg"); err != nil {
			t.Fatal(err)
		}
	}
	b.version = frozen(t, b.Store, "kept", recipeOf("strip"))
	var file bytes.Buffer
	if _, err := backup.Write(t.Context(), &file, b.pool, bucket, backup.Header{At: time.Unix(0, 0)}, func(backup.Summary) {}); err != nil {
		t.Fatal(err)
	}
	b.file = file.Bytes()
	return b
}

// over is a store over a database and a bucket that keeps a ledger.
func over(t *testing.T, pool *pgxpool.Pool, bucket *blob.Bucket, book store.Ledger) *store.Store {
	t.Helper()
	st, err := store.New(pool, bucket)
	if err != nil {
		t.Fatal(err)
	}
	st.KeepLedger(book)
	return st
}

// eraseItems erases by the engine.
func eraseItems(t *testing.T, st *store.Store, items ...int64) int64 {
	t.Helper()
	var named []erasure.Named
	for i, item := range items {
		named = append(named, erasure.Named{Line: i + 1, ID: item})
	}
	asked, err := st.PreviewErasure(t.Context(), store.System(), store.ErasureRequest{Scope: store.ScopeItems, Items: named, Reason: "T-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.ConfirmErasure(t.Context(), store.System(), asked.ID); err != nil {
		t.Fatal(err)
	}
	if err := st.RunErasure(t.Context(), asked.ID); err != nil {
		t.Fatal(err)
	}
	return asked.ID
}

// restoredFrom reads the backup into an empty place.
func (b *backedUp) restoredFrom(t *testing.T, book store.Ledger) (*store.Store, *pgxpool.Pool, *blob.Bucket) {
	t.Helper()
	archive, err := backup.Open(bytes.NewReader(b.file))
	if err != nil {
		t.Fatal(err)
	}
	pool, bucket := storetest.Blank(t), storetest.Bucket(t)
	if err := migrations.Up(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Load(t.Context(), pool, bucket, func(backup.Summary) {}); err != nil {
		t.Fatal(err)
	}
	return over(t, pool, bucket, book), pool, bucket
}

func count(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A backup from before, restored with the ledger, does not bring back who was erased.
func TestARestoreDoesNotBringBackTheErased(t *testing.T) {
	t.Parallel()
	b := newBackedUp(t)
	eraseItems(t, b.Store, 3, 4)
	last := eraseItems(t, b.Store, 7)
	if n, err := b.ApplyLedger(t.Context()); err != nil || n != 0 {
		t.Errorf("where it was erased the ledger brings nothing new: %d, %v", n, err)
	}

	own := &ledger.File{Path: filepath.Join(t.TempDir(), "erasures.ledger")}
	again, pool, bucket := b.restoredFrom(t, own)
	if n := count(t, pool, `SELECT count(*) FROM items WHERE id IN (3, 4, 7)`); n != 3 {
		t.Fatalf("the backup holds %d of the three: it proves nothing", n)
	}
	exec(t, pool, `INSERT INTO legal_holds (item_id, reason) VALUES (7, 'lifted since')`)
	if lines, err := again.MergeLedger(t.Context(), b.book); err != nil || lines != 3 {
		t.Fatalf("%d lines, %v", lines, err)
	}
	if n, err := again.ApplyLedger(t.Context()); err != nil || n != 3 {
		t.Fatalf("%d items erased again, %v", n, err)
	}
	if n := count(t, pool, `SELECT count(*) FROM items WHERE id IN (3, 4, 7)`) + count(t, pool, `SELECT count(*) FROM item_texts WHERE item_id IN (3, 4, 7)`); n != 0 {
		t.Errorf("%d rows of them are back", n)
	}
	if n := count(t, pool, `SELECT count(*) FROM erasure_items WHERE item_id IN (3, 4, 7) AND erasure_id > $1`, last); n != 3 {
		t.Errorf("%d tombstones, under numbers that no receipt has", n)
	}
	if _, err := bucket.Stat(t.Context(), "items/7/original"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("its object: %v", err)
	}
	if _, err := bucket.Stat(t.Context(), "items/8/original"); err != nil {
		t.Errorf("another's object: %v", err)
	}
	if v := verified(t, again, b.version, false); !v.Holds() || v.Erased != 3 || v.Matching != 27 {
		t.Errorf("the version: %+v", v)
	}
	if n, err := again.ApplyLedger(t.Context()); err != nil || n != 0 {
		t.Errorf("the second time: %d, %v", n, err)
	}
	// What the merged ledger says is known to a restore of the same backup into the same place.
	third, _, _ := b.restoredFrom(t, own)
	if n, err := third.ApplyLedger(t.Context()); err != nil || n != 3 {
		t.Errorf("restored once more: %d, %v", n, err)
	}
}

// Cut off after the ledger was written and before anything was erased, the erasure itself goes on, and nothing is erased twice.
func TestLedgerBesideAnErasureUnderWay(t *testing.T) {
	t.Parallel()
	b := newBackedUp(t)
	eraseItems(t, b.Store, 3)
	entry := ledger.Entry{Erasure: 99, Project: 1, Item: 5, At: time.Now()}
	if err := b.pool.QueryRow(t.Context(), `SELECT project_id, key_hash FROM items WHERE id = 5`).Scan(&entry.Project, &entry.KeyHash); err != nil {
		t.Fatal(err)
	}
	if _, err := b.book.Append(t.Context(), []ledger.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	exec(t, b.pool, `WITH e AS (INSERT INTO erasures (kind, scope, state, due_at) VALUES ('request', 'items', 'erasing', now()) RETURNING id)
		INSERT INTO erasure_lists (erasure_id, item_id, state) SELECT id, 5, 'taken' FROM e`)
	if n, err := b.ApplyLedger(t.Context()); err != nil || n != 0 {
		t.Errorf("%d items, %v: the erasure under way has it", n, err)
	}
	// An item that came in anew under a key that was erased is another one.
	exec(t, b.pool, `INSERT INTO items (project_id, source_id, key_hash) SELECT project_id, source_id, key_hash FROM erasure_items WHERE item_id = 3`)
	if _, err := b.book.Append(t.Context(), []ledger.Entry{{Erasure: 100, Project: entry.Project, Item: 999, KeyHash: []byte("unknown"), At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	before := count(t, b.pool, `SELECT count(*) FROM items`)
	if n, err := b.ApplyLedger(t.Context()); err != nil || n != 0 || count(t, b.pool, `SELECT count(*) FROM items`) != before {
		t.Errorf("%d items, %v: what came in anew was taken", n, err)
	}
}

func TestADamagedLedgerIsRefused(t *testing.T) {
	t.Parallel()
	b := newBackedUp(t)
	eraseItems(t, b.Store, 3, 4)
	raw, err := os.ReadFile(b.book.Path)
	if err != nil {
		t.Fatal(err)
	}
	broken := &ledger.File{Path: filepath.Join(t.TempDir(), "broken")}
	if err := os.WriteFile(broken.Path, bytes.Replace(raw, []byte(`"item":3`), []byte(`"item":6`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	again, pool, _ := b.restoredFrom(t, &ledger.File{Path: filepath.Join(t.TempDir(), "own")})
	if _, err := again.MergeLedger(t.Context(), broken); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("merged: %v", err)
	}
	again.KeepLedger(broken)
	if _, err := again.ApplyLedger(t.Context()); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("applied: %v", err)
	}
	if n := count(t, pool, `SELECT count(*) FROM erasure_items`); n != 0 {
		t.Errorf("%d items were erased by it", n)
	}
	if text := string(raw); slices.ContainsFunc([]string{"line 1", ".jpg", "T-1"}, func(word string) bool { return strings.Contains(text, word) }) {
		t.Errorf("the ledger holds content: %s", text)
	}
}
