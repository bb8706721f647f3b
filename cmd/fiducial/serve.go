package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"golang.org/x/sync/errgroup"
	"riverqueue.com/riverui"

	"fiducial/handlers"
	"fiducial/jobs"
	"fiducial/store"
)

// drainTime is how long requests and jobs under way get to finish after Ctrl-C.
const drainTime = 20 * time.Second

type serveCommand struct {
	platformFlags `embed:""`
	jobFlags      `embed:""`

	Listen         string   `help:"Address and port." default:"127.0.0.1:8080" env:"FIDUCIAL_LISTEN" group:"Web"`
	PublicURL      string   `name:"public-url" help:"Address that people use, for links; from --listen if empty." env:"FIDUCIAL_PUBLIC_URL" group:"Web"`
	SecureCookies  bool     `help:"Send cookies over HTTPS only; on by itself when --public-url is https." env:"FIDUCIAL_SECURE_COOKIES" group:"Web"`
	TrustedProxies []string `help:"Networks, such as 10.0.0.0/8, of reverse proxies whose X-Forwarded-For is believed; sign-ins are limited by address." env:"FIDUCIAL_TRUSTED_PROXIES" group:"Web"`
	NoJobs         bool     `help:"Leave background jobs to 'fiducial work'." env:"FIDUCIAL_NO_JOBS" group:"Jobs"`
	Demo           bool     `help:"Fill an empty installation with the demo project and print its sign-ins." env:"FIDUCIAL_DEMO" group:"Web"`
}

func (c *serveCommand) Run(ctx context.Context, std *streams) (err error) {
	p, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.migrate(ctx); err != nil {
		return err
	}
	if err := p.eraseAgain(ctx, std); err != nil {
		return err
	}
	if err := p.keepAdminToken(ctx, c.Data); err != nil {
		slog.WarnContext(ctx, "commands on this machine need FIDUCIAL_TOKEN", slog.Any("error", err))
	}
	if key, err := c.keepSigningKey(rand.Reader); err != nil {
		slog.WarnContext(ctx, "receipts of erasures stay unsigned", slog.Any("error", err))
	} else {
		p.Store.SignWith(key)
		if _, err := p.Store.SignReceipts(ctx); err != nil {
			return err
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", c.Listen, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	server, err := c.newServer(ctx, p)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	group.Go(func() error { return serveUntilDone(ctx, server, listener) })
	group.Go(func() error { return p.watchEmbedded(ctx) })
	if !c.NoJobs {
		group.Go(func() error { return c.runJobs(ctx, p, c.url(listener)) })
	}
	group.Go(func() error { return c.announce(ctx, p, c.url(listener), std) })
	return group.Wait()
}

// announce says where the server is and who can sign in: of a demo, which is filled first if it is empty, its people; of an installation without
// anybody, how the first account is made.
func (c *serveCommand) announce(ctx context.Context, p *platform, url string, std *streams) error {
	if c.Demo {
		if _, err := p.fillDemo(ctx, c.Data, std.err); err != nil {
			return err
		}
		if err := printSignIns(c.Data, std.err); err != nil {
			return err
		}
	}
	people, err := p.Store.People(ctx, store.System(), store.PeopleFilter{Limit: 1})
	if err != nil {
		return err
	}
	if len(people) == 0 {
		fmt.Fprintln(std.err, "Nobody has an account yet. Make the first one: fiducial user add --role admin you@example.org")
	}
	fmt.Fprintf(std.err, "Fiducial serves on %s\n", url)
	return nil
}

// serveUntilDone answers requests until ctx ends, then lets those under way finish.
func serveUntilDone(ctx context.Context, server *http.Server, listener net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("web server: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		slog.WarnContext(ctx, "requests were cut off", slog.Any("error", err))
	}
	return nil
}

// watchEmbedded ends the server with a clear error when an embedded service dies under it.
func (p *platform) watchEmbedded(ctx context.Context) error {
	var objects, postgres <-chan error
	if p.objects != nil {
		objects = p.objects.Done()
	}
	if p.postgres != nil {
		postgres = p.postgres.Done()
	}
	select {
	case err := <-objects:
		return fmt.Errorf("the embedded object store stopped: %w", err)
	case err := <-postgres:
		return fmt.Errorf("the embedded database stopped: %w", err)
	case <-ctx.Done():
		return nil
	}
}

func (c *serveCommand) url(l net.Listener) string {
	if c.PublicURL != "" {
		return c.PublicURL
	}
	return "http://" + l.Addr().String()
}

func (c *serveCommand) newServer(ctx context.Context, p *platform) (*http.Server, error) {
	for _, network := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(network); err != nil {
			return nil, misuseError("--trusted-proxies: write each network like 10.0.0.0/8, not " + network)
		}
	}
	jobsUI, err := p.newJobsUI(ctx)
	if err != nil {
		return nil, err
	}
	started := c.launcher()
	if started.Argo, err = c.argo(); err != nil {
		return nil, err
	}
	site := handlers.New(handlers.Config{
		Store: p.Store, Log: slog.Default(), Sessions: handlers.NewSessions(pgxstore.New(p.Pool), c.secureCookies()),
		PublicURL: c.PublicURL, JobsUI: jobsUI, TrustedProxies: c.TrustedProxies, Webhooks: c.webhooks(),
		Models: &jobs.Asker{Store: p.Store, Policy: c.models(), Launcher: started, Log: slog.Default()},
	})
	return &http.Server{Handler: site.Routes(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}, nil
}

func (c *serveCommand) secureCookies() bool {
	return c.SecureCookies || strings.HasPrefix(c.PublicURL, "https://")
}

// newJobsUI returns River's own pages over its own client, which works no jobs itself.
func (p *platform) newJobsUI(ctx context.Context) (http.Handler, error) {
	client, err := river.NewClient(riverpgxv5.New(p.Pool), &river.Config{Logger: jobs.Quiet(slog.Default())})
	if err != nil {
		return nil, fmt.Errorf("jobs pages: %w", err)
	}
	ui, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(client, nil), Prefix: handlers.JobsPath, Logger: jobs.Quiet(slog.Default()),
	})
	if err != nil {
		return nil, fmt.Errorf("jobs pages: %w", err)
	}
	if err := ui.Start(ctx); err != nil {
		return nil, fmt.Errorf("jobs pages: %w", err)
	}
	return ui, nil
}
