package formats

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/parquet-go/parquet-go"

	"fiducial/internal/speech"
)

// Utterance is a span of a recording with all that a dataset version holds of it. The columnar formats write it whole.
type Utterance struct {
	ID         int64
	Key        string // the external key
	File       string // the path of its own sound where the archive has it, else that of the recording
	Split      string
	Media      string  // SHA-256 of its own sound, in hexadecimal; empty where that never came
	Begin, End float64 // in seconds of the recording
	Channel    int
	Rules      int               // version of the transcription rules, 0 for none
	Transcript speech.Transcript // in seconds from the beginning of the utterance
	Moments    []Moment
}

// Moment is a class on a stretch of an utterance, or of a recording, in seconds from its beginning.
type Moment struct {
	Class      string  `json:"class"`
	Definition int     `json:"class_definition,omitempty"`
	Begin      float64 `json:"begin"`
	End        float64 `json:"end"`
	Channel    int     `json:"channel,omitempty"`
}

type parquetUtterance struct {
	Item     int64            `parquet:"item"`
	Key      string           `parquet:"key"`
	File     string           `parquet:"file"`
	Split    string           `parquet:"split,dict"`
	Media    string           `parquet:"media_sha256,optional"`
	Begin    float64          `parquet:"begin"`
	End      float64          `parquet:"end"`
	Channel  int32            `parquet:"channel,optional"`
	Duration float64          `parquet:"duration"`
	Rules    int32            `parquet:"rules,optional"`
	Text     string           `parquet:"text"`
	Segments []parquetSegment `parquet:"segments,list"`
	Moments  []parquetMoment  `parquet:"moments,list"`
}

type parquetSegment struct {
	Begin   float64 `parquet:"begin"`
	End     float64 `parquet:"end"`
	Channel int32   `parquet:"channel,optional"`
	Speaker string  `parquet:"speaker,optional"`
	Text    string  `parquet:"text"`
}

type parquetMoment struct {
	Class      string  `parquet:"class,dict"`
	Definition int32   `parquet:"class_definition,optional"`
	Begin      float64 `parquet:"begin"`
	End        float64 `parquet:"end"`
	Channel    int32   `parquet:"channel,optional"`
}

// WriteSpokenParquet writes one row an utterance, so that nothing of it is lost:
//
//	item              int64    the item's number in the project's database
//	key               string   the external key under which the outside world knows it
//	file              string   the path of its sound under audio/, or of the recording where the archive has none
//	split             string   training, validation or test
//	media_sha256      string?  of its own sound as a WAV file of 16 bit PCM, in hexadecimal
//	begin, end        double   its span, in seconds of the recording
//	channel           int32?   of the recording, from 1; null for all
//	duration          double   in seconds
//	rules             int32?   version of the transcription rules that it was written under
//	text              string   all that is said
//	segments          list of  begin, end (seconds of the utterance), channel?, speaker?, text
//	moments           list of  class, class_definition?, begin, end (seconds of the utterance), channel?
//
// The file's metadata and its row groups are those of WriteParquet.
func WriteSpokenParquet(w io.Writer, info Set, utterances iter.Seq2[Utterance, error]) error {
	out := parquet.NewGenericWriter[parquetUtterance](w, parquetOptions(info)...)
	rows, parts := 0, 0
	for u, err := range utterances {
		if err != nil {
			return err
		}
		if _, err := out.Write([]parquetUtterance{u.row()}); err != nil {
			return fmt.Errorf("write Parquet: %w", err)
		}
		rows++
		parts += len(u.Transcript) + len(u.Moments)
		if rows >= rowsPerGroup || parts >= boxesPerGroup {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("write Parquet: %w", err)
			}
			rows, parts = 0, 0
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func (u Utterance) row() parquetUtterance {
	row := parquetUtterance{
		Item: u.ID, Key: u.Key, File: u.File, Split: u.Split, Media: u.Media, Begin: u.Begin, End: u.End, Channel: pixels(u.Channel),
		Duration: exactDifference(u.Begin, u.End), Rules: pixels(u.Rules), Text: u.Transcript.Text(),
	}
	for _, s := range u.Transcript {
		row.Segments = append(row.Segments, parquetSegment{s.Begin, s.End, pixels(s.Channel), s.Speaker, s.Text})
	}
	for _, m := range u.Moments {
		row.Moments = append(row.Moments, parquetMoment{m.Class, pixels(m.Definition), m.Begin, m.End, pixels(m.Channel)})
	}
	return row
}

// DatasetsSplit is the datasets library's name for a split.
func DatasetsSplit(split string) string { return datasetsSplits[split] }

// audioMetadata is a line beside a folder of clips. What is nested is JSON in a text, since the library takes the types of columns from
// what it sees, and lists that are empty in one split would be of another type there.
type audioMetadata struct {
	File          string  `json:"file_name"`
	Transcription string  `json:"transcription"`
	Item          int64   `json:"item"`
	Key           string  `json:"key"`
	Begin         float64 `json:"begin"`
	End           float64 `json:"end"`
	Channel       int     `json:"channel"`
	Duration      float64 `json:"duration"`
	Segments      string  `json:"segments"`
	Moments       string  `json:"moments"`
}

// WriteAudioMetadata writes the metadata.jsonl of an AudioFolder of the datasets library: a line an utterance with file_name and
// transcription, its span of the recording in seconds, and as JSON in texts its segments and moments.
func WriteAudioMetadata(w io.Writer, utterances iter.Seq2[Utterance, error]) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for u, err := range utterances {
		if err != nil {
			return err
		}
		segments, err := json.Marshal(append(speech.Transcript{}, u.Transcript...))
		if err != nil {
			return fmt.Errorf("segments of %s: %w", u.Key, err)
		}
		moments, err := json.Marshal(append([]Moment{}, u.Moments...))
		if err != nil {
			return fmt.Errorf("moments of %s: %w", u.Key, err)
		}
		err = lines.Encode(audioMetadata{
			u.File, u.Transcript.Text(), u.ID, u.Key, u.Begin, u.End, u.Channel, exactDifference(u.Begin, u.End), string(segments), string(moments),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// WriteAudioCard writes the head of README.md for the splits that hold something. Without sound the lines alone are loaded.
func WriteAudioCard(w io.Writer, info Set, splits []string, sound bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "---\npretty_name: %s\ntask_categories:\n- automatic-speech-recognition\n", quoted(info.Name))
	b.WriteString("configs:\n- config_name: default\n  data_files:\n")
	for _, split := range splits {
		name := datasetsSplits[split]
		files := "data/" + name + ".jsonl"
		if sound {
			files = "data/" + name + "/**"
		}
		fmt.Fprintf(&b, "  - split: %s\n    path: %s\n", name, files)
	}
	b.WriteString("---\n")
	_, err := io.WriteString(w, b.String())
	return err
}
