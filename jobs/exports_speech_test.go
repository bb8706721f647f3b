package jobs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"fiducial/internal/audio"
	"fiducial/internal/formats"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// newSoundShelf is a shelf with a project of sound, "calls", with so many recordings of each so many items.
func newSoundShelf(t *testing.T, recordings, each int) (*shelf, *storetest.Utterances) {
	t.Helper()
	return newSoundShelfIn(t, storetest.Bucket(t), recordings, each)
}

// newSoundShelfIn keeps its sound in this bucket.
func newSoundShelfIn(t *testing.T, bucket *blob.Bucket, recordings, each int) (*shelf, *storetest.Utterances) {
	t.Helper()
	s := &shelf{pool: storetest.Pool(t), classes: map[string]int64{}}
	s.blobs, s.log = bucket, slog.New(slog.DiscardHandler)
	var err error
	if s.store, err = store.New(s.pool, s.blobs); err != nil {
		t.Fatal(err)
	}
	u := storetest.Speech(t, s.pool, s.blobs, recordings, each, 1)
	s.project = u.Project
	s.imports = s.id(t, `INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2) RETURNING id`, u.Project, u.Source)
	return s, u
}

// say gives an item a truth.
func (s *shelf) say(t *testing.T, item int64, transcript speech.Transcript) (truth int64) {
	t.Helper()
	return s.id(t, `WITH t AS (INSERT INTO truths (item_id, import_id) VALUES ($1, $2) RETURNING id)
		INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT $1, 'truth', id, $3 FROM t RETURNING of_id`, item, s.imports, transcript)
}

