package modelserver_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fiducial/internal/models"
	"fiducial/internal/speech"
	"fiducial/jobs/modelserver"
	"fiducial/store"
)

// here lets the stand-ins of these tests be called.
func here() modelserver.Policy {
	return modelserver.Policy{Hosts: []string{"127.0.0.1"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

// standIn is a model server, and the settings by which it is asked.
func standIn(t *testing.T, kind string, adapter models.Adapter, options models.Options, h http.HandlerFunc) (modelserver.Config, *httptest.Server) {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	settings := models.Defaults()
	settings.Adapter, settings.URL, settings.Options, settings.Timeout = adapter, web.URL, options, time.Minute
	server := store.ModelServer{Settings: settings, Model: "m", Version: "1", Kind: kind}
	return modelserver.Config{Server: server, Policy: here(), Backoff: time.Millisecond}, web
}

func ask(t *testing.T, cfg modelserver.Config, in modelserver.Input) (modelserver.Output, error) {
	t.Helper()
	client, err := modelserver.New(cfg)
	if err != nil {
		return modelserver.Output{}, err
	}
	t.Cleanup(client.Close)
	return client.Ask(t.Context(), in)
}

func opened(content string) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
}

func at(v float64) *float64 { return &v }

// says answers every question with a text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, text)
	}
}

func TestOpenAITranscriptions(t *testing.T) {
	t.Parallel()
	var asked string
	cfg, web := standIn(t, "asr", models.OpenAI, models.Options{Model: "whisper-1", Language: "de"}, func(w http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("file")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		content, _ := io.ReadAll(file)
		asked = fmt.Sprint(r.URL.Path, " ", r.FormValue("model"), " ", r.FormValue("language"), " ", r.FormValue("response_format"), " ", r.Form["timestamp_granularities[]"], " ",
			string(content), " ", r.Header.Get("Authorization"), " ", r.Form.Has("prompt"))
		_, _ = io.WriteString(w, `{"language":"german","duration":2,"text":" Guten  Tag ",
			"words":[{"word":"Guten","start":0.1,"end":0.5},{"word":"Tag","start":1.2,"end":1.6,"probability":0.9}],
			"segments":[{"start":0,"end":1,"text":"Guten","avg_logprob":-0.6931471805599453,"no_speech_prob":0.1}]}`)
	})
	cfg.Server.Credential = "key"
	want := modelserver.Output{
		Text: "Guten Tag", Confidence: at(0.7),
		Words: []speech.HeardWord{{Word: "Guten", Start: 0.1, End: 0.5, Confidence: at(0.5)}, {Word: "Tag", Start: 1.2, End: 1.6, Confidence: at(0.9)}},
	}
	for _, address := range []string{web.URL, web.URL + "/v1/", web.URL + "/v1/audio/transcriptions"} {
		cfg.Server.URL = address
		got, err := ask(t, cfg, modelserver.Input{ID: "7", Sound: opened("RIFF")})
		if diff := cmp.Diff(want, got, approximately()); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", address, err, diff)
		}
		if asked != "/v1/audio/transcriptions whisper-1 de verbose_json [word segment] RIFF Bearer key false" {
			t.Errorf("%s: asked %q", address, asked)
		}
	}
}

func approximately() cmp.Option {
	return cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
}

