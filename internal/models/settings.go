package models

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Adapter is the protocol by which a model version is asked.
type Adapter string

// The adapters.
const (
	OpenAI      Adapter = "openai"      // POST …/v1/audio/transcriptions
	OIP         Adapter = "oip"         // Open Inference Protocol v2: KServe, Triton, MLServer
	LabelStudio Adapter = "labelstudio" // Label Studio ML backend: POST /predict
	JSON        Adapter = "json"        // POST {"id","text"} and the like
	Offline     Adapter = "offline"     // no server: predictions that were imported
)

// Adapters lists every adapter.
func Adapters() []Adapter { return []Adapter{OpenAI, OIP, LabelStudio, JSON, Offline} }

// What a slot's output is measured as. A model that says what words mean has one of the last three as its task.
const (
	TaskSpeech    = "speech"
	TaskDetection = "detection"
	TaskLabel     = "label"  // one label an utterance
	TaskLabels    = "labels" // any number
	TaskSpans     = "spans"  // labels on stretches of time
)

// Options are what of a server's settings changes what it answers: with the adapter, they are its configuration.
type Options struct {
	Model    string `json:"model,omitempty" example:"whisper-1" doc:"What the server calls the model."`
	Version  string `json:"version,omitempty" doc:"oip: of the model, if the server has several."`
	Language string `json:"language,omitempty" example:"en" doc:"openai: of the speech, by ISO 639-1."`
	Prompt   string `json:"prompt,omitempty" doc:"openai: sent along."`

	Task   string            `json:"task,omitempty" enum:"label,labels,spans" doc:"nlp: one label an utterance (label, if it is missing), any number of labels, or labels on stretches of time."`
	Labels map[string]string `json:"labels,omitempty" doc:"The model's own labels and the names of the product's classes; others are not looked at. Without any, they are called the same."`
	None   string            `json:"none,omitempty" doc:"What an utterance without any of the classes is called; none, if it is missing."`
	// Threshold is the confidence from which on a label counts, where the server answers with one for every class.
	Threshold float64 `json:"threshold,omitempty" minimum:"0" maximum:"1" doc:"The confidence from which on a label counts."`

	LabelConfig string `json:"label_config,omitempty" doc:"labelstudio: the labeling interface that is sent along."`

	Input   *Tensor           `json:"input,omitempty" doc:"oip: the tensor that takes the text, the sound or the image; text, audio or image as BYTES of shape [1], if it is missing."`
	Outputs map[string]string `json:"outputs,omitempty" doc:"oip: the names of the output tensors for the roles text, label, confidence, probabilities, boxes, labels and scores; a role's own name, if it is missing."`
	Classes []string          `json:"classes,omitempty" nullable:"false" doc:"oip: the model's own labels in the order of its numbers or probabilities."`
	Boxes   string            `json:"boxes,omitempty" enum:"xyxy,xywh,cxcywh" doc:"oip: what the four numbers of a box are, in pixels; xyxy, if it is missing."`

	Media string `json:"media,omitempty" enum:"data" doc:"json, labelstudio: how sound and images are given: as a data: URL, so that the server needs nothing of the product's to read it."`
	// CredentialHeader is the header that bears the credential; "Authorization: Bearer …" if empty.
	CredentialHeader string `json:"credential_header,omitempty" example:"X-Api-Key" doc:"The header that bears the credential; Authorization as a bearer token, if it is missing."`
}

// Tensor is an input of the Open Inference Protocol.
type Tensor struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype,omitempty" enum:"BYTES,FP32" doc:"BYTES: text, or a file in base64. FP32: samples of sound from -1 to 1, the mean of its channels."`
	Shape    []int64 `json:"shape,omitempty" nullable:"false" doc:"-1 is the number of samples."`
}

// Roles are what an output tensor of the Open Inference Protocol can be.
func Roles() []string {
	return []string{"text", "label", "confidence", "probabilities", "boxes", "labels", "scores"}
}

// Output is the name of the tensor of a role.
func (o Options) Output(role string) string {
	if name := o.Outputs[role]; name != "" {
		return name
	}
	return role
}

// NoneName is what an utterance without any of the classes is called.
func (o Options) NoneName() string {
	if o.None == "" {
		return "none"
	}
	return o.None
}

// TaskOf returns what the output of a model of a kind is measured as.
func (o Options) TaskOf(kind string) string {
	switch kind {
	case "detector":
		return TaskDetection
	case "nlp":
		if o.Task == "" {
			return TaskLabel
		}
		return o.Task
	}
	return TaskSpeech
}

// Class is the product's class for a label of the model; ok is false for one that is not looked at.
func (o Options) Class(label string) (class string, ok bool) {
	if len(o.Labels) == 0 {
		return label, label != o.NoneName()
	}
	class, ok = o.Labels[label]
	return class, ok && class != o.NoneName()
}