// record adds a real recording as one item with its truth.
func (s *shelf) record(t *testing.T, u *storetest.Utterances, r formats.Recording, wav []byte) int64 {
	t.Helper()
	sound, err := audio.Open(bytes.NewReader(wav), int64(len(wav)))
	if err != nil {
		t.Fatal(err)
	}
	recording := s.id(t, `INSERT INTO recordings (project_id, source_id, key_hash, state, rate, channels, frames)
		VALUES ($1, $2, sha256($3::text::bytea), 'ready', $4, $5, $6) RETURNING id`, u.Project, u.Source, r.Key, sound.Rate, sound.Channels, sound.Frames)
	sum := sha256.Sum256(wav)
	if _, err := s.pool.Exec(t.Context(), `INSERT INTO recording_assets (recording_id, kind, content_type, bytes, sha256) VALUES ($1, 'original', 'audio/wav', $2, $3)`,
		recording, len(wav), sum[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.blobs.Put(t.Context(), fmt.Sprintf("recordings/%d/original", recording), bytes.NewReader(wav), int64(len(wav)), "audio/wav"); err != nil {
		t.Fatal(err)
	}
	item := s.id(t, `
		WITH i AS (INSERT INTO items (project_id, source_id, key_hash, state, recording_id, begins, ends)
			VALUES ($1, $2, sha256($3::text::bytea), 'ready', $4, 0, $5) RETURNING id),
		x AS (INSERT INTO item_texts (item_id, project_id, external_key, file_name) SELECT id, $1, $3, $3 FROM i),
		y AS (INSERT INTO item_salts (item_id, salt) SELECT id, sha256(id::text::bytea) FROM i)
		SELECT id FROM i`, u.Project, u.Source, r.Key, recording, r.Segments[0].End)
	var transcript speech.Transcript
	for _, seg := range r.Segments {
		transcript = append(transcript, speech.Segment{Begin: seg.Start, End: seg.End, Text: seg.Text})
	}
	s.say(t, item, transcript)
	return item
}

// prompts are the real recordings with their text, and what a real recognizer heard.
func prompts(t *testing.T) (recordings []formats.Recording, heard map[string]string, folder string) {
	t.Helper()
	folder = testData(t, "speech")
	file, err := os.ReadFile(filepath.Join(folder, "manifest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := formats.ReadNeMo(bytes.NewReader(file), func(r formats.Recording) error {
		recordings = append(recordings, r)
		return nil
	})
	if err != nil || !report.Empty() {
		t.Fatal(err, report)
	}
	heard = map[string]string{}
	lines, err := os.Open(filepath.Join(folder, "hypotheses", "ps-default.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		var line struct {
			Utterance string          `json:"utt_id"`
			Words     json.RawMessage `json:"words"`
		}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		heard[line.Utterance] = string(line.Words)
	}
	return recordings, heard, folder
}

// What came in by a real manifest goes out the same by every format of speech, and comes back.
func TestPromptsComeBackWordForWord(t *testing.T) {
	t.Parallel()
	recordings, heard, folder := prompts(t)
	s, u := newSoundShelf(t, 0, 1)
	want := map[string]formats.Recording{}
	for _, r := range recordings {
		wav, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(r.Key)))
		if err != nil {
			t.Fatal(err)
		}
		item := s.record(t, u, r, wav)
		u.Hear(t, s.pool, item, "ps", "default", "heard", heard[r.Metadata["utt_id"]], 0.5)
		want[r.Key] = r
	}
	version := s.freeze(t, "prompts", "calls")
	if again := s.freeze(t, "prompts", "calls"); !bytes.Equal(version.Hash, again.Hash) || version.Lines != len(recordings) {
		t.Fatalf("%d lines, hashes %x and %x", version.Lines, version.Hash, again.Hash)
	}
	for format, extension := range map[string]string{"nemo": ".jsonl", "stm": ".stm", "vtt": ".vtt", "srt": ".srt", "textgrid": ".TextGrid", "ctm": ".ctm"} {
		export, err := s.store.AddExport(t.Context(), store.System(), version,
			store.ExportAsk{Format: format, Personal: store.PersonalKeep, Reason: "Prompts name nobody."})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.work(t.Context(), export, 1); err != nil {
			t.Fatal(err)
		}
		export = s.look(t, export)
		files := unzip(t, s.archive(t, export))
		got := map[string]string{}
		for name, content := range files {
			if filepath.Ext(name) == extension && name != "manifest.jsonl" {
				readSpoken(t, format, strings.TrimSuffix(name, extension), content, got, want)
			}
		}
		same := 0
		for key, r := range want {
			stem := strings.TrimSuffix(key, ".wav")
			text := r.Segments[0].Text
			if got[stem] == text {
				same++
			} else if format != "textgrid" && format != "ctm" || text != "" { // no interval is without a text
				t.Errorf("%s: %s came back as %q, was %q", format, key, got[stem], text)
			}
		}
		t.Logf("%s: %d of %d texts the same, %d losses", format, same, len(want), export.Losses)
		if format != "ctm" && export.Losses != 0 {
			t.Errorf("%s lost something:\n%.500s", format, files["report.json"])
		}
	}
}

// readSpoken reads a file of an archive back into texts by the path without its extension, and checks the times.
func readSpoken(t *testing.T, format, name string, content []byte, got map[string]string, want map[string]formats.Recording) {
	t.Helper()
	take := func(key string, segments []formats.Segment, exact bool) {
		stem := strings.TrimSuffix(key, ".wav")
		for _, s := range segments {
			got[stem] = strings.TrimSpace(got[stem] + " " + s.Text)
		}
		if r := want[stem+".wav"].Segments; exact && len(segments) == 1 && (segments[0].Start != 0 || math.Abs(segments[0].End-r[0].End) > 1e-9) {
			t.Errorf("%s: %s lasts from %v to %v, was %v", format, key, segments[0].Start, segments[0].End, r[0].End)
		}
	}
	var report formats.Report
	var err error
	var segments []formats.Segment
	each := func(r formats.Recording) error {
		take(r.Key, r.Segments, format != "ctm")
		return nil
	}
	short := func(name string) string { return strings.SplitN(name, "/", 3)[2] }
	switch format {
	case "nemo":
		report, err = formats.ReadNeMo(bytes.NewReader(content), each)
	case "stm":
		report, err = formats.ReadSTM(bytes.NewReader(content), each)
	case "ctm":
		report, err = formats.ReadCTM(bytes.NewReader(content), each)
	case "vtt":
		segments, report, err = formats.ReadVTT(bytes.NewReader(content))
	case "srt":
		segments, report, err = formats.ReadSRT(bytes.NewReader(content))
	case "textgrid":
		var r formats.Recording
		r, report, err = formats.ReadTextGrid(bytes.NewReader(content))
		segments = r.Segments
	}
	if err != nil || !report.Empty() {
		t.Errorf("%s %s: %v %+v", format, name, err, report)
	}
	if segments != nil {
		take(short(name), segments, true)
	}
}