// A server that knows the form json alone has no words.
func TestOpenAITextAlone(t *testing.T) {
	t.Parallel()
	cfg, _ := standIn(t, "asr", models.OpenAI, models.Options{Model: "w"}, says(`{"text":"hello"}`))
	if got, err := ask(t, cfg, modelserver.Input{Sound: opened("RIFF")}); err != nil || got.Text != "hello" || got.Words != nil || got.Confidence != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPlainJSON(t *testing.T) {
	t.Parallel()
	sound := modelserver.Input{ID: "7", Sound: opened("RIFF"), Image: opened("PNG"), ContentType: "image/png", Text: "the words"}
	mood := models.Options{Labels: map[string]string{"pos": "Positive", "neg": "Negative"}}
	tests := map[string]struct {
		kind    string
		options models.Options
		asked   string
		answer  string
		want    modelserver.Output
	}{
		"a recognizer": {
			"asr",
			models.Options{},
			`{"id":"7","audio_url":"data:audio/wav;base64,UklGRg=="}`,
			`{"text":"one\ntwo","confidence":0.5,"words":[{"word":"one","start":0,"end":1,"confidence":0.4},{"word":" "}]}`,
			modelserver.Output{Text: "one two", Confidence: at(0.5), Words: []speech.HeardWord{{Word: "one", End: 1, Confidence: at(0.4)}}},
		},
		"formatting":   {"formatting", models.Options{}, `{"id":"7","text":"the words"}`, `{"text":"The words."}`, modelserver.Output{Text: "The words."}},
		"one label":    {"nlp", mood, `{"id":"7","text":"the words"}`, `{"label":"pos","confidence":0.75}`, modelserver.Output{Labels: []models.Label{{Label: "Positive", Confidence: at(0.75)}}, Confidence: at(0.75)}},
		"another one":  {"nlp", mood, `{"id":"7","text":"the words"}`, `{"label":"neutral","confidence":0.9}`, modelserver.Output{Confidence: at(0.9)}},
		"the best one": {"nlp", mood, `{"id":"7","text":"the words"}`, `{"labels":[{"label":"pos","confidence":0.3},{"label":"neg","confidence":0.7}]}`, modelserver.Output{Labels: []models.Label{{Label: "Negative", Confidence: at(0.7)}}, Confidence: at(0.7)}},
		"many labels": {
			"nlp",
			models.Options{Task: models.TaskLabels, Threshold: 0.5},
			`{"id":"7","text":"the words"}`, `{"labels":["a",{"label":"b","confidence":0.4},{"label":"c","confidence":0.6},"none"]}`,
			modelserver.Output{Labels: []models.Label{{Label: "a"}, {Label: "c", Confidence: at(0.6)}}},
		},
		"no label":  {"nlp", models.Options{Task: models.TaskLabels}, `{"id":"7","text":"the words"}`, `{"labels":[]}`, modelserver.Output{}},
		"stretches": {"nlp", models.Options{Task: models.TaskSpans}, `{"id":"7","text":"the words"}`, `{"labels":[{"label":"q","start":1,"end":2.5}]}`, modelserver.Output{Labels: []models.Label{{Label: "q", Begin: at(1), End: at(2.5)}}}},
		"a detector": {
			"detector",
			models.Options{Labels: map[string]string{"0": "scratch"}},
			`{"id":"7","image_url":"data:image/png;base64,UE5H"}`,
			`{"boxes":[{"label":"0","x":1,"y":2,"w":3,"h":4,"rotation":5,"score":0.5},{"label":"1","x":1,"y":2,"w":3,"h":4},{"class":"0","x":1,"y":2,"w":0,"h":4}]}`,
			modelserver.Output{Boxes: []models.Box{{Class: "scratch", X: 1, Y: 2, W: 3, H: 4, Rotation: 5, Score: 0.5}}},
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []byte
			cfg, _ := standIn(t, c.kind, models.JSON, c.options, func(w http.ResponseWriter, r *http.Request) {
				asked, _ = io.ReadAll(r.Body)
				_, _ = io.WriteString(w, c.answer)
			})
			got, err := ask(t, cfg, sound)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			if string(asked) != c.asked {
				t.Errorf("asked %s\nwant  %s", asked, c.asked)
			}
		})
	}
}

