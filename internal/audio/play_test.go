package audio_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"fiducial/internal/audio"
)

// watched notes how far it was read.
type watched struct {
	content  []byte
	from, to int64 // of what was read behind the header
	header   int64
}

func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(w.content).ReadAt(p, off)
	if off >= w.header {
		w.from, w.to = min(w.from, off), max(w.to, off+int64(n))
	}
	return n, err
}

// soundOf draws a file of some encoding, and says how long its header is.
func soundOf(t *rapid.T, channels int) (file []byte, header, frame int) {
	e := rapid.SampledFrom([]struct{ tag, bits, bytes int }{
		{1, 8, 1}, {1, 16, 2}, {1, 24, 3}, {1, 32, 4}, {3, 32, 4}, {3, 64, 8}, {6, 8, 1}, {7, 8, 1},
	}).Draw(t, "encoding")
	frame = channels * e.bytes
	data := rapid.SliceOfN(rapid.Byte(), frame, 400*frame).Draw(t, "data")
	data = data[:len(data)/frame*frame]
	little := binary.LittleEndian
	file = riff(part(little, "fmt ", format(little, e.tag, channels, 8000, e.bits, e.bytes)), part(little, "data", data))
	return file, 44, frame
}

// What is played is what was decoded, from anywhere in it, and nothing outside of the stretch is even read.
func TestPlayback(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, 3).Draw(t, "channels")
		file, header, frame := soundOf(t, channels)
		source := &watched{content: file, header: int64(header), from: int64(len(file))}
		sound, err := audio.Open(source, int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		first := rapid.Int64Range(-3, sound.Frames+3).Draw(t, "first")
		end := rapid.Int64Range(first, sound.Frames+3).Draw(t, "end")
		channel := rapid.IntRange(0, channels).Draw(t, "channel")
		playback, err := sound.Play(channel, first, end)
		if err != nil {
			t.Fatal(err)
		}
		played, err := io.ReadAll(playback)
		if err != nil || int64(len(played)) != playback.Size() {
			t.Fatalf("played %d bytes of %d: %v", len(played), playback.Size(), err)
		}
		first, end = min(max(first, 0), sound.Frames), min(max(end, 0), sound.Frames)
		if first < end && (source.from < int64(header)+first*int64(frame) || source.to > int64(header)+end*int64(frame)) {
			t.Fatalf("read bytes %d to %d for frames %d to %d of %d bytes", source.from, source.to, first, end, frame)
		}
		want := written(t, sound, channel, first, end)
		if !bytes.Equal(played, want) {
			t.Fatal("something else was played")
		}
		for range 5 {
			at := rapid.Int64Range(0, int64(len(played))).Draw(t, "at")
			if _, err := playback.Seek(at, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			length := rapid.Int64Range(0, int64(len(played))).Draw(t, "length")
			got, err := io.ReadAll(iotest.OneByteReader(io.LimitReader(playback, length)))
			if err != nil || !bytes.Equal(got, played[at:min(at+length, int64(len(played)))]) {
				t.Fatalf("%d bytes from %d are others: %v", length, at, err)
			}
		}
	})
}

// written is a stretch of a sound as a file, the plain way.
func written(t *rapid.T, sound *audio.Sound, channel int, first, end int64) []byte {
	all := samples(t, sound)[first*int64(sound.Channels) : end*int64(sound.Channels)]
	channels := sound.Channels
	if channel > 0 {
		var one []float32
		for i := channel - 1; i < len(all); i += sound.Channels {
			one = append(one, all[i])
		}
		all, channels = one, 1
	}
	var b bytes.Buffer
	w, err := audio.NewWriter(&b, sound.Rate, channels, end-first)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPlaybackOfNoChannel(t *testing.T) {
	t.Parallel()
	sound, err := open(riff(part(binary.LittleEndian, "fmt ", format(binary.LittleEndian, 1, 2, 8000, 16, 2)), part(binary.LittleEndian, "data", make([]byte, 40))))
	if err != nil {
		t.Fatal(err)
	}
	for _, channel := range []int{-1, 3} {
		if _, err := sound.Play(channel, 0, 10); err == nil {
			t.Errorf("channel %d is played", channel)
		}
	}
	playback, err := sound.Play(1, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := playback.Seek(-1, io.SeekStart); err == nil {
		t.Error("seeks before the beginning")
	}
}

// A window drawn from buckets and the samples beside them shows no more, and no less, than one drawn from all samples: each of its points
// reaches as far as the samples of the points around it do.
func TestWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, 2).Draw(t, "channels")
		file, _, _ := soundOf(t, channels)
		sound, err := open(file)
		if err != nil {
			t.Fatal(err)
		}
		outlines, err := sound.Outlines()
		if err != nil {
			t.Fatal(err)
		}
		o := outlines[0]
		raw, err := o.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		raw = raw[24:]
		first := rapid.Int64Range(0, sound.Frames-1).Draw(t, "first")
		end := rapid.Int64Range(first+1, sound.Frames).Draw(t, "end")
		channel := rapid.IntRange(0, channels).Draw(t, "channel")
		// One point is the lowest and the highest of all: exact, whatever it was made of.
		exact, mixed := audio.NewWindow(channel, channels, first, end, 1), audio.NewWindow(channel, channels, first, end, 1)
		if err := exact.Decode(sound, first, end); err != nil {
			t.Fatal(err)
		}
		from, to := mixed.Inside(o.Bucket, sound.Frames)
		row := int64(2 * channels)
		mixed.Draw(o, from, raw[from*row:to*row])
		for _, edge := range [][2]int64{{first, from * int64(o.Bucket)}, {to * int64(o.Bucket), end}} {
			if err := mixed.Decode(sound, edge[0], edge[1]); err != nil {
				t.Fatal(err)
			}
		}
		for c := range exact.Peaks {
			if !bytes.Equal(asBytes(exact.Peaks[c]), asBytes(mixed.Peaks[c])) {
				t.Fatalf("channel %d from %d to %d: %v from buckets, %v from samples", c, first, end, mixed.Peaks[c], exact.Peaks[c])
			}
		}
		width := rapid.IntRange(1, 50).Draw(t, "width")
		wide := audio.NewWindow(channel, channels, first, end, width)
		if err := wide.Decode(sound, first, end); err != nil {
			t.Fatal(err)
		}
		for c, peaks := range wide.Peaks {
			low, high := peaks[0], peaks[1]
			for i := 0; i < len(peaks); i += 2 {
				low, high = min(low, peaks[i]), max(high, peaks[i+1])
			}
			if low != exact.Peaks[c][0] || high != exact.Peaks[c][1] {
				t.Fatalf("%d points reach from %d to %d, one from %d to %d", width, low, high, exact.Peaks[c][0], exact.Peaks[c][1])
			}
		}
	})
}

func asBytes(peaks []int8) []byte {
	b := make([]byte, len(peaks))
	for i, p := range peaks {
		b[i] = byte(p)
	}
	return b
}
