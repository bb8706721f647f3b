package media

import (
	"image"
	"image/draw"
)

// Upright turns a stored picture by its EXIF orientation, so that its first
// row is the top and its first column the left of what was photographed. The
// result begins at the origin; orientation 1 returns img itself.
func Upright(img image.Image, orientation int) image.Image {
	if orientation <= 1 || orientation > 8 {
		return img
	}
	b := img.Bounds()
	upright := image.Rect(0, 0, b.Dx(), b.Dy())
	if orientation >= 5 {
		upright = image.Rect(0, 0, b.Dy(), b.Dx())
	}
	switch src := img.(type) {
	case *image.Gray:
		dst := image.NewGray(upright)
		turn(dst.Pix, src.Pix, src.Stride, upright, 1, orientation)
		return dst
	case *image.Gray16:
		dst := image.NewGray16(upright)
		turn(dst.Pix, src.Pix, src.Stride, upright, 2, orientation)
		return dst
	case *image.NRGBA64:
		dst := image.NewNRGBA64(upright)
		turn(dst.Pix, src.Pix, src.Stride, upright, 8, orientation)
		return dst
	case *image.RGBA64:
		dst := image.NewRGBA64(upright)
		turn(dst.Pix, src.Pix, src.Stride, upright, 8, orientation)
		return dst
	case *image.RGBA:
		dst := image.NewRGBA(upright)
		turn(dst.Pix, src.Pix, src.Stride, upright, 4, orientation)
		return dst
	case *image.YCbCr:
		return Upright(opaque(src), orientation)
	}
	src := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(src, src.Rect, img, b.Min, draw.Src)
	dst := image.NewNRGBA(upright)
	turn(dst.Pix, src.Pix, src.Stride, upright, 4, orientation)
	return dst
}

// turn fills dst, the upright picture without gaps between rows, from the
// stored src. The pixel at (x, y) of dst lies at start + x*right + y*down.
func turn(dst, src []byte, stride int, upright image.Rectangle, size, orientation int) {
	w, h := upright.Dx(), upright.Dy()
	if orientation >= 5 {
		w, h = h, w // of the stored picture
	}
	lastX, lastY := (w-1)*size, (h-1)*stride
	var start, right, down int
	switch orientation {
	case 2:
		start, right, down = lastX, -size, stride
	case 3:
		start, right, down = lastX+lastY, -size, -stride
	case 4:
		start, right, down = lastY, size, -stride
	case 5:
		start, right, down = 0, stride, size
	case 6:
		start, right, down = lastY, -stride, size
	case 7:
		start, right, down = lastX+lastY, -stride, -size
	case 8:
		start, right, down = lastX, stride, -size
	}
	out := 0
	for y := range upright.Dy() {
		in := start + y*down
		for range upright.Dx() {
			copy(dst[out:out+size], src[in:in+size])
			out += size
			in += right
		}
	}
}
