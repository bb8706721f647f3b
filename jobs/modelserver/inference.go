package modelserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"fiducial/internal/models"
	"fiducial/store"
)

// inference asks servers with the Open Inference Protocol, version 2: KServe, Triton, MLServer.
type inference struct {
	*caller

	server store.ModelServer
}

// tensor is one of a question, an answer, or a server's metadata.
type tensor struct {
	Name     string          `json:"name"`
	Shape    []int64         `json:"shape"`
	Datatype string          `json:"datatype"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// path is the address of the model.
func (n *inference) path(after string) string {
	path := "/v2/models/" + url.PathEscape(n.server.Options.Model)
	if n.server.Options.Version != "" {
		path += "/versions/" + url.PathEscape(n.server.Options.Version)
	}
	return n.base.Scheme + "://" + n.base.Host + trimSlash(n.base.EscapedPath()) + path + after
}

func trimSlash(path string) string {
	if path != "" && path[len(path)-1] == '/' {
		return path[:len(path)-1]
	}
	return path
}

// input is the tensor that takes the item.
func (n *inference) input() models.Tensor {
	tensor := models.Tensor{}
	if n.server.Options.Input != nil {
		tensor = *n.server.Options.Input
	}
	if tensor.Name == "" {
		switch {
		case readsText(n.server.Kind):
			tensor.Name = "text"
		case n.server.Kind == "detector":
			tensor.Name = "image"
		default:
			tensor.Name = "audio"
		}
	}
	if tensor.Datatype == "" {
		tensor.Datatype = "BYTES"
	}
	if len(tensor.Shape) == 0 {
		tensor.Shape = []int64{1}
		if tensor.Datatype == "FP32" {
			tensor.Shape = []int64{1, -1}
		}
	}
	return tensor
}

// needs are the outputs that an answer must have, by their roles: all of one of the lists.
func (n *inference) needs() [][]string {
	switch n.server.Task() {
	case models.TaskDetection:
		return [][]string{{"boxes", "labels"}}
	case models.TaskSpeech:
		return [][]string{{"text"}}
	}
	return [][]string{{"label"}, {"probabilities"}}
}

// check compares the metadata of the model with what it would be sent and would have to answer, so that a model of another shape is refused
// before a run.
func (n *inference) check(ctx context.Context) error {
	var metadata struct {
		Inputs  []tensor `json:"inputs"`
		Outputs []tensor `json:"outputs"`
	}
	if err := n.get(ctx, n.path(""), &metadata); err != nil {
		return err
	}
	want := n.input()
	at := slices.IndexFunc(metadata.Inputs, func(t tensor) bool { return t.Name == want.Name })
	switch {
	case at < 0:
		return mismatch("the model has no input %q: name its input in the options", want.Name)
	case metadata.Inputs[at].Datatype != want.Datatype:
		return mismatch("the model's input %q is of another datatype than %s", want.Name, want.Datatype)
	case !fits(metadata.Inputs[at].Shape, want.Shape):
		return mismatch("the model's input %q has another shape than %v", want.Name, want.Shape)
	case len(metadata.Inputs) > 1:
		return mismatch("the model has further inputs beside %q, which it would not be given", want.Name)
	}
	has := func(role string) bool {
		return slices.ContainsFunc(metadata.Outputs, func(t tensor) bool { return t.Name == n.server.Options.Output(role) })
	}
	needs := n.needs()
	if !slices.ContainsFunc(needs, func(roles []string) bool {
		return !slices.ContainsFunc(roles, func(role string) bool { return !has(role) })
	}) {
		return mismatch("the model's outputs lack what is needed, which is %v: name its outputs in the options", needs)
	}
	return nil
}

func mismatch(format string, args ...any) error {
	return &Fault{Code: models.FaultShape, Detail: fmt.Sprintf(format, args...)}
}

// fits reports whether a tensor of one shape can be given where a server says another, in which -1 is any length.
func fits(says, given []int64) bool {
	if len(says) != len(given) {
		return false
	}
	for i := range says {
		if says[i] >= 0 && given[i] >= 0 && says[i] != given[i] {
			return false
		}
	}
	return true
}

func (n *inference) ask(ctx context.Context, in Input) (Output, error) {
	given, err := n.given(ctx, in)
	if err != nil {
		return Output{}, err
	}
	question := struct {
		ID     string   `json:"id"`
		Inputs []tensor `json:"inputs"`
	}{in.ID, []tensor{given}}
	var answer struct {
		Outputs []tensor `json:"outputs"`
	}
	if err := n.postJSON(ctx, n.path("/infer"), question, &answer); err != nil {
		return Output{}, err
	}
	outputs := tensors{n.server.Options, answer.Outputs}
	switch task := n.server.Task(); task {
	case models.TaskDetection:
		return outputs.boxes()
	case models.TaskSpeech:
		return outputs.speech()
	default:
		return outputs.labels(task)
	}
}

// given is the item as a tensor.
func (n *inference) given(ctx context.Context, in Input) (tensor, error) {
	want := n.input()
	t := tensor{Name: want.Name, Shape: slices.Clone(want.Shape), Datatype: want.Datatype}
	var data any
	switch {
	case readsText(n.server.Kind):
		data = []string{in.Text}
	case want.Datatype == "FP32" && n.server.Kind == "asr":
		samples, err := in.samples(ctx)
		if err != nil {
			return t, err
		}
		for i, length := range t.Shape {
			if length < 0 {
				t.Shape[i] = int64(len(samples))
			}
		}
		data = samples
	case want.Datatype == "FP32":
		return t, &Fault{Code: models.FaultSettings, Detail: "only sound is given as FP32"}
	default:
		content, _, err := in.bytes(ctx, n.server.Kind)
		if err != nil {
			return t, err
		}
		data = []string{base64.StdEncoding.EncodeToString(content)}
	}
	text, err := json.Marshal(data)
	if err != nil {
		return t, &Fault{Code: models.FaultItem}
	}
	t.Data = text
	return t, nil
}
