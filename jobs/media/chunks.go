package media

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// maxMetadata is the longest EXIF block that is looked into.
const maxMetadata = 1 << 20

const (
	vp8xAnimation = 1 << 1
	vp8xXMP       = 1 << 2
	vp8xEXIF      = 1 << 3
)

var errShortRIFF = errors.New("chunk runs past the end")

// neededPNG are the chunks of a PNG file that draw the picture.
var neededPNG = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "tRNS": true, "gAMA": true, "cHRM": true, "sRGB": true, "iCCP": true,
	"sBIT": true, "pHYs": true, "bKGD": true, "cICP": true, "mDCV": true, "cLLI": true,
}

// neededWebP are the chunks of a WebP file that draw the picture.
var neededWebP = map[string]bool{"VP8X": true, "VP8 ": true, "VP8L": true, "ALPH": true, "ICCP": true}

func (p *probe) pngStructure(r io.Reader) error {
	br := bufio.NewReaderSize(r, 1<<16)
	if _, err := br.Discard(8); err != nil {
		return err
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(br, head[:]); err != nil {
			return err
		}
		length, name := int64(binary.BigEndian.Uint32(head[:4])), string(head[4:])
		read := int64(0)
		switch {
		case name == "acTL":
			return refuse(Animated, "The PNG file is animated: save the frame that is meant as a picture of its own.")
		case (name == "eXIf" || name == "IHDR") && length <= maxMetadata:
			payload := make([]byte, length)
			if _, err := io.ReadFull(br, payload); err != nil {
				return err
			}
			read = length
			p.pngChunk(name, payload)
		case !neededPNG[name]:
			p.Metadata = true
		}
		if _, err := io.CopyN(io.Discard, br, length-read+4); err != nil {
			return err
		}
		if name == "IEND" {
			return nil
		}
	}
}

func (p *probe) pngChunk(name string, payload []byte) {
	if name == "eXIf" {
		p.exif(bytes.NewReader(payload))
		return
	}
	// The decoder reports grey with transparency as a colour.
	if len(payload) > 9 && (payload[9] == 0 || payload[9] == 4) {
		p.Gray = true
	}
}

// stripPNG copies the picture without the chunks that tell about it.
func stripPNG(w io.Writer, r io.Reader) error {
	br := bufio.NewReaderSize(r, 1<<16)
	if _, err := io.CopyN(w, br, 8); err != nil {
		return err
	}
	for {
		head, err := br.Peek(8)
		if err != nil {
			return err
		}
		length, name := int64(binary.BigEndian.Uint32(head[:4])), string(head[4:])
		to := w
		if !neededPNG[name] {
			to = io.Discard
		}
		if _, err := io.CopyN(to, br, length+12); err != nil {
			return err
		}
		if name == "IEND" {
			return nil
		}
	}
}

// webpChunks calls see with each chunk of a WebP file: its name, and its
// payload with the padding byte.
func webpChunks(r io.Reader, see func(name string, length uint32, payload *io.LimitedReader) error) error {
	br := bufio.NewReaderSize(r, 1<<16)
	var head [12]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return err
	}
	left := int64(binary.LittleEndian.Uint32(head[4:8])) - 4
	for left >= 8 {
		if _, err := io.ReadFull(br, head[:8]); err != nil {
			return err
		}
		length := binary.LittleEndian.Uint32(head[4:8])
		padded := int64(length) + int64(length&1)
		left -= 8 + padded
		payload := &io.LimitedReader{R: br, N: padded}
		if err := see(string(head[:4]), length, payload); err != nil {
			return err
		}
		missing := payload.N
		// Many writers leave out the padding of the last chunk.
		if n, err := io.CopyN(io.Discard, br, missing); err != nil && (left > 0 || n < missing-1) {
			return errShortRIFF
		}
	}
	return nil
}

func (p *probe) webpStructure(r io.Reader) error {
	return webpChunks(r, func(name string, length uint32, payload *io.LimitedReader) error {
		switch {
		case name == "ANIM" || name == "ANMF":
			return refuseAnimatedWebP()
		case name == "VP8X":
			flags := make([]byte, 1)
			if _, err := io.ReadFull(payload, flags); err != nil {
				return err
			}
			if flags[0]&vp8xAnimation != 0 {
				return refuseAnimatedWebP()
			}
		case name == "EXIF" && length <= maxMetadata:
			block, err := io.ReadAll(payload)
			if err != nil {
				return err
			}
			// Some writers keep the prefix that belongs to JPEG.
			p.exif(bytes.NewReader(bytes.TrimPrefix(block, exifPrefix)))
		case !neededWebP[name]:
			p.Metadata = true
		}
		return nil
	})
}

func refuseAnimatedWebP() error {
	return refuse(Animated, "The WebP file is animated: save the frame that is meant as a picture of its own.")
}

// stripWebP copies the picture without EXIF, XMP and unknown chunks.
func stripWebP(w io.Writer, r io.Reader) error {
	body := []byte("WEBP")
	err := webpChunks(r, func(name string, length uint32, payload *io.LimitedReader) error {
		if !neededWebP[name] {
			return nil
		}
		data, err := io.ReadAll(payload)
		if err != nil {
			return err
		}
		if name == "VP8X" && len(data) > 0 {
			data[0] &^= vp8xEXIF | vp8xXMP
		}
		body = binary.LittleEndian.AppendUint32(append(body, name...), length)
		body = append(body, data...)
		if len(data)%2 == 1 {
			body = append(body, 0)
		}
		return nil
	})
	if err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))) //nolint:gosec // No longer than the file it comes from.
	_, err = w.Write(append(head, body...))
	return err
}
