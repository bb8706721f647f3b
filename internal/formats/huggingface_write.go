package formats

import (
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go"
)

// The rows' types: every column is optional and so is every element, as the library's own files have them. They make the schemas
// alone, since the rows are written value by value.
type (
	datasetsLabels struct {
		ImageID  int64            `parquet:"image_id,optional"`
		FileName string           `parquet:"file_name,optional"`
		Width    int32            `parquet:"width,optional"`
		Height   int32            `parquet:"height,optional"`
		Objects  *datasetsObjects `parquet:"objects,optional"`
	}
	datasetsObjects struct {
		BBox       [][]*float64 `parquet:"bbox,optional,list" parquet-element:",optional,list"`
		Categories []*int64     `parquet:"categories,optional,list"`
		Area       []*float64   `parquet:"area,optional,list"`
		IsCrowd    []*bool      `parquet:"iscrowd,optional,list"`
		Rotation   []*float64   `parquet:"rotation,optional,list"`
	}
	datasetsRow struct {
		Image *struct {
			Bytes []byte `parquet:"bytes,optional,uncompressed"` // images are compressed already
			Path  string `parquet:"path,optional"`
		} `parquet:"image,optional"`
		datasetsLabels
	}
)

// bytesPerGroup bounds the images of a row group, and with them the memory that writing takes.
const bytesPerGroup = 32 << 20

// DatasetsFile is one Parquet file on its way.
type DatasetsFile struct {
	set    *HuggingFace
	out    *parquet.GenericWriter[any]
	row    parquet.Row
	report Report

	column     int // of the next value of the row
	boxesOfRow []Box

	rows, boxes, held int // of the row group
}

// NewFile begins a file. Close ends it.
func (h *HuggingFace) NewFile(w io.Writer) *DatasetsFile {
	schema := parquet.SchemaOf(datasetsLabels{})
	if h.images {
		schema = parquet.SchemaOf(datasetsRow{})
	}
	options := append(parquetOptions(h.info), schema, parquet.KeyValueMetadata("huggingface", h.features()))
	if h.images { // the least and the greatest of the images tell nobody anything, and would stand beside each of them
		options = append(options, parquet.SkipPageBounds("image", "bytes"), parquet.SkipPageStatistics("image", "bytes"))
	}
	return &DatasetsFile{set: h, out: parquet.NewGenericWriter[any](w, options...)}
}

// Write adds an item with the bytes of its image, nil where there is none. A box of a class that has no number, and one that is not
// finite, is refused; the report of Close says so.
func (f *DatasetsFile) Write(item Item, image []byte) error {
	if len(image) > 1<<30 {
		return fmt.Errorf("write %s: an image of more than 1 GiB fits no row", item.Key)
	}
	f.fill(item, image)
	if _, err := f.out.WriteRows([]parquet.Row{f.row}); err != nil {
		return fmt.Errorf("write %s: %w", item.Key, err)
	}
	f.rows, f.boxes, f.held = f.rows+1, f.boxes+len(item.Boxes), f.held+len(image)
	if f.rows < rowsPerGroup && f.boxes < boxesPerGroup && f.held < bytesPerGroup {
		return nil
	}
	f.rows, f.boxes, f.held = 0, 0, 0
	if err := f.out.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", item.Key, err)
	}
	return nil
}

// Close ends the file and says what it could not hold.
func (f *DatasetsFile) Close() (Report, error) {
	if err := f.out.Close(); err != nil {
		return f.report, fmt.Errorf("write Parquet: %w", err)
	}
	return f.report, nil
}

// fill makes the row: each value with how much of its path is there, and from where it repeats.
func (f *DatasetsFile) fill(item Item, image []byte) {
	f.row, f.column = f.row[:0], 0
	if f.set.images {
		if image == nil {
			f.add(parquet.NullValue(), 0, 0)
			f.add(parquet.NullValue(), 0, 0)
		} else {
			f.add(parquet.ByteArrayValue(image), 0, 2)
			f.add(parquet.ByteArrayValue([]byte(item.Key)), 0, 2)
		}
	}
	f.add(parquet.Int64Value(item.ID), 0, 1)
	f.add(parquet.ByteArrayValue([]byte(item.Key)), 0, 1)
	f.addSize(item.Width)
	f.addSize(item.Height)
	boxes := f.known(item)
	f.addHulls(boxes)
	f.addList(boxes, func(b Box) parquet.Value { return parquet.Int64Value(f.set.number[b.Class]) })
	f.addList(boxes, func(b Box) parquet.Value { return parquet.DoubleValue(b.labeledArea()) })
	f.addList(boxes, func(b Box) parquet.Value { return parquet.BooleanValue(b.Crowd) })
	f.addList(boxes, func(b Box) parquet.Value { return parquet.DoubleValue(b.Rotation) })
}

// known are the boxes of an item that its row can hold.
func (f *DatasetsFile) known(item Item) []Box {
	boxes := f.boxesOfRow[:0]
	for _, b := range item.Boxes {
		if _, known := f.set.number[b.Class]; !known {
			f.report.Add(Refused, item.Key, fmt.Sprintf("its class %q is none of the data set's", b.Class))
			continue
		}
		if !b.finite() {
			f.report.Add(Refused, item.Key, "a box with a number that is not finite")
			continue
		}
		if b.Rotation != 0 {
			f.report.Add(Rounded, item.Key, "rotated box written as the upright rectangle around it, its rotation beside it")
		}
		boxes = append(boxes, b)
	}
	f.boxesOfRow = boxes
	return boxes
}

// finite reports whether every number of b is one.
func (b Box) finite() bool {
	sum := b.X + b.Y + b.W + b.H + b.Rotation + b.Area // one that is not finite leaves no finite sum
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// add appends the next column's value: repeats is at which list it continues, 0 for none, and there how much of its path exists.
func (f *DatasetsFile) add(value parquet.Value, repeats, there int) {
	column := f.column
	if repeats > 0 {
		column--
	} else {
		f.column++
	}
	f.row = append(f.row, value.Level(repeats, there, column))
}

// addSize adds a size in pixels, null if unknown.
func (f *DatasetsFile) addSize(n int) {
	if n := pixels(n); n > 0 {
		f.add(parquet.Int32Value(n), 0, 1)
		return
	}
	f.add(parquet.NullValue(), 0, 0)
}

// addList adds a column of objects: objects, list and its element are there for a box, the first two for none.
func (f *DatasetsFile) addList(boxes []Box, value func(Box) parquet.Value) {
	if len(boxes) == 0 {
		f.add(parquet.NullValue(), 0, 2)
	}
	for i, b := range boxes {
		f.add(value(b), min(i, 1), 4)
	}
}

// addHulls adds the column bbox, a list of lists of four.
func (f *DatasetsFile) addHulls(boxes []Box) {
	if len(boxes) == 0 {
		f.add(parquet.NullValue(), 0, 2)
	}
	for i, b := range boxes {
		x, y, w, h := b.Hull()
		for j, v := range [...]float64{x, y, w, h} {
			repeats := min(i, 1)
			if j > 0 {
				repeats = 2
			}
			f.add(parquet.DoubleValue(v), repeats, 6)
		}
	}
}
