package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"fiducial/internal/webhook"
	"fiducial/jobs"
	"fiducial/jobs/argo"
	"fiducial/jobs/launcher"
	"fiducial/jobs/modelserver"
)

// rescueInterval is how long a job may lie whose process was killed.
const rescueInterval = 15 * time.Second

type jobFlags struct {
	modelFlags `embed:""`

	Workers         int            `help:"Background jobs at once in this process." default:"4" env:"FIDUCIAL_WORKERS" group:"Jobs"`
	OutputDays      int            `help:"For how many days what models said in evaluations is kept, for troubleshooting; the figures stay." default:"30" env:"FIDUCIAL_OUTPUT_DAYS" group:"Jobs"`
	ExpireHour      int            `help:"Hour of the day, in UTC, at which items expire whose time has run out: 0 to 23." default:"2" env:"FIDUCIAL_EXPIRE_HOUR" group:"Jobs"`
	WebhookHosts    []string       `help:"The only hosts at which consumers of datasets are called and alerts are posted, such as train.example.org or *.example.org; any if empty." env:"FIDUCIAL_WEBHOOK_HOSTS" group:"Jobs"`
	PresidioURL     string         `name:"presidio-url" help:"Address of a Microsoft Presidio analyzer, such as http://presidio:3000, that looks for personal data in transcripts beside the detector of our own: of sources alone that let models have their data (as presidio). None if empty." env:"PRESIDIO_URL" group:"Jobs"`
	SMTPURL         string         `name:"smtp-url" help:"Mail server by which alerts are mailed, such as smtps://USER:PASSWORD@mail.example.org:465, or smtp://…:587 for STARTTLS; better given by the environment. None if empty." env:"FIDUCIAL_SMTP_URL" group:"Jobs"`
	SMTPCA          string         `name:"smtp-ca" help:"File with the certificate of the authority that signed that of the mail server; the system's own if empty." env:"FIDUCIAL_SMTP_CA" type:"path" group:"Jobs"`
	MailFrom        string         `help:"From whom mail comes, such as fiducial@example.org." env:"FIDUCIAL_MAIL_FROM" group:"Jobs"`
	WebhookNetworks []netip.Prefix `help:"Networks of your own, such as 10.2.0.0/16, in which consumers may be called and alerts posted; without it public addresses alone." env:"FIDUCIAL_WEBHOOK_NETWORKS" group:"Jobs"`
}

// modelFlags say where model servers are asked. The processes that run jobs ask them, and those that answer requests, when somebody tries one.
type modelFlags struct {
	argoFlags `embed:""`

	ModelHosts    []string       `help:"The only hosts at which models are asked, such as asr.example.org or *.example.org; none if empty." env:"FIDUCIAL_MODEL_HOSTS" group:"Models"`
	ModelNetworks []netip.Prefix `help:"Networks of your own, such as 10.3.0.0/16, that these hosts may lie in; without it public addresses alone." env:"FIDUCIAL_MODEL_NETWORKS" group:"Models"`
	ModelCommands string         `help:"Folder of the programs that may be started as model servers for a run: whoever registers models may start any of them, with arguments of their own. None if empty." env:"FIDUCIAL_MODEL_COMMANDS" type:"path" group:"Models"`
}

// argoFlags say where Argo Workflows is, which can run evaluations and serve models.
type argoFlags struct {
	ArgoURL            string `name:"argo-url" help:"Address of Argo Workflows' server, such as https://argo:2746; evaluations run in workers alone if empty." env:"FIDUCIAL_ARGO_URL" group:"Argo"`
	ArgoNamespace      string `help:"Namespace in which workflows run." default:"argo" env:"FIDUCIAL_ARGO_NAMESPACE" group:"Argo"`
	ArgoToken          string `help:"Token of a service account that may submit, get and stop workflows there and read their logs; better given by the environment." env:"FIDUCIAL_ARGO_TOKEN" group:"Argo"`
	ArgoCA             string `name:"argo-ca" help:"File with the certificate of the authority that signed that of Argo's server; the system's own if empty." env:"FIDUCIAL_ARGO_CA" type:"path" group:"Argo"`
	ArgoImage          string `help:"Container image of this product, for the steps of evaluations." default:"fiducial:latest" env:"FIDUCIAL_ARGO_IMAGE" group:"Argo"`
	ArgoSecret         string `help:"Secret that holds the environment of these containers: DATABASE_URL, S3_ENDPOINT and the rest, FIDUCIAL_SIGNING_KEY, FIDUCIAL_MODEL_HOSTS." default:"fiducial" env:"FIDUCIAL_ARGO_SECRET" group:"Argo"`
	ArgoServiceAccount string `help:"Service account of these containers; the namespace's own if empty." env:"FIDUCIAL_ARGO_SERVICE_ACCOUNT" group:"Argo"`
}