func TestLabelStudioBackends(t *testing.T) {
	t.Parallel()
	in := modelserver.Input{ID: "7", Sound: opened("RIFF"), Image: opened("PNG"), ContentType: "image/png", Width: 200, Height: 100, Text: "the words"}
	tests := map[string]struct {
		kind    string
		options models.Options
		data    string
		result  string
		want    modelserver.Output
	}{
		"boxes about their corner": {
			"detector",
			models.Options{LabelConfig: `<View><Image name="i" value="$photo"/></View>`},
			`{"photo":"data:image/png;base64,UE5H"}`,
			`[{"type":"rectanglelabels","score":0.8,"value":{"x":50,"y":50,"width":10,"height":10,"rotation":90,"rectanglelabels":["scratch"]}}]`,
			// 20 × 10 pixels, turned clockwise by a right angle about (100, 50): its centre is then at (95, 60).
			modelserver.Output{Boxes: []models.Box{{Class: "scratch", X: 85, Y: 55, W: 20, H: 10, Rotation: 90, Score: 0.8}}, Confidence: at(0.25)},
		},
		"a transcript": {"asr", models.Options{}, `{"audio":"data:audio/wav;base64,UklGRg=="}`, `[{"type":"textarea","value":{"text":["hello","there"]}}]`, modelserver.Output{Text: "hello there", Confidence: at(0.25)}},
		"a choice":     {"nlp", models.Options{}, `{"text":"the words"}`, `[{"type":"choices","score":0.6,"value":{"choices":["glad"]}}]`, modelserver.Output{Labels: []models.Label{{Label: "glad", Confidence: at(0.6)}}, Confidence: at(0.25)}},
		"stretches of time": {
			"nlp",
			models.Options{Task: models.TaskSpans},
			`{"text":"the words"}`, `[{"type":"labels","value":{"start":1,"end":2,"labels":["question"]}}]`,
			modelserver.Output{Labels: []models.Label{{Label: "question", Begin: at(1), End: at(2)}}, Confidence: at(0.25)},
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked struct {
				Tasks []struct {
					ID   int             `json:"id"`
					Data json.RawMessage `json:"data"`
				} `json:"tasks"`
				LabelConfig string `json:"label_config"`
			}
			var path string
			cfg, _ := standIn(t, c.kind, models.LabelStudio, c.options, func(w http.ResponseWriter, r *http.Request) {
				if path = r.URL.Path; path == "/predict" && json.NewDecoder(r.Body).Decode(&asked) != nil {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				_, _ = fmt.Fprintf(w, `{"results":[{"result":%s,"score":0.25}]}`, c.result)
			})
			got, err := ask(t, cfg, in)
			if diff := cmp.Diff(c.want, got, approximately()); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			if len(asked.Tasks) != 1 || asked.Tasks[0].ID != 7 || string(asked.Tasks[0].Data) != c.data || asked.LabelConfig != c.options.LabelConfig {
				t.Errorf("asked %+v", asked)
			}
			if err := check(t, cfg); err != nil || path != "/health" {
				t.Errorf("asked at %s: %v", path, err)
			}
		})
	}
}

func check(t *testing.T, cfg modelserver.Config) error {
	t.Helper()
	client, err := modelserver.New(cfg)
	if err != nil {
		return err
	}
	t.Cleanup(client.Close)
	return client.Check(t.Context())
}

func TestOpenInferenceProtocol(t *testing.T) {
	t.Parallel()
	sound := tone()
	in := modelserver.Input{ID: "7", Sound: opened(sound), Image: opened("PNG"), Text: "the words"}
	tests := map[string]struct {
		kind    string
		options models.Options
		input   string
		outputs string
		want    modelserver.Output
	}{
		"a label": {
			"nlp",
			models.Options{Outputs: map[string]string{"label": "out"}},
			`{"name":"text","shape":[1],"datatype":"BYTES","data":["the words"]}`,
			`{"name":"out","shape":[1],"datatype":"BYTES","data":["glad"]},{"name":"confidence","shape":[1],"datatype":"FP32","data":[0.5]}`,
			modelserver.Output{Labels: []models.Label{{Label: "glad", Confidence: at(0.5)}}, Confidence: at(0.5)},
		},
		"probabilities": {
			"nlp",
			models.Options{Task: models.TaskLabels, Threshold: 0.5, Classes: []string{"a", "b", "c"}, Input: &models.Tensor{Name: "t", Shape: []int64{1, 1}}},
			`{"name":"t","shape":[1,1],"datatype":"BYTES","data":["the words"]}`,
			`{"name":"probabilities","shape":[1,3],"datatype":"FP32","data":[[0.7,0.1,0.5]]}`,
			modelserver.Output{Labels: []models.Label{{Label: "a", Confidence: at(0.7)}, {Label: "c", Confidence: at(0.5)}}},
		},
		"samples": {
			"asr",
			models.Options{Input: &models.Tensor{Name: "audio", Datatype: "FP32"}},
			`{"name":"audio","shape":[1,4],"datatype":"FP32","data":[0,0.5,-0.5,0]}`,
			`{"name":"text","shape":[1],"datatype":"BYTES","data":["hello"]}`,
			modelserver.Output{Text: "hello"},
		},
		"a file of sound": {
			"asr",
			models.Options{},
			`{"name":"audio","shape":[1],"datatype":"BYTES","data":["` + base64.StdEncoding.EncodeToString([]byte(sound)) + `"]}`,
			`{"name":"text","shape":[1],"datatype":"BYTES","data":["hello"]}`,
			modelserver.Output{Text: "hello"},
		},
		"boxes": {
			"detector",
			models.Options{Boxes: "cxcywh", Classes: []string{"x", "scratch"}},
			`{"name":"image","shape":[1],"datatype":"BYTES","data":["UE5H"]}`,
			`{"name":"boxes","shape":[1,4],"datatype":"FP32","data":[[50,50,20,10]]},{"name":"labels","shape":[1],"datatype":"INT64","data":[1]},{"name":"scores","shape":[1],"datatype":"FP32","data":[0.9]}`,
			modelserver.Output{Boxes: []models.Box{{Class: "scratch", X: 40, Y: 45, W: 20, H: 10, Score: 0.9}}},
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.options.Model, c.options.Version = "mood v", "2"
			var path string
			var asked struct {
				ID     string            `json:"id"`
				Inputs []json.RawMessage `json:"inputs"`
			}
			cfg, web := standIn(t, c.kind, models.OIP, c.options, func(w http.ResponseWriter, r *http.Request) {
				path = r.URL.EscapedPath()
				if json.NewDecoder(r.Body).Decode(&asked) != nil {
					w.WriteHeader(http.StatusBadRequest)
				}
				_, _ = fmt.Fprintf(w, `{"model_name":"mood","outputs":[%s]}`, c.outputs)
			})
			cfg.Server.URL = web.URL + "/serving/"
			got, err := ask(t, cfg, in)
			if diff := cmp.Diff(c.want, got, approximately()); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			if path != "/serving/v2/models/mood%20v/versions/2/infer" || asked.ID != "7" || len(asked.Inputs) != 1 || string(asked.Inputs[0]) != c.input {
				t.Errorf("asked %s %s %s\nwant %s", path, asked.ID, asked.Inputs, c.input)
			}
		})
	}
}

