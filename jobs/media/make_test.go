package media

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/bmp"
)

// decodeBytes decodes a file that lies in memory.
func decodeBytes(file []byte) (*Picture, error) {
	return Decode(bytes.NewReader(file), int64(len(file)), DefaultLimits)
}

// quarters is a picture of w × h whose four quarters differ.
func quarters(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	colours := []color.NRGBA{{220, 30, 30, 255}, {30, 200, 40, 255}, {30, 40, 220, 255}, {230, 220, 40, 255}}
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, colours[x*2/w+y*2/h*2])
		}
	}
	return img
}

// storedAs gives the picture that is stored when upright is photographed with
// the orientation, written from the words of the EXIF standard: where the
// stored row 0 and column 0 lie in the picture.
func storedAs(upright image.Image, orientation int) *image.NRGBA {
	w, h := upright.Bounds().Dx(), upright.Bounds().Dy()
	sw, sh := w, h
	if orientation >= 5 {
		sw, sh = h, w
	}
	img := image.NewNRGBA(image.Rect(0, 0, sw, sh))
	for row := range sh {
		for col := range sw {
			x, y := 0, 0
			switch orientation {
			case 1: // row 0 top, column 0 left
				x, y = col, row
			case 2: // top, right
				x, y = w-1-col, row
			case 3: // bottom, right
				x, y = w-1-col, h-1-row
			case 4: // bottom, left
				x, y = col, h-1-row
			case 5: // left, top
				x, y = row, col
			case 6: // right, top
				x, y = w-1-row, col
			case 7: // right, bottom
				x, y = w-1-row, h-1-col
			case 8: // left, bottom
				x, y = row, h-1-col
			}
			img.Set(col, row, upright.At(x, y))
		}
	}
	return img
}

// exifBlock holds the orientation and, when private, a tag that names a person.
func exifBlock(orientation int, private bool) []byte {
	entries := [][4]uint32{{tagOrientation, 3, 1, uint32(orientation) << 16}}
	if private {
		entries = append(entries, [4]uint32{315, 2, 4, 0x4d617261})
	}
	b := []byte("MM\x00*\x00\x00\x00\x08")
	b = binary.BigEndian.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		b = binary.BigEndian.AppendUint16(b, uint16(e[0]))
		b = binary.BigEndian.AppendUint16(b, uint16(e[1]))
		b = binary.BigEndian.AppendUint32(b, e[2])
		b = binary.BigEndian.AppendUint32(b, e[3])
	}
	return append(b, 0, 0, 0, 0)
}

func makeJPEG(tb testing.TB, img image.Image, segments ...[]byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		tb.Fatal(err)
	}
	return insert(b.Bytes(), 2, bytes.Join(segments, nil))
}

func segment(marker byte, payload []byte) []byte {
	n := len(payload) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, payload...)
}

func exifSegment(block []byte) []byte {
	return segment(markAPP1, append(bytes.Clone(exifPrefix), block...))
}

func makePNG(tb testing.TB, img image.Image, chunks ...[]byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		tb.Fatal(err)
	}
	return insert(b.Bytes(), 33, bytes.Join(chunks, nil)) // after IHDR
}

func chunk(name string, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	b = append(append(b, name...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func makeBMP(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := bmp.Encode(&b, img); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// makeTIFF writes an uncompressed RGB TIFF, its pages one after another.
func makeTIFF(img *image.NRGBA, orientation, pages int) []byte {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	const entries, dirLength = 10, 2 + 10*ifdEntry + 4
	file := []byte("II*\x00\x08\x00\x00\x00")
	bitsAt := 8 + pages*dirLength
	dataAt := bitsAt + 6
	for page := range pages {
		file = binary.LittleEndian.AppendUint16(file, entries)
		for _, e := range [entries][4]int{
			{256, 4, 1, w},
			{257, 4, 1, h},
			{258, 3, 3, bitsAt},
			{259, 3, 1, 1},
			{262, 3, 1, 2},
			{273, 4, 1, dataAt},
			{274, 3, 1, orientation},
			{277, 3, 1, 3},
			{278, 4, 1, h},
			{279, 4, 1, 3 * w * h},
		} {
			file = binary.LittleEndian.AppendUint16(file, uint16(e[0]))
			file = binary.LittleEndian.AppendUint16(file, uint16(e[1]))
			file = binary.LittleEndian.AppendUint32(file, uint32(e[2]))
			file = binary.LittleEndian.AppendUint32(file, uint32(e[3]))
		}
		next := 0
		if page < pages-1 {
			next = 8 + (page+1)*dirLength
		}
		file = binary.LittleEndian.AppendUint32(file, uint32(next))
	}
	file = append(file, 8, 0, 8, 0, 8, 0)
	for i := 0; i < len(img.Pix); i += 4 {
		file = append(file, img.Pix[i:i+3]...)
	}
	return file
}

// withWebPChunk appends a chunk and announces it by the flag.
func withWebPChunk(file []byte, name string, payload []byte, flag byte) []byte {
	file = append(bytes.Clone(file), name...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(payload)))
	file = append(file, payload...)
	if len(payload)%2 == 1 {
		file = append(file, 0)
	}
	file[20] |= flag
	binary.LittleEndian.PutUint32(file[4:], uint32(len(file)-8))
	return file
}

func insert(file []byte, at int, part []byte) []byte {
	return append(append(bytes.Clone(file[:at]), part...), file[at:]...)
}

func readTestdata(tb testing.TB, name string) []byte {
	tb.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return file
}

// sharedImages returns the folder of awkward real files, and skips without it.
func sharedImages(tb testing.TB) string {
	tb.Helper()
	data := os.Getenv("FIDUCIAL_TEST_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
		if wd, err := os.Getwd(); err == nil {
			for dir := wd; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
				if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
					data = filepath.Join(dir, "..", "shared", "data")
					break
				}
			}
		}
	}
	folder := filepath.Join(data, "edge", "image")
	if _, err := os.Stat(folder); err != nil {
		tb.Skipf("no test data at %s: set FIDUCIAL_TEST_DATA", folder)
	}
	return folder
}
