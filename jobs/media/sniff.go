package media

import (
	"bytes"
	"unicode/utf8"
)

// sniffLength is how many bytes decide about the type.
const sniffLength = 1024

// foreign names contents that people upload by mistake, with what to do.
var foreign = []struct{ prefix, sentence string }{
	{"GIF8", "GIF is not supported: convert the picture to PNG."},
	{"%PDF", "The file is a PDF document: export its pictures as PNG or JPEG."},
	{"PK\x03\x04", "The file is a zip archive, not a picture: upload it as an archive or unpack it."},
	{"\x00\x00\x01\x00", "Icons are not supported: convert the picture to PNG."},
	{"8BPS", "Photoshop documents are not supported: export the picture as PNG or TIFF."},
	{"\x00\x00\x00\x0cjP  ", "JPEG 2000 is not supported: convert the picture to PNG."},
	{"\x00\x00\x00\x0cJXL ", "JPEG XL is not supported: convert the picture to PNG."},
	{"\xff\x0a", "JPEG XL is not supported: convert the picture to PNG."},
	{"II+\x00", "BigTIFF is not supported: save the picture as plain TIFF or PNG."},
	{"MM\x00+", "BigTIFF is not supported: save the picture as plain TIFF or PNG."},
}

// sniff tells the type by the first bytes of the content.
func sniff(head []byte) (Type, error) {
	switch {
	case len(head) == 0:
		return "", refuse(Empty, "The file is empty: upload it again from the original.")
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return JPEG, nil
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return PNG, nil
	case bytes.HasPrefix(head, []byte("RIFF")) && len(head) >= 12 && string(head[8:12]) == "WEBP":
		return WebP, nil
	case bytes.HasPrefix(head, []byte("II*\x00")), bytes.HasPrefix(head, []byte("MM\x00*")):
		return TIFF, nil
	case isBMP(head):
		return BMP, nil
	}
	return "", refuseForeign(head)
}

// isBMP wants more than the two letters, with which a text may begin as well:
// the reserved zeros and the length of a header that is known.
func isBMP(head []byte) bool {
	return len(head) >= 18 && head[0] == 'B' && head[1] == 'M' &&
		string(head[6:10]) == "\x00\x00\x00\x00" && head[14] <= 124 && head[15] == 0
}

func refuseForeign(head []byte) error {
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.prefix)) {
			return refuse(WrongType, "%s", f.sentence)
		}
	}
	if len(head) >= 12 && string(head[4:8]) == "ftyp" {
		return refuse(WrongType, "HEIC, AVIF and video files are not supported: convert the picture to JPEG or PNG.")
	}
	if len(head) >= 4 && string(head[1:4]) == "PNG" {
		return refuse(Damaged, "The signature of the PNG file is damaged, as by a transfer in text mode: copy it again from the original.")
	}
	text := bytes.ToLower(bytes.TrimLeft(head, "\ufeff \t\r\n"))
	switch {
	case !bytes.HasPrefix(text, []byte("<")):
	case bytes.Contains(text, []byte("<svg")):
		return refuse(WrongType, "SVG is not supported because it can hold scripts: convert the picture to PNG.")
	case bytes.Contains(text, []byte("<html")), bytes.HasPrefix(text, []byte("<!doctype html")):
		return refuse(WrongType, "The file is a web page, not a picture: save the picture itself.")
	}
	if utf8.Valid(head) && !bytes.ContainsRune(head, 0) {
		return refuse(WrongType, "The file is text, not a picture, whatever its name says.")
	}
	return refuse(WrongType, "The content is not a JPEG, PNG, WebP, BMP or TIFF picture, whatever its name says: convert it to PNG.")
}
