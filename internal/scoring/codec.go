package scoring

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// BlockLines is how many positions a block is for, so that a line can be taken out of its block alone.
const BlockLines = 4096

// BlockOf is the number of the block that a position is in.
func BlockOf(position int) int { return position / BlockLines }

// The first byte of a block before it is compressed.
const (
	layout       = 1
	layoutMarked = 2 // of the task Speech, with the classes of moments
)

// maxBlock bounds a block before it is compressed, in bytes.
const maxBlock = 256 << 20

var (
	compressor = sync.OnceValue(func() *zstd.Encoder {
		encoder, err := zstd.NewWriter(nil)
		if err != nil {
			panic(err) // it has no options that could be wrong
		}
		return encoder
	})
	expander = sync.OnceValue(func() *zstd.Decoder {
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBlock))
		if err != nil {
			panic(err) // its option is a constant
		}
		return decoder
	})
)

// Encode returns a sheet as blocks, whose numbers are their places: block k has the positions from k times BlockLines on. Each block
// stands for itself. Positions must rise from line to line, from 0.
func Encode(sheet Sheet) ([][]byte, error) {
	blocks, rest := 0, sheet.Scores
	if len(rest) > 0 {
		blocks = BlockOf(rest[len(rest)-1].Position) + 1
	}
	encoded := make([][]byte, 0, max(1, blocks))
	for k := range max(1, blocks) {
		n := 0
		for n < len(rest) && BlockOf(rest[n].Position) <= k {
			n++
		}
		block, err := encodeBlock(Sheet{sheet.Task, sheet.Classes, rest[:n]})
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", k, err)
		}
		encoded, rest = append(encoded, block), rest[n:]
	}
	return encoded, nil
}

// Decode returns the sheet that blocks are of, given in the order of their numbers.
func Decode(blocks [][]byte) (Sheet, error) {
	var sheet Sheet
	for k, block := range blocks {
		part, err := decodeBlock(block)
		if err != nil {
			return Sheet{}, fmt.Errorf("block %d: %w", k, err)
		}
		if k == 0 { // most often all are as full as the first
			sheet = part
			sheet.Scores = slices.Grow(sheet.Scores, len(sheet.Scores)*(len(blocks)-1))
			continue
		}
		if part.Task != sheet.Task || !slices.Equal(part.Classes, sheet.Classes) {
			return Sheet{}, fmt.Errorf("block %d is of another task or of other classes than block 0", k)
		}
		if n := len(sheet.Scores); n > 0 && len(part.Scores) > 0 && part.Scores[0].Position <= sheet.Scores[n-1].Position {
			return Sheet{}, fmt.Errorf("block %d begins before the one before it ends", k)
		}
		sheet.Scores = append(sheet.Scores, part.Scores...)
	}
	return sheet, nil
}

// Without returns a block without the lines at these positions, which keeps nothing of them.
func Without(block []byte, positions ...int) ([]byte, error) {
	sheet, err := decodeBlock(block)
	if err != nil {
		return nil, err
	}
	sheet.Scores = slices.DeleteFunc(sheet.Scores, func(s Score) bool { return slices.Contains(positions, s.Position) })
	return encodeBlock(sheet)
}

func encodeBlock(sheet Sheet) ([]byte, error) {
	w := writer{make([]byte, 0, 64+64*len(sheet.Scores))}
	marked := sheet.Task == Speech && len(sheet.Classes) > 0
	if marked {
		w.byte(layoutMarked)
	} else {
		w.byte(layout)
	}
	w.text(string(sheet.Task))
	w.count(len(sheet.Classes))
	for _, class := range sheet.Classes {
		w.text(class)
	}
	w.count(len(sheet.Scores))
	before := -1
	for i := range sheet.Scores {
		position := sheet.Scores[i].Position
		if position <= before {
			return nil, fmt.Errorf("line %d follows line %d", position, before)
		}
		w.count(position - before - 1)
		before = position
	}
	w.lines(sheet.Scores)
	switch sheet.Task {
	case Speech:
		w.words(sheet.Scores)
		if marked {
			w.marks(sheet.Scores)
		}
	case Label, Labels, Spans:
		w.marks(sheet.Scores)
	case Detection:
		w.images(sheet.Scores)
	default:
		return nil, fmt.Errorf("there is no task %q", sheet.Task)
	}
	if len(w.b) > maxBlock {
		return nil, fmt.Errorf("its lines have more than %d MB of numbers", maxBlock>>20)
	}
	return compressor().EncodeAll(w.b, nil), nil
}

var errBlock = errors.New("these are no scores")

func decodeBlock(block []byte) (Sheet, error) {
	b, err := expander().DecodeAll(block, nil)
	if err != nil {
		return Sheet{}, fmt.Errorf("%w: %w", errBlock, err)
	}
	r := reader{b: b}
	laidOut := r.byte()
	if laidOut != layout && laidOut != layoutMarked {
		return Sheet{}, fmt.Errorf("%w of a layout that is known", errBlock)
	}
	sheet := Sheet{Task: Task(r.text())}
	for range r.count() {
		sheet.Classes = append(sheet.Classes, r.text())
	}
	sheet.Scores = make([]Score, r.number(BlockLines))
	next := 0
	for i := range sheet.Scores {
		sheet.Scores[i].Position = next + r.number(maxPosition)
		next = sheet.Scores[i].Position + 1
	}
	r.lines(sheet.Scores)
	switch sheet.Task {
	case Speech:
		r.words(sheet.Scores)
		if laidOut == layoutMarked {
			r.marks(sheet.Scores)
			r.probabilities(sheet.Scores)
		}
	case Label, Labels, Spans:
		r.marks(sheet.Scores)
		r.probabilities(sheet.Scores)
	case Detection:
		r.objects(sheet.Scores)
		r.found(sheet.Scores)
	default:
		r.failed = true
	}
	if r.failed || len(r.b) > 0 || !sheet.whole() {
		return Sheet{}, errBlock
	}
	return sheet, nil
}

// whole reports whether scores name no class that there is not, and have what their task has.
func (s *Sheet) whole() bool {
	classes := int32(len(s.Classes)) //nolint:gosec // far fewer
	for i := range s.Scores {
		score := &s.Scores[i]
		if s.Task == Label && !score.Failed && (len(score.Marks) != 1 || score.Marks[0].Truth < 0 || score.Marks[0].Said < 0) || len(score.Probabilities) > len(s.Classes) {
			return false
		}
		for _, m := range score.Marks {
			if m.Truth >= classes || m.Said >= classes || m.Truth < 0 && m.Said < 0 {
				return false
			}
		}
		for _, o := range score.Image.Objects {
			if o.Class >= classes {
				return false
			}
		}
		for k := range score.Image.Found {
			if class := score.Image.Found[k].Class; class < 0 || class >= classes {
				return false
			}
		}
	}
	return true
}
