package audio

import (
	"bytes"
	"encoding/binary"
	"math"
)

// The numbers that WAV files have for encodings.
const (
	tagPCM        = 1
	tagFloat      = 3
	tagALaw       = 6
	tagMuLaw      = 7
	tagExtensible = 0xfffe
)

// foreignTags are encodings that need a converter.
var foreignTags = map[uint16]string{
	2: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x14: "G.723", 0x31: "GSM 6.10", 0x40: "G.721", 0x45: "G.726", 0x50: "MPEG", 0x55: "MP3",
	0x64: "G.726", 0x65: "G.722", 0x28f: "G.722", 0xff: "AAC", 0x1610: "AAC", 0x161: "WMA", 0x162: "WMA", 0x674f: "Vorbis", 0x704f: "Opus",
	0xf1ac: "FLAC", 0x83: "G.729", 0x42: "G.723.1", 0x111: "G.723.1", 0x22: "TrueSpeech",
}

// encode finds the encoding of a format with that number, a frame of which takes align bytes.
func (f *Format) encode(tag uint16, align int) error {
	f.Bytes = align / f.Channels
	switch tag {
	case tagPCM:
		f.Encoding = Signed
		if f.Bytes == 1 {
			f.Encoding = Unsigned
		}
		if f.Bytes < 1 || f.Bytes > 4 || f.Bits < 1 || f.Bits > 8*f.Bytes {
			return f.impossible(align)
		}
	case tagFloat:
		f.Encoding = Float
		if f.Bytes != 4 && f.Bytes != 8 || f.Bits != 8*f.Bytes {
			return f.impossible(align)
		}
	case tagALaw, tagMuLaw:
		f.Encoding = MuLaw
		if tag == tagALaw {
			f.Encoding = ALaw
		}
		if f.Bytes != 1 || f.Bits != 8 {
			return f.impossible(align)
		}
	default:
		if name, known := foreignTags[tag]; known {
			return refuse(Foreign, "The sound is encoded as %s, which needs ffmpeg on the server: install it (apt-get install ffmpeg) and import the file again, or convert it to PCM.", name)
		}
		return refuse(Foreign, "The sound has the encoding number 0x%04x, which is not known: convert the file to PCM, for example with ffmpeg.", tag)
	}
	if align%f.Channels != 0 {
		return f.impossible(align)
	}
	return nil
}

func (f *Format) impossible(align int) error {
	return refuse(Damaged, "The header contradicts itself: %d channels of %d bits in %d bytes. Export the file again from where it was made.",
		f.Channels, f.Bits, align)
}

// containers are formats by what their files begin with.
var containers = []struct{ begins, name string }{
	{"fLaC", "FLAC"},
	{"OggS", "Ogg"},
	{"ID3", "MP3"},
	{"#!AMR", "AMR"},
	{"FORM", "AIFF"},
	{".snd", "Sun AU"},
	{"riff", "Wave64"},
	{"\x1a\x45\xdf\xa3", "Matroska or WebM"},
	{"\x30\x26\xb2\x75", "Windows Media"},
	{"caff", "Core Audio"},
}

// foreign refuses a file that is no WAV by what it seems to be.
func foreign(head []byte) error {
	for _, c := range containers {
		if bytes.HasPrefix(head, []byte(c.begins)) {
			return refuse(Foreign, "The file is %s, which needs ffmpeg on the server: install it (apt-get install ffmpeg) and import the file again, or convert it to WAV.", c.name)
		}
	}
	switch {
	case len(head) >= 8 && string(head[4:8]) == "ftyp":
		return refuse(Foreign, "The file is MP4 or M4A, which needs ffmpeg on the server: install it (apt-get install ffmpeg) and import the file again, or convert it to WAV.")
	case len(head) >= 2 && head[0] == 0xff && head[1]&0xe0 == 0xe0:
		return refuse(Foreign, "The file is MPEG audio (MP3 or AAC), which needs ffmpeg on the server: install it (apt-get install ffmpeg) and import the file again, or convert it to WAV.")
	case len(head) < 12:
		return refuse(Damaged, "The file has %d bytes, which is no sound: copy it again from where it was recorded.", len(head))
	}
	return refuse(Foreign, "The file is not WAV. Raw telephone audio (G.722, GSM) needs ffmpeg on the server: install it (apt-get install ffmpeg) and import the file again, or convert it to WAV.")
}

// decode writes the samples that raw holds, each from -1 to 1, into samples; those of floating point may go beyond.
func (f Format) decode(samples []float32, raw []byte) {
	switch f.Encoding {
	case Unsigned:
		for i := range samples {
			samples[i] = float32(int(raw[i])-128) / 128
		}
	case MuLaw:
		for i := range samples {
			samples[i] = muLaw[raw[i]]
		}
	case ALaw:
		for i := range samples {
			samples[i] = aLaw[raw[i]]
		}
	case Float:
		f.decodeFloat(samples, raw)
	case Signed:
		f.decodeSigned(samples, raw)
	}
}

func (f Format) order() binary.ByteOrder {
	if f.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (f Format) decodeFloat(samples []float32, raw []byte) {
	order := f.order()
	for i := range samples {
		if f.Bytes == 4 {
			samples[i] = math.Float32frombits(order.Uint32(raw[4*i:]))
		} else {
			samples[i] = float32(math.Float64frombits(order.Uint64(raw[8*i:])))
		}
		if samples[i] != samples[i] { // not a number is no sound
			samples[i] = 0
		}
	}
}

// decodeSigned reads whole numbers, which fill their bytes from the top.
func (f Format) decodeSigned(samples []float32, raw []byte) {
	if f.Bytes == 2 && !f.BigEndian { // what most files are
		for i := range samples {
			samples[i] = float32(int16(binary.LittleEndian.Uint16(raw[2*i:]))) / (1 << 15) //nolint:gosec // the same sixteen bits
		}
		return
	}
	for i := range samples {
		var v uint32
		for k := range f.Bytes {
			b := uint32(raw[i*f.Bytes+k])
			place := k
			if f.BigEndian {
				place = f.Bytes - 1 - k
			}
			v |= b << (8 * (4 - f.Bytes + place))
		}
		samples[i] = float32(int32(v)) / (1 << 31)
	}
}

// The telephone's encodings, byte by byte (ITU-T G.711).
var muLaw, aLaw = telephone()

func telephone() (mu, a [256]float32) {
	for i := range 256 {
		b := ^uint8(i)
		v := (int(b&0x0f)<<3+0x84)<<(b>>4&7) - 0x84
		if b&0x80 != 0 {
			v = -v
		}
		mu[i] = float32(v) / (1 << 15)

		b = uint8(i) ^ 0x55
		v = int(b&0x0f)<<4 + 8
		if exponent := b >> 4 & 7; exponent > 0 {
			v = (v + 0x100) << (exponent - 1)
		}
		if b&0x80 == 0 {
			v = -v
		}
		a[i] = float32(v) / (1 << 15)
	}
	return mu, a
}
