package jobs

import (
	"context"
	"errors"
	"io"

	"fiducial/internal/formats"
	"fiducial/internal/manifest"
	"fiducial/store"
)

func (e *exporting) huggingFace() *formats.HuggingFace {
	return formats.NewHuggingFace(e.set(), classNames(e.sum.Classes), e.export.Media)
}

func (e *exporting) writeCard(w io.Writer) error {
	var splits []string
	for _, split := range e.sides() {
		splits = append(splits, string(split))
	}
	return e.huggingFace().WriteHead(w, splits)
}

// writeHuggingFace writes one file a split, or several where there are many images.
func (e *exporting) writeHuggingFace(ctx context.Context) error {
	for _, split := range e.sides() {
		if err := e.writeShards(ctx, split); err != nil {
			return err
		}
	}
	return nil
}

// shardBytes is after how many bytes of images a split goes on in another file, so that they can be loaded side by side.
const shardBytes = 500 << 20

// shards are the files of a split, one after the other.
type shards struct {
	zip    *archiveWriter
	set    *formats.HuggingFace
	split  string
	report *formats.Report

	n     int // files begun
	entry *archiveEntry
	file  *formats.DatasetsFile
	bytes int // of images in the file
}

func (e *exporting) writeShards(ctx context.Context, split manifest.Split) error {
	s := &shards{zip: e.zip, set: e.huggingFace(), split: string(split), report: &e.report}
	if err := s.begin(); err != nil {
		return err
	}
	prepare := func(line *store.ExportLine, name fileName) (mediaFile, bool) {
		return mediaFile{labels: itemOf(line, name)}, true
	}
	if err := e.eachMedia(ctx, split, prepare, s.add); err != nil {
		return err
	}
	return s.end()
}

func (s *shards) begin() (err error) {
	if s.entry, err = s.zip.create(s.set.File(s.split, s.n)); err != nil {
		return err
	}
	s.n++
	s.bytes, s.file = 0, s.set.NewFile(s.entry)
	return nil
}

func (s *shards) end() error {
	report, err := s.file.Close()
	s.report.Merge("", report)
	s.zip.end(s.entry)
	return err
}

// add writes an item with its image, if that is to go with it and is there.
func (s *shards) add(file mediaFile) error {
	if s.bytes >= shardBytes {
		if err := errors.Join(s.end(), s.begin()); err != nil {
			return err
		}
	}
	if file.object == nil && file.err == nil {
		return s.file.Write(file.labels, nil)
	}
	return readMedia(file, func(r io.Reader) error {
		image, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		s.bytes += len(image)
		return s.file.Write(file.labels, image)
	})
}
