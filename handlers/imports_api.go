package handlers

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

// partTime is how long one part of an upload may take on a slow connection.
const partTime = 10 * time.Minute

// importJSON is an import as programs see it.
type importJSON struct {
	ID         int64      `json:"id" example:"1"`
	Project    string     `json:"project" example:"steel"`
	Format     string     `json:"format" enum:"images,coco,voc,yolo,cvat,labelstudio,audio,nemo,ctm,stm,vtt,srt,textgrid,hypotheses"`
	Purpose    string     `json:"purpose" enum:"media,truth,prefill,prediction"`
	Model      string     `json:"model,omitempty" example:"strip-detector@2.1"`
	Source     string     `json:"source" example:"Line 2"`
	DryRun     bool       `json:"dry_run" doc:"Everything is checked and nothing changed."`
	State      string     `json:"state" enum:"uploading,queued,running,done,failed,cancelled"`
	Error      string     `json:"error,omitempty" doc:"Why it failed."`
	Files      int        `json:"files" doc:"Files announced; 0 again once the import has ended."`
	Complete   int        `json:"complete" doc:"Files that have arrived."`
	Bytes      int64      `json:"bytes" doc:"Bytes announced."`
	Received   int64      `json:"received" doc:"Bytes that have arrived."`
	Expected   int        `json:"expected" doc:"Records that the import has found; 0 while unknown."`
	Added      int        `json:"added"`
	Changed    int        `json:"changed"`
	Unchanged  int        `json:"unchanged"`
	Refused    int        `json:"refused"`
	Lost       int        `json:"lost" doc:"Places at which something came in otherwise than it stood: clipped, rounded, renamed, left out."`
	Boxes      int        `json:"boxes" doc:"Boxes, or segments of transcripts, of what was added, changed or found unchanged."`
	NewClasses []string   `json:"new_classes" example:"[\"scratch\"]" doc:"Classes that it added, or would add if it is a dry run."`
	CreatedAt  time.Time  `json:"created_at"`
	FinishedAt *time.Time `json:"finished_at"`
}

type newImportInput struct {
	Slug string `path:"slug" example:"steel"`
	Body struct {
		Format       string `json:"format" enum:"images,coco,voc,yolo,cvat,labelstudio,audio,nemo,ctm,stm,vtt,srt,textgrid,hypotheses"`
		Purpose      string `json:"purpose,omitempty" enum:"media,truth,prefill,prediction" default:"media" doc:"What labels, or transcripts, become. media brings in pictures, or recordings, alone."`
		Model        string `json:"model,omitempty" example:"strip-detector@2.1" doc:"Which model version predicted, as NAME@VERSION."`
		Source       string `json:"source,omitempty" example:"Line 2" doc:"Whose data it is, made if it is missing; the project's name if empty."`
		VOCBase      *int   `json:"voc_base,omitempty" enum:"0,1" doc:"1, or missing: corners are counted from 1 and inclusive; 0: plain coordinates."`
		GroupBy      string `json:"group_by,omitempty" enum:",folder,name" doc:"folder keeps the items of one folder on one side of a split; name those in whose keys group_pattern finds the same."`
		GroupPattern string `json:"group_pattern,omitempty" maxLength:"200" example:"^([A-Z]-[0-9]+)" doc:"For name: a regular expression; what its first group finds is the item's group, else all that it finds."`
		Per          string `json:"per,omitempty" enum:",recording,segment" doc:"What becomes an item of a transcript with segments: the recording, which is what a missing value means, or each segment."`
		AddClasses   bool   `json:"add_classes,omitempty" doc:"Add the classes that the project lacks; else what names them is refused."`
		AllowErased  bool   `json:"allow_erased,omitempty" doc:"Let in again what was erased: the customer came back, or a wrong item was erased. Said for this import alone; the audit log keeps it."`
		DryRun       bool   `json:"dry_run,omitempty" doc:"Say what would happen to each record, and change nothing."`
	}
}

type importInput struct {
	ID int64 `path:"id" example:"1"`
}

type importOutput struct{ Body importJSON }

type announceInput struct {
	ID   int64 `path:"id" example:"1"`
	Body struct {
		Files []announcedFile `json:"files" minItems:"1" maxItems:"1000"`
	}
}

type announcedFile struct {
	Name string `json:"name" maxLength:"1024" example:"coil 7/0001.jpg" doc:"Relative path with forward slashes."`
	Size int64  `json:"size" minimum:"0" doc:"Bytes."`
}

