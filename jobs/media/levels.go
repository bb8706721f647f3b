package media

import "image"

// Levels says how the values of a 16-bit grey picture are spread: the darkest
// and the brightest, and the 0.5 and 99.5 percentiles between which the
// window is set at first.
type Levels struct {
	Min, Max, Low, High uint16
}

// LevelsOf counts the values of img.
func LevelsOf(img *image.Gray16) Levels {
	var counts [1 << 16]int
	total := 0
	for y := range img.Rect.Dy() {
		row := img.Pix[y*img.Stride:][:2*img.Rect.Dx()]
		for i := 0; i < len(row); i += 2 {
			counts[uint16(row[i])<<8|uint16(row[i+1])]++
		}
		total += len(row) / 2
	}
	// at returns the smallest value that more than below pixels reach.
	at := func(below int) uint16 {
		seen := 0
		for v, n := range counts {
			if seen += n; seen > below {
				return uint16(v)
			}
		}
		return 1<<16 - 1
	}
	tail := total / 200
	return Levels{Min: at(0), Max: at(total - 1), Low: at(tail), High: at(total - 1 - tail)}
}

// Window maps the values from Low to High to 0 to 255, and cuts off the rest.
func (l Levels) Window(img *image.Gray16) *image.Gray {
	var table [1 << 16]byte
	span := max(1, int(l.High)-int(l.Low))
	for v := range table {
		table[v] = byte(min(255, max(0, ((v-int(l.Low))*255+span/2)/span)))
	}
	dst := image.NewGray(image.Rect(0, 0, img.Rect.Dx(), img.Rect.Dy()))
	for y := range img.Rect.Dy() {
		row := img.Pix[y*img.Stride:][:2*img.Rect.Dx()]
		for x := range img.Rect.Dx() {
			dst.Pix[y*dst.Stride+x] = table[uint16(row[2*x])<<8|uint16(row[2*x+1])]
		}
	}
	return dst
}

// splitBytes puts the high byte into red and the low byte into green, from
// which the browser gets the exact value back: 256·red + green.
func splitBytes(img *image.Gray16) *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, img.Rect.Dx(), img.Rect.Dy()))
	for y := range img.Rect.Dy() {
		row := img.Pix[y*img.Stride:][:2*img.Rect.Dx()]
		out := dst.Pix[y*dst.Stride:]
		for x := range img.Rect.Dx() {
			out[4*x], out[4*x+1], out[4*x+3] = row[2*x], row[2*x+1], 255
		}
	}
	return dst
}
