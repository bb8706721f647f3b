package store

// Subject is whose trace a place can hold.
type Subject string

// Whose trace a place can hold. Keys, counts, states and settings hold nobody's.
const (
	OfItem   Subject = "item"
	OfPerson Subject = "person"
	OfNobody Subject = "nobody"
)

// Clearing says how an erasure clears a place. Of an item it is one of the ways below, by which the preview counts, the
// erasure clears and the proof looks; of a person it is a sentence.
type Clearing string

// The ways in which an item's traces are cleared: rows are deleted by the column that names the item, or something
// of it that goes too.
const (
	TheItem         Clearing = "the item's own row, deleted"
	ByItem          Clearing = "row deleted by item"
	ByItemRewritten Clearing = "row deleted by item, its partition rewritten"
	ByTask          Clearing = "row deleted by task"
	ByAssignment    Clearing = "row deleted by assignment"
	ByAnnotation    Clearing = "row deleted by annotation"
	ByPrediction    Clearing = "row deleted by prediction"
	ByReview        Clearing = "row deleted by review"
	ByTruth         Clearing = "row deleted by truth"
	ByComment       Clearing = "row deleted by comment"
	AboutIt         Clearing = "row deleted where its object is the item, or something of it"
	WithGroup       Clearing = "row deleted with the last item of the group"
	WithRecording   Clearing = "row deleted with the last item of the recording"
	ByImport        Clearing = "row deleted with what was uploaded, once the import has ended"
	LineEmptied     Clearing = "all but the leaf emptied"
	WithArchive     Clearing = "emptied with the archive, of every version that has the item"
	OnceDone        Clearing = "row deleted once the item's objects are gone too"
	Recomputed      Clearing = "computed again without the item"
)

// Place is a set of columns of one table that hold a trace of the same subject, and how an erasure
// of that subject clears them.
type Place struct {
	Table   string
	Columns []string
	Of      Subject
	Erasure Clearing // empty for OfNobody
}

