// Package github reads what GitHub's webhooks tell of releases and deployments, and checks that it was GitHub who told.
package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The headers of a call: https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers.
const (
	HeaderEvent     = "X-GitHub-Event"
	HeaderSignature = "X-Hub-Signature-256"
)

// Sign returns the signature of a body: "sha256=" and, in hexadecimal, HMAC-SHA-256 over the body, keyed with the secret's text.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Signed reports whether a body bears the signature of who knows the secret.
func Signed(secret, signature string, body []byte) bool {
	return hmac.Equal([]byte(Sign(secret, body)), []byte(signature))
}

// News is what a call tells that belongs on a timeline.
type News struct {
	Key        string // of the release or the deployment, in all of GitHub
	At         time.Time
	Title      string
	Body       string // Markdown
	Repository string // owner/name
	URL        string
	Final      bool // it says how what was told before under the same key ended
}

// ErrPayload is a body that is not what its event's name promises.
var ErrPayload = errors.New("github: the body is not the JSON of this event")

type payload struct {
	Action  string `json:"action"`
	Release *struct {
		ID          int64      `json:"id"`
		URL         string     `json:"html_url"`
		Tag         string     `json:"tag_name"`
		Name        string     `json:"name"`
		Body        string     `json:"body"`
		PublishedAt *time.Time `json:"published_at"`
	} `json:"release"`
	Deployment *deployment `json:"deployment"`
	Status     *struct {
		State       string    `json:"state"`
		Description string    `json:"description"`
		Target      string    `json:"target_url"`
		CreatedAt   time.Time `json:"created_at"`
	} `json:"deployment_status"`
	Repository struct {
		Name string `json:"full_name"`
		URL  string `json:"html_url"`
	} `json:"repository"`
}

type deployment struct {
	ID          int64     `json:"id"`
	SHA         string    `json:"sha"`
	Ref         string    `json:"ref"`
	Environment string    `json:"environment"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
}

// what names what is deployed: a branch or a tag, or the beginning of a commit's hash.
func (d *deployment) what() string {
	const short = 10
	if d.Ref == d.SHA && len(d.SHA) > short {
		return d.SHA[:short]
	}
	return d.Ref
}

// Read returns what a call of an event tells; ok is false for what does not belong on a timeline, such as a draft that was edited.
func Read(event string, body []byte) (news News, ok bool, err error) {
	switch event {
	case "release", "deployment", "deployment_status":
	default:
		return News{}, false, nil
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil || p.Repository.Name == "" {
		return News{}, false, ErrPayload
	}
	switch {
	case event == "release":
		news, ok, err = p.released()
	case p.Deployment == nil || p.Deployment.CreatedAt.IsZero():
		return News{}, false, ErrPayload
	case event == "deployment":
		news, ok = p.deployment("Deploying "), true
	default:
		news, ok, err = p.deployed()
	}
	news.Repository = p.Repository.Name
	return news, ok, err
}

func (p *payload) released() (News, bool, error) {
	switch {
	case p.Release == nil || p.Release.Tag == "":
		return News{}, false, ErrPayload
	case p.Action != "published" || p.Release.PublishedAt == nil: // GitHub tells of one release as created, published and released
		return News{}, false, nil
	}
	title := p.Repository.Name + " " + p.Release.Tag + " was released"
	if name := strings.TrimSpace(p.Release.Name); name != "" && name != p.Release.Tag {
		title += ": " + name
	}
	return News{
		Key: fmt.Sprintf("release/%d", p.Release.ID), At: *p.Release.PublishedAt, Title: title, Body: p.Release.Body, URL: p.Release.URL,
	}, true, nil
}

// deployment is what is told of one, whose title begins with what became of it.
func (p *payload) deployment(began string) News {
	d := p.Deployment
	return News{
		Key: fmt.Sprintf("deployment/%d", d.ID), At: d.CreatedAt, Title: began + p.Repository.Name + " " + d.what() + " to " + d.Environment,
		Body: d.Description, URL: strings.TrimSuffix(p.Repository.URL, "/") + "/deployments",
	}
}

func (p *payload) deployed() (News, bool, error) {
	if p.Status == nil || p.Status.CreatedAt.IsZero() {
		return News{}, false, ErrPayload
	}
	var news News
	switch p.Status.State {
	case "success":
		news = p.deployment("Deployed ")
	case "failure", "error":
		news = p.deployment("Failed to deploy ")
	default: // on its way, or an older one that another has replaced
		return News{}, false, nil
	}
	news.At, news.Final = p.Status.CreatedAt, true
	if p.Status.Description != "" {
		news.Body = p.Status.Description
	}
	if p.Status.Target != "" {
		news.URL = p.Status.Target
	}
	return news, true, nil
}
