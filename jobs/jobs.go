// Package jobs implements the background workers over store, one file a capability.
package jobs

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/semaphore"

	"fiducial/internal/jobargs"
	"fiducial/internal/webhook"
	"fiducial/jobs/launcher"
	"fiducial/jobs/media"
	"fiducial/jobs/modelserver"
	"fiducial/store"
	"fiducial/store/blob"
)

// Config says how many jobs run at once in this process, and where they log.
type Config struct {
	Name     string // of this process, as store.RescueJobs looks for it
	Workers  int
	Hour     int           // of the day, in UTC, at which items expire
	SoftStop time.Duration // how long jobs may go on once they are to stop
	Log      *slog.Logger

	Webhooks  webhook.Policy // where consumers may be called
	PublicURL string         // of the site, for links in what they are sent

	OutputDays int        // for how many days their outputs are kept; 0: store.OutputDays
	Mail       MailConfig // by which alerts are mailed

	PresidioURL string // of a Presidio analyzer beside the detector of our own, empty for none

	Models   modelserver.Policy // where models may be asked
	Launcher launcher.Launcher  // of those that are started for a run
}

// patience is how long a job may take that does not say otherwise.
const patience = 10 * time.Minute

// deps is what workers need.
type deps struct {
	store *store.Store
	blobs *blob.Bucket
	log   *slog.Logger
}

// RiverConfig configures a River client that works every kind of job; the caller makes it over its
// database, starts and stops it.
func RiverConfig(st *store.Store, blobs *blob.Bucket, cfg Config) *river.Config {
	workers := river.NewWorkers()
	d := deps{store: st, blobs: blobs, log: cfg.Log}
	river.AddWorker(workers, &sweepUploads{deps: d})
	pixels := semaphore.NewWeighted(pixelsAtOnce)
	river.AddWorker(workers, &runImport{deps: d, pixels: pixels, converter: media.FindConverter})
	river.AddWorker(workers, &readRecording{deps: d, converter: media.FindConverter})
	river.AddWorker(workers, &releaseLeases{deps: d})
	river.AddWorker(workers, &dropMetadata{deps: d})
	river.AddWorker(workers, &moveDates{deps: d})
	river.AddWorker(workers, &writeAccess{deps: d})
	river.AddWorker(workers, &sweepAccess{deps: d})
	river.AddWorker(workers, &sumCounts{deps: d})
	river.AddWorker(workers, &refreshFigures{deps: d})
	river.AddWorker(workers, &sendBack{deps: d})
	river.AddWorker(workers, &refreshCalendars{deps: d})
	river.AddWorker(workers, &expire{deps: d})
	river.AddWorker(workers, &renderItem{deps: d, pixels: pixels})
	river.AddWorker(workers, &freezeVersion{deps: d})
	river.AddWorker(workers, &verifyVersion{deps: d})
	river.AddWorker(workers, &diffVersions{deps: d})
	river.AddWorker(workers, &previewRebuild{deps: d})
	river.AddWorker(workers, newTellConsumer(d, cfg))
	river.AddWorker(workers, &writeExport{deps: d})
	river.AddWorker(workers, &scanPersonal{deps: d, presidio: newPresidio(cfg.PresidioURL)})
	river.AddWorker(workers, &collectErasure{deps: d})
	river.AddWorker(workers, &erase{deps: d})
	river.AddWorker(workers, &watchErasures{deps: d})
	river.AddWorker(workers, &scoreItem{deps: d})
	river.AddWorker(workers, &scoreProject{deps: d})
	river.AddWorker(workers, &settleBatch{deps: d})
	river.AddWorker(workers, &drawRound{deps: d})
	river.AddWorker(workers, &drawPlan{deps: d})
	river.AddWorker(workers, &reportPlan{deps: d})
	river.AddWorker(workers, &refreshBatches{deps: d})
	river.AddWorker(workers, &summarizeProject{deps: d})
	river.AddWorker(workers, &rewriteErased{deps: d})
	addEvaluationWorkers(workers, d, cfg)
	return &river.Config{
		ID:     cfg.Name,
		Logger: Quiet(cfg.Log),
		Queues: map[string]river.QueueConfig{
			river.QueueDefault: {MaxWorkers: cfg.Workers}, jobargs.EvaluationsQueue: {MaxWorkers: cfg.Workers},
		},
		Workers:         workers,
		PeriodicJobs:    append(periodic(), atHour(cfg.Hour, jobargs.Expire{})),
		JobTimeout:      patience,
		SoftStopTimeout: cfg.SoftStop,
	}
}

// addEvaluationWorkers adds those that ask models, measure their answers, and tell of what that came to.
func addEvaluationWorkers(workers *river.Workers, d deps, cfg Config) {
	river.AddWorker(workers, &raiseAlerts{deps: d})
	river.AddWorker(workers, &watchAlerts{deps: d})
	river.AddWorker(workers, &runSchedules{deps: d})
	river.AddWorker(workers, &runSchedule{deps: d})
	river.AddWorker(workers, newSendAlert(d, cfg))
	river.AddWorker(workers, &drawAudit{deps: d})
	river.AddWorker(workers, &reportAudit{deps: d})
	river.AddWorker(workers, &flagCells{deps: d})
	river.AddWorker(workers, &traceEvaluation{deps: d})
	river.AddWorker(workers, &attributeCells{deps: d})
	river.AddWorker(workers, &runChunk{asking: newAsking(d, cfg)})
	river.AddWorker(workers, newSubmitEvaluation(d, cfg))
	river.AddWorker(workers, &scoreStep{deps: d})
	river.AddWorker(workers, &compareEvaluation{deps: d})
	river.AddWorker(workers, &sweepOutputs{deps: d, days: cmp.Or(cfg.OutputDays, store.OutputDays)})
}

// periodic lists what runs by the clock.
func periodic() []*river.PeriodicJob {
	return []*river.PeriodicJob{
		every(time.Hour, jobargs.SweepUploads{}),
		every(5*time.Minute, jobargs.RewriteErased{}),
		every(time.Hour, jobargs.SweepAccess{}),
		every(time.Minute, jobargs.ReleaseLeases{}),
		every(time.Minute, jobargs.SumCounts{}),
		every(30*time.Second, jobargs.RefreshFigures{}),
		every(time.Minute, jobargs.RefreshBatches{}),
		every(15*time.Second, jobargs.RefreshCalendars{}),
		every(10*time.Minute, jobargs.WatchErasures{}),
		every(20*time.Second, jobargs.ScanPersonal{}),
		every(time.Hour, jobargs.SweepOutputs{}),
		every(5*time.Minute, jobargs.WatchAlerts{}),
		every(time.Minute, jobargs.RunSchedules{}),
	}
}

func every(interval time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(interval), func() (river.JobArgs, *river.InsertOpts) { return args, nil },
		&river.PeriodicJobOpts{RunOnStart: true})
}