// tone is a WAV file of four samples.
func tone() string {
	var b bytes.Buffer
	b.WriteString("RIFF\x2c\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x08\x00\x00\x00")
	b.WriteString("\x00\x00\x00\x40\x00\xc0\x00\x00")
	return b.String()
}

// A model of another shape is refused before a run.
func TestShapesAreComparedBeforeARun(t *testing.T) {
	t.Parallel()
	const fits = `{"inputs":[{"name":"text","shape":[-1],"datatype":"BYTES"}],"outputs":[{"name":"label","shape":[-1],"datatype":"BYTES"}]}`
	for metadata, want := range map[string]string{
		fits: "",
		`{"inputs":[{"name":"words","shape":[-1],"datatype":"BYTES"}],"outputs":[{"name":"label"}]}`:                      `no input "text"`,
		`{"inputs":[{"name":"text","shape":[-1],"datatype":"INT64"}],"outputs":[{"name":"label"}]}`:                       "another datatype",
		`{"inputs":[{"name":"text","shape":[-1,512],"datatype":"BYTES"}],"outputs":[{"name":"label"}]}`:                   "another shape",
		`{"inputs":[{"name":"text","shape":[8],"datatype":"BYTES"}],"outputs":[{"name":"label"}]}`:                        "another shape",
		`{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES"},{"name":"mask"}],"outputs":[{"name":"label"}]}`:        "further inputs",
		`{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES"}],"outputs":[{"name":"logits","shape":[-1,3]}]}`:        "outputs lack",
		`{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES"}],"outputs":[{"name":"probabilities","shape":[-1,3]}]}`: "",
		`[]`: "not JSON of the expected form",
	} {
		cfg, _ := standIn(t, "nlp", models.OIP, models.Options{Model: "m"}, says(metadata))
		err := check(t, cfg)
		fault := models.FaultOf(err)
		if want == "" && err != nil || want != "" && (fault == nil || fault.Code != models.FaultShape || !strings.Contains(fault.Detail, want)) {
			t.Errorf("%s: %v, want %q", metadata, err, want)
		}
	}
}

// counting answers with each status in turn, the last one again and again.
func counting(calls *atomic.Int64, statuses ...int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n := int(calls.Add(1))
		status := statuses[min(n, len(statuses))-1]
		w.WriteHeader(status)
		if status == http.StatusOK {
			_, _ = io.WriteString(w, `{"label":"a"}`)
		}
	}
}
