package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/riverqueue/river"
	"golang.org/x/sync/semaphore"

	"fiducial/internal/jobargs"
	"fiducial/jobs/media"
	"fiducial/store"
	"fiducial/store/blob"
)

// pixelsAtOnce bounds the memory of decoding in one process: a pixel takes up to 16 bytes. A larger
// picture is decoded alone.
const pixelsAtOnce = 40_000_000

// renderItem makes an item's renditions from its original. Doing it again comes to the same.
type renderItem struct {
	river.WorkerDefaults[jobargs.RenderItem]
	deps

	pixels *semaphore.Weighted
}

func (w *renderItem) Work(ctx context.Context, job *river.Job[jobargs.RenderItem]) error {
	item := job.Args.ItemID
	state, err := w.store.ItemToRender(ctx, item)
	if errors.Is(err, store.ErrNotFound) {
		return nil // erased meanwhile
	}
	if err != nil || state == "ready" { // people may be looking at what another run has made
		return err
	}
	rendered, err := w.render(ctx, item)
	if refused, ok := errors.AsType[*media.RefusedError](err); ok {
		return w.store.SetBroken(ctx, item, refused.Sentence)
	}
	if err != nil {
		return err
	}
	err = w.store.SetRendered(ctx, item, rendered)
	if errors.Is(err, store.ErrNotFound) { // erased while it was rendered: leave nothing behind
		_, err = w.blobs.DeletePrefix(ctx, fmt.Sprintf("items/%d/", item))
	}
	return err
}

// render stores the item's renditions and says what they are. An error that is the picture's own fault
// is a media.RefusedError.
func (w *renderItem) render(ctx context.Context, item int64) (rendered store.Rendered, err error) {
	original, err := scratchFile()
	if err != nil {
		return rendered, err
	}
	defer func() { err = errors.Join(err, original.Close()) }()
	asset, err := w.fetch(ctx, item, original)
	if err != nil {
		return rendered, err
	}
	info, err := media.Inspect(original, asset.Bytes, media.DefaultLimits)
	if err != nil {
		return rendered, err
	}
	pixels := min(int64(info.StoredWidth)*int64(info.StoredHeight), pixelsAtOnce)
	if err := w.pixels.Acquire(ctx, pixels); err != nil {
		return rendered, err
	}
	defer w.pixels.Release(pixels)
	picture, err := media.Decode(original, asset.Bytes, media.DefaultLimits)
	if err != nil {
		return rendered, err
	}
	asset.ContentType, asset.Width, asset.Height = info.Type.ContentType(), info.StoredWidth, info.StoredHeight
	if asset.Facts, err = json.Marshal(originalFacts{info.Orientation, info.BitDepth}); err != nil {
		return rendered, err
	}
	rendered = store.Rendered{Width: info.Width, Height: info.Height, Assets: []store.Asset{asset}}
	for _, plan := range media.Plan(info) {
		made, err := w.make(ctx, item, picture, plan)
		if err != nil {
			return rendered, err
		}
		rendered.Assets = append(rendered.Assets, made)
	}
	return rendered, nil
}

// originalFacts are what pages may need to know of an original.
type originalFacts struct {
	Orientation int `json:"orientation"`
	Depth       int `json:"depth"`
}

// windowFacts are the grey values of a 16-bit picture: its darkest and brightest, and what is shown as
// black and as white at first.
type windowFacts struct {
	Min  uint16 `json:"min"`
	Max  uint16 `json:"max"`
	Low  uint16 `json:"low"`
	High uint16 `json:"high"`
}

// fetch copies the original to file.
func (w *renderItem) fetch(ctx context.Context, item int64, file io.Writer) (asset store.Asset, err error) {
	object, err := w.blobs.Get(ctx, store.AssetKey(item, "original"))
	if errors.Is(err, blob.ErrNotFound) {
		return asset, &media.RefusedError{Reason: media.Empty, Sentence: "The picture's file is missing from the object storage: import it again."}
	}
	if err != nil {
		return asset, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, sum), object)
	if err := errors.Join(err, object.Close()); err != nil {
		return asset, fmt.Errorf("original of item %d: %w", item, err)
	}
	return store.Asset{Kind: "original", Bytes: n, SHA256: sum.Sum(nil)}, nil
}

// make renders into a file first, whose size the object store must know, and stores it.
func (w *renderItem) make(ctx context.Context, item int64, picture *media.Picture, plan media.Rendition) (asset store.Asset, err error) {
	file, err := scratchFile()
	if err != nil {
		return asset, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	if err := picture.Render(io.MultiWriter(file, sum), plan); err != nil {
		return asset, err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return asset, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return asset, err
	}
	asset = store.Asset{
		Kind: plan.Name, ContentType: plan.Type.ContentType(), Bytes: size, SHA256: sum.Sum(nil), Width: plan.Width, Height: plan.Height, Facts: json.RawMessage(`{}`),
	}
	if levels, ok := picture.Levels(); ok && plan.Name == media.Window {
		if asset.Facts, err = json.Marshal(windowFacts(levels)); err != nil {
			return asset, err
		}
	}
	_, err = w.blobs.Put(ctx, store.AssetKey(item, plan.Name), file, size, asset.ContentType)
	return asset, err
}