// pcm is the frames of a WAV file of 16 bit PCM.
func pcm(t *testing.T, wav []byte) []byte {
	t.Helper()
	i := bytes.Index(wav, []byte("data"))
	if i < 0 {
		t.Fatal("no WAV file")
	}
	return wav[i+8:]
}

func TestClipsAreCutToTheFrame(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 2, 4)
	for i, item := range u.Items {
		s.say(t, item, speech.Transcript{{Begin: 0.25, End: 1, Speaker: "A", Text: fmt.Sprintf("number %d", i)}})
	}
	s.put1Moment(t, u, u.Items[0])
	version := s.freeze(t, "clips", "calls")
	whole := storetest.Tone(t, storetest.SpeechRate, storetest.SpeechSeconds, 220)
	export, files := s.export(t, version, "nemo", true)
	lines := 0
	for name, content := range files {
		if !strings.HasSuffix(name, ".jsonl") || name == "manifest.jsonl" {
			continue
		}
		report, err := formats.ReadNeMo(bytes.NewReader(content), func(r formats.Recording) error {
			lines++
			clip := files[r.Key]
			if len(pcm(t, clip)) != storetest.SpeechRate*2 || r.Segments[0].Start != 0.25 || r.Segments[0].End != 1 {
				t.Errorf("%s of %d bytes: %+v", r.Key, len(clip), r.Segments)
			}
			return nil
		})
		if err != nil || !report.Empty() {
			t.Errorf("%s: %v %+v", name, err, report)
		}
	}
	second := files[fmt.Sprintf("audio/calls/0001-item-%d.wav", u.Items[1])]
	if lines != 8 || second == nil || !bytes.Equal(pcm(t, second), pcm(t, whole)[storetest.SpeechRate*2:storetest.SpeechRate*4]) {
		t.Errorf("%d lines; the second clip is not the second second", lines)
	}
	var manifest manifestLine
	for scanner := bufio.NewScanner(bytes.NewReader(files["manifest.jsonl"])); scanner.Scan(); {
		if err := json.Unmarshal(scanner.Bytes(), &manifest); err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(files["audio/"+manifest.File]); hex.EncodeToString(sum[:]) != manifest.Media || manifest.Recording == "" {
			t.Errorf("%+v has another checksum", manifest)
		}
	}
	if export.Losses != 1 || !bytes.Contains(files["report.json"], []byte("a moment")) {
		t.Errorf("%s", files["report.json"])
	}
	asked := 0
	for _, media := range []bool{false, true} {
		_, files = s.export(t, version, "textgrid", media)
		for name, content := range files {
			if !strings.HasSuffix(name, ".TextGrid") {
				continue
			}
			r, _, err := formats.ReadTextGrid(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range r.Moments {
				if asked++; m.Class != "question" || m.End <= m.Begin {
					t.Errorf("%s: %+v", name, m)
				}
			}
		}
	}
	if asked != 2 {
		t.Errorf("%d questions are in the TextGrids, want one in each archive", asked)
	}
	_, files = s.export(t, version, "vtt", false)
	for name, content := range files {
		if strings.HasSuffix(name, "calls/0001.vtt") {
			segments, _, err := formats.ReadVTT(bytes.NewReader(content))
			if err != nil || len(segments) != 4 || segments[3].Start != 3.25 || segments[3].Text != "number 3" {
				t.Errorf("%v %+v", err, segments)
			}
		}
	}
}

// put1Moment asks a question in an item.
func (s *shelf) put1Moment(t *testing.T, u *storetest.Utterances, item int64) {
	t.Helper()
	s.id(t, `INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h)
		SELECT id, 0, $2, 1, 0.25, 0, 0.5, 1 FROM truths WHERE item_id = $1 AND current RETURNING truth_id`, item, u.Class)
}

