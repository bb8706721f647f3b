package jobs

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"golang.org/x/sync/semaphore"

	"fiducial/internal/formats"
	"fiducial/internal/jobargs"
	"fiducial/jobs/media"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// importing is a project that files are imported into.
type importing struct {
	testing.TB

	pool  *pgxpool.Pool
	blobs *blob.Bucket
	store *store.Store
	slug  string

	converter media.Converter // none, unless a test sets it
}

func newImporting(tb testing.TB) *importing {
	tb.Helper()
	return newImportingInto(tb, store.NewProject{Slug: "strip", Name: "Strip", Kind: "image", AcceptsTruth: true})
}

func newImportingInto(tb testing.TB, into store.NewProject) *importing {
	tb.Helper()
	pool, blobs := storetest.Pool(tb), storetest.Bucket(tb)
	st, err := store.New(pool, blobs)
	if err != nil {
		tb.Fatal(err)
	}
	project, err := st.AddProject(tb.Context(), store.System(), into)
	if err != nil {
		tb.Fatal(err)
	}
	return &importing{TB: tb, pool: pool, blobs: blobs, store: st, slug: project.Slug}
}

// upload begins an import of these files and starts it.
func (im *importing) upload(n store.NewImport, files map[string][]byte) int64 {
	im.Helper()
	ctx := im.Context()
	i, err := im.store.AddImport(ctx, store.System(), im.slug, n)
	if err != nil {
		im.Fatal(err)
	}
	for name, content := range files {
		im.send(i.ID, name, content)
	}
	if err := im.store.StartImport(ctx, store.System(), i.ID); err != nil {
		im.Fatal(err)
	}
	return i.ID
}

// send uploads one file, part by part.
func (im *importing) send(id int64, name string, content []byte) {
	im.Helper()
	ctx := im.Context()
	added, err := im.store.AddImportFiles(ctx, store.System(), id, []store.NewImportFile{{Name: name, Size: int64(len(content))}})
	if err != nil {
		im.Fatal(err)
	}
	for file := added[0]; !file.Complete; {
		part := content[file.Received:min(file.Received+store.ImportPart, file.Size)]
		file, err = im.store.PutImportPart(ctx, store.System(), id, file.ID, file.Received, int64(len(part)), bytes.NewReader(part))
		if err != nil {
			im.Fatal(err)
		}
	}
}

func (im *importing) work(ctx context.Context, id int64) error {
	w := &runImport{
		deps: deps{store: im.store, blobs: im.blobs, log: slog.New(slog.DiscardHandler)}, pixels: semaphore.NewWeighted(pixelsAtOnce),
		converter: func() media.Converter { return im.converter },
	}
	return w.Work(ctx, &river.Job[jobargs.RunImport]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: jobargs.RunImport{ImportID: id}})
}

// run uploads files, brings them in, and returns what became of them.
func (im *importing) run(n store.NewImport, files map[string][]byte) (store.ImportCounts, []store.ImportResult) {
	im.Helper()
	id := im.upload(n, files)
	if err := im.work(im.Context(), id); err != nil {
		im.Fatal(err)
	}
	return im.results(id)
}

func (im *importing) results(id int64) (store.ImportCounts, []store.ImportResult) {
	im.Helper()
	ctx := im.Context()
	i, err := im.store.Import(ctx, store.System(), id)
	if err != nil {
		im.Fatal(err)
	}
	if i.State != store.ImportDone {
		im.Fatalf("import %d is %s: %s", id, i.State, i.Error)
	}
	counts, err := im.store.ImportCounts(ctx, store.System(), id)
	if err != nil {
		im.Fatal(err)
	}
	results, err := im.store.ImportResults(ctx, store.System(), id, "", 0, 1_000_000)
	if err != nil {
		im.Fatal(err)
	}
	return counts[id], results
}

func (im *importing) number(sql string, args ...any) (n int) {
	im.Helper()
	if err := im.pool.QueryRow(im.Context(), sql, args...).Scan(&n); err != nil {
		im.Fatal(err)
	}
	return n
}

// testData returns a folder of real data, or skips.
func testData(tb testing.TB, folder string) string {
	tb.Helper()
	root := os.Getenv("FIDUCIAL_TEST_DATA")
	for dir, _ := os.Getwd(); root == "" && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(dir, "..", "shared", "data")
		}
	}
	path := filepath.Join(root, folder)
	if _, err := os.Stat(path); err != nil && os.Getenv("CI") != "" {
		tb.Fatal(err)
	} else if err != nil {
		tb.Skipf("no real data in %s: set FIDUCIAL_TEST_DATA", path)
	}
	return path
}

