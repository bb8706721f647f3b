package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/formats"
	"fiducial/internal/jobargs"
	"fiducial/jobs/media"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// newHearing is a project of sound that files are imported into, with versions of the recognizer "ps".
func newHearing(tb testing.TB, kept ...string) *importing {
	tb.Helper()
	im := newImportingInto(tb, store.NewProject{Slug: "calls", Name: "Calls", Kind: "audio", AcceptsTruth: true, MetadataKeys: kept})
	if _, err := im.store.AddModel(tb.Context(), store.System(), "ps", "asr"); err != nil {
		tb.Fatal(err)
	}
	for _, version := range []string{"default", "fast", "lw9"} {
		if _, err := im.store.ReleaseModel(tb.Context(), store.System(), "ps", version); err != nil {
			tb.Fatal(err)
		}
	}
	return im
}

// hear reads every recording that waits for it.
func (im *importing) hear() {
	im.Helper()
	rows, err := im.pool.Query(im.Context(), `SELECT id FROM recordings WHERE state = 'processing' ORDER BY id`)
	if err != nil {
		im.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		im.Fatal(err)
	}
	w := &readRecording{
		deps:      deps{store: im.store, blobs: im.blobs, log: slog.New(slog.DiscardHandler)},
		converter: func() media.Converter { return im.converter },
	}
	for _, id := range ids {
		for range 2 { // doing it again changes nothing
			if err := w.Work(im.Context(), &river.Job[jobargs.ReadRecording]{JobRow: &rivertype.JobRow{}, Args: jobargs.ReadRecording{RecordingID: id}}); err != nil {
				im.Fatal(err)
			}
		}
	}
}

func (im *importing) text(sql string, args ...any) (text string) {
	im.Helper()
	if err := im.pool.QueryRow(im.Context(), sql, args...).Scan(&text); err != nil {
		im.Fatal(err)
	}
	return text
}

// items lists the items with their recordings, spans and truths.
func (im *importing) items() string {
	im.Helper()
	return im.text(`
		SELECT coalesce(string_agg(concat_ws(' ', x.external_key, x.file_name, i.state, i.channel, i.begins, i.ends, s.segments, '/' || g.name), E'\n' ORDER BY x.external_key), '')
		FROM items i JOIN item_texts x ON x.item_id = i.id LEFT JOIN truths t ON t.item_id = i.id AND t.current LEFT JOIN groups g ON g.id = i.group_id
		LEFT JOIN transcripts s ON s.item_id = i.id AND s.kind = 'truth' AND s.of_id = t.id`)
}

// speechFiles is the real speech, and what versions of a recognizer heard in it. Both call several utterances the same; they go in the
// same order, so that here what was heard is called as the recording is.
func speechFiles(tb testing.TB) (manifest, hypotheses map[string][]byte) {
	tb.Helper()
	all := filesBelow(tb, testData(tb, "speech"))
	manifest, hypotheses = map[string][]byte{}, map[string][]byte{}
	for name, content := range all {
		if base, found := strings.CutPrefix(name, "hypotheses/"); found {
			hypotheses[base] = content
		} else {
			manifest[name] = content
		}
	}
	paths := regexp.MustCompile(`wav/([^"]+)\.wav`).FindAllSubmatch(manifest["manifest.jsonl"], -1)
	for name, content := range hypotheses {
		lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
		for i := range lines {
			lines[i] = regexp.MustCompile(`"utt_id": "[^"]*"`).ReplaceAll(lines[i], []byte(`"utt_id": "wav/`+string(paths[i][1])+`"`))
		}
		hypotheses[name] = bytes.Join(lines, []byte("\n"))
	}
	return manifest, hypotheses
}

