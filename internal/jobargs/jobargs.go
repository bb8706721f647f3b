// Package jobargs names the background jobs and their payloads.
//
// It is a leaf, so that store can enqueue work inside a transaction while jobs, which
// implements the workers, imports store. Payloads hold ids, never content.
package jobargs

// RenderItem makes the renditions of one item from its original.
type RenderItem struct {
	ItemID int64 `json:"item_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (RenderItem) Kind() string { return "render_item" }

// ReadRecording reads one recording from its original, and makes what pages need to draw and play it.
type ReadRecording struct {
	RecordingID int64 `json:"recording_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (ReadRecording) Kind() string { return "read_recording" }

// RunImport reads what was uploaded for one import and brings it in.
type RunImport struct {
	ImportID int64 `json:"import_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (RunImport) Kind() string { return "run_import" }

// FreezeVersion fills one dataset version from the truth of its projects.
type FreezeVersion struct {
	VersionID int64 `json:"version_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (FreezeVersion) Kind() string { return "freeze_version" }

// VerifyVersion checks that a dataset version is still what was frozen.
type VerifyVersion struct {
	VerificationID int64 `json:"verification_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (VerifyVersion) Kind() string { return "verify_version" }

// DiffVersions works out what two dataset versions differ in.
type DiffVersions struct {
	DiffID int64 `json:"diff_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (DiffVersions) Kind() string { return "diff_versions" }

// PreviewRebuild works out what rebuilding a dataset version would change.
type PreviewRebuild struct {
	PreviewID int64 `json:"preview_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (PreviewRebuild) Kind() string { return "preview_rebuild" }

// TellConsumer tells a consumer that lines of a version were erased.
type TellConsumer struct {
	NoticeID int64 `json:"notice_id"`
}

// Kind implements river.JobArgs.
func (TellConsumer) Kind() string { return "tell_consumer" }

// ScanPersonal looks for personal data in transcripts that are new.
type ScanPersonal struct{}

// Kind implements river.JobArgs.
func (ScanPersonal) Kind() string { return "scan_personal" }

// WriteExport streams one export into object storage.
type WriteExport struct {
	ExportID int64 `json:"export_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (WriteExport) Kind() string { return "write_export" }

// SendBack sends the labels back that one relabel is about.
type SendBack struct {
	RelabelID int64 `json:"relabel_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (SendBack) Kind() string { return "send_back" }

// DropMetadata removes from a project's items what is kept under keys that are not on its list. It is not unique: one
// that is at work may have passed what a later change is about.
type DropMetadata struct {
	ProjectID int64 `json:"project_id"`
}

// Kind implements river.JobArgs.
func (DropMetadata) Kind() string { return "drop_metadata" }

// MoveDates gives the items of a source the dates that one change of its policy asks for.
type MoveDates struct {
	ChangeID int64 `json:"change_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (MoveDates) Kind() string { return "move_dates" }

// WriteAccess writes what is held on a source, or on a person, into object storage.
type WriteAccess struct {
	RequestID int64 `json:"request_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (WriteAccess) Kind() string { return "write_access" }

// SweepAccess deletes archives of what is held whose time is up.
type SweepAccess struct{}

// Kind implements river.JobArgs.
func (SweepAccess) Kind() string { return "sweep_access" }

// ReleaseLeases returns to the queue whatever ran out.
type ReleaseLeases struct{}

// Kind implements river.JobArgs.
func (ReleaseLeases) Kind() string { return "release_leases" }

// SweepUploads removes uploads that nobody finished, expired sessions and old idempotency keys.
type SweepUploads struct{}

// Kind implements river.JobArgs.
func (SweepUploads) Kind() string { return "sweep_uploads" }

// SumCounts sums up the counts that a project's progress is read from.
type SumCounts struct{}

// Kind implements river.JobArgs.
func (SumCounts) Kind() string { return "sum_counts" }

// ScoreItem compares the current answers to one item with each other and with its truth, and does what the
// project's rules make of it. It is not unique: one that is at work may have looked already.
type ScoreItem struct {
	ItemID int64 `json:"item_id"`
}

// Kind implements river.JobArgs.
func (ScoreItem) Kind() string { return "score_item" }

// ScoreProject scores the items of a project with ids above After, some at a time, and then sums up.
type ScoreProject struct {
	ProjectID int64 `json:"project_id"`
	After     int64 `json:"after"`
}

// Kind implements river.JobArgs.
func (ScoreProject) Kind() string { return "score_project" }

// SummarizeProject sums up the agreement of a project, or of one round or batch of it.
type SummarizeProject struct {
	ProjectID int64 `json:"project_id" river:"unique"`
	RoundID   int64 `json:"round_id,omitempty" river:"unique"`
	BatchID   int64 `json:"batch_id,omitempty" river:"unique"`
}

// Kind implements river.JobArgs.
func (SummarizeProject) Kind() string { return "summarize_project" }

// SettleBatch approves, or returns, item by item what is left of a batch.
type SettleBatch struct {
	BatchID int64 `json:"batch_id"`
}

// Kind implements river.JobArgs.
func (SettleBatch) Kind() string { return "settle_batch" }

// DrawRound draws the items of a round and makes its batches.
type DrawRound struct {
	RoundID int64 `json:"round_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (DrawRound) Kind() string { return "draw_round" }

// DrawPlan chooses the utterances of a sampling plan and makes its batch.
type DrawPlan struct {
	PlanID int64 `json:"plan_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (DrawPlan) Kind() string { return "draw_plan" }

// ReportPlan compares what the transcripts of a plan's utterances say with what models heard. It is not unique: one that is at work
// may have read already.
type ReportPlan struct {
	PlanID int64 `json:"plan_id"`
}

// Kind implements river.JobArgs.
func (ReportPlan) Kind() string { return "report_plan" }

// RefreshBatches prepares the figures of batches whose items moved on.
type RefreshBatches struct{}

// Kind implements river.JobArgs.
func (RefreshBatches) Kind() string { return "refresh_batches" }

// RefreshFigures works out the figures of labelers of whom something has changed.
type RefreshFigures struct{}

// Kind implements river.JobArgs.
func (RefreshFigures) Kind() string { return "refresh_figures" }

// RefreshCalendars works out the calendars of dataset versions whose items' dates have changed.
type RefreshCalendars struct{}

// Kind implements river.JobArgs.
func (RefreshCalendars) Kind() string { return "refresh_calendars" }

// DrawAudit draws the lines of one blind audit and opens its batch.
type DrawAudit struct {
	AuditID int64 `json:"audit_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (DrawAudit) Kind() string { return "draw_audit" }

// ReportAudit measures what one blind audit has found so far.
type ReportAudit struct {
	AuditID int64 `json:"audit_id"`
}

// Kind implements river.JobArgs.
func (ReportAudit) Kind() string { return "report_audit" }

// FlagCells looks for what the cells of one evaluation lean towards, and how much.
type FlagCells struct {
	EvaluationID int64 `json:"evaluation_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (FlagCells) Kind() string { return "flag_cells" }

// TraceEvaluation has the steps of trends divided that one evaluation has made.
type TraceEvaluation struct {
	EvaluationID int64 `json:"evaluation_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (TraceEvaluation) Kind() string { return "trace_evaluation" }

// AttributeCells divides the difference of two cells among what changed between them.
type AttributeCells struct {
	AttributionID int64 `json:"attribution_id"`
}

// Kind implements river.JobArgs.
func (AttributeCells) Kind() string { return "attribute_cells" }

// Expire has what is due by its source's policy erased, and announces what will soon hurt a test split.
type Expire struct{}

// Kind implements river.JobArgs.
func (Expire) Kind() string { return "expire" }

// CollectErasure lists the items that an erasure is about, and counts what they have.
type CollectErasure struct {
	ErasureID int64 `json:"erasure_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (CollectErasure) Kind() string { return "collect_erasure" }

// Erase does what one erasure is about, or the rest of it. It is not unique: one that is at work may be about to stop
// before a hold that has just been lifted, and two at once do each step once.
type Erase struct {
	ErasureID int64 `json:"erasure_id"`
}

// Kind implements river.JobArgs.
func (Erase) Kind() string { return "erase" }

// WatchErasures takes up erasures that nobody is at, and tells the admins which are overdue.
type WatchErasures struct{}

// Kind implements river.JobArgs.
func (WatchErasures) Kind() string { return "watch_erasures" }

// RewriteErased rewrites the files of the database that still know what erasures took.
type RewriteErased struct{}

// Kind implements river.JobArgs.
func (RewriteErased) Kind() string { return "rewrite_erased" }

// EvaluationsQueue is the queue of what asks models and measures their answers, so that a long run leaves the other jobs their workers.
const EvaluationsQueue = "evaluations"

// RunChunk has a model asked about one chunk of a step of an evaluation.
type RunChunk struct {
	StepID int64 `json:"step_id"`
	Number int   `json:"number"`
}

// Kind implements river.JobArgs.
func (RunChunk) Kind() string { return "run_chunk" }

// ScoreStep measures what a step of an evaluation came to.
type ScoreStep struct {
	StepID int64 `json:"step_id"`
}

// Kind implements river.JobArgs.
func (ScoreStep) Kind() string { return "score_step" }

// CompareEvaluation compares the cells of an evaluation with their baseline, and ends it.
type CompareEvaluation struct {
	EvaluationID int64 `json:"evaluation_id"`
}

// Kind implements river.JobArgs.
func (CompareEvaluation) Kind() string { return "compare_evaluation" }

// SubmitEvaluation hands an evaluation to Argo Workflows.
type SubmitEvaluation struct {
	EvaluationID int64 `json:"evaluation_id"`
}

// Kind implements river.JobArgs.
func (SubmitEvaluation) Kind() string { return "submit_evaluation" }

// SweepOutputs deletes outputs of models, and logs of their launches, whose time is up.
type SweepOutputs struct{}

// Kind implements river.JobArgs.
func (SweepOutputs) Kind() string { return "sweep_outputs" }