func filesBelow(tb testing.TB, root string) map[string][]byte {
	tb.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

func zipped(tb testing.TB, files map[string][]byte) []byte {
	tb.Helper()
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for name, content := range files {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return packed.Bytes()
}

func TestSteelComesInBoxForBox(t *testing.T) {
	t.Parallel()
	files := filesBelow(t, testData(t, "steel"))
	im := newImporting(t)
	truth := store.NewImport{Format: store.FormatVOC, Purpose: store.PurposeTruth, Options: store.ImportOptions{VOCBase: 1, AddClasses: true}}
	archive := map[string][]byte{"steel.zip": zipped(t, files)}
	counts, results := im.run(truth, archive)
	if counts.Added != 1500 || counts.Boxes != 3482 {
		t.Fatalf("added %d items with %d boxes; first refusals: %v", counts.Added, counts.Boxes, refusals(results))
	}
	want := map[string][]string{}
	for name, content := range files {
		if strings.HasSuffix(name, ".xml") {
			image, _, err := formats.ReadVOC(bytes.NewReader(content), 1)
			if err != nil {
				t.Fatal(err)
			}
			stem := strings.TrimSuffix(filepath.Base(name), ".xml")
			want[stem] = []string{}
			for _, box := range image.Boxes {
				want[stem] = append(want[stem], fmt.Sprintf("%s %v %v %v %v", box.Class, box.X, box.Y, box.W, box.H))
			}
		}
	}
	if got := im.truth(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("the boxes are not those of the files")
	}
	again, _ := im.run(truth, archive)
	if again.Unchanged != 1500 || again.Added+again.Changed != 0 {
		t.Errorf("imported again: %+v", again)
	}
	if n := im.number(`SELECT count(*) FROM import_files`); n != 0 {
		t.Errorf("%d uploaded files were left", n)
	}
}

// truth returns the boxes of every item by the stem of its key.
func (im *importing) truth() map[string][]string {
	im.Helper()
	rows, err := im.pool.Query(im.Context(), `
		SELECT x.external_key, coalesce(array_agg(concat_ws(' ', c.name, b.x, b.y, b.w, b.h) ORDER BY b.position) FILTER (WHERE b.x IS NOT NULL), '{}')
		FROM truths t JOIN item_texts x USING (item_id) LEFT JOIN truth_boxes b ON b.truth_id = t.id LEFT JOIN classes c ON c.id = b.class_id
		WHERE t.current GROUP BY 1`)
	if err != nil {
		im.Fatal(err)
	}
	defer rows.Close()
	got := map[string][]string{}
	for rows.Next() {
		var key string
		var boxes []string
		if err := rows.Scan(&key, &boxes); err != nil {
			im.Fatal(err)
		}
		base := filepath.Base(key)
		got[strings.TrimSuffix(base, filepath.Ext(base))] = boxes
	}
	if err := rows.Err(); err != nil {
		im.Fatal(err)
	}
	return got
}

func refusals(results []store.ImportResult) (list []string) {
	for _, r := range results {
		if r.Outcome == store.OutcomeRefused && len(list) < 5 {
			list = append(list, r.Name+": "+r.Reason)
		}
	}
	return list
}

func TestAwkwardPicturesGoInOrAreRefusedByName(t *testing.T) {
	t.Parallel()
	files := filesBelow(t, testData(t, "edge/image"))
	im := newImporting(t)
	counts, results := im.run(store.NewImport{Format: store.FormatImages, Purpose: store.PurposeMedia}, files)
	outcomes := map[string]store.ImportResult{}
	for _, r := range results {
		outcomes[r.Name] = r
		t.Log(r.Outcome, r.Name, r.Reason)
	}
	for name := range files {
		if outcomes[name].Outcome == "" {
			t.Errorf("%s is not in the results", name)
		}
	}
	for _, name := range []string{"made_script.svg", "made_truncated.jpg", "made_zero_bytes.jpg", "made_bomb_50000x50000_1bit.png", "anim.webp"} {
		if r := outcomes[name]; r.Outcome != store.OutcomeRefused || r.Reason == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if counts.Added == 0 || counts.Added+counts.Refused != len(files) {
		t.Errorf("of %d files: %+v", len(files), counts)
	}
}
