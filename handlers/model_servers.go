package handlers

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/internal/sealed"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// ModelAsker asks model servers for somebody who waits for the answer.
type ModelAsker interface {
	// AllowsHost reports whether models may be asked at a host.
	AllowsHost(host string) bool
	// Check asks whether a server is there and is what its settings say.
	Check(ctx context.Context, server store.ModelServer) error
	// Try asks the question of a trial, and says how long the answer took.
	Try(ctx context.Context, trial store.Trial) (models.Output, time.Duration, error)
}

const serverPath = modelsPath + "/{model}/versions/{version}/server"

func (s *Server) modelServerRoutes(r router) {
	r.get(serverPath, access.ReadModels, s.showModelServer)
	r.post(serverPath, access.RegisterModels, s.setModelServer)
	r.post(serverPath+"/check", access.RegisterModels, s.checkModelServer)
	r.post(serverPath+"/try", access.RegisterModels, s.tryModelServer)
}

// versionNamedInPath is the version in the path.
func versionNamedInPath(r *http.Request) string {
	version, err := url.PathUnescape(chi.URLParam(r, "version"))
	if err != nil {
		return ""
	}
	return version
}

func (s *Server) showModelServer(w http.ResponseWriter, r *http.Request) error {
	return s.renderModelServer(w, r, http.StatusOK, nil, web.ModelTrialView{})
}

// renderModelServer shows how a version is asked; form is what was refused, nil for what is kept.
func (s *Server) renderModelServer(w http.ResponseWriter, r *http.Request, status int, form *web.ModelServerForm, trial web.ModelTrialView) error {
	server, err := s.Store.ModelServer(r.Context(), actorOf(r), modelNamed(r), versionNamedInPath(r))
	if err != nil {
		return err
	}
	v := web.ModelServerView{
		Model: server.Model, Version: server.Version, Kind: server.Kind, Adapter: string(server.Adapter), Task: taskName(server.Task()),
		Limits: limitsInWords(server.Settings), Launched: launchInWords(server.Settings), Configuration: hex.EncodeToString(server.Configuration[:6]),
		HasCredential: server.HasCredential, Known: server.Revision > 0, By: server.ChangedBy, At: orZero(server.ChangedAt), Trial: trial,
		Reads: readsText(server.Kind), Hears: server.Kind == "asr",
	}
	if u, err := url.Parse(strings.ReplaceAll(server.URL, ":{port}", "")); err == nil {
		v.Host = u.Host
	}
	if actorOf(r).Allowed(access.RegisterModels) {
		if form == nil {
			form = formOfServer(server)
		}
		v.Form = form
	}
	page := s.page(r, "Server", ui.Crumb{Label: "Models", Href: modelsPath}, ui.Crumb{Label: server.Model, Href: modelPath(server.Model)},
		ui.Crumb{Label: server.Version, Href: modelPath(server.Model) + "#v-" + server.Version}, ui.Crumb{Label: "Server"})
	return render(w, r, status, web.ModelServerPage(page, v))
}

func readsText(kind string) bool { return kind == "formatting" || kind == "nlp" }

func taskName(task string) string {
	switch task {
	case models.TaskSpeech:
		return "words against the truth's transcript"
	case models.TaskDetection:
		return "boxes against the truth's"
	case models.TaskLabel:
		return "one label an utterance"
	case models.TaskLabels:
		return "any number of labels an utterance"
	}
	return "labels on stretches of time"
}

func limitsInWords(m models.Settings) string {
	said := fmt.Sprintf("%g s for an answer, %s, %s at once", m.Timeout.Seconds(), countedWords(m.Attempts, "attempt", "attempts"), countedWords(m.Concurrency, "call", "calls"))
	if m.Rate > 0 {
		said += fmt.Sprintf(", %g a second", m.Rate)
	}
	return said
}

func launchInWords(m models.Settings) string {
	switch m.Launcher {
	case models.ByCommand:
		return "for a run, by the program " + m.Launch.Command[0]
	case models.ByArgo:
		return "for a run, by the WorkflowTemplate " + m.Launch.Template
	}
	return "it runs already"
}

