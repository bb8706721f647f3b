// Package jobs implements the background workers over store, one file a capability.
package jobs

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"fiducial/internal/jobargs"
	"fiducial/store"
	"fiducial/store/blob"
)

// Config says how many jobs run at once in this process, and where they log.
type Config struct {
	Workers int
	Log     *slog.Logger
}

// deps is what workers need.
type deps struct {
	store *store.Store
	blobs *blob.Bucket
	log   *slog.Logger
}

// NewClient returns a River client that works every kind of job; the caller starts and stops it.
func NewClient(pool *pgxpool.Pool, st *store.Store, blobs *blob.Bucket, cfg Config) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	d := deps{store: st, blobs: blobs, log: cfg.Log}
	river.AddWorker(workers, &sweepUploads{deps: d})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Logger:       cfg.Log,
		Queues:       map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: cfg.Workers}},
		Workers:      workers,
		PeriodicJobs: periodic(),
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return client, nil
}

// periodic lists what runs by the clock.
func periodic() []*river.PeriodicJob {
	return []*river.PeriodicJob{
		every(time.Hour, jobargs.SweepUploads{}),
	}
}

func every(interval time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(interval), func() (river.JobArgs, *river.InsertOpts) { return args, nil },
		&river.PeriodicJobOpts{RunOnStart: true})
}
