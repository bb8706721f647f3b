package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"path"
	"slices"
	"strings"

	"fiducial/internal/audio"
	"fiducial/internal/formats"
	"fiducial/internal/manifest"
	"fiducial/internal/pii"
	"fiducial/internal/speech"
	"fiducial/store"
)

// spokenLayouts are the layouts of versions of speech. Every path in them is that of a clip under audio/ where the archive has the
// sound, and else that of the recording, with times in it.
var spokenLayouts = map[string]exportLayout{
	"nemo": {
		labels: (*exporting).writeNeMo, places: clipsFolder,
		about: "{training,validation,test}.jsonl, audio/   NeMo manifests, a line a segment; audio_filepath is relative to the manifest\n",
	},
	"ctm": {
		labels: (*exporting).writeCTM, places: clipsFolder,
		about: "{training,validation,test}.ctm, audio/   NIST CTM, a word a line; a word that no recognizer heard there has an estimated time, which report.json counts\n",
	},
	"stm": {
		labels: (*exporting).writeSTM, places: clipsFolder,
		about: "{training,validation,test}.stm, audio/   NIST STM, a segment a line\n",
	},
	"vtt": {
		labels: (*exporting).writeVTT, places: clipsFolder,
		about: "transcripts/{training,validation,test}/, audio/   WebVTT, a file for each clip, or for each recording where the sound is not here\n",
	},
	"srt": {
		labels: (*exporting).writeSRT, places: clipsFolder,
		about: "transcripts/{training,validation,test}/, audio/   SRT, a file for each clip, or for each recording where the sound is not here\n",
	},
	"textgrid": {
		labels: (*exporting).writeTextGrid, places: clipsFolder,
		about: "transcripts/{training,validation,test}/, audio/   Praat TextGrid, a file for each clip, or for each recording where the sound is not here\n",
	},
	"parquet": {
		labels: (*exporting).writeSpokenParquet, places: clipsFolder,
		about: "annotations/{training,validation,test}.parquet, audio/   Parquet: one row an utterance, its segments and moments as nested lists\n",
	},
	"huggingface": {
		labels: (*exporting).writeAudioFolder, places: splitFolders, card: (*exporting).writeAudioCard,
		about: "data/{train,validation,test}/   the datasets library of Hugging Face reads this folder: load_dataset(\"path/to/this/folder\")\n" +
			"metadata.jsonl has file_name and transcription, and as JSON in a text the segments and the moments\n",
	},
}

func clipsFolder() func(*store.ExportLine, fileName) string {
	return func(_ *store.ExportLine, name fileName) string { return "audio/" + name.path }
}

func splitFolders() func(*store.ExportLine, fileName) string {
	return func(line *store.ExportLine, name fileName) string {
		return "data/" + formats.DatasetsSplit(string(line.Split)) + "/" + name.path
	}
}

// retold is what the archive may say of an utterance: its words with what is personal replaced, and what is silent in its sound, in seconds
// of the recording.
type retold struct {
	transcript speech.Transcript
	silent     []audio.Clip
	masked     int // places replaced
	open       int // of these spans, those that nobody has decided
	kept       int // spans left as they stand
}

// tell applies what the export says of personal data.
func (e *exporting) tell(line *store.ExportLine) retold {
	t := retold{transcript: line.Sound.Transcript}
	if e.export.Personal == store.PersonalKeep {
		t.kept = len(line.Spoken.Personal)
		return t
	}
	var spans []pii.Span
	for _, p := range line.Spoken.Personal {
		if p.Open && e.export.Decided {
			t.kept++
			continue
		}
		if p.Open {
			t.open++
		}
		spans = append(spans, pii.Span{Segment: p.Segment, First: p.First, Last: p.Last, Kind: pii.Kind(p.Kind)})
		channel := 0
		if p.Segment < len(t.transcript) {
			channel = t.transcript[p.Segment].Channel
		}
		if p.Ends > p.Begins {
			t.silent = append(t.silent, audio.Clip{Begins: line.Sound.Begin + p.Begins, Ends: line.Sound.Begin + p.Ends, Channel: channel})
		}
	}
	label := pii.Label
	if e.export.Personal == store.PersonalToken {
		label = e.tokens[line.Project]
	}
	t.transcript, t.masked = pii.Mask(t.transcript, spans, label)
	return t
}

