package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"fiducial/handlers"
	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/store"
	"fiducial/store/storetest"
)

// mouthpiece stands for whoever asks model servers.
type mouthpiece struct {
	fault *models.Fault
	asked store.Trial
}

func (*mouthpiece) AllowsHost(host string) bool { return host == "mood.example.org" }

func (m *mouthpiece) Check(_ context.Context, server store.ModelServer) error {
	m.asked.Server = server
	return m.answer()
}

func (m *mouthpiece) answer() error {
	if m.fault != nil {
		return m.fault
	}
	return nil
}

func (m *mouthpiece) Try(_ context.Context, trial store.Trial) (models.Output, time.Duration, error) {
	m.asked = trial
	sure := 0.75
	return models.Output{Labels: []models.Label{{Label: "Positive", Confidence: &sure}}, Confidence: &sure}, 12 * time.Millisecond, m.answer()
}

func TestServerOfAReleaseOnItsPage(t *testing.T) {
	t.Parallel()
	asker := &mouthpiece{}
	s := newSite(t, func(cfg *handlers.Config) { cfg.Models = asker })
	admin, viewer := s.browser(access.Admin), s.browser(access.Viewer)
	admin.post("/models", "name", "mood", "kind", "nlp").to("/models/mood")
	admin.post("/models/mood/versions", "version", "3").to("/models/mood")
	const page = "/models/mood/versions/3/server"
	admin.get("/models/mood").want(http.StatusOK).shows("Asked by not said")
	admin.get(page).want(http.StatusOK).shows("Nobody said it", "Set it").lacks("Try it")
	admin.post(page, "adapter", "json", "url", "https://elsewhere.example.org").want(http.StatusUnprocessableEntity).shows("Models may not be asked at elsewhere.example.org", "--model-hosts")
	admin.post(page, "adapter", "json", "url", "https://mood.example.org", "labels", "pos").want(http.StatusUnprocessableEntity).shows("Write each label as the model says it")
	admin.post(page, "adapter", "json", "url", "https://mood.example.org", "options", `{"colour":1}`).want(http.StatusUnprocessableEntity).shows("unknown field")
	admin.post(page, "adapter", "json", "url", "https://mood.example.org", "timeout", "soon").want(http.StatusUnprocessableEntity).shows("Write a number.")
	admin.post(page, "adapter", "openai", "url", "https://mood.example.org").want(http.StatusUnprocessableEntity).shows("The adapter openai asks models of the kind asr")
	admin.post(page, "adapter", "json", "url", "https://mood.example.org/ask", "task", "labels", "labels", "pos = Positive\r\nneg = Negative", "options", `{"threshold":0.4}`,
		"timeout", "1.5", "attempts", "2", "concurrency", "8", "rate", "0.5").to(page)
	admin.get(page).want(http.StatusOK).shows("one JSON object", "mood.example.org", "1.5 s for an answer, 2 attempts, 8 calls at once, 0.5 a second", "any number of labels an utterance", "Try it", `{"threshold":0.4}`)
	admin.get("/models/mood").want(http.StatusOK).shows("json at mood.example.org")
	viewer.get(page).want(http.StatusOK).shows("mood.example.org").lacks("Set it", "Try it")

	admin.post(page + "/check").want(http.StatusOK).shows("The server is there")
	admin.post(page+"/try", "text", "what a fine day").want(http.StatusOK).shows("12 ms", "Positive", "0.750")
	if asker.asked.Text != "what a fine day" || asker.asked.Server.Options.Labels["neg"] != "Negative" || asker.asked.Server.Options.Threshold != 0.4 {
		t.Errorf("asked %+v", asker.asked)
	}
	admin.post(page+"/try", "item", "first").want(http.StatusUnprocessableEntity).shows("Give the number of an item")
	admin.post(page+"/try", "item", "999999").want(http.StatusUnprocessableEntity).shows("There is no item 999999")
	asker.fault = &models.Fault{Code: models.FaultStatus, Status: 503}
	admin.post(page+"/try", "text", "what a fine day").want(http.StatusOK).shows("No answer", "status 503").lacks("0.750")
	admin.post(page + "/check").want(http.StatusOK).shows("No answer").lacks("The server is there")
}