func TestColumnsHoldAllOfAnUtterance(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 3, 2)
	for i, item := range u.Items {
		s.say(t, item, speech.Transcript{{Begin: 0, End: 1, Speaker: "A", Text: fmt.Sprintf("number %d", i)}, {Begin: 1, End: 2, Channel: 1, Text: "grüß dich"}})
		s.put1Moment(t, u, item)
	}
	version := s.freeze(t, "columns", "calls")
	export, files := s.export(t, version, "parquet", false)
	found := 0
	for name, content := range files {
		if !strings.HasSuffix(name, ".parquet") {
			continue
		}
		type segment struct {
			Text string `parquet:"text"`
		}
		type moment struct {
			End float64 `parquet:"end"`
		}
		rows, err := parquet.Read[struct {
			File     string    `parquet:"file"`
			Text     string    `parquet:"text"`
			Duration float64   `parquet:"duration"`
			Segments []segment `parquet:"segments,list"`
			Moments  []moment  `parquet:"moments,list"`
		}](bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			found++
			if row.Duration != 2 || len(row.Segments) != 2 || row.Segments[1].Text != "grüß dich" || len(row.Moments) != 1 || row.Moments[0].End != 0.75 ||
				!strings.HasSuffix(row.Text, " grüß dich") || !strings.HasPrefix(row.File, "calls/000") {
				t.Errorf("%+v", row)
			}
		}
	}
	if found != 6 || export.Losses != 0 {
		t.Errorf("%d rows, %d losses", found, export.Losses)
	}
	_, files = s.export(t, version, "huggingface", true)
	clips := 0
	for name, content := range files {
		if !strings.HasSuffix(name, "/metadata.jsonl") {
			continue
		}
		for scanner := bufio.NewScanner(bytes.NewReader(content)); scanner.Scan(); {
			var line struct {
				File          string `json:"file_name"`
				Transcription string
				Segments      string
			}
			if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if files[strings.TrimSuffix(name, "metadata.jsonl")+line.File] == nil || !strings.HasSuffix(line.Transcription, "dich") || !json.Valid([]byte(line.Segments)) {
				t.Errorf("%s: %+v", name, line)
			}
			clips++
		}
	}
	if clips != 6 || !bytes.Contains(files["README.md"], []byte("automatic-speech-recognition")) {
		t.Errorf("%d clips\n%s", clips, files["README.md"])
	}
}

// find notes that a word of an item's truth is personal.
func (s *shelf) find(t *testing.T, truth int64, first, last int, begins, ends float64, kind, state string) {
	t.Helper()
	s.id(t, `INSERT INTO personal_findings (item_id, truth_id, segment, first, last, begins, ends, kind, detector, confidence, state)
		SELECT item_id, id, 0, $2, $3, $4, $5, $6, 'test@1', 1, $7 FROM truths WHERE id = $1 RETURNING id`, truth, first, last, begins, ends, kind, state)
}