// argo is the client of Argo's server, nil without one.
func (f *argoFlags) argo() (*argo.Client, error) {
	if f.ArgoURL == "" {
		return nil, nil
	}
	client, err := argo.New(argo.Config{
		URL: f.ArgoURL, Namespace: f.ArgoNamespace, Token: f.ArgoToken, CAFile: f.ArgoCA, Image: f.ArgoImage, Secret: f.ArgoSecret, ServiceAccount: f.ArgoServiceAccount,
	})
	if err != nil {
		return nil, misuseError("--argo-url: " + err.Error())
	}
	return client, nil
}

// models says where models may be asked.
func (f *modelFlags) models() modelserver.Policy {
	return modelserver.Policy{Hosts: f.ModelHosts, Networks: f.ModelNetworks}
}

// launcher starts the servers that are started for a run. What they find in their environment is what any program needs, and nothing of ours.
func (f *modelFlags) launcher() launcher.Launcher {
	programs := launcher.Programs{Folder: f.ModelCommands}
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			programs.Env = append(programs.Env, name+"="+value)
		}
	}
	return launcher.Launcher{Programs: programs, Policy: f.models()}
}

type workCommand struct {
	platformFlags `embed:""`
	jobFlags      `embed:""`

	PublicURL string `name:"public-url" help:"Address that people use, for links in what consumers are sent." env:"FIDUCIAL_PUBLIC_URL" group:"Jobs"`
}

func (c *workCommand) Run(ctx context.Context, std *streams) (err error) {
	if c.DatabaseURL == "" || c.S3Endpoint == "" {
		return misuseError("work needs DATABASE_URL and S3_ENDPOINT: with the embedded services, 'fiducial serve' runs the jobs itself")
	}
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
	return c.runJobs(ctx, p, c.PublicURL)
}

// webhooks says where consumers may be called.
func (f *jobFlags) webhooks() webhook.Policy {
	return webhook.Policy{Hosts: f.WebhookHosts, Networks: f.WebhookNetworks}
}

// mail says by which server alerts are mailed.
func (f *jobFlags) mail() jobs.MailConfig {
	return jobs.MailConfig{URL: f.SMTPURL, From: f.MailFrom, CA: f.SMTPCA}
}

// runJobs works until ctx ends, then lets the jobs under way finish; publicURL is the address of the site.
func (f *jobFlags) runJobs(ctx context.Context, p *platform, publicURL string) error {
	if f.ExpireHour < 0 || f.ExpireHour > 23 {
		return misuseError("--expire-hour: choose an hour between 0 and 23")
	}
	if f.OutputDays < 1 {
		return misuseError("--output-days: keep outputs for a day at least")
	}
	if err := jobs.CheckPresidio(f.PresidioURL); err != nil {
		return misuseError("--presidio-url: " + err.Error())
	}
	if err := jobs.CheckMail(f.mail()); err != nil {
		return misuseError("--smtp-url: " + err.Error())
	}
	started := f.launcher()
	var err error
	if started.Argo, err = f.argo(); err != nil {
		return err
	}
	working := jobs.Config{
		Name: p.name, Workers: f.Workers, Hour: f.ExpireHour, SoftStop: drainTime - 5*time.Second, Log: slog.Default(),
		Webhooks: f.webhooks(), PublicURL: publicURL, PresidioURL: f.PresidioURL, Models: f.models(), Launcher: started, OutputDays: f.OutputDays,
		Mail: f.mail(),
	}
	client, err := river.NewClient(riverpgxv5.New(p.Pool), jobs.RiverConfig(p.Store, p.Blobs, working))
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	// Jobs stop by client.Stop below, which lets them finish; ctx would cut them off.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	p.rescueJobs(ctx, working)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := client.Stop(drain); err != nil {
		slog.WarnContext(ctx, "jobs were cut off; they run again at the next start", slog.Any("error", err))
	}
	return nil
}

// rescueJobs looks until ctx ends for jobs of processes that are gone, and for model servers that they have left behind. What fails here is
// tried again by the next round.
func (p *platform) rescueJobs(ctx context.Context, working jobs.Config) {
	tick := time.NewTicker(rescueInterval)
	defer tick.Stop()
	for {
		if rescued, err := p.Store.RescueJobs(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "jobs of processes that are gone stay where they are", slog.Any("error", err))
		} else if rescued > 0 {
			slog.InfoContext(ctx, "jobs of processes that are gone run again", slog.Int64("jobs", rescued))
		}
		if err := jobs.StopLost(ctx, p.Store, p.Blobs, working); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "model servers of processes that are gone may still run", slog.Any("error", err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