func TestRealSpeechComesInWithItsHypotheses(t *testing.T) {
	t.Parallel()
	manifest, hypotheses := speechFiles(t)
	im := newHearing(t)
	nemo := store.NewImport{Format: store.FormatNeMo, Purpose: store.PurposeTruth}
	for attempt, want := range []store.ImportCounts{{Added: 400, Boxes: 400}, {Unchanged: 400, Boxes: 400}} {
		counts, results := im.run(nemo, manifest)
		if counts.Lost == 0 && attempt == 0 {
			t.Error("nobody is told that several utterances are called the same")
		}
		if counts.Lost = 0; counts != want {
			t.Fatalf("attempt %d: %+v, refused: %v", attempt, counts, refusals(results))
		}
		im.hear()
		for file, content := range hypotheses {
			version := strings.TrimSuffix(strings.TrimPrefix(file, "ps-"), ".jsonl")
			counts, results := im.run(store.NewImport{Format: store.FormatHypotheses, Purpose: store.PurposePrediction, Model: "ps@" + version},
				map[string][]byte{file: content})
			want := store.ImportCounts{Changed: 400}
			if attempt > 0 {
				want = store.ImportCounts{Unchanged: 400}
			}
			if counts != want {
				t.Fatalf("attempt %d, %s: %+v, refused: %v", attempt, file, counts, refusals(results))
			}
		}
	}
	if n := im.number(`SELECT count(*) FROM items i JOIN recordings r ON r.id = i.recording_id JOIN tasks t ON t.item_id = i.id
		WHERE i.state = 'ready' AND i.begins = 0 AND abs(i.ends - r.frames::float8 / r.rate) < 1e-9 AND t.state = 'adjudicated'`); n != 400 {
		t.Errorf("%d items are whole recordings, and decided", n)
	}
	if n := im.number(`SELECT count(*) FROM transcripts s JOIN items i ON i.id = s.item_id WHERE kind = 'truth' AND (segments->0->>'end')::float8 = i.ends`); n != 400 {
		t.Errorf("%d transcripts go to the end of their utterance", n)
	}
	if n := im.number(`SELECT count(*) FROM predictions p JOIN hypotheses h ON h.prediction_id = p.id AND h.item_id = p.item_id
		WHERE p.confidence IS NOT NULL AND p.words = jsonb_array_length(h.words)`); n != 1200 {
		t.Errorf("%d hypotheses", n)
	}
	got := im.text(`SELECT concat_ws('|', h.text, p.confidence, h.words->0->>'word', h.words->0->>'start', s.segments->0->>'text')
		FROM item_texts x JOIN predictions p ON p.item_id = x.item_id JOIN hypotheses h ON h.prediction_id = p.id
		JOIN model_versions v ON v.id = p.model_version_id AND v.version = 'fast' JOIN transcripts s ON s.item_id = x.item_id AND s.kind = 'truth'
		WHERE x.external_key = 'added'`)
	if got != "added|0.944116|added|0.03|added" {
		t.Error(got)
	}
	if n := im.number(`SELECT count(*) FROM recording_assets WHERE kind IN ('original', 'peaks')`); n != 800 {
		t.Errorf("%d originals and outlines", n)
	}
	if n := im.number(`SELECT count(*) FROM recording_reservations`); n != 0 {
		t.Errorf("%d reservations are left", n)
	}
}