// formOfServer is what is kept as a form shows it.
func formOfServer(server store.ModelServer) *web.ModelServerForm {
	f := &web.ModelServerForm{
		Adapter: string(server.Adapter), URL: server.URL, Model: server.Options.Model, Task: server.Options.TaskOf("nlp"), Revision: server.Revision,
		Timeout: strconv.FormatFloat(server.Timeout.Seconds(), 'f', -1, 64), Attempts: strconv.Itoa(server.Attempts), Concurrency: strconv.Itoa(server.Concurrency),
		Launcher: server.Launcher, Command: strings.Join(server.Launch.Command, "\n"), Ready: server.Launch.Ready, Template: server.Launch.Template,
		Labels: pairLines(server.Options.Labels, " = "), Env: pairLines(server.Launch.Env, "="),
	}
	if server.Revision == 0 {
		f.Adapter = string(models.JSON)
	}
	if server.Rate > 0 {
		f.Rate = strconv.FormatFloat(server.Rate, 'f', -1, 64)
	}
	if server.Launch.Seconds > 0 {
		f.Seconds = strconv.Itoa(server.Launch.Seconds)
	}
	if server.Launch.Port > 0 {
		f.Port = strconv.Itoa(server.Launch.Port)
	}
	rest := server.Options
	rest.Model, rest.Task, rest.Labels = "", "", nil
	if text, err := json.Marshal(rest); err == nil && string(text) != "{}" {
		f.Options = string(text)
	}
	return f
}

// typedServer is the form as it was sent.
func typedServer(r *http.Request) *web.ModelServerForm {
	value := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	f := &web.ModelServerForm{
		Adapter: value("adapter"), URL: value("url"), Model: value("model"), Task: value("task"), Labels: r.PostFormValue("labels"), Options: value("options"),
		Timeout: value("timeout"), Attempts: value("attempts"), Rate: value("rate"), Concurrency: value("concurrency"), Launcher: value("launcher"),
		Command: r.PostFormValue("command"), Env: r.PostFormValue("env"), Ready: value("ready"), Seconds: value("seconds"), Template: value("template"), Port: value("port"),
	}
	f.Revision, _ = strconv.Atoi(value("revision")) // a form without one overwrites
	return f
}

// editOf reads a form.
func editOf(f *web.ModelServerForm) (e store.ModelServerEdit, err error) {
	e = store.ModelServerEdit{Settings: models.Defaults(), Revision: f.Revision}
	if e.Options, err = models.ParseOptions(f.Options); err != nil {
		return e, err
	}
	e.Adapter, e.URL, e.Launcher = models.Adapter(f.Adapter), f.URL, f.Launcher
	e.Options.Model = f.Model
	if f.Task != "" && f.Task != models.TaskLabel {
		e.Options.Task = f.Task
	}
	if e.Options.Labels, err = pairsOf(f.Labels, "labels", "Write each label as the model says it, =, and the class: pos = Positive."); err != nil {
		return e, err
	}
	numbers := []struct {
		field, text string
		into        *float64
	}{{"timeout", f.Timeout, new(float64)}, {"attempts", f.Attempts, new(float64)}, {"concurrency", f.Concurrency, new(float64)}, {"rate", f.Rate, &e.Rate}, {"seconds", f.Seconds, new(float64)}, {"template", f.Port, new(float64)}}
	for _, n := range numbers {
		if n.text == "" {
			continue
		}
		if *n.into, err = strconv.ParseFloat(n.text, 64); err != nil {
			return e, &models.SettingError{Field: n.field, Reason: "Write a number."}
		}
	}
	if f.Timeout != "" {
		e.Timeout = time.Duration(min(max(*numbers[0].into, 0), 1e6) * float64(time.Second))
	}
	if f.Attempts != "" {
		e.Attempts = whole(*numbers[1].into)
	}
	if f.Concurrency != "" {
		e.Concurrency = whole(*numbers[2].into)
	}
	if e.Launcher == "" {
		return e, nil
	}
	e.Launch, err = launchOf(f)
	e.Launch.Seconds, e.Launch.Port = whole(*numbers[4].into), whole(*numbers[5].into)
	return e, err
}

