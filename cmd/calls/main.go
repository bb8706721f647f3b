// Calls makes the telephone calls of the demo anew: espeak-ng speaks them, and they are put on two channels of a telephone line, 8 kHz in
// µ-law, with what was said and when beside them. What it makes is kept with the program, which never needs the synthesizer.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"fiducial/internal/audio"
)

const (
	rate    = 8000 // frames a second
	between = 0.45 // seconds between two turns
	lead    = 0.6  // before the first and after the last
)

// spokenTurn is what was said, and when; times are in seconds of the call.
type spokenTurn struct {
	Channel int      `json:"channel"`
	Begin   float64  `json:"begin"`
	End     float64  `json:"end"`
	Text    string   `json:"text"`
	Words   []word   `json:"words"`
	Moments []string `json:"moments,omitempty"`
}

// word has its times in seconds of its turn.
type word struct {
	Word  string  `json:"word"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
}

// spokenCall is a call with its file, which is kept compressed under this name and .gz.
type spokenCall struct {
	File  string       `json:"file"`
	Turns []spokenTurn `json:"turns"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("say where the calls go: go run ./cmd/calls FOLDER")
	}
	var calls []spokenCall
	for i, s := range scripts {
		call, file, err := s.record(uint64(i) + 1)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if file, err = pack(file); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(args[0], call.File+".gz"), file, 0o644); err != nil { //nolint:gosec // everybody may read it
			return err
		}
		calls = append(calls, call)
	}
	out, err := json.MarshalIndent(calls, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[0], "calls.json"), append(out, '\n'), 0o644) //nolint:gosec // as above
}

// record speaks a call, turn after turn.
func (s script) record(seed uint64) (call spokenCall, file []byte, err error) {
	call.File = s.name + ".wav"
	var lines [2][]float32
	end := lead
	for _, t := range s.turns {
		v := s.agent
		if t.channel == 2 {
			v = s.caller
		}
		sound, err := v.speak(t.text)
		if err != nil {
			return call, nil, err
		}
		words, err := v.times(t.text, float64(len(sound))/rate)
		if err != nil {
			return call, nil, err
		}
		begin := t.begins(end)
		put(&lines[t.channel-1], int(begin*rate), sound)
		stops := begin + float64(len(sound))/rate
		end = max(end, stops) // whoever says yes meanwhile does not end what the other says
		call.Turns = append(call.Turns, spokenTurn{
			Channel: t.channel, Begin: begin, End: math.Round(stops*100) / 100, Text: t.text, Words: words, Moments: t.moments,
		})
	}
	frames := int((end + lead) * rate)
	for c := range lines {
		put(&lines[c], frames-1, []float32{0})
	}
	return call, wav(transmit(lines, s.noise, seed)), nil
}

// transmit encodes both lines, frame by frame. The caller's hisses and hums all the time; the agent's headset lets nothing through while
// nobody speaks into it.
func transmit(lines [2][]float32, noise float64, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 8)) //nolint:gosec // the same noise each time
	data := make([]byte, 2*len(lines[0]))
	for i := range lines[0] {
		data[2*i] = muLaw(float64(lines[0][i]))
		hum := noise / 2 * math.Sin(2*math.Pi*100*float64(i)/rate)
		data[2*i+1] = muLaw(float64(lines[1][i]) + noise*random.NormFloat64() + hum)
	}
	return data
}

