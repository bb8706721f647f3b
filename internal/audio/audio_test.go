package audio_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/audio"
)

// part is a chunk of a WAV file.
func part(order binary.AppendByteOrder, name string, content []byte) []byte {
	b := order.AppendUint32([]byte(name), uint32(len(content)))
	b = append(b, content...)
	if len(content)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// format is a description of sound, of 16 bytes.
func format(order binary.AppendByteOrder, tag, channels, rate, bits, bytes int) []byte {
	b := order.AppendUint16(nil, uint16(tag))
	b = order.AppendUint16(b, uint16(channels))
	b = order.AppendUint32(b, uint32(rate))
	b = order.AppendUint32(b, uint32(rate*channels*bytes))
	b = order.AppendUint16(b, uint16(channels*bytes))
	return order.AppendUint16(b, uint16(bits))
}

func riff(parts ...[]byte) []byte {
	body := append([]byte("WAVE"), slices.Concat(parts...)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func rifx(parts ...[]byte) []byte {
	body := append([]byte("WAVE"), slices.Concat(parts...)...)
	return append(binary.BigEndian.AppendUint32([]byte("RIFX"), uint32(len(body))), body...)
}

func open(b []byte) (*audio.Sound, error) { return audio.Open(bytes.NewReader(b), int64(len(b))) }

// samples decodes all of a sound.
func samples(t interface {
	Helper()
	Fatal(...any)
}, s *audio.Sound,
) (all []float32) {
	t.Helper()
	decoder, block := s.Decode(0, s.Frames), make([]float32, 5*s.Channels)
	for {
		n, err := decoder.Read(block)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, block[:n]...)
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	little, big := binary.LittleEndian, binary.BigEndian
	data := func(b ...byte) []byte { return part(little, "data", b) }
	extensible := func(tag int, bits, bytes, valid int) []byte {
		b := append(format(little, 0xfffe, 1, 8000, bits, bytes), 22, 0)
		b = little.AppendUint16(b, uint16(valid))
		b = append(b, 4, 0, 0, 0, byte(tag), 0)
		return part(little, "fmt ", append(b, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...))
	}
	plain := func(tag, channels, bits, bytes int) []byte {
		return part(little, "fmt ", format(little, tag, channels, 8000, bits, bytes))
	}
	floats := little.AppendUint32(little.AppendUint32(nil, math.Float32bits(-1.5)), math.Float32bits(float32(math.NaN())))
	for name, c := range map[string]struct {
		file []byte
		want []float32
	}{
		"8 bit":                    {riff(plain(1, 1, 8, 1), data(0, 128, 255)), []float32{-1, 0, 127. / 128}},
		"16 bit":                   {riff(plain(1, 1, 16, 2), data(0, 0x80, 0, 0x40, 0xff, 0x7f)), []float32{-1, 0.5, 32767. / 32768}},
		"12 bit in two bytes":      {riff(plain(1, 1, 12, 2), data(0, 0x80, 0, 0x40)), []float32{-1, 0.5}},
		"24 bit":                   {riff(plain(1, 1, 24, 3), data(0, 0, 0x80, 0, 0, 0x40, 1, 0, 0)), []float32{-1, 0.5, 1. / (1 << 23)}},
		"24 bit in four bytes":     {riff(extensible(1, 32, 4, 24), data(0, 0, 0, 0x80, 0, 0, 0, 0x40)), []float32{-1, 0.5}},
		"32 bit":                   {riff(plain(1, 1, 32, 4), data(0, 0, 0, 0x80, 0, 0, 0, 0x40)), []float32{-1, 0.5}},
		"three channels":           {riff(plain(1, 3, 8, 1), data(0, 128, 192, 128, 128, 128)), []float32{-1, 0, 0.5, 0, 0, 0}},
		"floating point":           {riff(plain(3, 1, 32, 4), part(little, "data", floats)), []float32{-1.5, 0}},
		"extensible float":         {riff(extensible(3, 32, 4, 32), part(little, "data", floats)), []float32{-1.5, 0}},
		"floating point of 64 bit": {riff(plain(3, 1, 64, 8), part(little, "data", little.AppendUint64(nil, math.Float64bits(0.25)))), []float32{0.25}},
		"µ-law":                    {riff(plain(7, 1, 8, 1), data(0xff, 0x7f, 0x80, 0x00, 0xbf)), []float32{0, 0, 32124. / 32768, -32124. / 32768, 1980. / 32768}},
		"A-law":                    {riff(plain(6, 1, 8, 1), data(0xd5, 0x55, 0xaa, 0x2a)), []float32{8. / 32768, -8. / 32768, 32256. / 32768, -32256. / 32768}},
		"RIFX": {
			rifx(part(big, "fmt ", format(big, 1, 1, 8000, 24, 3)), part(big, "data", []byte{0x80, 0, 0, 0x40, 0, 0})), []float32{-1, 0.5},
		},
		"other parts before": {riff(part(little, "JUNK", []byte{1, 2, 3}), plain(1, 1, 8, 1), part(little, "LIST", nil), data(0)), []float32{-1}},
		"a frame cut off":    {riff(plain(1, 1, 16, 2), data(0, 0x80, 0)), []float32{-1}},
	} {
		s, err := open(c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := samples(t, s); !slices.Equal(got, c.want) || s.Rate != 8000 {
			t.Errorf("%s, %v: %v, want %v", name, s.Format, got, c.want)
		}
	}
}

// rf64 is a file whose sizes stand in a part of their own.
func rf64(size uint64, content []byte) []byte {
	little := binary.LittleEndian
	sizes := little.AppendUint64(little.AppendUint64(little.AppendUint64(nil, 0), size), size/2)
	b := append([]byte("RF64\xff\xff\xff\xffWAVE"), part(little, "ds64", append(sizes, 0, 0, 0, 0))...)
	b = append(b, part(little, "fmt ", format(little, 1, 1, 8000, 16, 2))...)
	return append(append(b, "data\xff\xff\xff\xff"...), content...)
}

func TestRF64(t *testing.T) {
	t.Parallel()
	s, err := open(rf64(4, []byte{0, 0x80, 0, 0x40, 'L', 'I', 'S', 'T'}))
	if err != nil || !slices.Equal(samples(t, s), []float32{-1, 0.5}) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, size := range []uint64{6, 1 << 62, 1 << 63, math.MaxUint64} {
		if _, err := open(rf64(size, []byte{0, 0x80, 0, 0x40})); reasonOf(err) != audio.Damaged {
			t.Errorf("%d bytes promised: %v", size, err)
		}
	}
}

func reasonOf(err error) audio.Reason {
	if refused, ok := errors.AsType[*audio.RefusedError](err); ok {
		return refused.Reason
	}
	return ""
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	little := binary.LittleEndian
	good := part(little, "fmt ", format(little, 1, 1, 8000, 16, 2))
	data := part(little, "data", []byte{0, 0, 0, 0})
	of := func(tag, channels, rate, bits, bytes int) []byte {
		return riff(part(little, "fmt ", format(little, tag, channels, rate, bits, bytes)), data)
	}
	for name, c := range map[string]struct {
		file   []byte
		reason audio.Reason
		says   string
	}{
		"nothing":                {nil, audio.Empty, "is empty"},
		"text":                   {[]byte("dear diary, dear diary"), audio.Foreign, "not WAV"},
		"a few bytes":            {[]byte("dear"), audio.Damaged, "4 bytes"},
		"FLAC":                   {[]byte("fLaC and more than that"), audio.Foreign, "FLAC"},
		"MP3":                    {[]byte("\xff\xfb and more than that"), audio.Foreign, "MPEG"},
		"M4A":                    {[]byte("\x00\x00\x00\x20ftypM4A and more"), audio.Foreign, "M4A"},
		"no description":         {riff(data), audio.Damaged, "before the file says"},
		"no sound":               {riff(good), audio.Damaged, "before its sound begins"},
		"sound of no length":     {riff(good, part(little, "data", nil)), audio.Empty, "no sound"},
		"sound cut off":          {riff(good, data)[:46], audio.Damaged, "promises 4 bytes of sound, and 2 are there"},
		"a part cut off":         {riff(part(little, "LIST", make([]byte, 100)))[:50], audio.Damaged, "ends inside its part"},
		"no channels":            {of(1, 0, 8000, 16, 2), audio.Damaged, "0 channels"},
		"no rate":                {of(1, 1, 0, 16, 2), audio.Damaged, "0 samples"},
		"more bits than bytes":   {of(1, 1, 8000, 24, 2), audio.Damaged, "contradicts itself"},
		"64 bit whole numbers":   {of(1, 1, 8000, 64, 8), audio.Damaged, "contradicts itself"},
		"half floats":            {of(3, 1, 8000, 16, 2), audio.Damaged, "contradicts itself"},
		"GSM":                    {of(0x31, 1, 8000, 0, 65), audio.Foreign, "GSM 6.10"},
		"unknown":                {of(0x7777, 1, 8000, 16, 2), audio.Foreign, "0x7777"},
		"a short description":    {riff(part(little, "fmt ", []byte{1, 0}), data), audio.Damaged, "2 bytes long"},
		"an endless description": {riff(part(little, "fmt ", make([]byte, 5000)), data), audio.Damaged, "5000 bytes long"},
		"parts without end":      {riff(bytes.Repeat(part(little, "LIST", nil), 20_000)), audio.Damaged, "more than 10000 parts"},
	} {
		_, err := open(c.file)
		if reasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The awkward files of public test suites.
func TestEdgeFiles(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(cmp.Or(os.Getenv("FIDUCIAL_TEST_DATA"), filepath.Join("..", "..", "..", "shared", "data")), "edge", "audio")
	if _, err := os.Stat(folder); err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("no test data: set FIDUCIAL_TEST_DATA: %v", err)
	}
	for name, want := range map[string]string{
		"asterisk_raw.g722":                                      "foreign",
		"hound_nonstandard-01.wav":                               "PCM, 24 bit, 48000 Hz, 2 channels, [0 0]",
		"hound_waveformatextensible-ieeefloat.wav":               "floating point, 32 bit, 44100 Hz, 1 channels, [2 3 -16411 1019]",
		"made_gsm610.wav":                                        "foreign",
		"made_header_sizes_ffffffff.wav":                         "damaged",
		"made_mulaw.wav":                                         "µ-law, 8 bit, 8000 Hz, 1 channels, 17350 samples",
		"made_zero_samples.wav":                                  "empty",
		"scipy_test-44100Hz-le-1ch-4bytes-early-eof-no-data.wav": "damaged",
		"scipy_test-44100Hz-le-1ch-4bytes-incomplete-chunk.wav":  "damaged",
		"scipy_test-8000Hz-le-1ch-1byte-ulaw.wav":                "µ-law, 8 bit, 8000 Hz, 1 channels, 9 samples",
		"scipy_test-8000Hz-le-3ch-5S-24bit.wav":                  "PCM, 24 bit, 8000 Hz, 3 channels, 15 samples",
	} {
		raw, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		var got string
		s, err := open(raw)
		if err == nil {
			all := samples(t, s)
			got = fmt.Sprintf("%v, %d samples", s.Format, len(all))
			if len(all) < 5 {
				got = fmt.Sprintf("%v, %v", s.Format, all)
			}
		} else {
			got = string(reasonOf(err))
			t.Logf("%s: %v", name, err)
		}
		if got != want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, want)
		}
	}
}

func TestWriteAndDecodeAStretch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		channels, frames := rapid.IntRange(1, 4).Draw(t, "channels"), rapid.IntRange(1, 50).Draw(t, "frames")
		var want []float32
		for range channels * frames {
			want = append(want, float32(rapid.IntRange(-1<<15, 1<<15-1).Draw(t, "sample"))/(1<<15))
		}
		var file bytes.Buffer
		w, err := audio.NewWriter(&file, 16000, channels, int64(frames))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(want), w.Close()); err != nil {
			t.Fatal(err)
		}
		s, err := open(file.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got := samples(t, s); !slices.Equal(got, want) || s.Frames != int64(frames) {
			t.Fatalf("%v, want %v", got, want)
		}
		from := rapid.IntRange(0, frames).Draw(t, "from")
		to := rapid.IntRange(from, frames+5).Draw(t, "to")
		stretch := make([]float32, 60*channels)
		n, err := s.Decode(int64(from), int64(to)).Read(stretch)
		if part := want[from*channels : min(to, frames)*channels]; !slices.Equal(stretch[:n], part) || (len(part) == 0) != errors.Is(err, io.EOF) {
			t.Fatalf("from %d to %d: %v, %v, want %v", from, to, stretch[:n], err, part)
		}
		plainOutline(t, s, want)
	})
}

