package handlers

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"fiducial/internal/access"
	papers "fiducial/internal/receipt"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// kindLabels name what an erasure counts, in the order in which pages show it. What is not in it is shown under its table's name.
var kindLabels = []struct{ kind, label string }{
	{"items", "items"},
	{"originals", "originals"},
	{"assets", "files in all, renditions among them"},
	{"recordings", "recordings"},
	{"recordings_silenced", "recordings overwritten in part, since they stay"},
	{"sound_seconds", "seconds of sound"},
	{"recording_original", "originals of recordings"},
	{"recording_sound", "sounds made of recordings"},
	{"recording_peaks", "outlines of recordings"},
	{"recording_silences", "notes of what was silenced"},
	{"transcripts", "transcripts"},
	{"hypotheses", "hypotheses"},
	{"hypothesis_views", "views of hypotheses"},
	{"personal_findings", "findings of personal data"},
	{"personal_scans", "searches for personal data"},
	{"wider_contexts", "requests to hear more"},
	{"item_texts", "names and metadata"},
	{"item_salts", "salts"},
	{"item_notes", "notes"},
	{"tasks", "tasks"},
	{"leases", "live leases"},
	{"assignments", "assignments"},
	{"drafts", "drafts"},
	{"annotations", "answers"},
	{"annotation_boxes", "boxes and moments of answers"},
	{"reviews", "review decisions"},
	{"review_marks", "remarks of reviewers"},
	{"truths", "truths"},
	{"truth_boxes", "boxes and moments of truth"},
	{"predictions", "predictions and prefills"},
	{"prediction_boxes", "boxes and moments of predictions"},
	{"item_agreements", "scores of agreement"},
	{"confusions", "confusions"},
	{"gold_items", "gold items"},
	{"gold_results", "results on gold items"},
	{"definition_examples", "examples in the defect book"},
	{"discussions", "discussions"},
	{"comments", "comments"},
	{"comment_texts", "texts of comments"},
	{"batch_items", "places in batches"},
	{"plan_items", "places in plans"},
	{"round_items", "places in rounds"},
	{"relabel_items", "places in relabels"},
	{"relabel_answers", "answers sent back"},
	{"dataset_lines", "lines of dataset versions"},
	{"exports", "exports"},
	{"item_sounds", "checksums of sound"},
	{"audit_items", "places in blind audits"},
	{"model_outputs", "answers of models"},
	{"groups", "groups"},
	{"import_results", "results of imports"},
	{"notices", "notices"},
}

// kindRows are counts as pages show them.
func kindRows(counts map[string]int64) (rows []web.KindRow) {
	left := maps.Clone(counts)
	for _, k := range kindLabels {
		if n := left[k.kind]; n > 0 {
			rows = append(rows, web.KindRow{Label: k.label, Count: int(n)})
		}
		delete(left, k.kind)
	}
	for _, kind := range slices.Sorted(maps.Keys(left)) {
		rows = append(rows, web.KindRow{Label: strings.ReplaceAll(kind, "_", " "), Count: int(left[kind])})
	}
	return rows
}

// renderErasure shows one erasure; refused is why a confirmation was, and typed what was typed for it.
func (s *Server) renderErasure(w http.ResponseWriter, r *http.Request, status int, e store.Erasure, refused web.Refusal, typed string) error {
	v := web.ErasureView{
		ErasureRow: erasureRow(e, actorOf(r).Allowed(access.Erase)), Tabs: retentionTabs(r, erasuresPath), CanErase: actorOf(r).Allowed(access.Erase), Late: e.Late, Kept: e.Kept,
		Unmatched: unmatchedWords(e.Unmatched), Error: e.Error, Word: confirmWord(e), Typed: typed, Refused: refused, Started: orZero(e.StartedAt),
		Confirmed: orZero(e.ConfirmedAt), ConfirmBy: cmp.Or(e.ConfirmedBy, "a program"), Kinds: kindRows(e.Counts),
	}
	if e.ErasedAt != nil {
		v.Kinds = kindRows(e.Erased)
	}
	for _, fill := range []func(*http.Request, store.Erasure, *web.ErasureView) error{s.fillTouched, s.fillHold, s.fillAtWork, s.fillPaper} {
		if err := fill(r, e, &v); err != nil {
			return err
		}
	}
	title := fmt.Sprintf("Erasure %d", e.ID)
	return render(w, r, status, web.ErasurePage(s.page(r, title, retentionCrumb, erasuresCrumb, ui.Crumb{Label: title}), v))
}