// Inventory lists every column of the schema: what it can hold of an item or of a person, and how
// that is erased. A test walks the schema and fails on a column that is missing here. What refers to a table stands below
// it, so that an erasure, which goes through the list from its end, finds nothing that is still referred to.
func Inventory() []Place { //nolint:revive // a list, not logic
	return []Place{
		{"people", []string{"id", "role", "pseudonym", "session_generation", "created_at", "left_at"}, OfNobody, ""},
		{"people", []string{"preferences"}, OfPerson, "emptied when the person leaves"},
		{"person_identities", []string{"person_id", "email", "name", "password_hash"}, OfPerson, "row deleted when the person leaves"},
		{"sessions", []string{"token", "data", "expiry"}, OfPerson, "ended by the generation, deleted when it expires"},
		{"attempts", []string{"began_at", "attempts"}, OfNobody, ""},
		{"attempts", []string{"key_hash"}, OfPerson, "row deleted minutes later; in no backup and, unlogged, in no write-ahead log"},
		{"invitations", []string{"id", "token_hash", "role", "person_id", "project_ids", "created_by", "created_at", "expires_at", "used_at", "revoked_at"}, OfNobody, ""},
		{"api_tokens", []string{"id", "name", "token_hash", "role", "project_id", "created_by", "created_at", "expires_at", "last_used_at", "revoked_at"}, OfNobody, ""},
		{"audit_events", []string{"id", "at", "person_id", "token_id", "action", "object_type", "object_id", "project_id", "request_id", "detail"}, OfNobody, ""},
		{"idempotency_keys", []string{"actor", "key", "request_hash", "status", "response", "created_at"}, OfNobody, ""},

		{"projects", []string{
			"id", "slug", "name", "description", "kind", "overlap", "lease_minutes", "accepts_truth", "metadata_keys",
			"gold_share", "gold_limit", "gold_least", "guideline_version", "paused", "key_secret", "version", "created_at", "archived_at",
			"loose_limit", "accept_above", "look_share", "ask_below", "overlap_most", "context_seconds", "normalizer", "prefill_mode",
		}, OfNobody, ""},
		{"project_counts", []string{"project_id", "counted", "state", "change"}, OfNobody, ""},
		{"members", []string{"project_id", "person_id", "added_at", "paused_at", "paused_by"}, OfNobody, ""},
		{"members", []string{"pause_reason"}, OfPerson, "emptied when the person leaves"},
		{"sources", []string{"id", "name", "retention_days", "created_at", "expiry_action", "open_to", "version"}, OfNobody, ""},
		{"source_destinations", []string{"source_id", "kind", "name"}, OfNobody, ""},
		{"source_changes", []string{
			"id", "source_id", "version", "before", "after", "state", "items", "done_items", "moved", "last_item", "changed_by", "token_id", "changed_at",
			"finished_at",
		}, OfNobody, ""},
		{"access_requests", []string{
			"id", "source_id", "person_id", "media", "due_on", "state", "error", "records", "bytes", "sha256", "created_by", "token_id", "created_at",
			"finished_at", "fetched_at", "deleted_at",
		}, OfNobody, ""},
		{"groups", []string{"id", "source_id", "name"}, OfItem, WithGroup},
		{"recordings", []string{
			"id", "project_id", "source_id", "key_hash", "state", "fault", "encoding", "rate", "channels", "frames", "version", "imported_at",
		}, OfItem, WithRecording},
		{"recording_assets", []string{"recording_id", "kind", "content_type", "bytes", "sha256", "created_at"}, OfItem, WithRecording},
		{"recording_silences", []string{"recording_id", "channel", "begins", "ends", "at"}, OfItem, WithRecording},
		{"items", []string{
			"id", "project_id", "source_id", "group_id", "key_hash", "state", "width", "height", "imported_at", "captured_at",
			"own_retain_until", "retain_until", "fault", "recording_id", "channel", "begins", "ends",
		}, OfItem, TheItem},
		{"item_texts", []string{"item_id", "external_key", "file_name", "metadata", "project_id"}, OfItem, ByItemRewritten},
		{"item_salts", []string{"item_id", "salt"}, OfItem, ByItemRewritten},
		{"item_sounds", []string{"item_id", "recording_version", "sha256"}, OfItem, ByItem},
		{"item_waves", []string{"item_id", "recording_version", "amounts"}, OfItem, ByItemRewritten},
		{"assets", []string{"item_id", "kind", "content_type", "bytes", "sha256", "width", "height", "facts", "created_at"}, OfItem, ByItem},
		{"media_reads", []string{"at", "person_id", "token_id", "item_id", "kind"}, OfNobody, ""},
		{"models", []string{"id", "name", "kind", "created_at", "description"}, OfNobody, ""},
		{"model_versions", []string{"id", "model_id", "version", "created_at", "description", "successor_of", "created_by"}, OfNobody, ""},
		{"imports", []string{
			"id", "project_id", "person_id", "token_id", "format", "purpose", "model_version_id", "source_id", "options", "state",
			"error", "created_at", "finished_at", "active_at", "expected", "new_classes",
		}, OfNobody, ""},
		{"import_reservations", []string{"item_id", "import_id"}, OfItem, ByImport},
		{"recording_reservations", []string{"recording_id", "import_id"}, OfItem, ByImport},
		{"import_files", []string{"id", "import_id", "name", "size", "received", "complete"}, OfItem, ByImport},
		{"import_results", []string{"id", "import_id", "name", "outcome", "reason", "item_id", "boxes"}, OfItem, ByItemRewritten},

		{"classes", []string{"id", "project_id", "name", "slot", "key", "created_at", "retired_at"}, OfNobody, ""},
		{"definitions", []string{"id", "class_id", "version", "body", "edited_by", "edited_at", "edit_version", "published_at", "confused"}, OfNobody, ""},
		{"definition_confusions", []string{"definition_id", "class_id"}, OfNobody, ""},
		{"definition_examples", []string{"id", "definition_id", "item_id", "shows", "x", "y", "w", "h", "caption", "position"}, OfItem, ByItem},

		{"plans", []string{
			"id", "project_id", "number", "title", "model_version_id", "settings", "modes", "state", "error", "items", "seconds", "histogram", "batch_id",
			"reported_at", "created_by", "token_id", "created_at",
		}, OfNobody, ""},
		{"plans", []string{"report"}, OfItem, Recomputed},
		{"tasks", []string{"id", "project_id", "item_id", "state", "priority", "overlap", "live", "votes", "version", "created_at", "changed_at", "agreement", "batch_id", "plan_id"}, OfItem, ByItem},
		{"queue_cursors", []string{"project_id", "person_id", "priority", "task_id", "gold_due"}, OfNobody, ""},
		{"assignments", []string{
			"id", "task_id", "project_id", "person_id", "pass", "reason", "state", "lease_until", "claimed_at", "finished_at", "active_ms", "skip_reason",
			"review_id", "mode",
		}, OfItem, ByTask},
		{"drafts", []string{"assignment_id", "version", "boxes", "saved_at"}, OfItem, ByAssignment},
		{"annotations", []string{
			"id", "assignment_id", "task_id", "item_id", "person_id", "surplus", "prefilled", "active_ms", "submitted_at", "superseded_at", "recalled_at", "gold",
			"rules_version",
		}, OfItem, ByItem},
		{"annotation_boxes", []string{"annotation_id", "position", "class_id", "definition_version", "x", "y", "w", "h", "rotation", "crowd"}, OfItem, ByAnnotation},
		{"predictions", []string{"id", "item_id", "model_version_id", "purpose", "created_at", "confidence", "words"}, OfItem, ByItem},
		{"hypotheses", []string{"item_id", "prediction_id", "text", "words"}, OfItem, ByItemRewritten},
		{"transcripts", []string{"item_id", "kind", "of_id", "segments"}, OfItem, ByItemRewritten},
		{"prediction_boxes", []string{"prediction_id", "position", "class_id", "x", "y", "w", "h", "rotation", "score"}, OfItem, ByPrediction},

		{"reviews", []string{"id", "task_id", "item_id", "reviewer_id", "decision", "undoes", "active_ms", "decided_at", "former_state", "former_truth_id", "batch_id", "origins"}, OfItem, ByItem},
		{"review_marks", []string{"id", "review_id", "annotation_id", "position", "x", "y", "reason", "disputed_at"}, OfItem, ByReview},
		{"item_notes", []string{"item_id", "kind", "of_id", "body"}, OfItem, ByItemRewritten},
		{"review_looks", []string{"task_id", "person_id", "at"}, OfItem, ByTask},
		{"hypothesis_views", []string{
			"item_id", "person_id", "model_version_id", "how", "seen_at", "annotation_id", "review_id", "edits", "words",
		}, OfItem, ByItem},
		{"wider_contexts", []string{"id", "item_id", "person_id", "seconds", "at"}, OfItem, ByItem},
		{"truths", []string{"id", "item_id", "review_id", "import_id", "annotation_id", "current", "created_at", "rules_version", "erasure_id"}, OfItem, ByItem},
		{"personal_findings", []string{
			"id", "item_id", "truth_id", "segment", "first", "last", "begins", "ends", "kind", "detector", "confidence", "state", "decided_by", "decided_at",
			"found_at",
		}, OfItem, ByItem},
		{"personal_scans", []string{"item_id", "truth_id", "detector", "findings", "scanned_at"}, OfItem, ByItem},
		{"truth_boxes", []string{"truth_id", "position", "class_id", "definition_version", "x", "y", "w", "h", "rotation", "crowd"}, OfItem, ByTruth},
		{"item_agreements", []string{
			"item_id", "project_id", "task_id", "answers", "truth_id", "objects", "score", "truth_score", "iou", "worst", "agreed", "missed", "class",
			"loose", "split", "computed_at", "wer", "word_errors", "words", "truth_wer", "truth_word_errors", "truth_words",
		}, OfItem, ByItem},
		{"confusions", []string{
			"id", "project_id", "item_id", "class_a", "class_b", "annotations_a", "positions_a", "people_a", "annotations_b", "positions_b", "people_b",
			"truth_id", "truth_position", "truth_class", "decided", "x", "y", "w", "h", "rotation", "found_at",
		}, OfItem, ByItem},
		{"project_agreements", []string{"id", "project_id", "round_id", "batch_id", "items", "computed_at"}, OfNobody, ""},
		{"project_agreements", []string{"summary"}, OfItem, Recomputed},
		{"label_counts", []string{"class_id", "definition_version", "counted", "change"}, OfNobody, ""},
		{"relabels", []string{
			"id", "project_id", "class_id", "version", "others", "note", "state", "items", "done_items", "answers", "reviews", "created_by", "token_id",
			"created_at", "finished_at",
		}, OfNobody, ""},
		{"relabel_items", []string{"relabel_id", "item_id", "state"}, OfItem, ByItem},
		{"relabel_answers", []string{"assignment_id", "relabel_id", "annotation_id", "positions"}, OfItem, ByAssignment},
		{"gold_items", []string{"item_id", "task_id", "project_id", "place", "added_by", "token_id", "added_at"}, OfItem, ByItem},
		{"gold_results", []string{
			"annotation_id", "item_id", "project_id", "person_id", "truth_id", "score", "agreed", "missed", "class", "loose", "split", "classes",
			"answered_at", "scored_at", "word_errors", "words",
		}, OfItem, ByItem},
		{"labeler_figures", []string{
			"project_id", "person_id", "audience", "class_id", "answers", "approved", "amended", "rejected", "reasons", "truth_objects", "truth_agreed",
			"peer_objects", "peer_agreed", "gold_items", "gold_objects", "gold_agreed", "gold_score", "gold_low", "gold_high", "median_ms", "computed_at",
			"truth_word_errors", "truth_words", "peer_word_errors", "peer_words", "gold_word_errors", "gold_words",
		}, OfPerson, "row deleted when the person leaves"},
		{"stale_figures", []string{"project_id", "person_id"}, OfNobody, ""},
		{"concerns", []string{
			"id", "project_id", "person_id", "score", "results", "gold_limit", "raised_at", "settled_at", "settled_by", "outcome",
		}, OfPerson, "row deleted when the person leaves"},
		{"discussions", []string{"item_id", "project_id", "opened_at", "last_at", "resolved_at"}, OfItem, ByItem},
		{"comments", []string{
			"id", "item_id", "person_id", "kind", "annotation_id", "truth_id", "position", "x", "y", "version", "at", "edited_at", "deleted_at",
		}, OfItem, ByItem},
		{"comment_texts", []string{"item_id", "comment_id", "version", "body"}, OfItem, ByItemRewritten},
		{"comment_mentions", []string{"comment_id", "person_id"}, OfItem, ByComment},
		{"notices", []string{"id", "person_id", "kind", "object_type", "object_id", "project_id", "created_at", "read_at"}, OfItem, AboutIt},

		{"rounds", []string{
			"id", "project_id", "number", "share", "seed", "batch_size", "owner_id", "due_on", "state", "error", "items", "created_by", "token_id", "created_at",
		}, OfNobody, ""},
		{"round_strata", []string{"round_id", "class_id", "items", "drawn"}, OfNobody, ""},
		{"round_items", []string{"item_id", "round_id", "part"}, OfItem, ByItem},
		{"batches", []string{
			"id", "project_id", "number", "round_id", "part", "title", "owner_id", "due_on", "priority", "state", "version", "items", "answered", "decided",
			"compared", "score_sum", "score_squares",
			"plan_limit", "plan_accept", "plan_lot", "plan_size", "plan_seed", "planned_at", "looked", "faulty", "settling", "settle_by", "fault", "note",
			"of_items", "done", "error", "approved_by", "approved_at", "returned_at", "created_by", "token_id", "created_at", "changed_at",
		}, OfNobody, ""},
		{"batch_items", []string{"batch_id", "item_id", "task_id", "position", "former_priority", "look", "settle_version", "left_because"}, OfItem, ByItem},
		{"batch_changes", []string{"batch_id"}, OfNobody, ""},

		{"plan_items", []string{"item_id", "plan_id", "arm", "stratum", "decile", "confidence"}, OfItem, ByItem},
		{"transcription_rules", []string{
			"id", "project_id", "version", "body", "checks", "edited_by", "edited_at", "edit_version", "published_at",
		}, OfNobody, ""},

		{"datasets", []string{"id", "name", "description", "created_by", "created_at"}, OfNobody, ""},
		{"dataset_versions", []string{
			"id", "dataset_id", "number", "recipe", "state", "error", "hash", "lines", "boxes", "created_by", "created_at", "frozen_at",
			"parent_id", "rebuild_of", "labels_at", "label_snapshot", "last_truth_id", "seconds", "words",
		}, OfNobody, ""},
		{"model_training", []string{"model_version_id", "version_id"}, OfNobody, ""},
		{"dataset_version_guidelines", []string{"version_id", "project_id", "guideline_version"}, OfNobody, ""},
		{"dataset_version_strata", []string{
			"version_id", "split", "stratum", "class", "source_id", "project_id", "wanted", "items", "pool", "refused",
		}, OfNobody, ""},
		{"dataset_version_projects", []string{"version_id", "project_id"}, OfNobody, ""},
		{"dataset_version_sources", []string{"version_id", "source_id", "split", "items", "erased"}, OfNobody, ""},
		{"dataset_version_classes", []string{"version_id", "class_id", "name", "slot", "definitions"}, OfNobody, ""},
		{"dataset_version_counts", []string{"version_id", "split", "class_id", "items", "boxes", "seconds", "words"}, OfNobody, ""},
		{"dataset_lines", []string{"version_id", "position", "leaf", "split", "item_id", "truth_id", "media", "width", "height", "stratum", "erasure_id"}, OfItem, LineEmptied},
		{"dataset_verifications", []string{
			"id", "version_id", "media", "state", "matching", "erased", "mismatching", "hash_holds", "findings", "erasures", "done_items", "created_by", "token_id",
			"created_at", "finished_at",
		}, OfNobody, ""},
		{"retention_counts", []string{"project_id", "source_id", "week", "change"}, OfNobody, ""},
		{"stale_calendars", []string{"version_id"}, OfNobody, ""},
		{"version_weeks", []string{"version_id", "split", "stratum", "source_id", "week", "held", "items"}, OfNobody, ""},
		{"version_forecasts", []string{
			"id", "version_id", "split", "stratum", "frozen", "items", "held", "expiring", "wanted", "margin", "below", "below_week", "wide", "wide_week", "soonest",
		}, OfNobody, ""},
		{"dataset_limits", []string{"dataset_id", "margin", "least_share"}, OfNobody, ""},
		{"forecast_notices", []string{"version_id", "week", "told_at"}, OfNobody, ""},
		{"dataset_diffs", []string{
			"id", "from_version", "to_version", "state", "same", "from_erased", "to_erased", "created_by", "token_id", "created_at", "finished_at",
		}, OfNobody, ""},
		{"rebuild_previews", []string{
			"id", "version_id", "state", "changes", "erased", "expired", "moved", "problem", "created_at", "finished_at",
		}, OfNobody, ""},
		{"dataset_diff_counts", []string{"diff_id", "reason", "detail", "from_split", "to_split", "came", "gone", "changed"}, OfNobody, ""},
		{"dataset_diff_lines", []string{"diff_id", "reason", "split", "ordinal", "detail", "from_position", "to_position"}, OfNobody, ""},
		{"consumers", []string{"id", "name", "person_id", "token_id", "url", "secret", "created_by", "created_at"}, OfNobody, ""},
		{"version_consumers", []string{"version_id", "consumer_id", "how", "export_id", "since", "ended_at"}, OfNobody, ""},
		{"consumer_notices", []string{
			"id", "consumer_id", "version_id", "erasure_id", "lines", "state", "attempts", "fault", "status", "created_at", "told_at", "confirmed_at",
			"confirmed_by", "confirmed_token",
		}, OfNobody, ""},
		{"exports", []string{
			"id", "version_id", "format", "media", "state", "error", "done_items", "bytes", "sha256", "losses", "created_by", "token_id", "created_at", "finished_at",
			"personal", "personal_open", "personal_reason",
		}, OfNobody, ""},
		{"backups", []string{"id", "made_at", "keep_until", "state", "bytes"}, OfNobody, ""},
		{"ledger_heads", []string{"one", "line", "sum"}, OfNobody, ""},
		{"exports", []string{"report"}, OfItem, WithArchive},

		{"model_servers", []string{
			"model_version_id", "adapter", "url", "options", "configuration", "credential", "timeout_ms", "attempts", "rate", "concurrency", "launcher",
			"launch", "version", "changed_by", "changed_at",
		}, OfNobody, ""},
		{"chains", []string{
			"id", "name", "description", "slots", "baseline", "alert_drop", "expect_days", "created_by", "created_at", "archived_at",
		}, OfNobody, ""},
		{"evaluation_schedules", []string{
			"id", "chain_id", "name", "request", "every", "hour", "on_release", "next_at", "fault", "created_by", "token_id", "created_at", "stopped_at",
			"paused_at",
		}, OfNobody, ""},
		{"evaluations", []string{
			"id", "chain_id", "title", "split", "normalizer", "labels", "baseline", "started_by", "schedule_id", "runner", "workflow", "state", "error",
			"created_by", "token_id", "created_at", "began_at", "finished_at",
		}, OfNobody, ""},
		{"evaluation_versions", []string{"evaluation_id", "version_id"}, OfNobody, ""},
		{"evaluation_models", []string{"evaluation_id", "slot", "model_version_id"}, OfNobody, ""},
		{"evaluation_steps", []string{
			"id", "evaluation_id", "version_id", "path", "configuration", "after_step", "state", "items", "done", "reused", "failed", "error", "began_at",
			"finished_at", "cell_id", "scored_at",
		}, OfNobody, ""},
		{"evaluation_chunks", []string{"step_id", "number", "first", "last", "state", "done", "reused", "failed"}, OfNobody, ""},
		{"evaluation_failures", []string{"step_id", "item_id", "reason", "status", "attempts", "at"}, OfItem, ByItem},
		{"model_calls", []string{"model_version_id", "place", "worker", "until"}, OfNobody, ""},
		{"model_rates", []string{"model_version_id", "next_at"}, OfNobody, ""},
		{"model_questions", []string{"question", "step_id", "chunk", "until"}, OfNobody, ""}, // a hash, for as long as the question is asked
		{"model_launches", []string{
			"id", "model_version_id", "evaluation_id", "worker", "state", "error", "log_bytes", "started_at", "ready_at", "stopped_at", "workflow",
		}, OfNobody, ""},
		{"model_outputs", []string{
			"item_id", "model_version_id", "configuration", "input", "text", "words", "boxes", "labels", "confidence", "took_ms", "made_at",
		}, OfItem, ByItemRewritten},
		// What a cell keeps of a line is numbers by its position: an emptied line says no more whose they were.
		{"cells", []string{
			"id", "version_id", "split", "path", "configurations", "labels", "normalizer", "task", "evaluation_id", "items", "failed", "relabeled", "measure",
			"value", "low", "high", "figures", "computed_at",
		}, OfNobody, ""},
		{"cell_scores", []string{"cell_id", "block", "scores"}, OfNobody, ""},
		{"cell_differences", []string{
			"cell_id", "baseline_id", "measure", "value", "low", "high", "p", "adjusted", "items", "gained", "lost", "computed_at",
		}, OfNobody, ""},
		{"cell_moves", []string{"cell_id", "baseline_id", "position", "change"}, OfNobody, ""},
		{"cell_errors", []string{"cell_id", "position", "kind", "size", "detail", "ordinal"}, OfNobody, ""},
		{"cell_overlaps", []string{"cell_id", "version_id", "items", "figures"}, OfNobody, ""},
		{"cell_flags", []string{"cell_id", "kind", "model_version_id", "lines", "bias", "computed_at"}, OfNobody, ""},
		{"attributions", []string{"id", "from_cell", "to_cell", "measure", "state", "error", "parts", "computed_at"}, OfNobody, ""},
		{"causes", []string{"id", "name", "created_by", "created_at"}, OfNobody, ""},
		{"item_causes", []string{"item_id", "cell_id", "kind", "ordinal", "cause_id", "person_id", "at"}, OfItem, ByItem},
		{"audits", []string{
			"id", "version_id", "items", "seed", "state", "error", "report", "created_by", "token_id", "created_at", "reported_at",
		}, OfNobody, ""},
		{"audit_items", []string{"item_id", "audit_id", "truth_id"}, OfItem, ByItem},
		{"audit_batches", []string{"audit_id", "batch_id"}, OfNobody, ""},
		{"changes", []string{
			"id", "at", "kind", "title", "body", "system", "url", "origin", "external_key", "model_version_id", "created_by", "token_id", "created_at",
			"removed_at", "edited_at",
		}, OfNobody, ""},
		{"hooks", []string{"id", "name", "system", "secret", "created_by", "created_at", "last_at", "revoked_at"}, OfNobody, ""},
		{"alert_channels", []string{"id", "name", "kind", "target", "chain_id", "created_by", "created_at", "removed_at", "runs"}, OfNobody, ""},
		{"alerts", []string{
			"id", "kind", "chain_id", "evaluation_id", "cell_id", "key", "summary", "state", "times", "raised_at", "last_at", "snoozed_until", "settled_by",
			"settled_at",
		}, OfNobody, ""},
		{"alert_sendings", []string{"alert_id", "channel_id", "state", "attempts", "fault", "sent_at", "id", "evaluation_id"}, OfNobody, ""},
		{"share_links", []string{
			"id", "token_hash", "chain_id", "created_by", "created_at", "expires_at", "revoked_at", "opened", "last_at",
		}, OfNobody, ""},

		{"erasures", []string{
			"id", "kind", "scope", "source_id", "group_id", "state", "reason", "due_at", "requested_by", "token_id", "requested_at", "confirmed_by",
			"confirmed_at", "started_at", "erased_at", "rewritten_at", "backups_until", "items", "done_items", "late", "listed_to", "unmatched",
			"counts", "erased", "touched", "proof", "receipt", "signature", "hold_id", "told_at", "error", "kept",
		}, OfNobody, ""},
		{"erasure_lists", []string{"erasure_id", "item_id", "state"}, OfItem, OnceDone},
		{"erasure_items", []string{"item_id", "erasure_id", "project_id", "source_id", "task_id", "key_hash", "erased_at", "recording_id"}, OfNobody, ""},
		{"legal_holds", []string{
			"id", "source_id", "group_id", "item_id", "reason", "placed_by", "placed_token", "placed_at", "lifted_by", "lifted_token", "lifted_at",
			"lift_reason",
		}, OfNobody, ""},
	}
}

// ObjectPlace is a prefix of object storage and how an erasure of an item clears what is under it.
type ObjectPlace struct{ Prefix, Erasure string }

// ObjectInventory lists every prefix that the product writes to.
func ObjectInventory() []ObjectPlace {
	return []ObjectPlace{
		{"items/{item}/", "every object under it deleted"},
		{"recordings/{recording}/", "the item's span overwritten in each, or all deleted with the last item of the recording"},
		{"imports/{import}/", "deleted once the import is done, at the latest after a day"},
		{"exports/{export}", "deleted when an item of its version is erased"},
		{"ledger/{line}", "kept for ever, as the record of what was erased: ids and keyed hashes"},
		{"launches/{launch}", "deleted with the outputs of its run, and when an item of the run's versions is erased"},
		{"access/{request}", "deleted after a week, and when an item in it is erased or the person leaves"},
	}
}
