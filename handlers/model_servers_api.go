package handlers

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/internal/speech"
	"fiducial/store"
)

// ServerSettings are the settings of a model version's server.
type ServerSettings struct {
	Adapter     string         `json:"adapter" enum:"openai,oip,labelstudio,json,offline" doc:"The protocol. offline: no server, predictions that are imported."`
	URL         string         `json:"url,omitempty" example:"https://asr.example.org" doc:"Of a server that a command starts: http://127.0.0.1:{port} and a path, or nothing."`
	Options     models.Options `json:"options,omitempty" doc:"With the adapter, they make the configuration by which outputs are kept."`
	Timeout     float64        `json:"timeout_seconds,omitempty" example:"30" doc:"Of one attempt; 30, if it is missing."`
	Attempts    int            `json:"attempts,omitempty" example:"3" doc:"At most, of one question: after no answer in time, no connection, and the status 408, 425, 429 and 5xx; 3, if it is missing."`
	Rate        float64        `json:"rate,omitempty" example:"10" doc:"Calls a second at most, of all workers together; no limit, if it is missing."`
	Concurrency int            `json:"concurrency,omitempty" example:"4" doc:"Calls at once, of all workers together; 4, if it is missing."`
	Launcher    string         `json:"launcher,omitempty" enum:"command,argo" doc:"How the server is started for a run and stopped after it; it runs already, if it is missing."`
	Launch      models.Launch  `json:"launch,omitempty"`
}

// modelServerJSON is how a model version is asked.
type modelServerJSON struct {
	ServerSettings

	Configuration string     `json:"configuration" doc:"SHA-256 of the adapter and the options, in hexadecimal."`
	Task          string     `json:"task" enum:"speech,detection,label,labels,spans" doc:"What its output is measured as."`
	HasCredential bool       `json:"has_credential"`
	Revision      int        `json:"revision" doc:"Raised by every change; 0: nobody said how it is asked, and it is offline."`
	ChangedAt     *time.Time `json:"changed_at,omitempty"`
}

type serverGivenJSON struct {
	ServerSettings

	Credential *string `json:"credential,omitempty" doc:"Kept sealed and never shown. Missing: the one that is there is kept. Empty: it is taken away."`
	Revision   int     `json:"revision,omitempty" doc:"That you saw: a change by somebody else meanwhile is not overwritten. Missing: whatever there is is."`
}

// settings are those of the body, with what is missing.
func (g *serverGivenJSON) edit() store.ModelServerEdit {
	e := store.ModelServerEdit{Settings: models.Defaults(), Credential: g.Credential, Revision: g.Revision}
	e.Adapter, e.URL, e.Options, e.Rate, e.Launcher, e.Launch = models.Adapter(g.Adapter), g.URL, g.Options, g.Rate, g.Launcher, g.Launch
	if g.Timeout != 0 {
		e.Timeout = time.Duration(min(max(g.Timeout, 0), 1e6) * float64(time.Second))
	}
	if g.Attempts != 0 {
		e.Attempts = g.Attempts
	}
	if g.Concurrency != 0 {
		e.Concurrency = g.Concurrency
	}
	return e
}

// ModelVersionPath names a model version in a path.
type ModelVersionPath struct {
	Model   string `path:"model" example:"mood"`
	Version string `path:"version" example:"3"`
}

type setServerInput struct {
	ModelVersionPath

	Body serverGivenJSON
}

type serverOutput struct{ Body modelServerJSON }

type serverCheckOutput struct {
	Body struct {
		Ready bool       `json:"ready"`
		Fault *faultJSON `json:"fault,omitempty"`
	}
}

// faultJSON is why a model could not be asked.
type faultJSON struct {
	Code     string `json:"code" enum:"timeout,connection,status,shape,size,redirect,host,address,credential,source,item,input,no_prediction,launch,settings,changed,ours"`
	Status   int    `json:"status,omitempty" doc:"Of the server's answer."`
	Attempts int    `json:"attempts,omitempty"`
	Sentence string `json:"sentence"`
	Detail   string `json:"detail,omitempty"`
}

type tryServerInput struct {
	ModelVersionPath

	Key  string `header:"Idempotency-Key" doc:"Is refused: what a model says is not kept."`
	Body struct {
		Item int64  `json:"item,omitempty" example:"42" doc:"The model is given its sound, its image, or its truth's transcript."`
		Text string `json:"text,omitempty" doc:"Instead of an item, of a model that is given text."`
	}
}

// answerJSON is what a model answered, with classes by their names in the product.
type answerJSON struct {
	Fault        *faultJSON         `json:"fault,omitempty" doc:"There is no answer."`
	Milliseconds int64              `json:"milliseconds"`
	Text         string             `json:"text,omitempty"`
	Words        []speech.HeardWord `json:"words,omitempty" nullable:"false"`
	Labels       []models.Label     `json:"labels,omitempty" nullable:"false"`
	Boxes        []models.Box       `json:"boxes,omitempty" nullable:"false"`
	Confidence   *float64           `json:"confidence,omitempty"`
}