// losePersonal notes what became of personal data.
func (e *exporting) losePersonal(line *store.ExportLine) {
	t := e.tell(line)
	for range t.masked {
		e.report.Add(masked, line.Key, "personal data are replaced, and silent in the sound")
	}
	for range t.open {
		e.report.Add(unconfirmed, line.Key, "personal data that nobody has decided yet are treated as confirmed")
	}
	for range t.kept {
		e.report.Add(kept, line.Key, "personal data are left as they stand")
	}
	if line.Spoken.Silenced && e.export.Media {
		e.report.Add(formats.Clipped, line.Key, "part of its sound was erased with an item whose span overlaps it")
	}
}

// What becomes of personal data, in the report.
const (
	masked      formats.Kind = "masked"
	unconfirmed formats.Kind = "unconfirmed"
	kept        formats.Kind = "kept"
)

// recordings yields the lines of a split as recordings: a clip each where the archive has the sound, and else each recording once, with
// the segments of all of its utterances at their times in it.
func (e *exporting) recordings(ctx context.Context, split manifest.Split, words bool) iter.Seq2[formats.Recording, error] {
	return func(yield func(formats.Recording, error) bool) {
		var open formats.Recording
		var of int64
		for line, err := range e.store.ExportLines(ctx, e.version, e.sum.Classes, split, words) {
			if err != nil {
				yield(formats.Recording{}, err)
				return
			}
			if e.unheard(line) {
				continue
			}
			one := e.spoken(line, words)
			if !e.export.Media && line.Spoken.Recording == of {
				open.Segments, open.Moments = append(open.Segments, one.Segments...), append(open.Moments, one.Moments...)
				continue
			}
			if of != 0 && !yield(open, nil) {
				return
			}
			open, of = one, line.Spoken.Recording
		}
		if of != 0 {
			yield(open, nil)
		}
	}
}

// spoken is a line as the formats of speech take it.
func (e *exporting) spoken(line *store.ExportLine, words bool) formats.Recording {
	recording := formats.Recording{Key: e.name(line).path, Duration: line.Spoken.Length}
	if e.export.Media {
		recording.Duration = line.Seconds()
	}
	t := e.tell(line)
	if line.Redacted() {
		for _, s := range t.transcript {
			recording.Duration = max(recording.Duration, s.End)
		}
	}
	var times [][]speech.WordTime
	if words {
		basic, _ := speech.NormalizerOf("basic-1")
		times = t.transcript.Times(line.Spoken.Heard, basic)
	}
	for i, s := range t.transcript {
		segment := formats.Segment{Start: e.at(line, s.Begin), End: e.at(line, s.End), Text: s.Text, Speaker: s.Speaker, Channel: e.channel(line, s.Channel)}
		if words {
			segment.Words = e.timedWords(line, s.Text, times[i])
		}
		recording.Segments = append(recording.Segments, segment)
	}
	for _, b := range line.Boxes {
		if e.export.Format == "textgrid" {
			recording.Moments = append(recording.Moments, formats.Moment{Class: b.Class, Begin: e.at(line, b.X), End: e.at(line, b.X+b.W), Channel: e.channel(line, int(b.Y))})
		}
	}
	if e.export.Format == "nemo" && len(recording.Segments) == 0 { // a line says that nothing is said
		recording.Segments = []formats.Segment{{Start: e.at(line, 0), End: e.at(line, line.Seconds()), Channel: e.channel(line, 0)}}
	}
	return recording
}

func (e *exporting) timedWords(line *store.ExportLine, text string, times []speech.WordTime) (words []formats.TimedWord) {
	runes := []rune(text)
	for _, w := range times {
		word := formats.TimedWord{Text: string(runes[w.First:w.Last]), Start: e.at(line, w.Begin), End: e.at(line, w.End)}
		if w.Heard && w.Confidence != nil {
			word.Confidence, word.Scored = *w.Confidence, true
		}
		if !w.Heard {
			e.report.Add(formats.Rounded, line.Key, "a word that no recognizer heard there: its time is estimated between its neighbours")
		}
		words = append(words, word)
	}
	return words
}

