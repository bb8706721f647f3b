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

// WriteExport streams one export into object storage.
type WriteExport struct {
	ExportID int64 `json:"export_id" river:"unique"`
}

// Kind implements river.JobArgs.
func (WriteExport) Kind() string { return "write_export" }

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