func TestWhatIsPersonalIsMaskedAndSilent(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 2, 1)
	one := s.say(t, u.Items[0], speech.Transcript{{Begin: 0, End: 4, Text: "my name is Maria Lopez call four one five"}})
	two := s.say(t, u.Items[1], speech.Transcript{{Begin: 0, End: 4, Text: "maria lopez speaking about a rose"}})
	s.find(t, one, 11, 22, 1, 2, "name", "confirmed")
	s.find(t, one, 28, 41, 3, 4, "phone", "found")
	s.find(t, two, 0, 11, 0, 1, "name", "confirmed")
	s.find(t, two, 29, 33, 3, 3.5, "name", "dismissed")
	version := s.freeze(t, "personal", "calls")
	text := func(ask store.ExportAsk) (map[string][]byte, string) {
		t.Helper()
		export, err := s.store.AddExport(t.Context(), store.System(), version, ask)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.work(t.Context(), export, 1); err != nil {
			t.Fatal(err)
		}
		files := unzip(t, s.archive(t, s.look(t, export)))
		all := ""
		for _, split := range []string{"training", "validation", "test"} {
			all += string(files[split+".jsonl"])
		}
		return files, all
	}
	files, all := text(store.ExportAsk{Format: "nemo", Media: true})
	if !strings.Contains(all, `"my name is [name] call [phone]"`) || !strings.Contains(all, `"[name] speaking about a rose"`) {
		t.Errorf("%s", all)
	}
	for _, want := range []string{`"masked": 3`, `"unconfirmed": 1`} {
		if !bytes.Contains(files["report.json"], []byte(want)) {
			t.Errorf("no %s in %s", want, files["report.json"])
		}
	}
	clip, rate := pcm(t, files["audio/calls/0001.wav"]), storetest.SpeechRate*2
	silent := func(from, to int) bool { return len(bytes.Trim(clip[from*rate:to*rate], "\x00")) == 0 }
	if len(clip) != 4*rate || silent(0, 1) || !silent(1, 2) || silent(2, 3) || !silent(3, 4) {
		t.Error("the clip is silent elsewhere than where something personal is said")
	}
	if _, all := text(store.ExportAsk{Format: "nemo", Decided: true}); !strings.Contains(all, `"my name is [name] call four one five"`) {
		t.Errorf("%s", all)
	}
	_, all = text(store.ExportAsk{Format: "nemo", Personal: store.PersonalToken})
	_, after, _ := strings.Cut(all, "[name-")
	token, _, _ := strings.Cut(after, "]")
	if len(token) != 8 || strings.Count(all, "[name-"+token+"]") != 2 || strings.Contains(strings.ToLower(all), "lopez") {
		t.Errorf("the same person has no one token: %s", all)
	}
	if _, err := s.store.AddExport(t.Context(), store.System(), version, store.ExportAsk{Format: "nemo", Personal: store.PersonalKeep}); err == nil {
		t.Error("personal data are kept without a reason")
	}
	_, all = text(store.ExportAsk{Format: "nemo", Personal: store.PersonalKeep, Reason: "A court asked for it."})
	if !strings.Contains(all, "Maria Lopez") {
		t.Errorf("%s", all)
	}
}

// Nothing goes out that no detector has looked at, neither what came in just now nor what was replaced before it was read.
func TestExportsReadWhatNobodyHas(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 2, 1)
	s.say(t, u.Items[0], speech.Transcript{{End: 4, Text: "my name is maria lopez"}})
	s.say(t, u.Items[1], speech.Transcript{{End: 4, Text: "this is david speaking"}})
	version := s.freeze(t, "fresh", "calls")
	if _, err := s.pool.Exec(t.Context(), `UPDATE truths SET current = false WHERE item_id = $1`, u.Items[1]); err != nil {
		t.Fatal(err)
	}
	_, files := s.export(t, version, "stm", false)
	for name, content := range files {
		if strings.HasSuffix(name, ".stm") && (bytes.Contains(content, []byte("lopez")) || bytes.Contains(content, []byte("david"))) {
			t.Errorf("%s: %s", name, content)
		}
	}
	if !bytes.Contains(files["report.json"], []byte(`"unconfirmed": 2`)) {
		t.Errorf("%s", files["report.json"])
	}
}

func TestExportOfOtherSoundFailsForGood(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 1, 2)
	for _, item := range u.Items {
		s.say(t, item, speech.Transcript{{End: 1, Text: "yes"}})
	}
	version := s.freeze(t, "calls", "calls")
	tone := storetest.Tone(t, storetest.SpeechRate, storetest.SpeechSeconds, 999)
	if _, err := s.blobs.Put(t.Context(), fmt.Sprintf("recordings/%d/original", u.Recordings[0]), bytes.NewReader(tone), int64(len(tone)), "audio/wav"); err != nil {
		t.Fatal(err)
	}
	export := s.add(t, version, "stm", true)
	err := s.work(t.Context(), export, 1)
	if other, ok := errors.AsType[otherMediaError](err); !ok || other.what != "sound" {
		t.Errorf("%v", err)
	}
	if export = s.look(t, export); export.State != store.ExportFailed || !strings.Contains(export.Error, "sound of item") {
		t.Errorf("%+v", export)
	}
	if _, err := s.store.AddExport(t.Context(), store.System(), version, store.ExportAsk{Format: "coco"}); err == nil {
		t.Error("utterances went out as COCO")
	}
}