// uploadedFile bears no name: the answer is kept under the request's idempotency key.
type uploadedFile struct {
	ID       int64 `json:"id" example:"1"`
	Size     int64 `json:"size" doc:"Bytes announced."`
	Received int64 `json:"received" doc:"Bytes that have arrived: where the next part begins."`
	Complete bool  `json:"complete"`
}

type announceOutput struct {
	Body struct {
		Files    []uploadedFile `json:"files" doc:"In the order of the request."`
		PartSize int64          `json:"part_size" doc:"The most bytes that a part may have."`
	}
}

type partInput struct {
	ID      int64  `path:"id" example:"1"`
	File    int64  `path:"file" example:"1"`
	Offset  int64  `query:"offset" minimum:"0" doc:"Where the part begins in the file."`
	RawBody []byte `contentType:"application/octet-stream"`
}

type partOutput struct{ Body uploadedFile }

type resultsInput struct {
	PageQuery

	ID      int64  `path:"id" example:"1"`
	Outcome string `query:"outcome" enum:"added,changed,unchanged,refused,lost" doc:"Only results with this outcome."`
}

type resultJSON struct {
	ID      int64  `json:"id"`
	Name    string `json:"name" doc:"The file, and the place inside it."`
	Outcome string `json:"outcome" enum:"added,changed,unchanged,refused,lost"`
	Reason  string `json:"reason,omitempty" doc:"Why it was refused, what was lost, or what is odd about it."`
	Item    int64  `json:"item,omitempty"`
	Boxes   int    `json:"boxes"`
}

func (s *Server) importOperations(a api) {
	tags, unknown, refused := []string{"Imports"}, http.StatusNotFound, http.StatusUnprocessableEntity
	operation(a, access.Import, huma.Operation{
		OperationID: "add-import", Method: http.MethodPost, Path: "/projects/{slug}/imports", Tags: tags, Summary: "Begin an import",
		Description: "Announce its files next, upload them part by part, and start it.", DefaultStatus: http.StatusCreated, Errors: []int{unknown, refused},
	}, s.apiAddImport)
	operation(a, access.Import, huma.Operation{
		OperationID: "get-import", Method: http.MethodGet, Path: "/imports/{id}", Tags: tags, Summary: "How far an import is", Errors: []int{unknown},
	}, s.apiImport)
	operation(a, access.Import, huma.Operation{
		OperationID: "announce-files", Method: http.MethodPost, Path: "/imports/{id}/files", Tags: tags, Summary: "Announce files to upload",
		Description: "Announcing a file again says how much of it has arrived, so that a broken upload goes on where it stopped.", Errors: []int{unknown, refused},
	}, s.apiAnnounceFiles)
	operation(a, access.Import, huma.Operation{
		OperationID: "put-part", Method: http.MethodPut, Path: "/imports/{id}/files/{file}", Tags: tags, Summary: "Upload a part of a file",
		Description:  "A part that begins elsewhere than at what has arrived is not stored; the answer says where to go on.",
		MaxBodyBytes: store.ImportPart + 1, BodyReadTimeout: partTime, Errors: []int{unknown, refused},
	}, s.apiPutPart)
	operation(a, access.Import, huma.Operation{
		OperationID: "start-import", Method: http.MethodPost, Path: "/imports/{id}/start", Tags: tags, Summary: "Start an import whose files have all arrived",
		Errors: []int{unknown, refused},
	}, s.apiStartImport)
	operation(a, access.Import, huma.Operation{
		OperationID: "cancel-import", Method: http.MethodPost, Path: "/imports/{id}/cancel", Tags: tags, Summary: "Cancel an import",
		Description: "What is in already stays.", Errors: []int{unknown, refused},
	}, s.apiCancelImport)
	operation(a, access.Import, huma.Operation{
		OperationID: "list-import-results", Method: http.MethodGet, Path: "/imports/{id}/results", Tags: tags, Summary: "What became of each record",
		Errors: []int{unknown},
	}, s.apiImportResults)
}