// Launch says how a server is started for a run.
type Launch struct {
	// Command is a program in the folder that whoever runs the product keeps for them, and its arguments, in which {port} is the port.
	Command  []string          `json:"command,omitempty" nullable:"false" example:"[\"serve-mood\",\"--port\",\"{port}\"]" doc:"A program of the folder of --model-commands, and its arguments; {port} is the port, as is PORT in its environment."`
	Env      map[string]string `json:"env,omitempty" doc:"Its environment beside PORT; of a template: its parameters. No secrets: they stand in a table."`
	Ready    string            `json:"ready,omitempty" example:"/health" doc:"The path that answers 2xx once it is ready; any answer will do, if it is missing."`
	Seconds  int               `json:"seconds,omitempty" doc:"That it may take to be ready; 60, if it is missing."`
	Template string            `json:"template,omitempty" doc:"The WorkflowTemplate of Argo that serves the model."`
	Port     int               `json:"port,omitempty" doc:"Where it listens in the cluster."`
}

// The ways to start a server for a run.
const (
	ByCommand = "command"
	ByArgo    = "argo"
)

// ReadyWithin is how long it may take to be ready.
func (l Launch) ReadyWithin() time.Duration {
	if l.Seconds == 0 {
		return time.Minute
	}
	return time.Duration(l.Seconds) * time.Second
}

// Settings are how a model version is asked.
type Settings struct {
	Adapter     Adapter
	URL         string // in which {port} is the port, of a server that a command starts
	Options     Options
	Timeout     time.Duration // of one attempt
	Attempts    int           // at most, of one question
	Rate        float64       // calls a second at most, of all workers together; 0: no limit
	Concurrency int           // calls at once, of all workers together
	Launcher    string        // "", ByCommand or ByArgo
	Launch      Launch
}

// Defaults are the settings that are not said.
func Defaults() Settings {
	return Settings{Adapter: JSON, Timeout: 30 * time.Second, Attempts: 3, Concurrency: 4}
}

// Configuration is the SHA-256 of all that changes what a model version answers: outputs are kept by it. The task and the threshold are
// among that, since labels are kept as the product calls them.
func Configuration(adapter Adapter, options Options) ([]byte, error) {
	text, err := json.Marshal(struct {
		Adapter Adapter `json:"adapter"`
		Options Options `json:"options"`
	}{adapter, options}) // members in the order of the struct, those of maps in that of their keys
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}

// SettingError is a setting that cannot be kept; its reason is a sentence that says what to do.
type SettingError struct{ Field, Reason string }

func (e *SettingError) Error() string { return e.Reason }

func wrong(field, reason string) error { return &SettingError{field, reason} }

// adapterKinds are the kinds of model that an adapter can ask.
var adapterKinds = map[Adapter][]string{
	OpenAI: {"asr"}, OIP: {"detector", "asr", "formatting", "nlp"}, LabelStudio: {"detector", "asr", "nlp"}, JSON: {"detector", "asr", "formatting", "nlp"},
	Offline: {"detector", "asr", "formatting", "nlp"},
}

// Check says what is wrong with the settings for a model of a kind, or nil.
func (s *Settings) Check(kind string) error {
	kinds, known := adapterKinds[s.Adapter]
	switch {
	case !known:
		return wrong("adapter", "Choose openai, oip, labelstudio, json or offline.")
	case !slices.Contains(kinds, kind):
		return wrong("adapter", fmt.Sprintf("The adapter %s asks models of the kind %s; this one is of the kind %s.", s.Adapter, strings.Join(kinds, ", "), kind))
	case s.Timeout < 100*time.Millisecond || s.Timeout > time.Hour:
		return wrong("timeout", "Give an attempt between a tenth of a second and an hour.")
	case s.Attempts < 1 || s.Attempts > 10:
		return wrong("attempts", "Choose between 1 and 10 attempts.")
	case !(s.Rate >= 0 && s.Rate <= 1e6):
		return wrong("rate", "Give the calls a second as a number above 0, or leave it empty for no limit.")
	case s.Concurrency < 1 || s.Concurrency > 1000:
		return wrong("concurrency", "Choose between 1 and 1000 calls at once.")
	}
	for _, check := range []func() error{s.checkLaunch, s.checkURL, s.checkOptions} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkURL looks at the address, which a server that is started for a run may have on this machine alone.
func (s *Settings) checkURL() error {
	if s.Adapter == Offline {
		if s.URL != "" {
			return wrong("url", "An offline model is not called: leave its address empty.")
		}
		return nil
	}
	if s.Launcher != "" && s.URL == "" {
		return nil
	}
	address := strings.ReplaceAll(s.URL, "{port}", "80")
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || len(address) > 2000:
		return wrong("url", "Give the address of the server, such as https://asr.example.org.")
	case u.User != nil:
		return wrong("url", "Leave name and password out of the address: give them as the credential, which is kept sealed.")
	case u.Fragment != "":
		return wrong("url", "Leave what follows the # out of the address: no server is told of it.")
	case address != s.URL && s.Launcher == "":
		return wrong("url", "{port} is for a server that is started for a run: write the port.")
	case s.Launcher == ByCommand && (u.Hostname() != "127.0.0.1" || !strings.Contains(s.URL, "//127.0.0.1:{port}")):
		return wrong("url", "A server that a command starts listens on http://127.0.0.1:{port}: begin the address with that, or leave it empty.")
	}
	return nil
}