func TestAwkwardSoundsGoInOrAreRefusedByName(t *testing.T) {
	t.Parallel()
	files := filesBelow(t, testData(t, "edge/audio"))
	im := newHearing(t)
	counts, results := im.run(store.NewImport{Format: store.FormatAudio, Purpose: store.PurposeMedia}, files)
	im.hear()
	outcomes := map[string]store.ImportResult{}
	for _, r := range results {
		outcomes[r.Name] = r
		t.Log(r.Outcome, r.Name, r.Reason)
	}
	for name := range files {
		if outcomes[name].Outcome == "" {
			t.Errorf("%s is not in the results", name)
		}
	}
	for name, word := range map[string]string{
		"made_zero_samples.wav": "no sound", "made_header_sizes_ffffffff.wav": "how long", "made_gsm610.wav": "needs ffmpeg on the server",
		"asterisk_raw.g722": "apt-get install ffmpeg", "scipy_test-44100Hz-le-1ch-4bytes-early-eof-no-data.wav": "",
	} {
		if r := outcomes[name]; r.Outcome != store.OutcomeRefused || r.Reason == "" || !strings.Contains(r.Reason, word) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if counts.Added == 0 || counts.Added+counts.Refused != len(files) {
		t.Errorf("of %d files: %+v", len(files), counts)
	}
	if n := im.number(`SELECT count(*) FROM items WHERE state = 'ready' AND ends > 0`); n != counts.Added {
		t.Errorf("%d of %d items are ready", n, counts.Added)
	}
}

func TestASoundThatBreaksLaterSaysSoEverywhere(t *testing.T) {
	t.Parallel()
	im := newHearing(t)
	wav := storetest.Tone(t, 8000, 1, 440)
	manifest := `{"audio_filepath":"a.wav","duration":0.5,"text":"one"}
{"audio_filepath":"a.wav","offset":0.5,"duration":0.5,"text":"two"}
{"audio_filepath":"b.wav","offset":0.5,"duration":9,"text":"beyond"}`
	id := im.upload(store.NewImport{Format: store.FormatNeMo, Purpose: store.PurposeTruth},
		map[string][]byte{"m.jsonl": []byte(manifest), "a.wav": wav, "b.wav": storetest.Tone(t, 8000, 1, 220)})
	if err := im.work(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	// The object storage has lost the end of the file meanwhile.
	key := im.text(`SELECT 'recordings/' || recording_id || '/original' FROM items i JOIN item_texts x ON x.item_id = i.id WHERE x.external_key = 'a.wav'`)
	if _, err := im.blobs.Put(t.Context(), key, bytes.NewReader(wav[:1000]), 1000, media.WAV); err != nil {
		t.Fatal(err)
	}
	im.hear()
	counts, results := im.results(id)
	if counts.Refused != 3 {
		t.Errorf("%+v", results)
	}
	for _, r := range results {
		want := "cut off"
		if strings.Contains(r.Name, "b.wav") {
			want = "a recording that is 1 s long"
		}
		if r.Outcome == store.OutcomeRefused && !strings.Contains(r.Reason, want) {
			t.Errorf("%s: %s", r.Name, r.Reason)
		}
	}
	if n := im.number(`SELECT count(*) FROM items WHERE state = 'broken' AND fault <> ''`); n != 3 {
		t.Errorf("%d items are broken", n)
	}
	// A file that is whole again mends it.
	counts, _ = im.run(store.NewImport{Format: store.FormatAudio, Purpose: store.PurposeMedia}, map[string][]byte{"a.wav": wav})
	im.hear()
	if counts.Changed != 1 || im.number(`SELECT count(*) FROM items WHERE state = 'ready'`) != 2 {
		t.Errorf("%+v: %s", counts, im.items())
	}
}

// A recording of four seconds with two speakers, in each format that has segments.
var twoSpeakers = formats.Recording{Key: "calls/a.wav", Segments: []formats.Segment{
	{Start: 0.5, End: 1.5, Text: "hello there", Speaker: "Jane Roe", Channel: 1},
	{Start: 2, End: 3.25, Text: "who is it", Speaker: "John Doe", Channel: 1},
}}

func one(recording formats.Recording) func(func(formats.Recording, error) bool) {
	return func(yield func(formats.Recording, error) bool) { yield(recording, nil) }
}

func writtenAs(t *testing.T, format string) (name string, content []byte) {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case store.FormatCTM:
		name = "all.ctm"
		_, err = formats.WriteCTM(&b, one(twoSpeakers))
	case store.FormatSTM:
		name = "all.stm"
		_, err = formats.WriteSTM(&b, one(twoSpeakers))
	case store.FormatVTT:
		name = "calls/a.vtt"
		_, err = formats.WriteVTT(&b, twoSpeakers)
	case store.FormatSRT:
		name = "calls/a.srt"
		_, err = formats.WriteSRT(&b, twoSpeakers)
	case store.FormatTextGrid:
		name = "calls/a.TextGrid"
		_, err = formats.WriteTextGrid(&b, twoSpeakers)
	case store.FormatLabelStudio:
		name = "tasks.json"
		_, err = formats.WriteLabelStudioAudio(&b, one(twoSpeakers))
	}
	if err != nil {
		t.Fatal(err)
	}
	return name, b.Bytes()
}

// afterKeys finds what of a line of items says nothing about keys.
var afterKeys = regexp.MustCompile(`(?m)^.*( ready .*?)( /\S*)?$`)

func TestTranscriptsComeInWholeOrSegmentBySegment(t *testing.T) {
	t.Parallel()
	wav := storetest.Tone(t, 8000, 4, 440)
	for _, format := range []string{
		store.FormatCTM, store.FormatSTM, store.FormatVTT, store.FormatSRT, store.FormatTextGrid, store.FormatLabelStudio,
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			name, content := writtenAs(t, format)
			labels, sound := map[string][]byte{name: content}, map[string][]byte{"calls/a.wav": wav}
			both := maps.Clone(labels)
			maps.Copy(both, sound)
			for _, per := range []string{store.PerRecording, store.PerSegment} {
				truth := store.NewImport{Format: format, Purpose: store.PurposeTruth, Options: store.ImportOptions{Per: per}}
				media := store.NewImport{Format: store.FormatAudio, Purpose: store.PurposeMedia}
				together, apart := newHearing(t), newHearing(t)
				if _, results := together.run(truth, both); len(refusals(results)) > 0 {
					t.Fatal(refusals(results))
				}
				together.hear()
				apart.run(truth, labels)
				if n := apart.number(`SELECT count(*) FROM items WHERE state = 'awaiting_media'`); n == 0 {
					t.Error("nothing waits for its recording")
				}
				apart.run(media, sound)
				apart.hear()
				whole, twice := together.items(), apart.items()
				if per == store.PerRecording && strings.Count(whole, "\n") != 0 || !strings.Contains(whole, "hello there") || !strings.Contains(whole, "who is it") {
					t.Errorf("%s came in as\n%s", per, whole)
				}
				if strings.Contains(whole, "Jane") || strings.Contains(whole, "Doe") {
					t.Errorf("the speakers' names came in: %s", whole)
				}
				if per == store.PerSegment && format != store.FormatCTM && !strings.Contains(whole, "ready 0 2 3.25 [{\"end\": 1.25, \"text\": \"who is it\", \"begin\": 0}] /calls/a.wav") {
					t.Errorf("the second segment came in as\n%s", whole)
				}
				spans := func(items string) string { return afterKeys.ReplaceAllString(items, "$1") }
				if spans(whole) != spans(twice) {
					t.Errorf("%s: recording and transcript apart come in as\n%s\nand together as\n%s", per, twice, whole)
				}
				for _, im := range []*importing{together, apart} {
					before := im.items()
					counts, results := im.run(truth, both)
					im.hear()
					if counts.Added+counts.Changed+counts.Refused != 0 || im.items() != before {
						t.Errorf("%s: again: %+v %v\n%s\nwas\n%s", per, counts, refusals(results), im.items(), before)
					}
				}
			}
		})
	}
}