// plainOutline compares the outlines with the lowest and highest of each bucket.
func plainOutline(t *rapid.T, s *audio.Sound, all []float32) {
	outlines, err := s.Outlines()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outlines {
		for bucket := range o.Buckets() {
			for c := range o.Channels {
				low, high := 127, -127
				for i := bucket * o.Bucket; i < min((bucket+1)*o.Bucket, int(s.Frames)); i++ {
					v := int(math.Round(float64(max(all[i*o.Channels+c], -1)) * 127))
					low, high = min(low, v), max(high, v)
				}
				at := 2 * (bucket*o.Channels + c)
				if int(o.Peaks[at]) != low || int(o.Peaks[at+1]) != high {
					t.Fatalf("bucket %d of %d frames, channel %d: %d to %d, want %d to %d", bucket, o.Bucket, c, o.Peaks[at], o.Peaks[at+1], low, high)
				}
			}
		}
	}
}

func TestOutlinesOfALongSound(t *testing.T) {
	t.Parallel()
	const frames = 100_000
	file := riff(part(binary.LittleEndian, "fmt ", format(binary.LittleEndian, 1, 2, 8000, 8, 1)), part(binary.LittleEndian, "data", bytes.Repeat([]byte{0, 255}, frames)))
	s, err := open(file)
	if err != nil {
		t.Fatal(err)
	}
	outlines, err := s.Outlines()
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, o := range outlines {
		sizes = append(sizes, o.Buckets())
		for i := 0; i < len(o.Peaks); i += 4 {
			if o.Peaks[i] != -127 || o.Peaks[i+1] != -127 || o.Peaks[i+2] != 126 || o.Peaks[i+3] != 126 {
				t.Fatalf("%v in buckets of %d", o.Peaks[i:i+4], o.Bucket)
			}
		}
	}
	if !slices.Equal(sizes, []int{1563, 391, 98}) {
		t.Errorf("%v buckets", sizes)
	}
	b, err := outlines[2].AppendBinary(nil)
	if err != nil || len(b) != 24+4*98 || binary.LittleEndian.Uint32(b[12:]) != 64*16 || binary.LittleEndian.Uint32(b[20:]) != 2 {
		t.Errorf("%d bytes, %v: % x", len(b), err, b[:24])
	}
	b, err = audio.AppendOutlines(nil, outlines)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(outlines)
	if read, err := audio.ParseOutlines(b); err != nil || !reflect.DeepEqual(read, outlines) {
		t.Errorf("other outlines come back, or none: %v", err)
	}
	for cut := range len(b) {
		if read, err := audio.ParseOutlines(b[:cut]); err == nil && len(read) == len(outlines) {
			t.Fatalf("cut off after %d of %d bytes, all outlines are there", cut, len(b))
		}
	}
}

