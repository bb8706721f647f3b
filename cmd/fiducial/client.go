package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// adminTokenFile is where serve keeps the admin token, in its data folder, for commands on its own machine.
const adminTokenFile = "admin-token"

// clientFlags say which server a command speaks to, as whom, and how it prints the answer.
type clientFlags struct {
	URL   string `help:"Address of the server." default:"http://127.0.0.1:8080" env:"FIDUCIAL_URL" group:"Server"`
	Token string `help:"API token; without one, the admin token in the data folder of a server on this machine." env:"FIDUCIAL_TOKEN" group:"Server"`
	Data  string `help:"Data folder of a server on this machine." default:"${data}" env:"FIDUCIAL_DATA" type:"path" group:"Server"`
	JSON  bool   `name:"json" help:"Print JSON: one document, or a line each for lists."`
}

// client speaks to a server's JSON API.
type client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// connect returns a client for the server that the flags name. It does not call it yet.
func (f *clientFlags) connect() (*client, error) {
	base, err := url.Parse(strings.TrimSuffix(f.URL, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, misuseError(fmt.Sprintf("%q is not the address of a server: use one like http://127.0.0.1:8080", f.URL))
	}
	token := f.Token
	if token == "" {
		if token, err = f.adminToken(base); err != nil {
			return nil, err
		}
	}
	// No time limit for a whole exchange: uploads take as long as they take.
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, ResponseHeaderTimeout: 5 * time.Minute}
	return &client{base: base, token: token, http: &http.Client{Transport: transport}}, nil
}

// adminToken reads the token that serve keeps; it is never sent to another machine.
func (f *clientFlags) adminToken(base *url.URL) (string, error) {
	const advice = "set FIDUCIAL_TOKEN to an API token (an admin makes one under Admin, Tokens)"
	if ip := net.ParseIP(base.Hostname()); base.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", misuseError("no token for " + base.Host + ": " + advice)
	}
	path := filepath.Join(f.Data, adminTokenFile)
	secret, err := os.ReadFile(path) //nolint:gosec // the folder is the user's choice
	if err != nil {
		return "", misuseError(fmt.Sprintf("no token: %s, or run this as the user of the server, whose admin token is in %s (--data)", advice, path))
	}
	return strings.TrimSpace(string(secret)), nil
}

// problemError is an answer that says no; its text is for people.
type problemError struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

func (p *problemError) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		if e.Message != p.Detail {
			text += fmt.Sprintf("\n  %s: %s", e.Location, e.Message)
		}
	}
	return text
}

// get reads path, below /api/v1, into out.
func (c *client) get(ctx context.Context, path string, out any) error {
	return c.send(ctx, http.MethodGet, path, http.Header{}, nil, decodeInto(out))
}

// post sends in as JSON and reads the answer into out. It is sent under an idempotency key, so that a
// connection that broke can be tried again without doing it twice.
func (c *client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {rand.Text()}}
	for attempt := 1; ; attempt++ {
		err := c.send(ctx, http.MethodPost, path, header, bytes.NewReader(body), decodeInto(out))
		if urlErr, ok := errors.AsType[*url.Error](err); !ok || attempt == 3 || urlErr.Timeout() || ctx.Err() != nil {
			return err
		}
	}
}

// remove deletes what is at path.
func (c *client) remove(ctx context.Context, path string) error {
	return c.send(ctx, http.MethodDelete, path, http.Header{}, nil, decodeInto(nil))
}

// errNoServer means that nothing listens at that address.
var errNoServer = errors.New("no server")

// send gives the body of a good answer to read, or returns what the server has against the request. A path of
// the form /api/… is a link that the server gave, any other is below /api/v1.
func (c *client) send(ctx context.Context, method, path string, header http.Header, body io.Reader, read func(io.Reader) error) (err error) {
	target := c.base.String() + "/api/v1" + path
	if strings.HasPrefix(path, "/api/") {
		target = c.base.String() + path
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return err
	}
	req.Header = header
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if opErr, ok := errors.AsType[*net.OpError](err); ok && opErr.Op == "dial" {
		return fmt.Errorf("%w answers at %s: start one with 'fiducial serve', or set FIDUCIAL_URL (%w)", errNoServer, c.base, opErr.Err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode < http.StatusMultipleChoices {
		return read(resp.Body)
	}
	return c.problem(resp)
}

func (c *client) problem(resp *http.Response) error {
	problem := &problemError{Status: resp.StatusCode, Title: resp.Status}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if json.Unmarshal(body, problem) != nil {
		problem.Detail = fmt.Sprintf("%s answered %s: is that a Fiducial server?", c.base, resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		problem.Detail = fmt.Sprintf("%s does not know this token: it may have been revoked, or be another server's", c.base)
	}
	return problem
}

// decodeInto reads a JSON answer into out, and skips it if out is nil.
func decodeInto(out any) func(io.Reader) error {
	return func(body io.Reader) error {
		if out == nil {
			_, err := io.Copy(io.Discard, body)
			return err
		}
		if err := json.NewDecoder(body).Decode(out); err != nil {
			return fmt.Errorf("the answer is not the JSON that was expected: %w", err)
		}
		return nil
	}
}

// pageOf is one page of a list.
type pageOf[T any] struct {
	Data []T    `json:"data"`
	Next string `json:"next"`
}

// list calls each with every row of the list at path, page by page.
func list[T any](ctx context.Context, c *client, path string, each func(T) error) error {
	for path != "" {
		var page pageOf[T]
		if err := c.get(ctx, path, &page); err != nil {
			return err
		}
		for _, row := range page.Data {
			if err := each(row); err != nil {
				return err
			}
		}
		path = page.Next
	}
	return nil
}

// printRows prints the list at path: a table under head for people, a line of JSON each for programs.
func printRows[T any](ctx context.Context, f *clientFlags, std *streams, path string, head string, row func(T) string) error {
	c, err := f.connect()
	if err != nil {
		return err
	}
	if f.JSON {
		lines := json.NewEncoder(std.out)
		return list(ctx, c, path, func(v T) error { return lines.Encode(v) })
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, head); err != nil {
		return err
	}
	err = list(ctx, c, path, func(v T) error {
		_, err := fmt.Fprintln(table, row(v))
		return err
	})
	if err != nil {
		return err
	}
	return table.Flush()
}

// printAnswer prints v as JSON for programs, else text.
func (f *clientFlags) printAnswer(std *streams, v any, text string) error {
	if f.JSON {
		return json.NewEncoder(std.out).Encode(v)
	}
	_, err := fmt.Fprintln(std.out, text)
	return err
}
