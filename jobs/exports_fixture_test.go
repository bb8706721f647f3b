package jobs

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/formats"
	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/store/storetest"
)

// shelf is a store with a project whose items have truth.
type shelf struct {
	deps

	pool    *pgxpool.Pool
	project int64
	imports int64
	classes map[string]int64
}

func newShelf(t *testing.T, slug string) *shelf {
	t.Helper()
	s := &shelf{pool: storetest.Pool(t), classes: map[string]int64{}}
	s.blobs, s.log = storetest.Bucket(t), slog.New(slog.DiscardHandler)
	var err error
	if s.store, err = store.New(s.pool, s.blobs); err != nil {
		t.Fatal(err)
	}
	s.addProject(t, slug)
	return s
}

// addProject makes the project that items are put into from now on.
func (s *shelf) addProject(t *testing.T, slug string) {
	t.Helper()
	project, err := s.store.AddProject(t.Context(), store.System(), store.NewProject{Slug: slug, Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	s.project = project.ID
	s.imports = s.id(t, `WITH s AS (INSERT INTO sources (name) VALUES ('mill ' || $1::bigint) RETURNING id)
		INSERT INTO imports (project_id, format, purpose, source_id) SELECT $1, 'voc', 'truth', id FROM s RETURNING id`, s.project)
	s.classes = map[string]int64{}
}

func (s *shelf) id(t *testing.T, sql string, args ...any) (id int64) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), sql, args...).Scan(&id); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return id
}