func TestFactsAboutSpeakersStayOut(t *testing.T) {
	t.Parallel()
	manifest := `{"audio_filepath":"a.wav","duration":1,"text":"one","speaker":"Jane Roe","accent":"Bavarian","lang":"de","topic":"bill"}
{"audio_filepath":"b.wav","duration":1,"text":"two","speaker":"John Doe"}`
	name, stm := writtenAs(t, store.FormatSTM)
	for _, c := range []struct {
		kept    []string
		want    []string
		missing []string
	}{
		{nil, []string{"speaker", "accent", "lang", "topic", "2 utterances"}, []string{"Jane", "Doe", "Bavarian", "bill"}},
		{[]string{"topic", "speaker"}, []string{"accent", "lang"}, []string{"Bavarian"}},
	} {
		im := newHearing(t, c.kept...)
		_, results := im.run(store.NewImport{Format: store.FormatNeMo, Purpose: store.PurposeTruth}, map[string][]byte{"m.jsonl": []byte(manifest)})
		report := fmt.Sprint(results)
		im.run(store.NewImport{Format: store.FormatSTM, Purpose: store.PurposeTruth}, map[string][]byte{name: stm})
		stored := im.items() + im.text(`SELECT string_agg(metadata::text, ' ' ORDER BY item_id) FROM item_texts`)
		for _, word := range c.want {
			if !strings.Contains(report, word) {
				t.Errorf("keeping %v, %s is not reported: %s", c.kept, word, report)
			}
		}
		for _, word := range c.missing {
			if strings.Contains(report, word) || strings.Contains(stored, word) {
				t.Errorf("keeping %v, %s came in: %s\n%s", c.kept, word, report, stored)
			}
		}
		speakers := []string{`"speaker": "A"`, `"speaker": "B"`}
		if c.kept != nil {
			speakers = []string{`"speaker": "Jane_Roe"`, `"speaker": "John Doe"`, `"topic": "bill"`, `"speaker": "Jane Roe"`}
		}
		for _, word := range speakers {
			if !strings.Contains(stored, word) {
				t.Errorf("keeping %v, %s is not there: %s", c.kept, word, stored)
			}
		}
	}
}

func TestWhatCannotComeInIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	im := newHearing(t)
	wav := storetest.Tone(t, 8000, 1, 440)
	im.run(store.NewImport{Format: store.FormatAudio, Purpose: store.PurposeMedia}, map[string][]byte{"calls/a.wav": wav, "b.wav": storetest.Tone(t, 8000, 1, 220)})
	im.hear()
	heard := store.NewImport{Format: store.FormatHypotheses, Purpose: store.PurposePrediction, Model: "ps@fast"}
	counts, results := im.run(heard, map[string][]byte{"h.jsonl": []byte(`{"utt_id":"a","text":"yes"}
{"utt_id":"b.wav","text":"no","confidence":0.5}
{"utt_id":"c","text":"maybe"}
{"utt_id":"a.wav","text":"yes again"}`)})
	if counts.Changed != 2 || counts.Refused != 2 || !strings.Contains(fmt.Sprint(results), "no item of this name") ||
		!strings.Contains(fmt.Sprint(results), "same item as h.jsonl: a ") {
		t.Errorf("%+v %+v", counts, results)
	}
	truth := store.NewImport{Format: store.FormatNeMo, Purpose: store.PurposeTruth}
	counts, results = im.run(truth, map[string][]byte{"m.jsonl": []byte(`{"audio_filepath":"b.wav","offset":0.5,"duration":7,"text":"beyond"}
{"audio_filepath":"b.wav","duration":0,"text":"nothing"}
{"audio_filepath":"calls/a.wav","duration":1,"text":"good"}`)})
	if counts.Changed != 1 || counts.Refused != 2 || !strings.Contains(fmt.Sprint(results), "a recording that is 1 s long") {
		t.Errorf("%+v %+v", counts, results)
	}
	counts, results = im.run(store.NewImport{Format: store.FormatAudio, Purpose: store.PurposeMedia}, map[string][]byte{
		"calls/a.wav": storetest.Tone(t, 8000, 1, 330), "copy.wav": wav, "notes.txt": []byte("nothing to hear in this file"),
	})
	if counts.Refused != 2 || counts.Added != 1 || !strings.Contains(fmt.Sprint(results), "exists with another sound") ||
		!strings.Contains(fmt.Sprint(results), "same sound, byte for byte") {
		t.Errorf("%+v %+v", counts, results)
	}
	for _, n := range []store.NewImport{
		{Format: store.FormatCOCO, Purpose: store.PurposeTruth},
		{Format: store.FormatHypotheses, Purpose: store.PurposePrediction},
		{Format: store.FormatHypotheses, Purpose: store.PurposeTruth, Model: "ps@fast"},
		{Format: store.FormatAudio, Purpose: store.PurposeTruth},
		{Format: store.FormatNeMo, Purpose: store.PurposeTruth, Options: store.ImportOptions{Per: store.PerSegment}},
	} {
		if _, err := im.store.AddImport(t.Context(), store.System(), im.slug, n); err == nil {
			t.Errorf("%+v is taken", n)
		}
	}
}

func TestASpeechImportGoesOnWhereItWasKilled(t *testing.T) {
	t.Parallel()
	manifest, _ := speechFiles(t)
	im := newHearing(t)
	dry, _ := im.run(store.NewImport{Format: store.FormatNeMo, Purpose: store.PurposeTruth, Options: store.ImportOptions{DryRun: true}}, manifest)
	if dry.Added != 400 || dry.Refused != 0 || im.number(`SELECT (SELECT count(*) FROM items) + (SELECT count(*) FROM recordings)`) != 0 {
		t.Errorf("dry run: %+v", dry)
	}
	id := im.upload(store.NewImport{Format: store.FormatNeMo, Purpose: store.PurposeTruth}, manifest)
	run, err := im.store.BeginImport(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	some := []store.ImportUtterance{{Name: "manifest.jsonl: wav/added.wav", Keys: []string{"added"}, Sound: "wav/added.wav", Uploaded: true}}
	if err := run.MergeUtterances(t.Context(), some); err != nil {
		t.Fatal(err)
	}
	run.Close()
	// What the killed run had stored for a recording that it never made goes.
	im.number(`INSERT INTO recording_reservations (recording_id, import_id) VALUES (9999, $1) RETURNING 1`, id)
	if _, err := im.blobs.Put(t.Context(), "recordings/9999/original", strings.NewReader("x"), 1, media.WAV); err != nil {
		t.Fatal(err)
	}
	if err := im.work(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	counts, _ := im.results(id)
	im.hear()
	if _, err := im.blobs.Stat(t.Context(), "recordings/9999/original"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("what a killed run stored is still there: %v", err)
	}
	if counts.Added != 400 || im.number(`SELECT count(*) FROM items WHERE state = 'ready'`) != 400 {
		t.Errorf("%+v", counts)
	}
}
