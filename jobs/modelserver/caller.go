package modelserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fiducial/internal/models"
)

const (
	dialPatience  = 10 * time.Second
	headLimit     = 64 << 10
	answerLimit   = 32 << 20 // bytes of an answer
	mediaLimit    = 512 << 20
	idlePerServer = 64
)

var (
	errRedirect = errors.New("modelserver: the answer sends elsewhere")
	errAddress  = errors.New("modelserver: models may not be called at this address")
)

// busyError is a fault with how long the server wants to be left alone.
type busyError struct {
	fault *Fault
	after time.Duration
}

func (e *busyError) Error() string { return e.fault.Error() }

// Unwrap makes the fault findable.
func (e *busyError) Unwrap() error { return e.fault }

// caller makes the calls of one server.
type caller struct {
	web        *http.Client
	base       *url.URL
	header     string // of the credential
	credential string
}

// newCaller returns a caller of a host that the policy allows.
func newCaller(cfg Config) (*caller, error) {
	base, err := url.Parse(cfg.Server.URL)
	if err != nil || base.Host == "" {
		return nil, &Fault{Code: models.FaultSettings, Detail: "there is no address"}
	}
	if !cfg.Policy.AllowsHost(base.Hostname()) {
		return nil, &Fault{Code: models.FaultHost}
	}
	return &caller{
		web: Prober(cfg.Policy, 0), base: base, header: cfg.Server.Options.CredentialHeader, credential: cfg.Server.Credential,
	}, nil
}

// Prober returns a client that follows no redirect, asks no proxy, and connects only to addresses that the policy allows: that is looked at
// when the address is known, since a name may lead elsewhere than it did a moment ago. A call may take as long as patience says, any time for 0.
func Prober(policy Policy, patience time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: dialPatience, Control: func(_, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err != nil || !policy.AllowsAddr(addr.Addr()) {
			return errAddress
		}
		return nil
	}}
	return &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: dialPatience, MaxResponseHeaderBytes: headLimit,
			MaxIdleConnsPerHost: idlePerServer, IdleConnTimeout: time.Minute, DisableCompression: true,
		},
	}
}

// at is the address of a path below the server's own. A base that has the path already is taken as it is.
func (c *caller) at(path string) string {
	u := *c.base
	trimmed := strings.TrimSuffix(u.Path, "/")
	if path != "" && !strings.HasSuffix(trimmed, path) {
		u.Path = trimmed + path
		u.RawPath = ""
	}
	return u.String()
}

// sibling is the address of a path beside the one that is asked: asked is taken off the base if it ends in that.
func (c *caller) sibling(asked, path string) string {
	u := *c.base
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), asked) + path
	u.RawPath, u.RawQuery = "", ""
	return u.String()
}

// postJSON sends a JSON body and reads the answer's into.
func (c *caller) postJSON(ctx context.Context, address string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return &Fault{Code: models.FaultItem, Detail: "the question cannot be written"}
	}
	return c.call(ctx, http.MethodPost, address, "application/json", bytes.NewReader(text), into)
}

// get reads the answer to a GET into, nil if only its status counts.
func (c *caller) get(ctx context.Context, address string, into any) error {
	return c.call(ctx, http.MethodGet, address, "", nil, into)
}

// call makes one call. Its errors are faults, or the context's.
func (c *caller) call(ctx context.Context, method, address, contentType string, body io.Reader, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return &Fault{Code: models.FaultSettings, Detail: "the address cannot be called"}
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "Fiducial")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	switch {
	case c.credential == "":
	case c.header == "":
		request.Header.Set("Authorization", "Bearer "+c.credential)
	default:
		request.Header.Set(c.header, c.credential)
	}
	answer, err := c.web.Do(request)
	if err != nil {
		return faultOf(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		// A little of it is read, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, answer.Body, headLimit)
		return refused(answer)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit+1))
	switch {
	case err != nil:
		return faultOf(err)
	case len(text) > answerLimit:
		return &Fault{Code: models.FaultSize}
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return &Fault{Code: models.FaultShape, Detail: "the answer is not JSON of the expected form"}
	}
	return nil
}

// refused is the fault of an answer that says no.
func refused(answer *http.Response) error {
	if answer.StatusCode >= 300 && answer.StatusCode < 400 {
		return &Fault{Code: models.FaultRedirect, Status: answer.StatusCode}
	}
	fault := &Fault{Code: models.FaultStatus, Status: answer.StatusCode}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		return &busyError{fault, time.Duration(min(seconds, int(longestPause/time.Second))) * time.Second}
	}
	return fault
}

// faultOf says in a word why a call was not answered. The error's own text may hold the address.
func faultOf(err error) error {
	netErr, isNet := errors.AsType[net.Error](err)
	itemErr, isItem := errors.AsType[*itemError](err)
	switch {
	case isItem:
		return itemErr.fault()
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, errAddress):
		return &Fault{Code: models.FaultAddress}
	case errors.Is(err, errRedirect):
		return &Fault{Code: models.FaultRedirect}
	case isNet && netErr.Timeout():
		return &Fault{Code: models.FaultTimeout}
	}
	return &Fault{Code: models.FaultConnection}
}