func (s *Settings) checkLaunch() error {
	l := s.Launch
	switch s.Launcher {
	case "":
		if len(l.Command) > 0 || l.Template != "" {
			return wrong("launcher", "Choose how the server is started, or leave the command empty.")
		}
		return nil
	case ByCommand:
		if len(l.Command) == 0 || !plainName(l.Command[0]) {
			return wrong("command", "Begin the command with the name of a program in the folder of --model-commands, without its path.")
		}
	case ByArgo:
		if !dnsName(l.Template) || l.Port < 1 || l.Port > 65535 {
			return wrong("template", "Name the WorkflowTemplate that serves the model, and the port on which it listens.")
		}
	default:
		return wrong("launcher", "Choose command or argo, or leave it empty for a server that runs already.")
	}
	switch {
	case s.Adapter == Offline:
		return wrong("launcher", "An offline model has no server to start.")
	case l.Seconds < 0 || l.Seconds > 3600:
		return wrong("seconds", "Give it between 1 and 3600 seconds to be ready.")
	case l.Ready != "" && !strings.HasPrefix(l.Ready, "/"):
		return wrong("ready", "Begin the path that tells that it is ready with a slash, such as /health.")
	case len(l.Command) > 100 || len(l.Env) > 100:
		return wrong("command", "Keep to 100 arguments and 100 variables.")
	}
	for name := range l.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || name == "PORT" {
			return wrong("env", "Name each variable without =, and leave PORT to the product.")
		}
	}
	return nil
}

func plainName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\\\x00")
}

// dnsName reports whether s can be the name of an object in Kubernetes.
func dnsName(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

func (s *Settings) checkOptions() error {
	o := s.Options
	switch {
	case !slices.Contains([]string{"", TaskLabel, TaskLabels, TaskSpans}, o.Task):
		return wrong("task", "Choose label, labels or spans.")
	case !(o.Threshold >= 0 && o.Threshold <= 1):
		return wrong("threshold", "Give the threshold as a confidence from 0 to 1.")
	case s.Adapter == OpenAI && o.Model == "":
		return wrong("model", "Say what the server calls the model, such as whisper-1.")
	case s.Adapter == OIP && (o.Model == "" || strings.Contains(o.Model, "/") || strings.Contains(o.Version, "/")):
		return wrong("model", "Say what the server calls the model: the name in its address, without slashes.")
	case !slices.Contains([]string{"", "data"}, o.Media):
		return wrong("media", "Sound and images are given as a data: URL: choose data, or leave it empty.")
	case !slices.Contains([]string{"", "xyxy", "xywh", "cxcywh"}, o.Boxes):
		return wrong("boxes", "Choose xyxy, xywh or cxcywh.")
	case strings.ContainsFunc(o.CredentialHeader, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }):
		return wrong("credential_header", "Name the header that bears the credential, such as X-Api-Key.")
	}
	for role := range o.Outputs {
		if !slices.Contains(Roles(), role) {
			return wrong("outputs", strconv.Quote(role)+" is no role of an output: use "+strings.Join(Roles(), ", ")+".")
		}
	}
	for label, class := range o.Labels {
		if label == "" || class == "" {
			return wrong("labels", "Give each label of the model the name of a class.")
		}
	}
	if t := o.Input; t != nil && (t.Name == "" || !slices.Contains([]string{"", "BYTES", "FP32"}, t.Datatype) || len(t.Shape) > 4) {
		return wrong("input", "Give the input tensor a name, the datatype BYTES or FP32, and at most four dimensions.")
	}
	return nil
}

// ParseOptions reads options from JSON; a member that is not known is refused by name.
func ParseOptions(text string) (o Options, err error) {
	err = parseStrict(text, &o, "options")
	return o, err
}

// ParseLaunch reads how a server is started from JSON.
func ParseLaunch(text string) (l Launch, err error) {
	err = parseStrict(text, &l, "launch")
	return l, err
}

func parseStrict(text string, into any, field string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil && decoder.More() {
		err = errors.New("there is more than one object")
	}
	if err != nil {
		return wrong(field, "Write the "+field+" as one JSON object: "+strings.TrimPrefix(err.Error(), "json: ")+".")
	}
	return nil
}
