package store

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/erasure"
	"fiducial/migrations"
	"fiducial/store/storetest"
)

// aviary is an installation of its own with something in every table, and a canary in every text that an item can have: a word that is
// nowhere else, so that a search through the files finds wherever it was left.
type aviary struct {
	*Store
	storetest.Installation

	placed map[string]bool // names of canaries
	pixels []byte          // a pattern in the bytes of pictures
	spoken []byte          // another, in an utterance of a recording that stays
	rest   []byte          // and one in what else is said there
	salts  [][]byte
}

// wordless are columns that hold no words: of fixed ones, of numbers, or of ids. Their tables are too large to be written anew.
var wordless = []string{
	"items.state", "items.fault", "assets.kind", "assets.content_type", "assets.facts", "tasks.state", "assignments.reason", "assignments.state",
	"assignments.skip_reason", "predictions.purpose", "reviews.decision", "reviews.former_state", "reviews.origins", "review_marks.reason",
	"item_agreements.worst", "gold_results.classes", "comments.kind", "batch_items.left_because", "batch_items.look", "dataset_lines.split",
	"relabel_items.state", "notices.kind", "notices.object_type", "erasure_lists.state", "project_agreements.summary", "definition_examples.shows", "import_results.outcome", "item_notes.kind", "media_reads.kind",
	"recordings.state", "recordings.fault", "recordings.encoding", "recording_assets.kind", "recording_assets.content_type", "transcripts.kind",
	"assignments.mode", "hypothesis_views.how", "personal_findings.kind", "personal_findings.detector", "personal_findings.state",
	"personal_scans.detector", "plans.report", "plan_items.arm", "evaluation_failures.reason", "item_causes.kind",
}

var wordlessOfPeople = []string{"people.role", "people.pseudonym", "sessions.token", "labeler_figures.audience", "labeler_figures.reasons", "concerns.outcome"}

