// Package argo speaks to the server of Argo Workflows: it submits workflows, follows them and stops them.
package argo

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Config says where Argo's server is, and what the containers of evaluations are.
type Config struct {
	URL       string // of Argo's server, such as https://argo.example.org:2746; none if empty
	Namespace string // in which workflows run
	Token     string // of a service account that may submit, get and stop workflows there
	CAFile    string // of the authority that signed the server's certificate; the system's own if empty

	Image          string // of this product
	Secret         string // the Secret that holds the environment of its containers: DATABASE_URL, S3_ENDPOINT and the rest
	ServiceAccount string // under which they run; the namespace's own if empty
}

// Client speaks to one server in one namespace.
type Client struct {
	cfg  Config
	base string
	web  *http.Client
}

const (
	patience    = 30 * time.Second
	answerLimit = 32 << 20
)

// ErrNotFound means that there is no such workflow, or no such template.
var ErrNotFound = errors.New("argo: there is no such workflow or template")

// errThere means that there is a workflow of this name already.
var errThere = errors.New("argo: there is a workflow of this name already")

// New returns a client, or an error that says what is wrong with the configuration.
func New(cfg Config) (*Client, error) {
	at, err := url.Parse(cfg.URL)
	switch {
	case err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https":
		return nil, errors.New("the address of Argo's server is not one: give it as https://HOST:PORT")
	case cfg.Namespace == "":
		return nil, errors.New("say in which namespace Argo runs workflows")
	}
	transport := &http.Transport{TLSHandshakeTimeout: patience, ResponseHeaderTimeout: patience, IdleConnTimeout: time.Minute}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("certificate of Argo's authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("the file of Argo's authority holds no certificate")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	web := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("argo: the answer sends elsewhere") }}
	return &Client{cfg: cfg, base: strings.TrimSuffix(cfg.URL, "/") + "/api/v1/workflows/" + url.PathEscape(cfg.Namespace), web: web}, nil
}

// call makes one call and reads the answer into, nil if it does not matter.
func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	answer, err := c.open(ctx, method, path, body)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(answer, answerLimit+1))
	switch err = errors.Join(err, answer.Close()); {
	case err != nil:
		return fmt.Errorf("argo: %w", err)
	case len(text) > answerLimit:
		return errors.New("argo: the answer is too large")
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errors.New("argo: the answer is not what Argo's server answers")
	}
	return nil
}

// open makes one call and returns the body of a good answer.
func (c *Client) open(ctx context.Context, method, path string, body any) (io.ReadCloser, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("argo: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, fmt.Errorf("argo: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.cfg.Token != "" {
		request.Header.Set("Authorization", "Bearer "+strings.TrimPrefix(c.cfg.Token, "Bearer "))
	}
	answer, err := c.web.Do(request)
	if err != nil {
		return nil, fmt.Errorf("argo: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	err = refusal(answer)
	if closed := answer.Body.Close(); closed != nil {
		err = errors.Join(err, closed)
	}
	return nil, err
}

// refusal is what Argo's server has against a call, in its own words: they are about workflows and permissions.
func refusal(answer *http.Response) error {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&said) // without words, the status says enough
	switch answer.StatusCode {
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return errThere
	}
	return fmt.Errorf("argo: status %d: %.300s", answer.StatusCode, said.Message)
}

// Create submits a workflow under its name. One that is there already is taken for it: it was submitted before.
func (c *Client) Create(ctx context.Context, w *Workflow) error {
	err := c.call(ctx, http.MethodPost, "", map[string]any{"namespace": c.cfg.Namespace, "workflow": w}, nil)
	if errors.Is(err, errThere) {
		return nil
	}
	return err
}

// Submit starts a workflow of this name from a WorkflowTemplate.
func (c *Client) Submit(ctx context.Context, name, template string, parameters map[string]string) error {
	options := map[string]any{"name": name, "labels": label + "=model"}
	values := make([]string, 0, len(parameters))
	for name, value := range parameters {
		values = append(values, name+"="+value)
	}
	if len(values) > 0 {
		options["parameters"] = values
	}
	return c.call(ctx, http.MethodPost, "/submit", map[string]any{
		"namespace": c.cfg.Namespace, "resourceKind": "WorkflowTemplate", "resourceName": template, "submitOptions": options,
	}, nil)
}

// Status is how far a workflow is.
type Status struct {
	Phase   string          `json:"phase"` // "", Pending, Running, Succeeded, Failed or Error
	Message string          `json:"message"`
	Nodes   map[string]Node `json:"nodes"`
}

// Node is a part of a workflow.
type Node struct {
	Type        string `json:"type"`
	Phase       string `json:"phase"`
	PodIP       string `json:"podIP"`
	Daemoned    bool   `json:"daemoned"`
	DisplayName string `json:"displayName"`
	Message     string `json:"message"`
}

// Ended reports whether it goes no further.
func (s *Status) Ended() bool { return s.Phase == "Succeeded" || s.Failed() }

// Failed reports whether it ended badly.
func (s *Status) Failed() bool { return s.Phase == "Failed" || s.Phase == "Error" }

// Serving is the address of the pod that serves: the daemon that is up. It is empty until there is one.
func (s *Status) Serving() string {
	for _, n := range s.Nodes {
		if n.Type == "Pod" && n.Daemoned && n.PodIP != "" && n.Phase == "Running" {
			return n.PodIP
		}
	}
	return ""
}

// Get says how far a workflow is, or returns ErrNotFound.
func (c *Client) Get(ctx context.Context, name string) (Status, error) {
	var w struct {
		Status Status `json:"status"`
	}
	err := c.call(ctx, http.MethodGet, "/"+url.PathEscape(name), nil, &w)
	return w.Status, err
}

// Terminate ends a workflow at once. One that is not there has ended.
func (c *Client) Terminate(ctx context.Context, name string) error {
	err := c.call(ctx, http.MethodPut, "/"+url.PathEscape(name)+"/terminate", map[string]string{"name": name, "namespace": c.cfg.Namespace}, nil)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Log is what the main containers of a workflow wrote until now, at most limit bytes of it.
func (c *Client) Log(ctx context.Context, name string, limit int) ([]byte, error) {
	body, err := c.open(ctx, http.MethodGet, "/"+url.PathEscape(name)+"/log?logOptions.container=main&logOptions.follow=false", nil)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var written bytes.Buffer
	lines := json.NewDecoder(io.LimitReader(body, 8*int64(limit)+64<<10))
	for written.Len() < limit {
		var line struct {
			Result struct {
				Content string `json:"content"`
			} `json:"result"`
		}
		if err = lines.Decode(&line); err != nil {
			break
		}
		written.WriteString(line.Result.Content)
		written.WriteByte('\n')
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return written.Bytes()[:min(written.Len(), limit)], errors.Join(err, body.Close())
}