// put adds an item with its truth and, unless media is nil, its original.
func (s *shelf) put(t *testing.T, im formats.Image, media []byte) int64 {
	t.Helper()
	item := s.id(t, `
		WITH i AS (INSERT INTO items (project_id, source_id, key_hash, width, height)
			SELECT project_id, source_id, sha256($2::text::bytea), $3, $4 FROM imports WHERE id = $1 RETURNING id),
		x AS (INSERT INTO item_texts (item_id, external_key) SELECT id, $2 FROM i),
		y AS (INSERT INTO item_salts (item_id, salt) SELECT id, sha256(id::text::bytea) FROM i)
		SELECT id FROM i`, s.imports, im.Key, im.Width, im.Height)
	truth := s.id(t, `INSERT INTO truths (item_id, import_id) VALUES ($1, $2) RETURNING id`, item, s.imports)
	_, err := s.pool.CopyFrom(t.Context(), pgx.Identifier{"truth_boxes"},
		[]string{"truth_id", "position", "class_id", "x", "y", "w", "h", "rotation", "crowd"},
		pgx.CopyFromSlice(len(im.Boxes), func(i int) ([]any, error) {
			b := im.Boxes[i]
			return []any{truth, i, s.class(t, b.Class), b.X, b.Y, b.W, b.H, b.Rotation, b.Crowd}, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	if media != nil {
		s.keep(t, item, "original", "image/jpeg", 1, media)
	}
	return item
}

func (s *shelf) class(t *testing.T, name string) int64 {
	t.Helper()
	if s.classes[name] == 0 {
		s.classes[name] = s.id(t, `INSERT INTO classes (project_id, name, slot) VALUES ($1, $2, $3) RETURNING id`, s.project, name, len(s.classes))
	}
	return s.classes[name]
}

func (s *shelf) keep(t *testing.T, item int64, kind, contentType string, orientation int, media []byte) {
	t.Helper()
	sum := sha256.Sum256(media)
	_, err := s.pool.Exec(t.Context(), `INSERT INTO assets (item_id, kind, content_type, bytes, sha256, facts) VALUES ($1, $2, $3, $4, $5, $6)`,
		item, kind, contentType, len(media), sum[:], map[string]any{"orientation": orientation})
	if err != nil {
		t.Fatal(err)
	}
	s.upload(t, item, kind, media)
}

func (s *shelf) upload(t *testing.T, item int64, kind string, media []byte) {
	t.Helper()
	if _, err := s.blobs.Put(t.Context(), fmt.Sprintf("items/%d/%s", item, kind), bytes.NewReader(media), int64(len(media)), "image/jpeg"); err != nil {
		t.Fatal(err)
	}
}

// freeze freezes the projects by way of the job.
func (s *shelf) freeze(t *testing.T, dataset string, projects ...string) store.DatasetVersion {
	t.Helper()
	recipe := manifest.Default()
	recipe.Projects = projects
	version, err := s.store.Freeze(t.Context(), store.System(), dataset, recipe)
	if err != nil {
		t.Fatal(err)
	}
	job := &river.Job[jobargs.FreezeVersion]{JobRow: &rivertype.JobRow{Attempt: 1, MaxAttempts: 3}, Args: jobargs.FreezeVersion{VersionID: version.ID}}
	for range 2 { // the second time does nothing
		if err := (&freezeVersion{deps: s.deps}).Work(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if version, err = s.store.DatasetVersion(t.Context(), store.System(), dataset, version.Number); err != nil {
		t.Fatal(err)
	}
	return version
}

func (s *shelf) add(t *testing.T, version store.DatasetVersion, format string, media bool) store.Export {
	t.Helper()
	export, err := s.store.AddExport(t.Context(), store.System(), version, store.ExportAsk{Format: format, Media: media})
	if err != nil {
		t.Fatal(err)
	}
	return export
}

func (s *shelf) work(ctx context.Context, export store.Export, attempt int) error {
	job := &river.Job[jobargs.WriteExport]{JobRow: &rivertype.JobRow{Attempt: attempt, MaxAttempts: 3}, Args: jobargs.WriteExport{ExportID: export.ID}}
	return (&writeExport{deps: s.deps}).Work(ctx, job)
}

func (s *shelf) look(t *testing.T, export store.Export) store.Export {
	t.Helper()
	export, _, err := s.store.Export(t.Context(), store.System(), export.ID)
	if err != nil {
		t.Fatal(err)
	}
	return export
}

// export writes an archive and returns its files, after its checksums were checked.
func (s *shelf) export(t *testing.T, version store.DatasetVersion, format string, media bool) (store.Export, map[string][]byte) {
	t.Helper()
	export := s.add(t, version, format, media)
	if err := s.work(t.Context(), export, 1); err != nil {
		t.Fatal(err)
	}
	export = s.look(t, export)
	if export.State != store.ExportDone {
		t.Fatalf("%+v", export)
	}
	archive := s.archive(t, export)
	if sum := sha256.Sum256(archive); !bytes.Equal(sum[:], export.SHA256) || int64(len(archive)) != export.Bytes {
		t.Fatalf("%d bytes of sha256 %x, recorded are %d of %x", len(archive), sum, export.Bytes, export.SHA256)
	}
	return export, unzip(t, archive)
}

func (s *shelf) archive(t *testing.T, export store.Export) []byte {
	t.Helper()
	object, err := s.blobs.Get(t.Context(), export.Blob())
	if err != nil {
		t.Fatal(err)
	}
	archive, err := io.ReadAll(object)
	if err := errors.Join(err, object.Close()); err != nil {
		t.Fatal(err)
	}
	return archive
}

func unzip(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, entry := range reader.File {
		file, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		if _, twice := files[entry.Name]; twice {
			t.Errorf("%s is in the archive twice", entry.Name)
		}
		files[entry.Name] = content
	}
	listed := 0
	for line := range strings.Lines(string(files["checksums.txt"])) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if is := sha256.Sum256(files[name]); sum != hex.EncodeToString(is[:]) {
			t.Errorf("%s has another checksum", name)
		}
		listed++
	}
	if listed != len(files)-1 {
		t.Errorf("%d checksums for %d files", listed, len(files)-1)
	}
	return files
}

// readCOCO returns the images of all splits by key.
func readCOCO(t *testing.T, files map[string][]byte) map[string]formats.Image {
	t.Helper()
	images := map[string]formats.Image{}
	for name, content := range files {
		if !strings.HasPrefix(name, "annotations/") {
			continue
		}
		report, err := formats.ReadCOCO(bytes.NewReader(content), func(im formats.Image) error {
			images[im.Key] = im
			return nil
		})
		if err != nil || !report.Empty() {
			t.Fatalf("%s: %v %+v", name, err, report)
		}
	}
	return images
}

// steel returns the real images with their boxes, and a function that reads one's bytes.
func steel(t *testing.T) (images []formats.Image, media func(formats.Image) []byte) {
	t.Helper()
	folder := testData(t, "steel")
	paths, err := filepath.Glob(filepath.Join(folder, "annotations", "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		im, _, err := formats.ReadVOC(file, 1)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		im.Key = "strip/" + strings.TrimSuffix(filepath.Base(path), ".xml") + ".jpg"
		images = append(images, im)
	}
	return images, func(im formats.Image) []byte {
		content, err := os.ReadFile(filepath.Join(folder, "images", filepath.Base(im.Key)))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
}

func sameBoxes(a, b []formats.Box) bool {
	return slices.EqualFunc(a, b, func(a, b formats.Box) bool {
		return a.Class == b.Class && a.X == b.X && a.Y == b.Y && a.W == b.W && a.H == b.H && a.Rotation == b.Rotation && a.Crowd == b.Crowd
	})
}
