package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"fiducial/internal/formats"
	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/store/blob"
)

// mediaChoice says which stored bytes stand for an item in an archive.
type mediaChoice string

const (
	original    mediaChoice = "original"
	upright     mediaChoice = "display" // boxes are in upright pixels, so an image that EXIF turns goes out turned
	noMedia     mediaChoice = ""
	noRendition mediaChoice = "none"
)

func (e *exporting) mediaOf(line *store.ExportLine) mediaChoice {
	switch {
	case !e.export.Media || line.Media == nil:
		return noMedia
	case line.Orientation <= 1:
		return original
	case line.Rendition == "":
		return noRendition
	}
	return upright
}

// fileName is an item's path in an archive.
type fileName struct {
	path    string
	renamed string // why it is not the key, "" if it is
}

// name keeps the key with its folders. Keys are unique in a project, and stay so: whatever has to be changed gets the item's id.
func (e *exporting) name(line *store.ExportLine) fileName {
	if line.Sound != nil {
		return e.soundName(line)
	}
	name, err := formats.CleanKey(line.Key)
	extension := path.Ext(name)
	var why string
	switch {
	case err != nil:
		name, why = fmt.Sprintf("item-%d", line.Item), err.Error()
	case name != line.Key:
		name, why = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, extension), line.Item, extension), "not a plain relative path"
	}
	if e.mediaOf(line) == upright {
		if as := extensionOf(line.Rendition); !sameType(extension, as) {
			name, why = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, extension), line.Item, as), "the upright rendition is of another type"
		}
	}
	if e.several {
		name = line.Project + "/" + name
	}
	return fileName{name, why}
}

// soundName is the path of an utterance's clip where the archive has it, else that of its recording.
func (e *exporting) soundName(line *store.ExportLine) fileName {
	name := recordingName(line)
	if e.export.Media {
		name = clipName(line)
	}
	if e.several {
		name.path = line.Project + "/" + name.path
	}
	return name
}

// extensionOf is the extension of a rendition's content type.
func extensionOf(contentType string) string {
	_, kind, _ := strings.Cut(contentType, "/")
	return "." + strings.NewReplacer("jpeg", "jpg", "mpeg", "mp3").Replace(strings.TrimPrefix(kind, "x-"))
}

func sameType(extension, as string) bool {
	return strings.EqualFold(strings.Replace(extension, ".jpeg", ".jpg", 1), as)
}

// mediaAhead is how many images are opened before their turn: opening takes longer than reading.
const mediaAhead = 8

// mediaFile is an image on its way into the archive.
type mediaFile struct {
	item   int64
	name   string
	sha256 []byte // of the original, nil for a rendition
	object *blob.Object
	err    error
	labels formats.Item // where the format has them beside the image
}

// writeMedia writes the images, each into its place.
func (e *exporting) writeMedia(ctx context.Context) error {
	place := e.layout.places()
	prepare := func(line *store.ExportLine, name fileName) (mediaFile, bool) {
		choice := e.mediaOf(line)
		return mediaFile{name: place(line, name)}, choice != noMedia && choice != noRendition
	}
	return e.eachMedia(ctx, "", prepare, e.copyMedia)
}

// eachMedia takes the images of a split, or of all for "", in the order of the items. They are opened ahead, side by side. prepare
// says whether the line is to be taken, and begins it; take closes what it is given.
func (e *exporting) eachMedia(ctx context.Context, split manifest.Split, prepare func(*store.ExportLine, fileName) (mediaFile, bool),
	take func(mediaFile) error,
) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	queue := make(chan chan mediaFile, mediaAhead)
	listed := make(chan error, 1)
	go func() {
		defer close(queue)
		listed <- e.openMedia(ctx, split, prepare, queue)
	}()
	defer func() {
		cancel()
		for slot := range queue { // what was opened and never taken
			err = errors.Join(err, closeMedia(<-slot))
		}
	}()
	for slot := range queue {
		if err := take(<-slot); err != nil {
			return err
		}
		if e.written++; e.export.Media && e.written%progressStep == 0 {
			if err := e.store.NoteExport(ctx, e.export.ID, e.written); err != nil {
				return err
			}
		}
	}
	return <-listed
}

// openMedia opens the images of the lines, each into a slot of its own, which the queue keeps in order.
func (e *exporting) openMedia(ctx context.Context, split manifest.Split, prepare func(*store.ExportLine, fileName) (mediaFile, bool),
	queue chan<- chan mediaFile,
) error {
	return e.lines(ctx, split, func(line *store.ExportLine, name fileName) error {
		file, wanted := prepare(line, name)
		if !wanted {
			return nil
		}
		file.item = line.Item
		choice := e.mediaOf(line)
		if choice == original {
			file.sha256 = bytes.Clone(line.Media)
		}
		slot := make(chan mediaFile, 1)
		select {
		case queue <- slot:
		case <-ctx.Done():
			return ctx.Err()
		}
		if choice == noMedia || choice == noRendition {
			slot <- file
			return nil
		}
		go func() {
			file.object, file.err = e.blobs.Get(ctx, fmt.Sprintf("items/%d/%s", file.item, choice))
			slot <- file
		}()
		return nil
	})
}

func closeMedia(file mediaFile) error {
	if file.object == nil {
		return nil
	}
	return file.object.Close()
}

// copyMedia writes an image into its place in the archive.
func (e *exporting) copyMedia(file mediaFile) error {
	return readMedia(file, func(image io.Reader) error {
		return e.zip.add(file.name, func(w io.Writer) error {
			_, err := io.Copy(w, image)
			return err
		})
	})
}

// readMedia has read take all of an image, closes it, and makes sure that it is the one that was frozen.
func readMedia(file mediaFile, read func(io.Reader) error) (err error) {
	if errors.Is(file.err, blob.ErrNotFound) {
		return otherMediaError{file.item, "image"}
	}
	if file.err != nil {
		return file.err
	}
	defer func() { err = errors.Join(err, closeMedia(file)) }()
	digest := sha256.New()
	err = read(io.TeeReader(file.object, digest))
	if err == nil && file.sha256 != nil && !bytes.Equal(digest.Sum(nil), file.sha256) {
		return otherMediaError{file.item, "image"}
	}
	return err
}