// launchOf reads how it is started; what the other launcher needs is left out.
func launchOf(f *web.ModelServerForm) (l models.Launch, err error) {
	l.Ready = f.Ready
	if f.Launcher == models.ByArgo {
		l.Template = f.Template
		return l, nil
	}
	for line := range strings.Lines(f.Command) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			l.Command = append(l.Command, line)
		}
	}
	l.Env, err = pairsOf(f.Env, "env", "Write each variable as NAME=value.")
	return l, err
}

// whole is a number without its fraction; one that is none of an int's is -1, which no setting allows.
func whole(f float64) int {
	if !(f >= 0 && f < 1e9) || f != float64(int(f)) {
		return -1
	}
	return int(f)
}

// pairLines writes pairs, one a line, by their first.
func pairLines(pairs map[string]string, between string) string {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		lines.WriteString(name + between + pairs[name] + "\n")
	}
	return lines.String()
}

// pairsOf reads pairs, one a line; nil for none.
func pairsOf(text, field, reason string) (pairs map[string]string, err error) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, &models.SettingError{Field: field, Reason: reason}
		}
		if pairs == nil {
			pairs = map[string]string{}
		}
		pairs[name] = strings.TrimSpace(value)
	}
	return pairs, nil
}

func (s *Server) setModelServer(w http.ResponseWriter, r *http.Request) error {
	form := typedServer(r)
	edit, err := editOf(form)
	if err == nil {
		if credential := r.PostFormValue("credential"); credential != "" || r.PostFormValue("forget") != "" {
			edit.Credential = &credential
		}
		err = s.keepModelServer(r.Context(), actorOf(r), modelNamed(r), versionNamedInPath(r), edit)
	}
	if refused, ok := refusalOf(settingRefused(err)); ok {
		form.Refused = refused
		return s.renderModelServer(w, r, http.StatusUnprocessableEntity, form, web.ModelTrialView{})
	}
	if err != nil {
		return err
	}
	s.flash(r, "Saved. Try it before an evaluation does.")
	return seeOther(w, r, web.ModelServerHref(modelNamed(r), versionNamedInPath(r)))
}

// keepModelServer looks at the host first: nobody would be called at one that is not allowed.
func (s *Server) keepModelServer(ctx context.Context, actor store.Actor, model, version string, edit store.ModelServerEdit) error {
	if err := s.hostAllowed(edit); err != nil {
		return err
	}
	return s.Store.SetModelServer(ctx, actor, model, version, edit)
}

// hostAllowed refuses a host at which models may not be asked.
func (s *Server) hostAllowed(edit store.ModelServerEdit) error {
	u, err := url.Parse(edit.URL)
	if err != nil {
		return &store.InvalidError{Field: "url", Reason: "This is not an address. Write it like https://models.example.org/v1."}
	}
	if u.Host == "" || edit.Launcher != "" || s.Models == nil || s.Models.AllowsHost(u.Hostname()) {
		return nil // the store says what is wrong with an address without a host
	}
	return &store.InvalidError{Field: "url", Reason: "Models may not be asked at " + u.Hostname() + ". Whoever runs the server can allow it with --model-hosts."}
}

// settingRefused makes the refusal of a setting one of the store's, which pages and the API show.
func settingRefused(err error) error {
	if setting, ok := errors.AsType[*models.SettingError](err); ok {
		return &store.InvalidError{Field: setting.Field, Reason: setting.Reason}
	}
	return err
}

func (s *Server) checkModelServer(w http.ResponseWriter, r *http.Request) error {
	trial := web.ModelTrialView{}
	err := s.checkServer(r.Context(), actorOf(r), modelNamed(r), versionNamedInPath(r))
	if fault := models.FaultOf(err); fault != nil {
		trial.Fault, trial.Detail = faultInWords(fault)
	} else if err != nil {
		return err
	} else {
		trial.Checked = true
	}
	return s.renderModelServer(w, r, http.StatusOK, nil, trial)
}

