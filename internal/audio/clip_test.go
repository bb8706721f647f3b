package audio_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"fiducial/internal/audio"
)

// stair is a WAV file of frames whose samples tell where they lie: the frame's number, and on the second channel its negative.
func stair(t *testing.T, channels int, frames int64) *audio.Sound {
	t.Helper()
	var wav bytes.Buffer
	w, err := audio.NewWriter(&wav, 1000, channels, frames)
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		for c := range channels {
			if err := w.Write([]float32{float32(i+1) * float32(1-2*c) / (1 << 15)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return opened(t, wav.Bytes())
}

func opened(t *testing.T, wav []byte) *audio.Sound {
	t.Helper()
	sound, err := audio.Open(bytes.NewReader(wav), int64(len(wav)))
	if err != nil {
		t.Fatal(err)
	}
	return sound
}

// steps are the samples of a sound as stair wrote them.
func steps(t *testing.T, sound *audio.Sound) (all []int) {
	t.Helper()
	decoder, samples := sound.Decode(0, sound.Frames), make([]float32, 64*sound.Channels)
	for {
		n, err := decoder.Read(samples)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range samples[:n] {
			all = append(all, int(v*(1<<15)))
		}
	}
}

func TestClipsHoldTheirFramesAlone(t *testing.T) {
	t.Parallel()
	sound := stair(t, 2, 10_000)
	for name, c := range map[string]struct {
		clip        audio.Clip
		first, last int // samples
		samples     int
	}{
		"all":                 {audio.Clip{Ends: 10}, 1, -10_000, 20_000},
		"a span":              {audio.Clip{Begins: 2.0004, Ends: 4.5}, 2001, -4500, 5000},
		"the second channel":  {audio.Clip{Begins: 1, Ends: 9.9, Channel: 2}, -1001, -9900, 8900},
		"up to its end":       {audio.Clip{Begins: 9, Ends: 12, Channel: 1}, 9001, 10_000, 1000},
		"one frame":           {audio.Clip{Begins: 0.001, Ends: 0.002, Channel: 1}, 2, 2, 1},
		"of the nearest ends": {audio.Clip{Begins: 0.0016, Ends: 0.0034, Channel: 1}, 3, 3, 1},
	} {
		var wav bytes.Buffer
		if err := sound.WriteClip(&wav, c.clip, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		clip := opened(t, wav.Bytes())
		got := steps(t, clip)
		if len(got) != c.samples || got[0] != c.first || got[len(got)-1] != c.last || clip.Rate != 1000 {
			t.Errorf("%s: %d samples from %d to %d", name, len(got), got[0], got[len(got)-1])
		}
	}
	if err := sound.WriteClip(io.Discard, audio.Clip{Ends: 1, Channel: 3}, nil); err == nil {
		t.Error("a channel that there is not was written")
	}
}

// Clips that meet hold every frame once, wherever they meet.
func TestClipsThatMeetShareNothing(t *testing.T) {
	t.Parallel()
	sound := stair(t, 1, 5000)
	for _, cut := range []float64{0.0005, 1.2344999, 1.2345, 1.2345001, 2.5, 4.9999} {
		_, end := sound.Within(audio.Clip{Ends: cut})
		first, last := sound.Within(audio.Clip{Begins: cut, Ends: 5})
		if end != first || last != 5000 {
			t.Errorf("cut at %v: one ends at %d, the next has %d to %d", cut, end, first, last)
		}
	}
}

func TestSilencedStretchesAreSilent(t *testing.T) {
	t.Parallel()
	sound := stair(t, 2, 10_000)
	var wav bytes.Buffer
	silent := []audio.Clip{{Begins: 2, Ends: 3, Channel: 2}, {Begins: 4.5, Ends: 4.501}, {Begins: 8, Ends: 20}}
	if err := sound.WriteClip(&wav, audio.Clip{Begins: 1, Ends: 9}, silent); err != nil {
		t.Fatal(err)
	}
	for i, v := range steps(t, opened(t, wav.Bytes())) {
		frame, second := 1000+i/2, i%2 == 1
		want := frame + 1
		if second {
			want = -want
		}
		if second && frame >= 2000 && frame < 3000 || frame == 4500 || frame >= 8000 {
			want = 0
		}
		if v != want {
			t.Fatalf("sample %d of frame %d is %d, want %d", i, frame, v, want)
		}
	}
}
