package jobs

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"golang.org/x/sync/semaphore"

	"fiducial/internal/jobargs"
	"fiducial/store"
	"fiducial/store/storetest"
)

// press renders items of one project.
type press struct {
	renderItem

	pool    *pgxpool.Pool
	project int64
}

func newPress(t *testing.T) *press {
	t.Helper()
	pool, blobs := storetest.Pool(t), storetest.Bucket(t)
	st, err := store.New(pool, blobs)
	if err != nil {
		t.Fatal(err)
	}
	project, err := st.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strip", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.AddSource(t.Context(), store.System(), "mill", nil); err != nil {
		t.Fatal(err)
	}
	worker := renderItem{deps: deps{store: st, blobs: blobs, log: slog.New(slog.DiscardHandler)}, pixels: semaphore.NewWeighted(pixelsAtOnce)}
	return &press{worker, pool, project.ID}
}

// item makes one that waits for its renditions, with body as its original.
func (p *press) item(t *testing.T, body []byte) (id int64) {
	t.Helper()
	err := p.pool.QueryRow(t.Context(), `
		WITH i AS (INSERT INTO items (project_id, source_id, key_hash, state) SELECT $1, id, uuid_send(gen_random_uuid()), 'processing' FROM sources RETURNING id),
		a AS (INSERT INTO assets (item_id, kind, content_type, bytes, sha256) SELECT id, 'original', 'image/png', $2, '\x00' FROM i),
		m AS (INSERT INTO imports (project_id, format, purpose, source_id) SELECT $1, 'images', 'media', id FROM sources RETURNING id),
		r AS (INSERT INTO import_results (import_id, name, outcome, item_id) SELECT m.id, 'strip.png', 'added', i.id FROM m, i)
		SELECT id FROM i`, p.project, len(body)).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		if _, err := p.blobs.Put(t.Context(), store.AssetKey(id, "original"), bytes.NewReader(body), int64(len(body)), "image/png"); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func (p *press) work(t *testing.T, item int64) {
	t.Helper()
	if err := p.Work(t.Context(), &river.Job[jobargs.RenderItem]{Args: jobargs.RenderItem{ItemID: item}}); err != nil {
		t.Fatal(err)
	}
}

func (p *press) result(t *testing.T, item int64) store.Item {
	t.Helper()
	got, err := p.store.Item(t.Context(), store.System(), item)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func encoded(t *testing.T, img image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func grey16(w, h int) image.Image {
	img := image.NewGray16(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray16(x, y, color.Gray16{Y: uint16(1000 + 40*x + y)})
		}
	}
	return img
}

func TestRenderItemMakesItReady(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	for _, tt := range []struct {
		name  string
		img   image.Image
		kinds []string
	}{
		{"8-bit grey shows as it is", image.NewGray(image.Rect(0, 0, 640, 400)), []string{"original", "thumb"}},
		{"16-bit grey needs a window", grey16(400, 300), []string{"display", "original", "thumb", "window"}},
	} {
		item := p.item(t, encoded(t, tt.img))
		var first store.Item
		for run := range 2 { // the second run comes to the same
			p.work(t, item)
			got := p.result(t, item)
			var kinds []string
			for _, a := range got.Assets {
				kinds = append(kinds, a.Kind)
				if a.Bytes == 0 || len(a.SHA256) != 32 || a.Width == 0 {
					t.Errorf("%s: asset %+v", tt.name, a)
				}
				if _, err := p.blobs.Stat(t.Context(), store.AssetKey(item, a.Kind)); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			}
			if got.State != "ready" || got.Width != tt.img.Bounds().Dx() || !slices.Equal(kinds, tt.kinds) {
				t.Errorf("%s: %s, %d × %d, %v", tt.name, got.State, got.Width, got.Height, kinds)
			}
			if run == 0 {
				first = got
			} else if !slices.EqualFunc(first.Assets, got.Assets, func(a, b store.Asset) bool {
				return a.Kind == b.Kind && a.Bytes == b.Bytes && bytes.Equal(a.SHA256, b.SHA256) && string(a.Facts) == string(b.Facts)
			}) {
				t.Errorf("%s: the second run differs:\n%+v\n%+v", tt.name, first.Assets, got.Assets)
			}
		}
	}
}

func TestRenderItemSaysWhyAPictureIsBroken(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	whole := encoded(t, grey16(400, 300))
	for name, body := range map[string][]byte{
		"cut off": whole[:len(whole)/2], "no picture": []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "missing": nil,
	} {
		item := p.item(t, body)
		p.work(t, item)
		p.work(t, item)
		got := p.result(t, item)
		var outcome, reason string
		err := p.pool.QueryRow(t.Context(), `SELECT outcome, reason FROM import_results WHERE item_id = $1`, item).Scan(&outcome, &reason)
		if err != nil {
			t.Fatal(err)
		}
		if got.State != "broken" || got.Fault == "" || outcome != "refused" || reason != got.Fault {
			t.Errorf("%s: %s, %q; import: %s, %q", name, got.State, got.Fault, outcome, reason)
		}
	}
}

func TestRenderItemLeavesNothingOfWhatWasErased(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.work(t, 999_999)
}
