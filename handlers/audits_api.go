package handlers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

type auditBody struct {
	Items int   `json:"items" minimum:"1" maximum:"2000" example:"100" doc:"How many test lines are drawn."`
	Seed  int64 `json:"seed,omitempty" example:"7" doc:"The same seed draws the same of the same lines; any if missing."`
}

type auditInput struct {
	Dataset string `path:"dataset" example:"calls-test"`
	Number  int    `path:"number" example:"3"`
	Body    auditBody
}

type auditsInput struct {
	Dataset string `path:"dataset" example:"calls-test"`
	Number  int    `path:"number" example:"3"`
}

// auditJSON is a blind audit as programs see it.
type auditJSON struct {
	ID         int64              `json:"id" example:"4"`
	Items      int                `json:"items" example:"100"`
	Seed       int64              `json:"seed"`
	State      string             `json:"state" enum:"waiting,open,failed,closed"`
	Error      string             `json:"error,omitempty"`
	Batches    []store.AuditBatch `json:"batches" doc:"One in each project that the lines are of; none until they are drawn."`
	Answered   int                `json:"answered"`
	Decided    int                `json:"decided"`
	Report     *store.AuditReport `json:"report,omitempty" doc:"Missing until it is made: when its batches are approved, or asked for."`
	CreatedAt  time.Time          `json:"created_at"`
	ReportedAt *time.Time         `json:"reported_at,omitempty"`
}

func auditAsJSON(a store.BlindAudit) auditJSON {
	return auditJSON{
		ID: a.ID, Items: a.Items, Seed: a.Seed, State: a.State, Error: a.Error, Batches: a.Batches, Answered: a.Answered, Decided: a.Decided, Report: a.Report,
		CreatedAt: a.CreatedAt, ReportedAt: a.ReportedAt,
	}
}

type auditOutput struct{ Body auditJSON }

func (s *Server) auditOperations(a api) {
	const unknown, refused = http.StatusNotFound, http.StatusUnprocessableEntity
	tags := []string{"Datasets"}
	operation(a, access.RunEvaluations, huma.Operation{
		OperationID: "start-audit", Method: http.MethodPost, Path: "/datasets/{dataset}/versions/{number}/audits", Tags: tags, Summary: "Have test lines labeled once more, blind",
		Description: "Lines of the test split are drawn at random and become a batch in each project that they are of. Whoever had not labeled one labels it again, and sees neither the label nor what a " +
			"model said. What differs is the share of wrong test labels.",
		DefaultStatus: http.StatusCreated, Errors: []int{unknown, refused},
	}, s.apiStartAudit)
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "list-audits", Method: http.MethodGet, Path: "/datasets/{dataset}/versions/{number}/audits", Tags: tags, Summary: "The blind audits of a version", Errors: []int{unknown},
	}, s.apiAudits)
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "get-audit", Method: http.MethodGet, Path: "/audits/{id}", Tags: tags, Summary: "A blind audit with what it has found", Errors: []int{unknown},
	}, s.apiAudit)
	operation(a, access.RunEvaluations, huma.Operation{
		OperationID: "report-audit", Method: http.MethodPost, Path: "/audits/{id}/report", Tags: tags, Summary: "Have an audit's report made anew",
		DefaultStatus: http.StatusAccepted, Errors: []int{unknown, refused},
	}, s.apiReportAudit)
}

func (s *Server) apiStartAudit(ctx context.Context, actor store.Actor, in *auditInput) (*made[idMade], error) {
	version, err := s.Store.DatasetVersion(ctx, actor, in.Dataset, in.Number)
	if err != nil {
		return nil, err
	}
	id, err := s.Store.StartAudit(ctx, actor, version, in.Body.Items, in.Body.Seed)
	return &made[idMade]{Location: fmt.Sprintf("%s/audits/%d", apiBase, id), Body: idMade{id}}, err
}

func (s *Server) apiAudits(ctx context.Context, actor store.Actor, in *auditsInput) (*listing[auditJSON], error) {
	version, err := s.Store.DatasetVersion(ctx, actor, in.Dataset, in.Number)
	if err != nil {
		return nil, err
	}
	audits, err := s.Store.Audits(ctx, actor, version)
	if err != nil {
		return nil, err
	}
	rows := make([]auditJSON, 0, len(audits))
	for _, a := range audits {
		rows = append(rows, auditAsJSON(a))
	}
	return pageOf("", nil, len(rows), rows, func(auditJSON) string { return "" }), nil
}

func (s *Server) apiAudit(ctx context.Context, actor store.Actor, in *idInput) (*auditOutput, error) {
	a, err := s.Store.Audit(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &auditOutput{auditAsJSON(a)}, nil
}

func (s *Server) apiReportAudit(ctx context.Context, actor store.Actor, in *idInput) (*struct{}, error) {
	return nil, s.Store.AskForAuditReport(ctx, actor, in.ID)
}
