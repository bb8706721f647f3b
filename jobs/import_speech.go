package jobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"fiducial/internal/audio"
	"fiducial/internal/formats"
	"fiducial/jobs/media"
	"fiducial/store"
)

// How much goes into one transaction, whichever is reached first.
const (
	importUtterances = 2_000
	importWords      = 200_000
)

// maxSound is the most bytes that a recording may have.
const maxSound = 8 << 30

// speechReading is what an import of sound has read and not merged yet.
type speechReading struct {
	utterances []store.ImportUtterance
	words      int
	sounds     []store.ImportSound
	dropped    map[string]int // what is not kept, of how many utterances
	names      map[string]int // how often a name came
}

// losses tells what is not kept: by its name, never by its value.
func (s *speechReading) losses() (results []store.ImportResult) {
	for _, what := range slices.Sorted(maps.Keys(s.dropped)) {
		reason := fmt.Sprintf("left out: %s (of %d utterances)", what, s.dropped[what])
		results = append(results, store.ImportResult{Name: "All recordings", Outcome: store.OutcomeLost, Reason: reason})
	}
	return results
}

// labelExtensions are the names of files that hold what was written down or heard, by format.
var labelExtensions = map[string][]string{
	store.FormatNeMo:        {".jsonl", ".json", ".ndjson"},
	store.FormatHypotheses:  {".jsonl", ".json", ".ndjson"},
	store.FormatCTM:         {".ctm"},
	store.FormatSTM:         {".stm"},
	store.FormatVTT:         {".vtt"},
	store.FormatSRT:         {".srt"},
	store.FormatTextGrid:    {".textgrid"},
	store.FormatLabelStudio: {".json"},
}

// readSpeech brings in what was written down or heard, utterance by utterance, and then the recordings: those that something was
// about, and each other one as an item that is the whole of it.
func (r *importReading) readSpeech(ctx context.Context) error {
	labels, files := r.folder.with(labelExtensions[r.run.Format]...)
	p := newPictures(files)
	if len(labels) == 0 && r.run.Format != store.FormatAudio {
		r.refuse("All files", "None of them is called *"+strings.Join(labelExtensions[r.run.Format], " or *")+", as files of this format are.")
	}
	for _, file := range labels {
		if err := r.readTranscripts(ctx, p, file); err != nil {
			return err
		}
	}
	if err := r.flushUtterances(ctx); err != nil {
		return err
	}
	for _, file := range files {
		if err := r.addSound(ctx, file, p.usedBy[file.name] != ""); err != nil {
			return err
		}
	}
	return r.flushSounds(ctx)
}

// readTranscripts adds every utterance of a file. An error of the file itself refuses what it still holds.
func (r *importReading) readTranscripts(ctx context.Context, p *pictures, file importEntry) error {
	var merging error
	var report formats.Report
	err := readEntry(ctx, file, func(content io.Reader) (err error) {
		report, err = r.transcripts(content, file.name, func(u *utterance) error {
			merging = r.addUtterance(ctx, p, u)
			return merging
		})
		return err
	})
	if merging != nil {
		return merging
	}
	r.losses = append(r.losses, store.Losses(file.name, report)...)
	if broken, ok := errors.AsType[*brokenError](err); ok {
		r.refuse(file.name, broken.Error())
		return nil
	}
	return err
}

// addUtterance puts an utterance into the batch.
func (r *importReading) addUtterance(ctx context.Context, p *pictures, u *utterance) error {
	if u.Sound != "" {
		found, err := find(p.media, u.Sound, u.byStem)
		switch {
		case errors.Is(err, formats.ErrManyMedia):
			u.Fault = "Several of the uploaded recordings could be meant: give the path with its folders."
		case err == nil:
			p.usedBy[found] = u.Name
			u.foundAs(found)
		}
	}
	r.keepAllowed(u)
	if r.speech.names[u.Name]++; r.speech.names[u.Name] > 1 {
		u.Name += fmt.Sprintf(" (line %d of it)", r.speech.names[u.Name])
	}
	if r.run.Done(u.Name) {
		return nil
	}
	r.speech.utterances = append(r.speech.utterances, u.ImportUtterance)
	r.speech.words += len(u.Transcript)
	if u.Hypothesis != nil {
		r.speech.words += len(u.Hypothesis.Words)
	}
	if len(r.speech.utterances) < importUtterances && r.speech.words < importWords {
		return nil
	}
	return r.flushUtterances(ctx)
}

func (r *importReading) flushUtterances(ctx context.Context) error {
	if err := r.run.MergeUtterances(ctx, r.speech.utterances); err != nil {
		return err
	}
	clear(r.speech.utterances)
	r.speech.utterances, r.speech.words = r.speech.utterances[:0], 0
	return nil
}