type tryServerOutput struct{ Body answerJSON }

func (s *Server) modelServerOperations(a api) {
	const (
		path    = "/models/{model}/versions/{version}/server"
		unknown = http.StatusNotFound
		refused = http.StatusUnprocessableEntity
	)
	tags := []string{"Models"}
	operation(a, access.ReadModels, huma.Operation{
		OperationID: "get-model-server", Method: http.MethodGet, Path: path, Tags: tags, Summary: "How a model version is asked", Errors: []int{unknown},
	}, s.apiModelServer)
	operation(a, access.RegisterModels, huma.Operation{
		OperationID: "set-model-server", Method: http.MethodPut, Path: path, Tags: tags, Summary: "Say how a model version is asked",
		Description: "Replaces all settings but the credential. Another adapter or other options make another configuration, under which every item is asked about again.",
		Errors:      []int{unknown, http.StatusConflict, refused},
	}, s.apiSetModelServer)
	operation(a, access.RegisterModels, huma.Operation{
		OperationID: "check-model-server", Method: http.MethodPost, Path: path + "/check", Tags: tags, Summary: "Ask whether a model version's server is there",
		Description: "And whether it is what the settings say: of the Open Inference Protocol, whether its metadata fit.", Errors: []int{unknown, refused},
	}, s.apiCheckModelServer)
	operation(a, access.RegisterModels, huma.Operation{
		OperationID: "try-model-server", Method: http.MethodPost, Path: path + "/try", Tags: tags, Summary: "Ask a model version about one item",
		Description: "Nothing of the answer is kept.", Errors: []int{http.StatusBadRequest, unknown, refused},
	}, s.apiTryModelServer)
}

func serverAsJSON(m store.ModelServer) modelServerJSON {
	return modelServerJSON{
		ServerSettings: ServerSettings{
			Adapter: string(m.Adapter), URL: m.URL, Options: m.Options, Timeout: m.Timeout.Seconds(), Attempts: m.Attempts, Rate: m.Rate, Concurrency: m.Concurrency,
			Launcher: m.Launcher, Launch: m.Launch,
		},
		Configuration: hex.EncodeToString(m.Configuration), Task: m.Task(), HasCredential: m.HasCredential, Revision: m.Revision, ChangedAt: m.ChangedAt,
	}
}

func (s *Server) apiModelServer(ctx context.Context, actor store.Actor, in *ModelVersionPath) (*serverOutput, error) {
	server, err := s.Store.ModelServer(ctx, actor, in.Model, in.Version)
	if err != nil {
		return nil, err
	}
	return &serverOutput{serverAsJSON(server)}, nil
}

func (s *Server) apiSetModelServer(ctx context.Context, actor store.Actor, in *setServerInput) (*serverOutput, error) {
	if err := s.keepModelServer(ctx, actor, in.Model, in.Version, in.Body.edit()); err != nil {
		return nil, err
	}
	return s.apiModelServer(ctx, actor, &in.ModelVersionPath)
}

// faultAsJSON is a fault with its sentence; ok is false for an error that is none.
func faultAsJSON(err error) (f *faultJSON, ok bool) {
	fault := models.FaultOf(err)
	if fault == nil {
		return nil, false
	}
	return &faultJSON{Code: fault.Code, Status: fault.Status, Attempts: fault.Attempts, Sentence: models.Sentence(fault.Code), Detail: fault.Detail}, true
}

func (s *Server) apiCheckModelServer(ctx context.Context, actor store.Actor, in *ModelVersionPath) (*serverCheckOutput, error) {
	err := s.checkServer(ctx, actor, in.Model, in.Version)
	out := &serverCheckOutput{}
	fault, isFault := faultAsJSON(err)
	if err != nil && !isFault {
		return nil, err
	}
	out.Body.Ready, out.Body.Fault = err == nil, fault
	return out, nil
}

func (s *Server) apiTryModelServer(ctx context.Context, actor store.Actor, in *tryServerInput) (*tryServerOutput, error) {
	if in.Key != "" {
		return nil, badRequest("What a model says is not kept, so that this takes no idempotency key. Send it without.")
	}
	answer, took, err := s.tryModel(ctx, actor, in.Model, in.Version, store.TrialAsk{Item: in.Body.Item, Text: in.Body.Text})
	fault, isFault := faultAsJSON(err)
	if err != nil && !isFault {
		return nil, err
	}
	return &tryServerOutput{answerJSON{
		Fault: fault, Milliseconds: took.Milliseconds(), Text: answer.Text, Words: answer.Words, Labels: answer.Labels, Boxes: answer.Boxes, Confidence: answer.Confidence,
	}}, nil
}
