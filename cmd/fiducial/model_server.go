package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"fiducial/internal/models"
)

// modelServerFlags say how a model version is asked. They are the settings of its server as a whole: what is not given is as if it had never been.
type modelServerFlags struct {
	Adapter          string            `help:"Protocol: openai, oip, labelstudio, json or offline." enum:",openai,oip,labelstudio,json,offline" default:"" group:"How it is asked"`
	Address          string            `name:"url" aliases:"server-url" help:"Address of the model's server; its host must be one of the product's --model-hosts." placeholder:"https://asr.example.org" group:"How it is asked"`
	Credential       string            `help:"Bearer token of the model's server; better given by the environment." env:"FIDUCIAL_MODEL_CREDENTIAL" group:"How it is asked"`
	ServedModel      string            `help:"What the server calls the model." placeholder:"whisper-1" group:"How it is asked"`
	Task             string            `help:"Of a language model: label, labels or spans." enum:",label,labels,spans" default:"" group:"How it is asked"`
	Label            map[string]string `help:"A label of the model's and the class that it is here, such as pos=Positive; others are not looked at." group:"How it is asked"`
	Options          string            `help:"Further options as a JSON object, or @FILE with one." placeholder:"JSON" group:"How it is asked"`
	Timeout          time.Duration     `help:"Of one attempt." default:"30s" group:"How it is asked"`
	Attempts         int               `help:"At most, of one question." default:"3" group:"How it is asked"`
	Rate             float64           `help:"Calls a second at most, of all workers together; 0 is no limit." group:"How it is asked"`
	Concurrency      int               `help:"Calls at once, of all workers together." default:"4" group:"How it is asked"`
	Command          string            `help:"Starts the server for a run: a program of the product's --model-commands, and its arguments with {port}, parted by spaces." placeholder:"'serve-mood --port {port}'" group:"How it is asked"`
	WorkflowTemplate string            `help:"Starts the server for a run: a WorkflowTemplate of Argo; with --workflow-port." group:"How it is asked"`
	WorkflowPort     int               `help:"Where that one listens." group:"How it is asked"`
	Env              map[string]string `help:"Environment of the command, or parameters of the template. No secrets: they stand in a table." group:"How it is asked"`
	Ready            string            `help:"Path that answers 2xx once the started server is ready, such as /health." group:"How it is asked"`
	ReadyWithin      time.Duration     `help:"How long that may take." default:"1m" group:"How it is asked"`
}

// modelClientFlags are clientFlags for commands whose --url is the address of a model's server.
type modelClientFlags struct {
	Product string `help:"Address of the product's server." default:"http://127.0.0.1:8080" env:"FIDUCIAL_URL" group:"Server"`
	Token   string `help:"API token; without one, the admin token in the data folder of a server on this machine." env:"FIDUCIAL_TOKEN" group:"Server"`
	Data    string `help:"Data folder of a server on this machine." default:"${data}" env:"FIDUCIAL_DATA" type:"path" group:"Server"`
	JSON    bool   `name:"json" help:"Print JSON: one document, or a line each for lists."`
}

func (f *modelClientFlags) flags() *clientFlags {
	return &clientFlags{URL: f.Product, Token: f.Token, Data: f.Data, JSON: f.JSON}
}

func (f *modelClientFlags) connect() (*client, error) { return f.flags().connect() }

func (f *modelClientFlags) printAnswer(std *streams, v any, text string) error {
	return f.flags().printAnswer(std, v, text)
}

// serverBody is what the API takes.
type serverBody struct {
	Adapter     string         `json:"adapter"`
	URL         string         `json:"url,omitempty"`
	Options     models.Options `json:"options,omitzero"`
	Timeout     float64        `json:"timeout_seconds,omitempty"`
	Attempts    int            `json:"attempts,omitempty"`
	Rate        float64        `json:"rate,omitempty"`
	Concurrency int            `json:"concurrency,omitempty"`
	Launcher    string         `json:"launcher,omitempty"`
	Launch      models.Launch  `json:"launch,omitzero"`
	Credential  *string        `json:"credential,omitempty"`
}

// body is nil if nothing was said of how the model is asked.
func (f *modelServerFlags) body() (*serverBody, error) {
	if f.Adapter == "" {
		if f.Address != "" || f.Command != "" || f.WorkflowTemplate != "" {
			return nil, misuseError("say with --adapter which protocol the server speaks: openai, oip, labelstudio or json")
		}
		return nil, nil
	}
	text := f.Options
	if file, ok := strings.CutPrefix(text, "@"); ok {
		content, err := os.ReadFile(file) //nolint:gosec // the file that whoever runs the command names
		if err != nil {
			return nil, fmt.Errorf("--options: %w", err)
		}
		text = string(content)
	}
	options, err := models.ParseOptions(text)
	if err != nil {
		return nil, misuseError("--options: " + err.Error())
	}
	if f.ServedModel != "" {
		options.Model = f.ServedModel
	}
	if f.Task != "" {
		options.Task = f.Task
	}
	if len(f.Label) > 0 {
		options.Labels = f.Label
	}
	b := &serverBody{
		Adapter: f.Adapter, URL: f.Address, Options: options, Timeout: f.Timeout.Seconds(), Attempts: f.Attempts, Rate: f.Rate, Concurrency: f.Concurrency,
	}
	if f.Credential != "" {
		b.Credential = &f.Credential
	}
	switch {
	case f.Command != "":
		b.Launcher, b.Launch = models.ByCommand, models.Launch{Command: strings.Fields(f.Command), Env: f.Env}
	case f.WorkflowTemplate != "":
		b.Launcher, b.Launch = models.ByArgo, models.Launch{Template: f.WorkflowTemplate, Port: f.WorkflowPort, Env: f.Env}
	}
	if b.Launcher != "" {
		b.Launch.Ready, b.Launch.Seconds = f.Ready, int(f.ReadyWithin.Seconds())
	}
	return b, nil
}

