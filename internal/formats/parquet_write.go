package formats

import (
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Item is an image with what a dataset version holds of it beside its labels. The columnar formats write it whole.
type Item struct {
	Image

	ID    int64
	Name  string // the external key; Image.Key is the path in the archive
	Split string
	Media string // SHA-256 of the original, in hexadecimal; empty for an item whose image never came
	// Definitions has, for each box, the version of its class's definition that the label was made under, 0 for none.
	Definitions []int
}

// A row group is held in memory until it is whole: these bound it.
const (
	rowsPerGroup  = 20_000
	boxesPerGroup = 200_000
)

// parquetItem is a row of WriteParquet; a zero in an optional column is null.
type parquetItem struct {
	Item   int64        `parquet:"item"`
	Key    string       `parquet:"key"`
	File   string       `parquet:"file"`
	Split  string       `parquet:"split,dict"`
	Media  string       `parquet:"media_sha256,optional"`
	Width  int32        `parquet:"width,optional"`
	Height int32        `parquet:"height,optional"`
	Boxes  []parquetBox `parquet:"boxes,list"`
}

type parquetBox struct {
	Class      string  `parquet:"class,dict"`
	Definition int32   `parquet:"class_definition,optional"`
	X          float64 `parquet:"x"`
	Y          float64 `parquet:"y"`
	Width      float64 `parquet:"width"`
	Height     float64 `parquet:"height"`
	Rotation   float64 `parquet:"rotation"`
	Crowd      bool    `parquet:"crowd"`
}

// WriteParquet writes one row an item, its boxes as a nested list in their order, so that nothing of an item is lost:
//
//	item              int64    the item's number in the project's database
//	key               string   the external key under which the outside world knows it
//	file              string   its path under images/, where the archive has the images
//	split             string   training, validation or test
//	media_sha256      string?  of the original image, in hexadecimal
//	width, height     int32?   of the upright image in pixels, null if unknown
//	boxes             list of
//	  class           string
//	  class_definition int32?  version of the class's definition that the label was made under
//	  x, y            double   top-left corner in pixels of the upright image, before rotation
//	  width, height   double   in pixels, before rotation
//	  rotation        double   degrees clockwise about the centre
//	  crowd           bool     a group of objects under one box
//
// The file's metadata name the dataset, its version, the version's sha256 and when it was frozen. Row groups are bounded by
// rows and by boxes, and with them the memory that writing takes. The same items give the same bytes.
func WriteParquet(w io.Writer, info Set, items iter.Seq2[Item, error]) error {
	out := parquet.NewGenericWriter[parquetItem](w, parquetOptions(info)...)
	row := make([]parquetItem, 1)
	rows, boxes := 0, 0
	for item, err := range items {
		if err != nil {
			return err
		}
		row[0].set(item)
		if _, err := out.Write(row); err != nil {
			return fmt.Errorf("write Parquet: %w", err)
		}
		rows++
		boxes += len(item.Boxes)
		if rows >= rowsPerGroup || boxes >= boxesPerGroup {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("write Parquet: %w", err)
			}
			rows, boxes = 0, 0
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func (p *parquetItem) set(item Item) {
	boxes := p.Boxes[:0]
	for i, b := range item.Boxes {
		boxes = append(boxes, parquetBox{
			Class: b.Class, Definition: definitionOf(item, i), X: b.X, Y: b.Y, Width: b.W, Height: b.H, Rotation: b.Rotation, Crowd: b.Crowd,
		})
	}
	*p = parquetItem{
		Item: item.ID, Key: item.Name, File: item.Key, Split: item.Split, Media: item.Media,
		Width: pixels(item.Width), Height: pixels(item.Height), Boxes: boxes,
	}
}

func definitionOf(item Item, box int) int32 {
	if box >= len(item.Definitions) {
		return 0
	}
	return pixels(item.Definitions[box])
}

// pixels is a small count as its column holds it; one that does not fit is as good as unknown.
func pixels(n int) int32 {
	if n < 0 || n > 1<<30 {
		return 0
	}
	return int32(n)
}

// parquetOptions are those of every file of ours. Snappy and plain texts are what every reader has.
func parquetOptions(info Set) []parquet.WriterOption {
	return []parquet.WriterOption{
		parquet.Compression(&parquet.Snappy),
		parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.Plain),
		parquet.CreatedBy("fiducial", "1", "0"),
		parquet.KeyValueMetadata("dataset", info.Name),
		parquet.KeyValueMetadata("version", info.Version),
		parquet.KeyValueMetadata("sha256", info.Hash),
		parquet.KeyValueMetadata("frozen_at", info.Created.UTC().Format(time.RFC3339)),
	}
}