// pack compresses a file as gzip does; between words there is little in it.
func pack(file []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(file); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// begins is when a turn begins after what was said before it has ended.
func (t turn) begins(end float64) float64 {
	if t.overlap <= 0 {
		end += between
	}
	return math.Round((end-t.overlap)*100) / 100
}

// put adds sound to a line from a frame on.
func put(line *[]float32, at int, sound []float32) {
	if missing := at + len(sound) - len(*line); missing > 0 {
		*line = append(*line, make([]float32, missing)...)
	}
	for i, v := range sound {
		(*line)[at+i] += v
	}
}

// say runs the synthesizer.
func (v voice) say(text string) (*audio.Sound, error) {
	out, err := exec.CommandContext(context.Background(), "espeak-ng", "-v", v.name, "-s", strconv.Itoa(v.speed), "-p", strconv.Itoa(v.pitch), "--stdout", text).Output() //nolint:gosec // our own texts
	if err != nil {
		return nil, fmt.Errorf("espeak-ng (make calls-tools installs it): %w", err)
	}
	// What is written into a pipe does not say how long it is.
	binary.LittleEndian.PutUint32(out[40:], uint32(len(out)-44)) //nolint:gosec // a few seconds
	return audio.Open(bytes.NewReader(out), int64(len(out)))
}

// speak returns what the telephone lets through of a text, without the silence around it.
func (v voice) speak(text string) ([]float32, error) {
	sound, err := v.say(text)
	if err != nil {
		return nil, err
	}
	samples := make([]float32, 0, sound.Frames)
	decoder, block := sound.Decode(0, sound.Frames), make([]float32, 4096)
	for {
		n, err := decoder.Read(block)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		samples = append(samples, block[:n]...)
	}
	return trim(narrow(samples, sound.Rate)), nil
}

// narrow brings sound to the telephone's rate and band, by a windowed sinc of 3,400 Hz less one of 200.
func narrow(samples []float32, from int) []float32 {
	const low, high, reach = 200.0, 3400.0, 96
	out := make([]float32, len(samples)*rate/from)
	for i := range out {
		centre := float64(i) * float64(from) / rate
		var sum float64
		for k := max(int(centre)-reach, 0); k < min(int(centre)+reach, len(samples)); k++ {
			d := float64(k) - centre
			window := 0.5 + 0.5*math.Cos(math.Pi*d/(reach+1))
			sum += float64(samples[k]) * window * (sinc(d, high/float64(from)) - sinc(d, low/float64(from)))
		}
		out[i] = float32(0.8 * sum)
	}
	return out
}

// sinc is an ideal low pass of a cutoff in parts of the rate.
func sinc(d, cutoff float64) float64 {
	if d == 0 {
		return 2 * cutoff
	}
	return math.Sin(2*math.Pi*cutoff*d) / (math.Pi * d)
}

// trim takes silence away from both ends.
func trim(samples []float32) []float32 {
	const quiet = 0.004
	first, last := 0, len(samples)
	for first < last && math.Abs(float64(samples[first])) < quiet {
		first++
	}
	for last > first && math.Abs(float64(samples[last-1])) < quiet {
		last--
	}
	return samples[first:last]
}

// times says when each word is spoken in a turn of so many seconds: as far as what is said up to its end takes.
func (v voice) times(text string, seconds float64) ([]word, error) {
	fields := strings.Fields(text)
	ends := make([]float64, len(fields))
	for i := range fields {
		sound, err := v.speak(strings.Join(fields[:i+1], " "))
		if err != nil {
			return nil, err
		}
		ends[i] = float64(len(sound))
		if i > 0 {
			ends[i] = max(ends[i], ends[i-1]+1)
		}
	}
	words := make([]word, len(fields))
	begin, all := 0.0, ends[len(ends)-1]
	for i, field := range fields {
		end := math.Round(ends[i]/all*seconds*100) / 100
		words[i] = word{field, begin, end}
		begin = end
	}
	return words, nil
}

// muLaw encodes a sample as ITU-T G.711 has it.
func muLaw(v float64) byte {
	const bias, most = 0x84, 32635
	sample := int(math.Round(v * (1 << 15)))
	sign := 0
	if sample < 0 {
		sample, sign = -sample, 0x80
	}
	sample = min(sample, most) + bias
	exponent := 7
	for mask := 0x4000; exponent > 0 && sample&mask == 0; mask >>= 1 {
		exponent--
	}
	return ^byte(sign | exponent<<4 | sample>>(exponent+3)&0x0f) //nolint:gosec // eight bits
}

// wav is a file of two channels of µ-law.
func wav(data []byte) []byte {
	little := binary.LittleEndian
	b := append([]byte("RIFF"), 0, 0, 0, 0)
	little.PutUint32(b[4:], uint32(4+8+18+8+4+8+len(data))) //nolint:gosec // a few minutes
	b = append(b, "WAVEfmt \x12\x00\x00\x00\x07\x00\x02\x00"...)
	b = little.AppendUint32(b, rate)
	b = little.AppendUint32(b, 2*rate)
	b = append(b, "\x02\x00\x08\x00\x00\x00fact\x04\x00\x00\x00"...)
	b = little.AppendUint32(b, uint32(len(data)/2)) //nolint:gosec // as above
	b = append(b, "data"...)
	b = little.AppendUint32(b, uint32(len(data))) //nolint:gosec // as above
	return append(b, data...)
}