// at is a time of an utterance in the file that the archive names: in its clip, or in the recording, without the last digits that adding
// decimal fractions makes.
func (e *exporting) at(line *store.ExportLine, seconds float64) float64 {
	const exact = 1e6
	switch begin := line.Sound.Begin; {
	case e.export.Media || begin == 0:
		return seconds
	case seconds == 0:
		return begin
	case math.Abs(seconds-line.Seconds()) < 1/exact:
		return line.Sound.End
	default:
		return math.Round((begin+seconds)*exact) / exact
	}
}

// channel is the channel of a segment in the file that the archive names. A clip of one channel has no other.
func (e *exporting) channel(line *store.ExportLine, channel int) int {
	switch {
	case e.export.Media && line.Sound.Channel > 0:
		return 0
	case channel == 0:
		return line.Sound.Channel
	}
	return channel
}

// writeLists writes one document of all recordings a split.
func (e *exporting) writeLists(ctx context.Context, extension string, words bool,
	write func(io.Writer, iter.Seq2[formats.Recording, error]) (formats.Report, error),
) error {
	for _, split := range e.sides() {
		file := string(split) + extension
		err := e.zip.add(file, func(w io.Writer) error {
			report, err := write(w, e.recordings(ctx, split, words))
			e.report.Merge(file, report)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *exporting) writeNeMo(ctx context.Context) error {
	return e.writeLists(ctx, ".jsonl", false, func(w io.Writer, recordings iter.Seq2[formats.Recording, error]) (formats.Report, error) {
		if !e.export.Media {
			return formats.WriteNeMo(w, recordings)
		}
		return formats.WriteNeMo(w, func(yield func(formats.Recording, error) bool) {
			for r, err := range recordings {
				r.Key = "audio/" + r.Key
				if !yield(r, err) {
					return
				}
			}
		})
	})
}

func (e *exporting) writeCTM(ctx context.Context) error {
	return e.writeLists(ctx, ".ctm", true, formats.WriteCTM)
}

func (e *exporting) writeSTM(ctx context.Context) error {
	return e.writeLists(ctx, ".stm", false, formats.WriteSTM)
}

// writeEach writes a file a recording.
func (e *exporting) writeEach(ctx context.Context, extension string, write func(io.Writer, formats.Recording) (formats.Report, error)) error {
	for _, split := range e.sides() {
		for recording, err := range e.recordings(ctx, split, false) {
			if err != nil {
				return err
			}
			// Two recordings may differ in their extensions alone, which therefore stay.
			name := "transcripts/" + string(split) + "/" + recording.Key + extension
			if strings.EqualFold(path.Ext(recording.Key), ".wav") {
				name = "transcripts/" + string(split) + "/" + strings.TrimSuffix(recording.Key, path.Ext(recording.Key)) + extension
			}
			err := e.zip.add(name, func(w io.Writer) error {
				report, err := write(w, recording)
				e.report.Merge("", report)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *exporting) writeVTT(ctx context.Context) error {
	return e.writeEach(ctx, ".vtt", formats.WriteVTT)
}

func (e *exporting) writeSRT(ctx context.Context) error {
	return e.writeEach(ctx, ".srt", formats.WriteSRT)
}

func (e *exporting) writeTextGrid(ctx context.Context) error {
	return e.writeEach(ctx, ".TextGrid", formats.WriteTextGrid)
}

// unheard reports whether the line is a redaction, which has no sound, and the format is one that says what is heard in a file.
func (e *exporting) unheard(line *store.ExportLine) bool {
	return line.Redacted() && slices.Contains([]string{"nemo", "ctm", "stm", "huggingface"}, e.export.Format)
}

// utterances yields the lines of a split with all that is frozen of them.
func (e *exporting) utterances(ctx context.Context, split manifest.Split) iter.Seq2[formats.Utterance, error] {
	return func(yield func(formats.Utterance, error) bool) {
		for line, err := range e.store.ExportLines(ctx, e.version, e.sum.Classes, split, false) {
			if err != nil {
				yield(formats.Utterance{}, err)
				return
			}
			if e.unheard(line) {
				continue
			}
			if !yield(e.utterance(line), nil) {
				return
			}
		}
	}
}

func (e *exporting) utterance(line *store.ExportLine) formats.Utterance {
	u := formats.Utterance{
		ID: line.Item, Key: line.Key, File: e.name(line).path, Split: string(line.Split), Media: hexOf(line.Media),
		Begin: line.Sound.Begin, End: line.Sound.End, Channel: line.Sound.Channel, Rules: line.Sound.Rules, Transcript: e.tell(line).transcript,
	}
	for _, b := range line.Boxes {
		u.Moments = append(u.Moments, formats.Moment{Class: b.Class, Definition: b.Definition, Begin: b.X, End: b.X + b.W, Channel: int(b.Y)})
	}
	return u
}

func (e *exporting) writeSpokenParquet(ctx context.Context) error {
	for _, split := range e.sides() {
		err := e.zip.add("annotations/"+string(split)+".parquet", func(w io.Writer) error {
			return formats.WriteSpokenParquet(w, e.set(), e.utterances(ctx, split))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// writeAudioFolder writes what the library reads beside the clips of a split, or alone where the sound is not here.
func (e *exporting) writeAudioFolder(ctx context.Context) error {
	for _, split := range e.sides() {
		err := e.zip.add(e.metadataFile(split), func(w io.Writer) error { return formats.WriteAudioMetadata(w, e.utterances(ctx, split)) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *exporting) metadataFile(split manifest.Split) string {
	name := "data/" + formats.DatasetsSplit(string(split))
	if e.export.Media {
		return name + "/metadata.jsonl"
	}
	return name + ".jsonl"
}

func (e *exporting) writeAudioCard(w io.Writer) error {
	var splits []string
	for _, split := range e.sides() {
		splits = append(splits, string(split))
	}
	return formats.WriteAudioCard(w, e.set(), splits, e.export.Media)
}

// loses tells what of a line its format has no place for at all.
func (e *exporting) loseSpoken(line *store.ExportLine) {
	if e.unheard(line) {
		e.report.Add(formats.LeftOut, line.Key, "its recording has expired, and a redaction of its words is no use in this format; choose Parquet, or a format of subtitles")
		return
	}
	e.losePersonal(line)
	switch e.export.Format {
	case "parquet", "huggingface":
		return
	}
	for _, b := range line.Boxes {
		switch {
		case e.export.Format != "textgrid":
			e.report.Add(formats.LeftOut, line.Key, "a moment, for which this format has no place")
		case b.Definition > 0:
			e.report.Add(formats.LeftOut, line.Key, "which definition a moment was made under")
		}
	}
	if e.export.Format != "nemo" && len(line.Sound.Transcript) == 0 {
		e.report.Add(formats.LeftOut, line.Key, "that nothing is said in it")
	}
}

// readPersonal makes sure that every truth of the version has been looked at for personal data, however new or old it is, and reads the labels
// that stand for them.
func (e *exporting) readPersonal(ctx context.Context) error {
	if e.export.Personal == store.PersonalKeep {
		return nil
	}
	err := e.scan(ctx, store.ScanWanted{Detector: pii.Detector, Version: e.version.ID}, byRules)
	if err != nil || e.export.Personal != store.PersonalToken {
		return err
	}
	secrets, err := e.store.ExportSecrets(ctx, e.version)
	if err != nil {
		return err
	}
	e.tokens = map[string]func(pii.Kind, string) string{}
	for project, secret := range secrets {
		e.tokens[project] = pii.Tokens(secret)
	}
	return nil
}

// spokenManifest are the members that a line of manifest.jsonl has of an utterance.
type spokenManifest struct {
	Recording string      `json:"recording,omitempty"`
	Begin     json.Number `json:"begin,omitempty"`
	End       json.Number `json:"end,omitempty"`
	Channel   int         `json:"channel,omitempty"`
}

func spokenMembers(line *store.ExportLine) (m spokenManifest) {
	if line.Sound == nil {
		return m
	}
	if line.Redacted() {
		return spokenManifest{Channel: line.Sound.Channel}
	}
	number := func(v float64) json.Number { return json.Number(fmt.Sprintf("%v", v)) }
	return spokenManifest{line.Spoken.File, number(line.Sound.Begin), number(line.Sound.End), line.Sound.Channel}
}
