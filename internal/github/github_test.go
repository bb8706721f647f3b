package github_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fiducial/internal/github"
)

// The example of GitHub's own documentation on validating deliveries.
func TestTheSignatureIsGitHubs(t *testing.T) {
	t.Parallel()
	const secret, body = "It's a Secret to Everybody", "Hello, World!"
	const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	if !github.Signed(secret, signature, []byte(body)) {
		t.Error("GitHub's own example is refused")
	}
	for _, wrong := range []string{"", "sha256=", strings.ToUpper(signature), signature[:70], "sha1=" + signature[7:]} {
		if github.Signed(secret, wrong, []byte(body)) {
			t.Errorf("%q is taken", wrong)
		}
	}
	if github.Signed("another", signature, []byte(body)) {
		t.Error("another secret fits")
	}
}

const (
	repository = `"repository":{"full_name":"acme/asr","html_url":"https://github.com/acme/asr"}`
	deployment = `"deployment":{"id":7,"sha":"0123456789abcdef","ref":"main","environment":"production","description":null,"created_at":"2026-03-01T10:00:00Z"}`
	release    = `"release":{"id":9,"html_url":"https://github.com/acme/asr/releases/tag/v2","tag_name":"v2","name":"Dialects","body":"Hears *more*.","published_at":"2026-03-02T10:00:00Z"}`
)

func TestWhatACallTells(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		when, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for name, c := range map[string]struct {
		event, body string
		want        github.News
		ok          bool
	}{
		"a release": {"release", `{"action":"published",` + release + `,` + repository + `}`, github.News{
			Key: "release/9", At: at("2026-03-02T10:00:00Z"), Title: "acme/asr v2 was released: Dialects", Body: "Hears *more*.", Repository: "acme/asr",
			URL: "https://github.com/acme/asr/releases/tag/v2",
		}, true},
		"the same again": {"release", `{"action":"released",` + release + `,` + repository + `}`, github.News{Repository: "acme/asr"}, false},
		"a deployment": {"deployment", `{"action":"created",` + deployment + `,` + repository + `}`, github.News{
			Key: "deployment/7", At: at("2026-03-01T10:00:00Z"), Title: "Deploying acme/asr main to production", Repository: "acme/asr",
			URL: "https://github.com/acme/asr/deployments",
		}, true},
		"its success": {"deployment_status", `{"deployment_status":{"state":"success","target_url":"https://ci.example/1","created_at":"2026-03-01T10:05:00Z"},` +
			deployment + `,` + repository + `}`, github.News{
			Key: "deployment/7", At: at("2026-03-01T10:05:00Z"), Title: "Deployed acme/asr main to production", Repository: "acme/asr",
			URL: "https://ci.example/1", Final: true,
		}, true},
		"its failure": {"deployment_status", `{"deployment_status":{"state":"failure","description":"out of memory","created_at":"2026-03-01T10:05:00Z"},` +
			deployment + `,` + repository + `}`, github.News{
			Key: "deployment/7", At: at("2026-03-01T10:05:00Z"), Title: "Failed to deploy acme/asr main to production", Body: "out of memory",
			Repository: "acme/asr", URL: "https://github.com/acme/asr/deployments", Final: true,
		}, true},
		"on its way": {
			"deployment_status", `{"deployment_status":{"state":"in_progress","created_at":"2026-03-01T10:05:00Z"},` + deployment + `,` + repository + `}`,
			github.News{Repository: "acme/asr"},
			false,
		},
		"a ping": {"ping", `{"zen":"Keep it logically awesome."}`, github.News{}, false},
	} {
		news, ok, err := github.Read(c.event, []byte(c.body))
		if err != nil || ok != c.ok || news != c.want {
			t.Errorf("%s: %+v, %v, %v", name, news, ok, err)
		}
	}
}

func TestWhatIsNoSuchEventIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"release", ``},
		{"release", `[]`},
		{"release", `{}`},
		{"release", `{` + repository + `}`},
		{"deployment", `{` + repository + `}`},
		{"deployment_status", `{` + deployment + `,` + repository + `}`},
		{"deployment", `{` + deployment + `}`},
	} {
		if _, ok, err := github.Read(c[0], []byte(c[1])); ok || !errors.Is(err, github.ErrPayload) {
			t.Errorf("%s %s: %v, %v", c[0], c[1], ok, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("release", `{"action":"published",`+release+`,`+repository+`}`)
	f.Add("deployment_status", `{`+deployment+`,`+repository+`}`)
	f.Fuzz(func(t *testing.T, event, body string) {
		news, ok, err := github.Read(event, []byte(body))
		if ok && (err != nil || news.Key == "" || news.Title == "" || news.At.IsZero()) {
			t.Errorf("%+v, %v", news, err)
		}
	})
}