func newAviary(t *testing.T) *aviary {
	t.Helper()
	a := &aviary{Installation: storetest.Own(t), placed: map[string]bool{}, pixels: make([]byte, 48), spoken: make([]byte, 48), rest: make([]byte, 48)}
	st, err := New(a.Pool, a.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	a.Store = st
	a.fill(t)
	for _, pattern := range [][]byte{a.pixels, a.spoken, a.rest} {
		if _, err := rand.Read(pattern); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// fill brings in what tries the upgrades, which has something for every table.
func (a *aviary) fill(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("../migrations/testdata/0*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		var number int64
		if _, err := fmt.Sscanf(filepath.Base(path), "%d.sql", &number); err != nil {
			t.Fatal(err)
		}
		if err := migrations.UpTo(t.Context(), a.Pool, number); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a.exec(t, string(data))
	}
	if err := migrations.Up(t.Context(), a.Pool); err != nil {
		t.Fatal(err)
	}
}

func (a *aviary) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := a.Pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func queryStructs[T any](t *testing.T, pool *pgxpool.Pool, sql string, args ...any) []T {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// textColumn is a column that can hold words.
type textColumn struct{ Name, Type string }

// textColumns lists those of a table.
func (a *aviary) textColumns(t *testing.T, table string) []textColumn {
	t.Helper()
	return queryStructs[textColumn](t, a.Pool, `
		SELECT attname::text AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND format_type(atttypid, NULL) IN ('text', 'jsonb', 'text[]')`, table)
}

// release puts a canary into every text of every item, twice, so that there is an older version of each row, too.
func (a *aviary) release(t *testing.T) {
	t.Helper()
	for _, place := range Inventory() {
		if place.Of != OfItem {
			continue
		}
		for _, column := range a.textColumns(t, place.Table) {
			name := place.Table + "." + column.Name
			if !slices.Contains(place.Columns, column.Name) || slices.Contains(wordless, name) {
				continue
			}
			canary := "canary-" + name
			value := `$1::text || '-' || ctid::text`
			switch column.Type {
			case "jsonb":
				value = `jsonb_build_object('word', ` + value + `)`
			case "text[]":
				value = `ARRAY[` + value + `]`
			}
			where := ""
			if place.Table == "exports" {
				where = ` WHERE state <> 'deleted'` // those have lost their report before
			}
			for _, version := range []string{canary + ".former", canary} {
				a.exec(t, `UPDATE `+place.Table+` SET `+column.Name+` = `+value+where, version+"-")
				a.placed[version] = true
			}
		}
	}
	for _, version := range []string{"canary-item_waves.amounts.former", "canary-item_waves.amounts"} {
		a.exec(t, `UPDATE item_waves SET amounts = convert_to($1::text || '-' || ctid::text, 'UTF8')`, version)
		a.placed[version] = true
	}
	a.placeObjects(t)
	a.exec(t, `ANALYZE`)
	for _, salt := range queryStructs[struct{ Salt []byte }](t, a.Pool, `SELECT salt FROM item_salts`) {
		a.salts = append(a.salts, salt.Salt)
	}
}

// placeObjects stores pictures whose pixels are the pattern, at every place of object storage: small ones, and one that goes up in parts.
func (a *aviary) placeObjects(t *testing.T) {
	t.Helper()
	for key, times := range map[string]int{
		"recordings/1/peaks": 10, "recordings/1/sound": 10,
		"items/1/original": 20 << 20 / len(a.pixels), "items/1/display": 10, "items/1/thumb": 10, "items/2/original": 10, "imports/2/2/0": 10, "exports/1": 10,
	} {
		content := bytes.NewReader(bytes.Repeat(a.pixels, times))
		if _, err := a.Bucket.Put(t.Context(), key, content, -1, "image/bmp"); err != nil {
			t.Fatal(err)
		}
	}
}

// record stores the recording of the data, ten seconds of two channels, with a second utterance in it, from the first second to the second.
func (a *aviary) record(t *testing.T) (utterance int64) {
	t.Helper()
	const frames, rate = 160_000, 16_000
	data := bytes.Repeat(a.rest, frames*4/len(a.rest)+1)[:frames*4]
	copy(data[rate*4:2*rate*4], bytes.Repeat(a.spoken, rate*4/len(a.spoken)+1))
	file := encoded(1, 2, 2, data)
	binary.LittleEndian.PutUint32(file[24:], rate)
	if _, err := a.Bucket.Put(t.Context(), RecordingKey(1, "original"), bytes.NewReader(file), int64(len(file)), "audio/wav"); err != nil {
		t.Fatal(err)
	}
	a.exec(t, `UPDATE recording_assets SET bytes = $1 WHERE recording_id = 1`, len(file))
	return queryStructs[struct{ ID int64 }](t, a.Pool, `
		INSERT INTO items (project_id, source_id, key_hash, recording_id, begins, ends) SELECT project_id, source_id, '\x0c99', id, 1, 2 FROM recordings
		WHERE id = 1 RETURNING id`)[0].ID
}

// eraseUtterance erases one item, and looks for what was said in it.
func (a *aviary) eraseUtterance(t *testing.T, item int64) {
	t.Helper()
	asked, err := a.PreviewErasure(t.Context(), System(), ErasureRequest{Scope: ScopeItems, Items: []erasure.Named{{Line: 1, ID: item}}, Reason: "T-0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.ConfirmErasure(t.Context(), System(), asked.ID); err != nil {
		t.Fatal(err)
	}
	if err := a.RunErasure(t.Context(), asked.ID); err != nil {
		t.Fatal(err)
	}
	after := a.search(t)
	if len(after["spoken"]) > 0 {
		t.Errorf("what was said is still in %q", after["spoken"])
	}
	if len(after["rest"]) == 0 {
		t.Error("what else was said there is gone as well")
	}
}

var canaryShape = regexp.MustCompile(`canary-[a-z_.]+`)

// search goes through every file of the installation, byte by byte, and returns where which canary was found.
func (a *aviary) search(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(a.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return ignoreGone(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return ignoreGone(err)
		}
		names := map[string]bool{}
		for _, name := range canaryShape.FindAll(content, -1) {
			names[strings.TrimSuffix(string(name), "-")] = true
		}
		for name, pattern := range map[string][]byte{"pixels": a.pixels, "spoken": a.spoken, "rest": a.rest} {
			names[name] = bytes.Contains(content, pattern)
		}
		names["salt"] = slices.ContainsFunc(a.salts, func(salt []byte) bool { return bytes.Contains(content, salt) })
		for name, there := range names {
			if there {
				found[name] = append(found[name], a.nameOf(t, path))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// ignoreGone lets a file go that was deleted while it was being looked for.
func ignoreGone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// nameOf says what a file is: a table's, or part of the log.
func (a *aviary) nameOf(t *testing.T, path string) string {
	t.Helper()
	relative, err := filepath.Rel(a.Dir, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range queryStructs[struct{ Name, File string }](t, a.Pool, `
		SELECT relname::text AS name, pg_relation_filepath(oid) AS file FROM pg_class WHERE pg_relation_filepath(oid) IS NOT NULL`) {
		if strings.HasSuffix(relative, c.File) {
			return relative + " (" + c.Name + ")"
		}
	}
	return relative
}

func TestNoByteIsLeft(t *testing.T) {
	t.Parallel()
	a := newAviary(t)
	a.release(t)
	utterance := a.record(t)
	a.exec(t, `CHECKPOINT`)
	before := a.search(t)
	for _, name := range append(slices.Sorted(maps.Keys(a.placed)), "pixels", "salt", "spoken", "rest") {
		if len(before[name]) == 0 {
			t.Errorf("%s is in no file: a search that cannot find proves nothing", name)
		}
	}
	t.Logf("%d canaries, for example the external key in %q", len(a.placed), before["canary-item_texts.external_key"])
	a.exec(t, `DELETE FROM legal_holds`)
	a.eraseUtterance(t, utterance)
	a.erase(t)
	a.exec(t, `VACUUM`)
	if left := a.search(t); len(left["canary-item_texts.external_key"]) == 0 {
		t.Error("a plain vacuum took the external key out of every file: the maintenance has nothing to do here")
	}
	if n, err := a.RewriteErased(t.Context()); err != nil || n == 0 {
		t.Fatalf("%d receipts, %v", n, err)
	}
	for name, files := range a.search(t) {
		t.Errorf("%s is still in %q", name, files)
	}
}

// erase has every item erased, source by source.
func (a *aviary) erase(t *testing.T) {
	t.Helper()
	a.exec(t, `DELETE FROM legal_holds`)
	a.exec(t, `UPDATE erasures SET state = 'cancelled', erased_at = NULL, rewritten_at = NULL`)
	for _, source := range queryStructs[struct{ ID int64 }](t, a.Pool, `SELECT DISTINCT source_id AS id FROM items`) {
		asked, err := a.PreviewErasure(t.Context(), System(), ErasureRequest{Scope: ScopeSource, Source: source.ID, Reason: "T-1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.ConfirmErasure(t.Context(), System(), asked.ID); err != nil {
			t.Fatal(err)
		}
		if err := a.RunErasure(t.Context(), asked.ID); err != nil {
			t.Fatal(err)
		}
		if done, err := a.Erasure(t.Context(), System(), asked.ID); err != nil || done.State != ErasureErased {
			t.Fatalf("erasure of source %d: %s: %s, %v", source.ID, done.State, done.Error, err)
		}
	}
	if left := queryStructs[struct{ ID int64 }](t, a.Pool, `SELECT id FROM items`); len(left) > 0 {
		t.Fatalf("items left: %v", left)
	}
}

// Words are in tables that are written anew, out of the planner's statistics, or are none.
func TestWordsAreWhereTheyAreWrittenAnew(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	anew := map[string]bool{}
	for _, r := range rewritings() {
		anew[r.table] = true
	}
	for _, place := range Inventory() {
		if place.Of == OfNobody {
			continue
		}
		columns := queryStructs[textColumn](t, pool, `
			SELECT DISTINCT attname::text AS name, max(abs(attstattarget))::text AS type FROM pg_attribute
			WHERE attrelid IN (SELECT $1::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::regclass)
			  AND format_type(atttypid, NULL) IN ('text', 'jsonb', 'text[]') AND NOT attisdropped GROUP BY attname`, place.Table)
		for _, c := range columns {
			name := place.Table + "." + c.Name
			switch {
			case !slices.Contains(place.Columns, c.Name) || slices.Contains(wordless, name) || place.Of == OfPerson && slices.Contains(wordlessOfPeople, name):
			case !anew[place.Table]:
				t.Errorf("%s can hold words: add its table to what is written anew, move it to a partitioned one, or name it among those that hold none", name)
			case c.Type != "0":
				t.Errorf("the planner gathers statistics of %s: ALTER TABLE %s ALTER COLUMN %s SET STATISTICS 0", name, place.Table, c.Name)
			}
		}
	}
}