func TestWriterKeepsItsPromise(t *testing.T) {
	t.Parallel()
	w, err := audio.NewWriter(io.Discard, 8000, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if w.Close() == nil || w.Write([]float32{0, 0, 0}) == nil || w.Write([]float32{2, -2}) != nil || w.Close() != nil {
		t.Error("a file of another length than its header says")
	}
	if _, err := audio.NewWriter(io.Discard, 8000, 2, 1<<31); err == nil {
		t.Error("a file that its header has no room for")
	}
}

func FuzzOpen(f *testing.F) {
	little := binary.LittleEndian
	f.Add(riff(part(little, "fmt ", format(little, 1, 2, 8000, 16, 2)), part(little, "data", make([]byte, 400))))
	f.Add(riff(part(little, "fmt ", format(little, 3, 1, 8000, 64, 8)), part(little, "data", make([]byte, 40))))
	f.Add(rf64(4, make([]byte, 9)))
	f.Add(rifx(part(binary.BigEndian, "fmt ", format(binary.BigEndian, 7, 1, 8000, 8, 1)), part(binary.BigEndian, "data", make([]byte, 40))))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := open(file)
		if err != nil {
			if reasonOf(err) == "" {
				t.Errorf("not refused, but failed: %v", err)
			}
			return
		}
		if got := int64(len(samples(t, s))); got != s.Frames*int64(s.Channels) || got > int64(len(file)) {
			t.Errorf("%d samples of %d frames in %d bytes", got, s.Frames, len(file))
		}
		outlines, err := s.Outlines()
		if err != nil || outlines[0].Buckets() == 0 {
			t.Errorf("%d outlines, %v", len(outlines), err)
		}
	})
}

