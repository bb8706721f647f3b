package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/receipt"
	"fiducial/store/storetest"
)

// keeper is a store whose erasures are rows alone.
type keeper struct {
	*Store

	key receipt.Key
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	st, err := New(storetest.Pool(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := receipt.NewKey(bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	st.SignWith(key)
	return &keeper{st, key}
}

func (k *keeper) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := k.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// erased makes an erasure that has gone through, but for the files.
func (k *keeper) erased(t *testing.T) (id int64) {
	t.Helper()
	err := k.pool.QueryRow(t.Context(), `
		INSERT INTO erasures (kind, scope, state, due_at, erased_at) VALUES ('request', 'items', 'erased', now(), now()) RETURNING id`).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	first, err := (&receipt.Receipt{Erasure: id, Kind: "request", Scope: "items", Items: 1, Erased: receipt.At(time.Now())}).Canonical()
	if err != nil {
		t.Fatal(err)
	}
	k.exec(t, `UPDATE erasures SET receipt = $2 WHERE id = $1`, id, string(first))
	return id
}

// paper is what an erasure has come to.
type paper struct {
	State     string
	Receipt   string
	Signature []byte
	Until     *time.Time
}

func (k *keeper) paper(t *testing.T, id int64) paper {
	t.Helper()
	rows, err := k.pool.Query(t.Context(), `SELECT state, receipt, signature, backups_until AS until FROM erasures WHERE id = $1`, id)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[paper])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (k *keeper) rewriteAll(t *testing.T) int {
	t.Helper()
	n, err := k.RewriteErased(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReceiptsAreCompletedAndSigned(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	id := k.erased(t)
	k.exec(t, `INSERT INTO backups (made_at, keep_until, state) VALUES
		(now() - interval '9 days', current_date + 21, 'made'), (now() - interval '8 days', current_date + 50, 'deleted'),
		(now() - interval '7 days', current_date + 60, 'failed'), (now() + interval '1 hour', current_date + 90, 'made')`)
	if n := k.rewriteAll(t); n != 1 {
		t.Fatalf("%d receipts", n)
	}
	p := k.paper(t, id)
	r, err := receipt.Parse([]byte(p.Receipt))
	if err != nil {
		t.Fatal(err)
	}
	if p.State != "rewritten" || !k.key.Public().Verify([]byte(p.Receipt), p.Signature) {
		t.Errorf("the receipt is not signed: %+v", p)
	}
	if r.Rewritten == nil || r.Rewritten.Tables < 18 || r.Rewritten.Objects != receipt.ObjectsOperators || r.Rewritten.Log == "" {
		t.Errorf("rewritten: %+v", r.Rewritten)
	}
	if r.Backups.Known != 1 || r.Backups.Until == nil || p.Until == nil || r.Backups.Until.String() != p.Until.Format(time.DateOnly) {
		t.Errorf("backups: %+v, %v: only the one that was begun before and is still there counts", r.Backups, p.Until)
	}
	if n := k.rewriteAll(t); n != 0 {
		t.Errorf("the second time %d receipts were written", n)
	}
}

func TestWithoutAKeyReceiptsAreSignedLater(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	id := k.erased(t)
	k.SignWith(receipt.Key{})
	k.rewriteAll(t)
	if n, err := k.SignReceipts(t.Context()); err != nil || n != 0 || k.paper(t, id).Signature != nil {
		t.Errorf("signed without a key: %d, %v", n, err)
	}
	k.SignWith(k.key)
	if n, err := k.SignReceipts(t.Context()); err != nil || n != 1 {
		t.Errorf("%d signed, %v", n, err)
	}
	if p := k.paper(t, id); !k.key.Public().Verify([]byte(p.Receipt), p.Signature) {
		t.Error("the signature does not hold")
	}
}

// Whoever still sees the database as it was would have the erased rows copied.
func TestRewritingWaitsForOldSnapshots(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	tx, err := k.pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT count(*) FROM items`); err != nil {
		t.Fatal(err)
	}
	id := k.erased(t)
	var held *HeldBackError
	if n, err := k.RewriteErased(t.Context()); !errors.As(err, &held) || n != 0 || held.By != 1 {
		t.Errorf("beside a backup: %d receipts, %v", n, err)
	}
	if p := k.paper(t, id); p.State != "erased" {
		t.Errorf("it says %s", p.State)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := k.rewriteAll(t); n != 1 {
		t.Errorf("after it: %d receipts", n)
	}
}

// Somebody who reads a table for long holds the rewriting up, but nobody else behind it.
func TestRewritingGivesWay(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.erased(t)
	reading, err := k.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reading.Exec(t.Context(), `LOCK TABLE drafts IN ACCESS SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	at := make(chan struct{})
	k.rewriteStep = func(step string) {
		if step == "drafts" {
			close(at)
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := k.RewriteErased(context.WithoutCancel(t.Context()))
		done <- err
	}()
	<-at
	for range 5 {
		// What is bounded is the wait for the lock alone: a busy machine makes nobody wait for that.
		err := pgx.BeginFunc(t.Context(), k.pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `SET LOCAL lock_timeout = '2s'`)
			if err == nil {
				_, err = tx.Exec(t.Context(), `SELECT count(*) FROM drafts`)
			}
			return err
		})
		if err != nil {
			t.Errorf("a reader waits behind the rewriting: %v", err)
		}
	}
	if err := reading.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Cut off before any kind of step, nothing is signed, and the next run does all of it.
func TestRewritingGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	steps := []string{"snapshots", "comment_texts_", "import_results_5", "drafts", "sessions", "statistics", "log", "checkpoint", "receipt"}
	for _, at := range steps {
		id := k.erased(t)
		k.exec(t, `INSERT INTO projects (slug, name, kind, key_secret) VALUES ('p', 'P', 'image', sha256('x')) ON CONFLICT DO NOTHING`)
		k.exec(t, `INSERT INTO sources (name) VALUES ('s') ON CONFLICT DO NOTHING`)
		k.exec(t, `INSERT INTO erasure_items (item_id, erasure_id, project_id, source_id, key_hash)
			SELECT $1 * 100 + n, $1, p.id, s.id, 'x' FROM projects p, sources s, generate_series(1, 50) n`, id)
		ctx, cut := context.WithCancel(t.Context())
		reached := false
		k.rewriteStep = func(step string) {
			if strings.HasPrefix(step, at) {
				reached = true
				cut()
			}
		}
		if _, err := k.RewriteErased(ctx); !errors.Is(err, context.Canceled) || !reached {
			t.Errorf("%s: %v", at, err)
		}
		cut()
		if p := k.paper(t, id); p.State != "erased" || p.Signature != nil {
			t.Errorf("cut off at %s: %+v", at, p)
		}
		k.rewriteStep = nil
		if n := k.rewriteAll(t); n != 1 || k.paper(t, id).State != "rewritten" {
			t.Errorf("after %s: %d receipts", at, n)
		}
	}
}

func TestOneProcessRewrites(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.erased(t)
	var second error
	k.rewriteStep = func(step string) {
		if step == "log" {
			_, second = k.RewriteErased(t.Context())
		}
	}
	k.rewriteAll(t)
	if !errors.Is(second, ErrRewriting) {
		t.Errorf("two at once: %v", second)
	}
}

// Only the partitions in which an erased item lay are written anew.
func TestPiecesOfAPartitionedTable(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	id := k.erased(t)
	k.exec(t, `INSERT INTO projects (slug, name, kind, key_secret) VALUES ('p', 'P', 'image', sha256('x'))`)
	k.exec(t, `INSERT INTO sources (name) VALUES ('s')`)
	k.exec(t, `INSERT INTO erasure_items (item_id, erasure_id, project_id, source_id, key_hash) SELECT 4711, $1, p.id, s.id, 'x' FROM projects p, sources s`, id)
	k.exec(t, `INSERT INTO items (id, project_id, source_id, key_hash) OVERRIDING SYSTEM VALUE SELECT 4711, p.id, s.id, 'y' FROM projects p, sources s`)
	k.exec(t, `INSERT INTO item_texts (item_id, external_key) VALUES (4711, 'x')`)
	var home string
	if err := k.pool.QueryRow(t.Context(), `SELECT tableoid::regclass::text FROM item_texts`).Scan(&home); err != nil {
		t.Fatal(err)
	}
	var steps []string
	k.rewriteStep = func(step string) { steps = append(steps, step) }
	k.rewriteAll(t)
	for _, step := range steps {
		if strings.HasPrefix(step, "item_texts") && step != home {
			t.Errorf("%s was written anew, the item lay in %s", step, home)
		}
	}
	if !slices.Contains(steps, home) || !slices.Contains(steps, "import_results_0") || !slices.Contains(steps, "groups") {
		t.Errorf("of %s, groups and import_results_0 something is missing: %q", home, steps)
	}
}
