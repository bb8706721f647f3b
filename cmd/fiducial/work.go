package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"fiducial/jobs"
)

type jobFlags struct {
	Workers int `help:"Background jobs at once in this process." default:"4" env:"FIDUCIAL_WORKERS" group:"Jobs"`
}

type workCommand struct {
	platformFlags `embed:""`
	jobFlags      `embed:""`
}

func (c *workCommand) Run(ctx context.Context) (err error) {
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
	return c.runJobs(ctx, p)
}

// runJobs works until ctx ends, then lets the jobs under way finish.
func (f *jobFlags) runJobs(ctx context.Context, p *platform) error {
	config := jobs.RiverConfig(p.Store, p.Blobs, jobs.Config{Workers: f.Workers, Log: slog.Default()})
	client, err := river.NewClient(riverpgxv5.New(p.Pool), config)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	// Jobs stop by client.Stop below, which lets them finish; ctx would cut them off.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := client.Stop(drain); err != nil {
		slog.WarnContext(ctx, "jobs were cut off; they run again at the next start", slog.Any("error", err))
	}
	return nil
}