// threeHours is a file of three hours at 16 kHz that takes no room.
type threeHours struct{ head, tone []byte }

func (f threeHours) ReadAt(p []byte, off int64) (n int, err error) {
	if off < int64(len(f.head)) {
		n = copy(p, f.head[off:])
	}
	for n < len(p) {
		n += copy(p[n:], f.tone[(off+int64(n))%int64(len(f.tone)):])
	}
	return n, nil
}

// BenchmarkPeaks makes the outlines of three hours of 16 kHz.
func BenchmarkPeaks(b *testing.B) {
	const bytes = 3 * 3600 * 16000 * 2
	little := binary.LittleEndian
	head := append([]byte("RIFF\x00\x00\x00\x00WAVE"), part(little, "fmt ", format(little, 1, 1, 16000, 16, 2))...)
	head = append(little.AppendUint32(append(head, "data"...), bytes), 0, 0)
	file := threeHours{head: head}
	for i := range 1 << 19 {
		file.tone = little.AppendUint16(file.tone, uint16(int16(12000*math.Sin(float64(i)/40))))
	}
	var used, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := audio.Open(file, bytes+int64(len(head)))
		if err != nil {
			b.Fatal(err)
		}
		if outlines, err := s.Outlines(); err != nil || len(outlines) < 6 {
			b.Fatal(len(outlines), err)
		}
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.Sys)/1e6, "MB")
	b.ReportMetric(float64(after.Utime.Nano()+after.Stime.Nano()-used.Utime.Nano()-used.Stime.Nano())/1e9/float64(b.N), "cpu-s")
}
