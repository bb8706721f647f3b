package modelserver

import (
	"context"
	"errors"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"strings"

	"fiducial/internal/models"
	"fiducial/internal/speech"
	"fiducial/store"
)

// openAI asks servers with OpenAI's transcriptions.
type openAI struct {
	*caller

	server store.ModelServer
}

// transcriptions is what is called, below an address that may end with parts of it.
const transcriptions = "/v1/audio/transcriptions"

func (o *openAI) address() string {
	if strings.HasSuffix(strings.TrimSuffix(o.base.Path, "/"), "/v1") {
		return o.at("/audio/transcriptions")
	}
	return o.at(transcriptions)
}

// check asks for the list of models, which such servers have. One that has none answers 404, and is there.
func (o *openAI) check(ctx context.Context) error {
	address := o.sibling(transcriptions, "/v1/models")
	if base, ok := strings.CutSuffix(strings.TrimSuffix(o.base.Path, "/"), "/v1"); ok {
		at := *o.base
		at.Path = base + "/v1/models"
		address = at.String()
	}
	err := o.get(ctx, address, nil)
	if fault := models.FaultOf(err); fault != nil && fault.Code == models.FaultStatus && (fault.Status == http.StatusNotFound || fault.Status == http.StatusMethodNotAllowed) {
		return nil
	}
	return err
}

// transcription is an answer in the form verbose_json, or json, which has the text alone.
type transcription struct {
	Text  *string `json:"text"`
	Words []struct {
		Word        string   `json:"word"`
		Start       float64  `json:"start"`
		End         float64  `json:"end"`
		Probability *float64 `json:"probability"`
	} `json:"words"`
	Segments []struct {
		Start  float64  `json:"start"`
		End    float64  `json:"end"`
		AvgLog *float64 `json:"avg_logprob"`
	} `json:"segments"`
}

func (o *openAI) ask(ctx context.Context, in Input) (Output, error) {
	sound, _, err := in.media(ctx, o.server.Kind)
	if err != nil {
		return Output{}, err
	}
	body, pipe := io.Pipe()
	form := multipart.NewWriter(pipe)
	written := make(chan struct{})
	go func() {
		defer close(written)
		err := errors.Join(o.write(form, itemReader{sound}), sound.Close())
		_ = pipe.CloseWithError(err)
	}()
	var answer transcription
	err = o.call(ctx, http.MethodPost, o.address(), form.FormDataContentType(), body, &answer)
	_ = body.Close() // the writer ends if the server did not read to the end
	<-written
	if err != nil {
		return Output{}, err
	}
	if answer.Text == nil {
		return Output{}, &Fault{Code: models.FaultShape, Detail: "the answer has no text"}
	}
	return answer.output(), nil
}

// write writes the question; the sound is read while it is sent.
func (o *openAI) write(form *multipart.Writer, sound io.Reader) error {
	options := o.server.Options
	fields := [][2]string{
		{"model", options.Model},
		{"response_format", "verbose_json"},
		{"timestamp_granularities[]", "word"},
		{"timestamp_granularities[]", "segment"},
		{"language", options.Language},
		{"prompt", options.Prompt},
	}
	for _, field := range fields {
		if field[1] == "" {
			continue
		}
		if err := form.WriteField(field[0], field[1]); err != nil {
			return err
		}
	}
	file, err := form.CreateFormFile("file", "audio.wav")
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, sound); err != nil {
		return err
	}
	return form.Close()
}

// output takes a word's own probability where the server gives one, and else that of its segment, which is the exponential of its mean
// logarithm. The whole is the mean of its words, or of its segments by their length.
func (t *transcription) output() Output {
	out := Output{Text: *t.Text}
	sum, scored := 0.0, 0
	for _, w := range t.Words {
		word := speech.HeardWord{Word: w.Word, Start: w.Start, End: w.End, Confidence: w.Probability}
		if word.Confidence == nil {
			word.Confidence = t.segmentAt((w.Start + w.End) / 2)
		}
		if word.Confidence != nil {
			sum += *word.Confidence
			scored++
		}
		out.Words = append(out.Words, word)
	}
	switch {
	case scored > 0 && scored == len(t.Words):
		mean := sum / float64(scored)
		out.Confidence = &mean
	case len(t.Words) == 0:
		out.Confidence = t.meanSegment()
	}
	return out
}

// segmentAt is the confidence of the segment that a time lies in, nil without one.
func (t *transcription) segmentAt(seconds float64) *float64 {
	for _, s := range t.Segments {
		if s.AvgLog != nil && seconds >= s.Start && seconds <= s.End {
			p := math.Exp(min(*s.AvgLog, 0))
			return &p
		}
	}
	return nil
}

func (t *transcription) meanSegment() *float64 {
	sum, length := 0.0, 0.0
	for _, s := range t.Segments {
		if s.AvgLog == nil || s.End <= s.Start {
			return nil
		}
		sum += math.Exp(min(*s.AvgLog, 0)) * (s.End - s.Start)
		length += s.End - s.Start
	}
	if length == 0 {
		return nil
	}
	mean := sum / length
	return &mean
}