// checkServer asks whether the server of a version is there.
func (s *Server) checkServer(ctx context.Context, actor store.Actor, model, version string) error {
	if err := s.asksModels(); err != nil {
		return err
	}
	server, err := s.Store.ModelServer(ctx, actor, model, version)
	if err != nil {
		return err
	}
	if server, err = s.Store.ModelServerFor(ctx, server.VersionID); err != nil {
		return sealedFault(err)
	}
	return s.Models.Check(ctx, server)
}

// sealedFault makes a credential that this installation cannot open a fault of the server.
func sealedFault(err error) error {
	if errors.Is(err, sealed.ErrSealed) {
		return &models.Fault{Code: models.FaultCredential}
	}
	return err
}

// asksModels refuses where this process has nobody who asks.
func (s *Server) asksModels() error {
	if s.Models == nil {
		return &store.InvalidError{Reason: "This process asks no models."}
	}
	return nil
}

func (s *Server) tryModelServer(w http.ResponseWriter, r *http.Request) error {
	view := web.ModelTrialView{Item: strings.TrimSpace(r.PostFormValue("item")), Text: strings.TrimSpace(r.PostFormValue("text"))}
	ask := store.TrialAsk{Text: view.Text}
	if view.Item != "" {
		var err error
		if ask.Item, err = strconv.ParseInt(view.Item, 10, 64); err != nil || ask.Item < 1 {
			view.Refused = web.Refusal{Field: "item", Reason: "Give the number of an item, as its page shows it."}
			return s.renderModelServer(w, r, http.StatusUnprocessableEntity, nil, view)
		}
	}
	out, took, err := s.tryModel(r.Context(), actorOf(r), modelNamed(r), versionNamedInPath(r), ask)
	if refused, ok := refusalOf(err); ok {
		view.Refused = refused
		return s.renderModelServer(w, r, http.StatusUnprocessableEntity, nil, view)
	}
	if fault := models.FaultOf(err); fault != nil {
		view.Fault, view.Detail = faultInWords(fault)
		return s.renderModelServer(w, r, http.StatusOK, nil, view)
	}
	if err != nil {
		return err
	}
	showAnswer(&view, out, took)
	return s.renderModelServer(w, r, http.StatusOK, nil, view)
}

// tryModel asks one question by hand.
func (s *Server) tryModel(ctx context.Context, actor store.Actor, model, version string, ask store.TrialAsk) (models.Output, time.Duration, error) {
	if err := s.asksModels(); err != nil {
		return models.Output{}, 0, err
	}
	trial, err := s.Store.TryModel(ctx, actor, model, version, ask)
	if err != nil {
		return models.Output{}, 0, sealedFault(err)
	}
	return s.Models.Try(ctx, trial)
}

// faultInWords says a fault to people.
func faultInWords(fault *models.Fault) (said, detail string) {
	said = models.Sentence(fault.Code)
	if fault.Status != 0 {
		said = fmt.Sprintf("%s (status %d)", said, fault.Status)
	}
	return said, fault.Detail
}

func showAnswer(v *web.ModelTrialView, out models.Output, took time.Duration) {
	v.Answered, v.Answer, v.Words, v.Took, v.Confidence = true, out.Text, len(out.Words), took, shareOf(out.Confidence)
	for _, l := range out.Labels {
		label := web.ModelTrialLabel{Name: l.Label, Confidence: shareOf(l.Confidence), Span: "all of it"}
		if l.Begin != nil && l.End != nil {
			label.Span = fmt.Sprintf("%.2f to %.2f", *l.Begin, *l.End)
		}
		v.Labels = append(v.Labels, label)
	}
	for _, b := range out.Boxes {
		v.Boxes = append(v.Boxes, web.ModelTrialBox{Class: b.Class, Place: fmt.Sprintf("%.1f, %.1f, %.1f, %.1f", b.X, b.Y, b.W, b.H), Score: shareOf(&b.Score)})
	}
}

func shareOf(confidence *float64) string {
	if confidence == nil {
		return ""
	}
	return strconv.FormatFloat(*confidence, 'f', 3, 64)
}
