package handlers

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// auditLines is how many lines the form proposes.
const auditLines = 100

func (s *Server) blindAuditRoutes(r router) {
	const audits = datasetsPath + "/{dataset}/{number}/audits"
	r.get(audits, access.ReadEvaluations, s.showAudits)
	r.post(audits, access.RunEvaluations, s.startAudit)
	r.post(audits+"/{audit}/report", access.RunEvaluations, s.askForAuditReport)
}

func auditsPath(v store.DatasetVersion) string {
	return fmt.Sprintf("%s/%s/%d/audits", datasetsPath, v.Dataset, v.Number)
}

func (s *Server) showAudits(w http.ResponseWriter, r *http.Request) error {
	version, err := s.version(r)
	if err != nil {
		return err
	}
	return s.renderAudits(w, r, http.StatusOK, version, web.AuditsView{Items: cmp.Or(r.URL.Query().Get("items"), strconv.Itoa(auditLines))})
}

func (s *Server) renderAudits(w http.ResponseWriter, r *http.Request, status int, version store.DatasetVersion, v web.AuditsView) error {
	actor := actorOf(r)
	audits, err := s.Store.Audits(r.Context(), actor, version)
	if err != nil {
		return err
	}
	v.Dataset, v.Number = version.Dataset, version.Number
	if actor.Allowed(access.RunEvaluations) {
		v.Form = auditsPath(version)
	}
	for _, a := range audits {
		v.Rows = append(v.Rows, blindAuditRow(actor, version, a))
	}
	name := fmt.Sprintf("v%d", version.Number)
	page := s.page(r, "Blind audits", ui.Crumb{Label: "Datasets", Href: datasetsPath}, ui.Crumb{Label: version.Dataset, Href: datasetsPath + "/" + version.Dataset},
		ui.Crumb{Label: name, Href: fmt.Sprintf("%s/%s/%d", datasetsPath, version.Dataset, version.Number)}, ui.Crumb{Label: "Blind audits"})
	return render(w, r, status, web.AuditsPage(page, v))
}

func blindAuditRow(actor store.Actor, version store.DatasetVersion, a store.BlindAudit) web.BlindAuditRow {
	row := web.BlindAuditRow{
		ID: a.ID, State: a.State, Error: a.Error, Items: a.Items, Answered: a.Answered, Decided: a.Decided, By: a.CreatedBy, At: a.CreatedAt, ReportedAt: orZero(a.ReportedAt),
	}
	for _, b := range a.Batches {
		batch := web.AuditBatchView{Name: fmt.Sprintf("batch %d of %s", b.Number, b.Project)}
		if actor.Allowed(access.ReadItems) {
			batch.Href = fmt.Sprintf("/projects/%s/batches/%d", b.Project, b.Number)
		}
		row.Batches = append(row.Batches, batch)
	}
	if actor.Allowed(access.RunEvaluations) && (a.State == store.AuditOpen || a.State == store.AuditClosed) {
		row.Again = fmt.Sprintf("%s/%d/report", auditsPath(version), a.ID)
	}
	if a.Report != nil {
		row.Report = auditReportView(*a.Report)
	}
	return row
}

// auditFindings say what each kind of difference means, in the order in which they are listed.
var auditFindings = []struct{ kind, name string }{
	{"words", "Utterances with other words"},
	{"missed", "Labels that one of the two does not have"},
	{"class", "Labels of another class"},
	{"loose", "Labels that lie elsewhere"},
	{"split", "Labels that are several in the other"},
}

func auditReportView(r store.AuditReport) *web.AuditReportView {
	v := &web.AuditReportView{Sentence: auditSentence(r), Differ: auditShareView(r.Differ), Wrong: auditShareView(r.Wrong)}
	for _, f := range auditFindings {
		if n := r.Findings[f.kind]; n > 0 {
			v.Findings = append(v.Findings, web.AuditFinding{Name: f.name, Times: n})
		}
	}
	if r.Words > 0 {
		v.Words = fmt.Sprintf("%.1f %% of %s words", 100*float64(r.WordErrors)/float64(r.Words), ui.Number(r.Words))
	}
	return v
}

// auditSentence says what an audit has found, or what it waits for.
func auditSentence(r store.AuditReport) string {
	switch d := r.Differ; {
	case r.Answered == 0:
		return "Nobody has labeled one of the lines again yet."
	case r.Wrong.Of > 0:
		w := r.Wrong
		return fmt.Sprintf("Of %d lines that were decided again %d had a wrong label: %.1f %%, and with 95 %% confidence between %.1f and %.1f %% of the test split.",
			w.Of, w.Count, 100*w.Share, 100*w.Low, 100*w.High)
	default:
		return fmt.Sprintf("Of %d lines that were labeled again %d differ: %.1f %%, and with 95 %% confidence between %.1f and %.1f %%. Which of the two is wrong the review says.",
			d.Of, d.Count, 100*d.Share, 100*d.Low, 100*d.High)
	}
}

func auditShareView(s store.AuditShare) web.AuditShareView {
	return web.AuditShareView{
		Value: fmt.Sprintf("%.3f", s.Share), Margin: fmt.Sprintf("%.3f", (s.High-s.Low)/2), Count: s.Count, Of: s.Of,
	}
}

func (s *Server) startAudit(w http.ResponseWriter, r *http.Request) error {
	version, err := s.version(r)
	if err != nil {
		return err
	}
	typed := r.FormValue("items")
	items, err := strconv.Atoi(typed)
	if err != nil {
		items = 0
	}
	_, err = s.Store.StartAudit(r.Context(), actorOf(r), version, items, 0)
	if refused, ok := refusalOf(err); ok {
		return s.renderAudits(w, r, http.StatusUnprocessableEntity, version, web.AuditsView{Items: typed, Refused: refused})
	}
	if err != nil {
		return err
	}
	s.flash(r, "The lines of the audit are being drawn.")
	return seeOther(w, r, auditsPath(version))
}

func (s *Server) askForAuditReport(w http.ResponseWriter, r *http.Request) error {
	version, err := s.version(r)
	if err != nil {
		return err
	}
	id, err := pathID(r, "audit")
	if err != nil {
		return err
	}
	audits, err := s.Store.Audits(r.Context(), actorOf(r), version)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(audits, func(a store.BlindAudit) bool { return a.ID == id }) {
		return store.ErrNotFound
	}
	if err := s.Store.AskForAuditReport(r.Context(), actorOf(r), id); err != nil {
		return err
	}
	s.flash(r, "The report is being made.")
	return seeOther(w, r, auditsPath(version))
}