// keepAllowed drops every fact about an utterance that the project does not keep. Who speaks in a transcript of several is told by
// letters, unless it keeps names.
func (r *importReading) keepAllowed(u *utterance) {
	for key := range u.Metadata {
		if !r.run.Keeps(key) {
			delete(u.Metadata, key)
			r.speech.dropped["the metadata "+key+", which this project does not keep"]++
		}
	}
	if r.run.Keeps(speakerKey) {
		return
	}
	anonymous := u.Transcript.Anonymous()
	if !slices.Equal(anonymous, u.Transcript) {
		r.speech.dropped["the names of speakers, who are called A, B, … where there are several"]++
	}
	u.Transcript = anonymous
}

// speakerKey is the key under which a project keeps who speaks.
const speakerKey = "speaker"

// addSound puts a file of sound into the batch.
func (r *importReading) addSound(ctx context.Context, file importEntry, mentioned bool) error {
	if r.run.Done(file.name) {
		return nil
	}
	sound := store.ImportSound{Name: file.name, Mentioned: mentioned}
	content, err := file.open(ctx)
	if err == nil {
		sound.Media, err = r.lookAtSound(content, file.name)
		_ = content.Close() // it was only read
	}
	if sound.Fault = soundFault(file, err); sound.Fault == "" && err != nil {
		return err
	}
	r.speech.sounds = append(r.speech.sounds, sound)
	if len(r.speech.sounds) < importPictures && r.spent < importSpool {
		return nil
	}
	return r.flushSounds(ctx)
}

func (r *importReading) flushSounds(ctx context.Context) error {
	if err := r.run.MergeSounds(ctx, r.speech.sounds); err != nil {
		return err
	}
	clear(r.speech.sounds)
	r.speech.sounds, r.spent = r.speech.sounds[:0], 0
	return r.spool.Truncate(0)
}

// soundFault says what is wrong with a file, when err is about the file and not about a service.
func soundFault(file importEntry, err error) string {
	if refused, ok := errors.AsType[*audio.RefusedError](err); ok {
		return refused.Sentence
	}
	return fault(file, err)
}

// lookAtSound copies content to the spool and reads its header, so that a file which cannot be used is refused now.
func (r *importReading) lookAtSound(content io.Reader, name string) (*store.ImportSoundMedia, error) {
	start, hash := r.spent, sha256.New()
	size, err := io.Copy(io.NewOffsetWriter(r.spool, start), io.TeeReader(io.LimitReader(content, maxSound+1), hash))
	if err != nil {
		return nil, err
	}
	if size > maxSound {
		return nil, &audio.RefusedError{Reason: audio.Damaged, Sentence: "The file is larger than 8 GB: split the recording into several."}
	}
	section := io.NewSectionReader(r.spool, start, size)
	contentType := media.WAV
	_, err = audio.Open(section, size)
	if refused, ok := errors.AsType[*audio.RefusedError](err); ok && refused.Reason == audio.Foreign {
		contentType, err = r.foreignSound(section, name, refused)
	}
	if err != nil {
		return nil, err
	}
	r.spent += size
	return &store.ImportSoundMedia{Content: section, Bytes: size, SHA256: hash.Sum(nil), ContentType: contentType}, nil
}

// foreignSound tells what a file is that only the converter can read; without one it is refused.
func (r *importReading) foreignSound(content *io.SectionReader, name string, refused error) (contentType string, err error) {
	head := make([]byte, 16)
	n, err := content.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	contentType = media.SoundType(head[:n], name)
	if contentType == "" || !r.converter().There() {
		return "", refused
	}
	return contentType, nil
}

// utterance is an utterance of a file, with how its recording is found.
type utterance struct {
	store.ImportUtterance

	own    string // the name that the file gives it, "" for none
	suffix string // which part of its recording it is, "" for the whole
	byStem bool   // its file names no extension of the recording's, or another
}

// name names the utterance by what its file says, and says how its recording is found.
func (u *utterance) name(file string) {
	key := u.Sound + u.suffix
	u.Name, u.Keys = file+": "+key, []string{key}
	if u.own != "" {
		u.Keys = []string{u.own, key}
	}
	sound := u.Sound
	u.Alike = func(m *formats.Media) (string, error) { return find(m, sound, u.byStem) }
}

// foundAs gives the utterance the uploaded file that is its recording.
func (u *utterance) foundAs(sound string) {
	if sound != u.Sound {
		u.Keys = slices.Insert(u.Keys, len(u.Keys)-1, sound+u.suffix)
	}
	u.Uploaded, u.Sound = true, sound
}

// find finds what a name means among the recordings at hand, or, byStem, what it means whatever extension that has.
func find(m *formats.Media, name string, byStem bool) (string, error) {
	found, err := m.Find(name)
	if errors.Is(err, formats.ErrNoMedia) && byStem {
		if extension := path.Ext(name); media.SoundExtension(extension) {
			name = strings.TrimSuffix(name, extension)
		}
		return m.FindStem(name)
	}
	return found, err
}