func TestServersThroughTheAPI(t *testing.T) {
	t.Parallel()
	asker := &mouthpiece{}
	s := newSite(t, func(cfg *handlers.Config) { cfg.Models = asker })
	admin := s.browser(access.Admin)
	const api = "/api/v1/models/mood/versions"
	admin.body(http.MethodPost, "/api/v1/models", `{"name":"mood","kind":"nlp"}`).want(http.StatusCreated)
	refused := `{"version":"3","server":{"adapter":"json","url":"https://elsewhere.example.org"}}`
	admin.body(http.MethodPost, api, refused).want(http.StatusUnprocessableEntity).shows("Models may not be asked at elsewhere.example.org")
	admin.body(http.MethodPost, api, `{"version":"3","server":{"adapter":"json","url":"https://mood.example.org","attempts":99}}`).want(http.StatusUnprocessableEntity)
	admin.body(http.MethodPost, api, `{"version":"3","server":{"adapter":"json","url":"https://mood.example.org","options":{"labels":{"pos":"Positive"}}}}`).want(http.StatusCreated)
	admin.body(http.MethodGet, api+"/3/server", "").want(http.StatusOK).shows(`"timeout_seconds":30`, `"revision":1`, `"has_credential":false`, `"task":"label"`)
	put := `{"adapter":"json","url":"https://mood.example.org","options":{"task":"spans"},"revision":%d}`
	admin.body(http.MethodPut, api+"/3/server", fmt.Sprintf(put, 1)).want(http.StatusOK).shows(`"revision":2`, `"task":"spans"`)
	admin.body(http.MethodPut, api+"/3/server", fmt.Sprintf(put, 1)).want(http.StatusConflict)
	admin.body(http.MethodPut, api+"/4/server", fmt.Sprintf(put, 0)).want(http.StatusNotFound)
	admin.body(http.MethodPut, api+"/3/server", `{"adapter":"json","url":"https://mood.example.org","options":{"colour":1}}`).want(http.StatusUnprocessableEntity)
	admin.body(http.MethodPost, api+"/3/server/check", `{}`).want(http.StatusOK).shows(`"ready":true`)
	admin.body(http.MethodPost, api+"/3/server/try", `{"text":"a fine day"}`).want(http.StatusOK).shows(`"milliseconds":12`, `"label":"Positive"`)
	asker.fault = &models.Fault{Code: models.FaultTimeout, Attempts: 3}
	admin.body(http.MethodPost, api+"/3/server/try", `{"text":"a fine day"}`).want(http.StatusOK).shows(`"code":"timeout"`, `"attempts":3`)
	admin.body(http.MethodPost, api+"/3/server/try", `{"text":"a fine day"}`, "Idempotency-Key", "once").want(http.StatusBadRequest).shows("What a model says is not kept")
}

// A model is tried with an item as evaluations would ask it: only if the item's source lets the model have its data.
func TestTryingAModelWithAnItem(t *testing.T) {
	t.Parallel()
	asker := &mouthpiece{}
	s := newSite(t, func(cfg *handlers.Config) { cfg.Models = asker })
	spoken := storetest.Speech(t, s.pool, s.bucket, 1, 2, 1).Items
	admin := s.browser(access.Admin)
	admin.post("/models", "name", "ear", "kind", "asr").to("/models/ear")
	admin.post("/models/ear/versions", "version", "1").to("/models/ear")
	const page = "/models/ear/versions/1/server"
	admin.post(page, "adapter", "json", "url", "https://mood.example.org").to(page)
	item := fmt.Sprint(spoken[0])
	admin.post(page+"/try", "item", item).want(http.StatusOK).shows("12 ms")
	if asker.asked.Input.Item != spoken[0] || !asker.asked.Input.Sound {
		t.Errorf("asked %+v", asker.asked)
	}
	admin.post(page+"/try", "text", "hello").want(http.StatusUnprocessableEntity).shows("Give the number of an item")
	s.exec(`UPDATE sources SET open_to = '{}'`)
	asker.asked = store.Trial{}
	admin.post(page+"/try", "item", item).want(http.StatusUnprocessableEntity).shows("does not let the model ear have its data")
	if asker.asked.Input.Item != 0 {
		t.Error("the item was given to the model although its source forbids it")
	}
}