func (s *Server) apiAddImport(ctx context.Context, actor store.Actor, in *newImportInput) (*made[idMade], error) {
	b, base := in.Body, 1
	if b.VOCBase != nil {
		base = *b.VOCBase
	}
	added, err := s.Store.AddImport(ctx, actor, in.Slug, store.NewImport{
		Format: b.Format, Purpose: b.Purpose, Model: b.Model, Source: b.Source,
		Options: store.ImportOptions{VOCBase: base, GroupBy: b.GroupBy, GroupPattern: b.GroupPattern, Per: b.Per, AddClasses: b.AddClasses, AllowErased: b.AllowErased, DryRun: b.DryRun},
	})
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: fmt.Sprintf("%s/imports/%d", apiBase, added.ID), Body: idMade{added.ID}}, nil
}

func (s *Server) apiImport(ctx context.Context, actor store.Actor, in *importInput) (*importOutput, error) {
	i, progress, counts, err := s.importState(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &importOutput{importJSON{
		ID: i.ID, Project: i.Project, Format: i.Format, Purpose: i.Purpose, Model: i.Model, Source: i.Source, DryRun: i.Options.DryRun,
		State: i.State, Error: i.Error, Files: progress.Files, Complete: progress.Complete, Bytes: progress.Bytes, Received: progress.Received,
		Expected: i.Expected, Added: counts.Added, Changed: counts.Changed, Unchanged: counts.Unchanged, Refused: counts.Refused,
		Lost: counts.Lost, Boxes: counts.Boxes, NewClasses: i.NewClasses, CreatedAt: i.CreatedAt, FinishedAt: i.FinishedAt,
	}}, nil
}

// importState reads an import, how much of it has arrived, and what became of its records.
func (s *Server) importState(ctx context.Context, actor store.Actor, id int64) (i store.Import, p store.UploadProgress, c store.ImportCounts, err error) {
	if i, err = s.Store.Import(ctx, actor, id); err != nil {
		return i, p, c, err
	}
	if p, err = s.Store.UploadProgress(ctx, actor, id); err != nil {
		return i, p, c, err
	}
	counts, err := s.Store.ImportCounts(ctx, actor, id)
	return i, p, counts[id], err
}

func (s *Server) apiAnnounceFiles(ctx context.Context, actor store.Actor, in *announceInput) (*announceOutput, error) {
	files := make([]store.NewImportFile, 0, len(in.Body.Files))
	for _, f := range in.Body.Files {
		files = append(files, store.NewImportFile{Name: f.Name, Size: f.Size})
	}
	added, err := s.Store.AddImportFiles(ctx, actor, in.ID, files)
	if err != nil {
		return nil, err
	}
	out := &announceOutput{}
	out.Body.PartSize = store.ImportPart
	for _, f := range added {
		out.Body.Files = append(out.Body.Files, uploadedFile{f.ID, f.Size, f.Received, f.Complete})
	}
	return out, nil
}

func (s *Server) apiPutPart(ctx context.Context, actor store.Actor, in *partInput) (*partOutput, error) {
	f, err := s.Store.PutImportPart(ctx, actor, in.ID, in.File, in.Offset, int64(len(in.RawBody)), bytes.NewReader(in.RawBody))
	if err != nil {
		return nil, err
	}
	return &partOutput{uploadedFile{f.ID, f.Size, f.Received, f.Complete}}, nil
}

func (s *Server) apiStartImport(ctx context.Context, actor store.Actor, in *importInput) (*importOutput, error) {
	if err := s.Store.StartImport(ctx, actor, in.ID); err != nil {
		return nil, err
	}
	return s.apiImport(ctx, actor, in)
}

func (s *Server) apiCancelImport(ctx context.Context, actor store.Actor, in *importInput) (*importOutput, error) {
	if err := s.Store.CancelImport(ctx, actor, in.ID); err != nil {
		return nil, err
	}
	return s.apiImport(ctx, actor, in)
}

func (s *Server) apiImportResults(ctx context.Context, actor store.Actor, in *resultsInput) (*listing[resultJSON], error) {
	after, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	results, err := s.Store.ImportResults(ctx, actor, in.ID, in.Outcome, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]resultJSON, 0, len(results))
	for _, r := range results {
		rows = append(rows, resultJSON{r.ID, r.Name, r.Outcome, r.Reason, r.ItemID, r.Boxes})
	}
	query := url.Values{}
	if in.Outcome != "" {
		query.Set("outcome", in.Outcome)
	}
	return pageOf(fmt.Sprintf("/imports/%d/results", in.ID), query, in.Limit, rows, func(r resultJSON) string {
		return strconv.FormatInt(r.ID, 10)
	}), nil
}