// parseRelease parts NAME@VERSION.
func parseRelease(named string) (model, version string, err error) {
	model, version, ok := strings.Cut(named, "@")
	if !ok || model == "" || version == "" {
		return "", "", misuseError("write the release as NAME@VERSION, such as strip-detector@2.1")
	}
	return model, version, nil
}

func serverPath(model, version string) string {
	return "/models/" + url.PathEscape(model) + "/versions/" + url.PathEscape(version) + "/server"
}

type modelServerCommand struct {
	modelClientFlags `embed:""`
	modelServerFlags `embed:""`

	Release string `arg:"" name:"name@version" help:"Model and version, such as mood@3."`
}

// serverAnswer is how a model version is asked as the server tells it.
type serverAnswer struct {
	serverBody

	Configuration string `json:"configuration"`
	Task          string `json:"task"`
	HasCredential bool   `json:"has_credential"`
	Revision      int    `json:"revision"`
}

func (a *serverAnswer) text(release string) string {
	if a.Revision == 0 {
		return release + ": nobody said how it is asked; its predictions are imported"
	}
	said := release + ", " + a.Adapter
	switch {
	case a.Launcher != "":
		said += ", started for a run by " + a.Launcher
	case a.URL != "":
		said += " at " + a.URL
	}
	return said + "\nmeasured as " + a.Task + "\nconfiguration " + a.Configuration
}

func (c *modelServerCommand) Run(ctx context.Context, std *streams) error {
	model, version, err := parseRelease(c.Release)
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var answer serverAnswer
	if body == nil {
		err = server.get(ctx, serverPath(model, version), &answer)
	} else {
		err = server.put(ctx, serverPath(model, version), body, &answer)
	}
	if err != nil {
		return err
	}
	return c.printAnswer(std, answer, answer.text(c.Release))
}

// put sends in as JSON and reads the answer into out.
func (c *client) put(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.send(ctx, http.MethodPut, path, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body), decodeInto(out))
}

type modelTryCommand struct {
	clientFlags `embed:""`

	Release string `arg:"" name:"name@version" help:"Model and version, such as mood@3."`
	Item    int64  `help:"Number of the item that the model is given; without it, and without a text, only whether the server is there is asked."`
	Text    string `help:"Text that the model is given."`
}

// modelFault is why a model could not be asked.
type modelFault struct {
	Code     string `json:"code"`
	Status   int    `json:"status,omitempty"`
	Attempts int    `json:"attempts,omitempty"`
	Sentence string `json:"sentence"`
	Detail   string `json:"detail,omitempty"`
}

func (f *modelFault) text() string {
	said := f.Sentence
	if f.Status != 0 {
		said += fmt.Sprintf(" (status %d)", f.Status)
	}
	if f.Detail != "" {
		said += "\n" + f.Detail
	}
	return said
}

type trialAnswer struct {
	Ready        bool            `json:"ready,omitempty"`
	Fault        *modelFault     `json:"fault,omitempty"`
	Milliseconds int64           `json:"milliseconds,omitempty"`
	Text         string          `json:"text,omitempty"`
	Words        json.RawMessage `json:"words,omitempty"`
	Labels       []models.Label  `json:"labels,omitempty"`
	Boxes        []models.Box    `json:"boxes,omitempty"`
	Confidence   *float64        `json:"confidence,omitempty"`
}

func (a *trialAnswer) text() string {
	switch {
	case a.Fault != nil:
		return a.Fault.text()
	case a.Ready:
		return "the server is there, and is what the settings say"
	}
	lines := []string{fmt.Sprintf("answered in %d ms", a.Milliseconds)}
	if a.Confidence != nil {
		lines[0] += fmt.Sprintf(", confidence %.3f", *a.Confidence)
	}
	if a.Text != "" {
		lines = append(lines, a.Text)
	}
	for _, l := range a.Labels {
		line := l.Label
		if l.Begin != nil && l.End != nil {
			line += fmt.Sprintf("\t%.2f to %.2f s", *l.Begin, *l.End)
		}
		lines = append(lines, line)
	}
	for _, b := range a.Boxes {
		lines = append(lines, fmt.Sprintf("%s\t%.1f %.1f %.1f %.1f\t%.3f", b.Class, b.X, b.Y, b.W, b.H, b.Score))
	}
	if a.Text == "" && len(a.Labels) == 0 && len(a.Boxes) == 0 {
		lines = append(lines, "it found nothing of the classes that are looked at")
	}
	return strings.Join(lines, "\n")
}

func (c *modelTryCommand) Run(ctx context.Context, std *streams) error {
	model, version, err := parseRelease(c.Release)
	if err != nil {
		return err
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	path, body := serverPath(model, version)+"/check", "{}"
	if c.Item != 0 || c.Text != "" {
		path = serverPath(model, version) + "/try"
		question, err := json.Marshal(map[string]any{"item": c.Item, "text": c.Text})
		if err != nil {
			return err
		}
		body = string(question)
	}
	var answer trialAnswer
	err = server.send(ctx, http.MethodPost, path, http.Header{"Content-Type": {"application/json"}}, strings.NewReader(body), decodeInto(&answer))
	if err != nil {
		return err
	}
	if err := c.printAnswer(std, answer, answer.text()); err != nil {
		return err
	}
	if answer.Fault != nil {
		return errAnswerNo
	}
	return nil
}