func unmatchedWords(lines []int32) string {
	if len(lines) == 0 {
		return ""
	}
	words := make([]string, len(lines))
	for i, line := range lines {
		words[i] = fmt.Sprint(line)
	}
	more := ""
	if len(lines) >= 200 {
		more = " and more"
	}
	return "Look at these lines of the list: " + strings.Join(words, ", ") + more + ". The others are meant."
}

func (s *Server) fillTouched(r *http.Request, e store.Erasure, v *web.ErasureView) error {
	splits, err := s.Store.TouchedSplitsOf(r.Context(), actorOf(r), e)
	if err != nil {
		return err
	}
	for _, t := range splits {
		v.Splits = append(v.Splits, web.TouchedRow{
			Version: fmt.Sprintf("%s@%d", t.Dataset, t.Number), Href: fmt.Sprintf("/datasets/%s/%d", t.Dataset, t.Number), Split: t.Split,
			Frozen: t.Frozen, Before: t.Before, After: max(t.Before-t.Lost, 0), Lost: t.Lost,
		})
	}
	return nil
}

// fillHold says which hold stops it, and what that keeps of an expiry.
func (s *Server) fillHold(r *http.Request, e store.Erasure, v *web.ErasureView) error {
	if e.State != store.ErasureHeld {
		return nil
	}
	v.Hold = &web.HoldRow{ID: e.HoldID, On: "Something of it", Reason: "an admin knows why"}
	if v.CanErase {
		hold, err := s.Store.LegalHold(r.Context(), actorOf(r), e.HoldID)
		if err != nil {
			return err
		}
		row := holdRow(hold)
		v.Hold = &row
		if hold.SourceID != 0 {
			return nil // all of it: the list would say nothing
		}
	}
	held, err := s.Store.HeldItems(r.Context(), actorOf(r), e.ID, erasuresShown)
	if err != nil {
		return err
	}
	for _, h := range held {
		row := web.HeldRow{Item: fmt.Sprintf("#%d", h.Item), Project: h.Project}
		if v.CanErase { // others may not be let in there
			row.Href = fmt.Sprintf("/items/%d", h.Item)
		}
		v.Held = append(v.Held, row)
	}
	return nil
}

// fillAtWork names who has something of it in hand, and which exports hold it.
func (s *Server) fillAtWork(r *http.Request, e store.Erasure, v *web.ErasureView) error {
	if !v.CanErase || !e.Open() {
		return nil
	}
	leases, err := s.Store.LeasesOf(r.Context(), actorOf(r), e.ID, leasesShown)
	if err != nil {
		return err
	}
	for _, l := range leases {
		v.Leases = append(v.Leases, web.LeaseRow{Person: l.Person, Project: l.Project, Item: fmt.Sprintf("#%d", l.Item)})
	}
	exports, err := s.Store.ErasureExports(r.Context(), actorOf(r), e)
	if err != nil {
		return err
	}
	for _, x := range exports {
		v.Exports = append(v.Exports, web.ExportRow{ID: x.ID, Format: x.Format, State: x.State, Media: x.Media, Bytes: x.Bytes, At: x.CreatedAt})
	}
	return nil
}

// fillPaper reads the receipt.
func (s *Server) fillPaper(_ *http.Request, e store.Erasure, v *web.ErasureView) error {
	if p := e.Proof; p != nil {
		v.Proof = &web.ProofView{At: p.At, Items: p.Items, Columns: p.Columns, Prefixes: p.Prefixes, Found: kindRows(p.Found)}
	}
	if len(e.Receipt) == 0 {
		return nil
	}
	paper, err := papers.Parse(e.Receipt)
	if err != nil {
		return fmt.Errorf("erasure %d: %w", e.ID, err)
	}
	v.Paper = &web.PaperView{Signed: len(e.Signature) > 0, Key: s.Store.PublicKey().String()}
	if done := paper.Rewritten; done != nil {
		v.Paper.Rewritten, v.Paper.Tables, v.Paper.Log, v.Paper.Objects = done.At.Time, int(done.Tables), done.Log.Words(), done.Objects.Words()
	}
	v.Paper.NoBackups = paper.Backups == nil || paper.Backups.Until == nil
	if !v.Paper.NoBackups {
		v.Paper.Backups, v.Paper.BackupsTill = int(paper.Backups.Known), paper.Backups.Until.Time
	}
	return nil
}
