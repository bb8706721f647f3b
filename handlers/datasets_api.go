package handlers

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
	"fiducial/store"
)

// recipeJSON is a recipe as programs see it. Its members are those of a recipe's file.
type recipeJSON struct {
	Projects  []string       `json:"projects" minItems:"1" example:"[\"steel\"]" doc:"Short names. Classes of one name are one class."`
	Seed      *int64         `json:"seed,omitempty" example:"1" doc:"1 if missing."`
	Shares    *sharesJSON    `json:"shares,omitempty" doc:"0.8, 0.1 and 0.1 if missing."`
	Filter    *filterJSON    `json:"filter,omitempty" doc:"What of the truth gets in; all of it if missing."`
	Group     string         `json:"group,omitempty" example:"group" doc:"What stays on one side: group (the default), media, source, item, or metadata: and a key."`
	Strata    []string       `json:"strata,omitempty" example:"[\"class\"]" enum:"class,source,project" doc:"What the version is balanced by."`
	Sizes     *sizesJSON     `json:"sizes,omitempty" doc:"How many items of each stratum a side takes; all if missing. The rest of that side waits as its reserve."`
	Retention *retentionJSON `json:"retention,omitempty" doc:"The test side refuses items that are kept for a time only, unless this allows them."`
}

type sharesJSON struct {
	Training   float64 `json:"training" minimum:"0" maximum:"1" example:"0.8"`
	Validation float64 `json:"validation" minimum:"0" maximum:"1" example:"0.1"`
	Test       float64 `json:"test" minimum:"0" maximum:"1" example:"0.1" doc:"All three add up to 1, with at most three decimals each."`
}

type filterJSON struct {
	Sources        []string       `json:"sources,omitempty" example:"[\"Mill 3\"]" doc:"Only items of these."`
	NotSources     []string       `json:"not_sources,omitempty" example:"[]" doc:"All but items of these."`
	Classes        []string       `json:"classes,omitempty" example:"[\"scratch\"]" doc:"Only items with a box of one of these; with all of their boxes."`
	CapturedFrom   string         `json:"captured_from,omitempty" example:"2026-01-31" doc:"A day, from midnight UTC, or a time with its zone."`
	CapturedBefore string         `json:"captured_before,omitempty" example:"2026-07-01"`
	MinSeconds     float64        `json:"min_seconds,omitempty" minimum:"0" example:"0.5" doc:"Only utterances that are at least as long."`
	MaxSeconds     float64        `json:"max_seconds,omitempty" minimum:"0" example:"30" doc:"Only utterances that are at most as long."`
	Definition     int            `json:"definition,omitempty" minimum:"0" example:"1" doc:"Every box was made under this version of its class's definition, or a later one."`
	Definitions    map[string]int `json:"definitions,omitempty" example:"{\"scratch\": 2}" doc:"The same for single classes instead; 0 for any."`
}

type sizesJSON struct {
	Training   int `json:"training,omitempty" minimum:"1" example:"500"`
	Validation int `json:"validation,omitempty" minimum:"1" example:"40"`
	Test       int `json:"test,omitempty" minimum:"1" example:"40"`
}

type retentionJSON struct {
	Test   string `json:"test" enum:"refuse,allow" example:"refuse"`
	Reason string `json:"reason,omitempty" example:"" maxLength:"500" doc:"Why they are allowed: needed then."`
}

func recipeAsJSON(r manifest.Recipe) (j recipeJSON) {
	document, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(document, &j)
	}
	if err != nil { // a recipe has no value that JSON lacks
		panic(err)
	}
	return j
}

// recipe is what the file of the same members would be.
func (j recipeJSON) recipe() (manifest.Recipe, error) {
	document, err := json.Marshal(j)
	if err != nil {
		return manifest.Recipe{}, fmt.Errorf("recipe: %w", err)
	}
	recipe, err := manifest.ParseJSON(document)
	if err != nil {
		return recipe, &store.InvalidError{Field: "recipe", Reason: "The recipe cannot be used: " + err.Error() + "."}
	}
	return recipe, nil
}

// versionJSON is a dataset version as programs see it.
type versionJSON struct {
	Dataset   string     `json:"dataset" example:"steel-test"`
	Number    int        `json:"number" example:"3"`
	State     string     `json:"state" enum:"freezing,frozen,failed"`
	Error     string     `json:"error,omitempty" doc:"Why it failed."`
	SHA256    string     `json:"sha256,omitempty" doc:"Over the sorted leaves of its lines; missing until it is frozen."`
	Items     int        `json:"items"`
	Boxes     int64      `json:"boxes" doc:"Of utterances: their moments."`
	Seconds   float64    `json:"seconds,omitempty" doc:"Of sound, where the version holds utterances."`
	Words     int64      `json:"words,omitempty" doc:"Of their transcripts, as they are written."`
	Recipe    recipeJSON `json:"recipe"`
	CreatedAt time.Time  `json:"created_at"`
	FrozenAt  *time.Time `json:"frozen_at,omitempty"`
	Parent    int        `json:"parent,omitempty" example:"2" doc:"The version before it."`
	RebuildOf int        `json:"rebuild_of,omitempty" example:"2" doc:"The version whose recipe it takes again."`
	LabelsAt  *time.Time `json:"labels_at,omitempty" doc:"When its snapshot of the labels was taken."`
}

func versionAsJSON(v store.DatasetVersion) versionJSON {
	return versionJSON{
		Dataset: v.Dataset, Number: v.Number, State: v.State, Error: v.Error, SHA256: hex.EncodeToString(v.Hash), Items: v.Lines, Boxes: v.Boxes, Seconds: v.Seconds, Words: v.Words,
		Recipe: recipeAsJSON(v.Recipe), CreatedAt: v.CreatedAt, FrozenAt: v.FrozenAt,
		Parent: v.Parent, RebuildOf: v.RebuildOf, LabelsAt: v.LabelsAt,
	}
}

type datasetInput struct {
	Dataset string `path:"dataset" example:"steel-test"`
}

type versionInput struct {
	Dataset string `path:"dataset" example:"steel-test"`
	Number  int    `path:"number" example:"3"`
}

type versionOutput struct{ Body versionJSON }

type freezeInput struct {
	Dataset string `path:"dataset" example:"steel-test" doc:"Made if there is none of that name."`
	Body    recipeJSON
}

type versionMade struct {
	Dataset string `json:"dataset" example:"steel-test"`
	Number  int    `json:"number" example:"3"`
}

type verifyInput struct {
	Dataset string `path:"dataset" example:"steel-test"`
	Number  int    `path:"number" example:"3"`
	Body    struct {
		Media bool `json:"media,omitempty" example:"true" doc:"Read every image too."`
	}
}

type idInput struct {
	ID int64 `path:"id" example:"1"`
}

// verificationJSON is a check of a version as programs see it.
type verificationJSON struct {
	ID          int64               `json:"id" example:"7"`
	Dataset     string              `json:"dataset" example:"steel-test"`
	Number      int                 `json:"number" example:"3"`
	Media       bool                `json:"media" example:"true"`
	State       string              `json:"state" example:"done" enum:"queued,done,failed"`
	Holds       bool                `json:"holds" example:"true" doc:"Every line and the hash are what was frozen."`
	HashHolds   bool                `json:"hash_holds" example:"true" doc:"The leaves, those of erased lines among them, give the version's hash."`
	ImagesRead  int                 `json:"images_read" example:"409"`
	Matching    int                 `json:"matching" example:"409" doc:"Lines that hold."`
	Erased      int                 `json:"erased" example:"3" doc:"Lines of which only the leaf is left."`
	Mismatching int                 `json:"mismatching" example:"0" doc:"Lines that do not hold."`
	Findings    []store.Finding     `json:"findings" doc:"The first of these."`
	Erasures    []store.ErasedLines `json:"erasures" doc:"Which erasures took the erased lines; their receipts explain them."`
	FinishedAt  *time.Time          `json:"finished_at,omitempty"`
}

type verificationOutput struct{ Body verificationJSON }

type exportInput struct {
	Dataset string `path:"dataset" example:"steel-test"`
	Number  int    `path:"number" example:"3"`
	Body    struct {
		Format   string `json:"format" example:"coco" enum:"coco,voc,yolo,yolo-obb,cvat,labelstudio,parquet,huggingface,nemo,ctm,stm,vtt,srt,textgrid" doc:"Of utterances: parquet, huggingface, or one from nemo on."`
		Media    bool   `json:"media,omitempty" example:"true" doc:"With the images, or the sound cut to each utterance."`
		Personal string `json:"personal,omitempty" enum:"mask,token,keep" doc:"What becomes of personal data in transcripts and sound; mask if missing."`
		Decided  bool   `json:"decided,omitempty" doc:"Leave what nobody has decided yet as it stands; else it is treated as confirmed."`
		Reason   string `json:"personal_reason,omitempty" maxLength:"500" doc:"Why personal data are kept: needed then."`
	}
}

// exportJSON is an export as programs see it.
type exportJSON struct {
	ID         int64      `json:"id" example:"12"`
	Dataset    string     `json:"dataset" example:"steel-test"`
	Number     int        `json:"number" example:"3"`
	Format     string     `json:"format" example:"coco" enum:"coco,voc,yolo,yolo-obb,cvat,labelstudio,parquet,huggingface,nemo,ctm,stm,vtt,srt,textgrid"`
	Media      bool       `json:"media" example:"true"`
	Personal   string     `json:"personal,omitempty" enum:"mask,token,keep" doc:"What became of personal data in transcripts."`
	State      string     `json:"state" example:"done" enum:"queued,running,done,failed,deleted"`
	Error      string     `json:"error,omitempty" doc:"Why it failed."`
	DoneItems  int        `json:"done_items" example:"412"`
	Items      int        `json:"items" example:"412"`
	Bytes      int64      `json:"bytes,omitempty" example:"93811204"`
	SHA256     string     `json:"sha256,omitempty" doc:"Of the archive."`
	Losses     int        `json:"losses" example:"0" doc:"What the format could not hold as it was; the archive's report.json has them."`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

type exportOutput struct{ Body exportJSON }

func (s *Server) datasetOperations(a api) {
	tags, unknown, refused := []string{"Datasets"}, http.StatusNotFound, http.StatusUnprocessableEntity
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "list-datasets", Method: http.MethodGet, Path: "/datasets", Tags: tags, Summary: "The newest version of each dataset",
	}, s.apiDatasets)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "list-versions", Method: http.MethodGet, Path: "/datasets/{dataset}/versions", Tags: tags, Summary: "Every version of a dataset, the newest first",
		Errors: []int{unknown},
	}, s.apiVersions)
	operation(a, access.EditDatasets, huma.Operation{
		OperationID: "freeze-version", Method: http.MethodPost, Path: "/datasets/{dataset}/versions", Tags: tags, Summary: "Freeze the next version",
		DefaultStatus: http.StatusCreated, Errors: []int{refused},
	}, s.apiFreeze)
	s.recipeOperations(a)
	s.lineageOperations(a)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "get-version", Method: http.MethodGet, Path: "/datasets/{dataset}/versions/{number}", Tags: tags, Summary: "One version", Errors: []int{unknown},
	}, s.apiVersion)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "verify-version", Method: http.MethodPost, Path: "/datasets/{dataset}/versions/{number}/verifications", Tags: tags,
		Summary: "Check that a version is still what was frozen", DefaultStatus: http.StatusCreated, Errors: []int{unknown, refused},
	}, s.apiVerify)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "get-verification", Method: http.MethodGet, Path: "/verifications/{id}", Tags: tags, Summary: "What a check found", Errors: []int{unknown},
	}, s.apiVerification)
	operation(a, access.Export, huma.Operation{
		OperationID: "export-version", Method: http.MethodPost, Path: "/datasets/{dataset}/versions/{number}/exports", Tags: tags, Summary: "Write a version as an archive",
		DefaultStatus: http.StatusCreated, Errors: []int{unknown, refused},
	}, s.apiAddExport)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "get-export", Method: http.MethodGet, Path: "/exports/{id}", Tags: tags, Summary: "One export", Errors: []int{unknown},
	}, s.apiExport)
	operation(a, access.Export, huma.Operation{
		OperationID: "download-export", Method: http.MethodGet, Path: "/exports/{id}/archive", Tags: tags, Summary: "The archive itself, or a range of it", Errors: []int{unknown, http.StatusGone},
	}, s.apiDownload)
}

func (s *Server) apiDatasets(ctx context.Context, actor store.Actor, in *PageQuery) (*listing[versionJSON], error) {
	newest, err := s.Store.Datasets(ctx, actor, in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf("/datasets", url.Values{}, in.Limit, versionsAsJSON(newest), func(v versionJSON) string { return v.Dataset }), nil
}

func versionsAsJSON(versions []store.DatasetVersion) []versionJSON {
	rows := make([]versionJSON, 0, len(versions))
	for _, v := range versions {
		rows = append(rows, versionAsJSON(v))
	}
	return rows
}

func (s *Server) apiVersions(ctx context.Context, actor store.Actor, in *datasetInput) (*listing[versionJSON], error) {
	versions, err := s.Store.DatasetVersions(ctx, actor, in.Dataset)
	out := &listing[versionJSON]{}
	out.Body.Data = versionsAsJSON(versions)
	return out, err
}

func (s *Server) apiFreeze(ctx context.Context, actor store.Actor, in *freezeInput) (*made[versionMade], error) {
	recipe, err := in.Body.recipe()
	if err != nil {
		return nil, err
	}
	v, err := s.Store.Freeze(ctx, actor, in.Dataset, recipe)
	if err != nil {
		return nil, err
	}
	return &made[versionMade]{
		Location: fmt.Sprintf("%s/datasets/%s/versions/%d", apiBase, v.Dataset, v.Number), Body: versionMade{v.Dataset, v.Number},
	}, nil
}

func (s *Server) apiVersion(ctx context.Context, actor store.Actor, in *versionInput) (*versionOutput, error) {
	v, err := s.Store.DatasetVersion(ctx, actor, in.Dataset, in.Number)
	return &versionOutput{versionAsJSON(v)}, err
}

func (s *Server) apiVerify(ctx context.Context, actor store.Actor, in *verifyInput) (*made[idMade], error) {
	version, err := s.Store.DatasetVersion(ctx, actor, in.Dataset, in.Number)
	if err != nil {
		return nil, err
	}
	v, err := s.Store.Verify(ctx, actor, version, in.Body.Media)
	return &made[idMade]{Location: fmt.Sprintf("%s/verifications/%d", apiBase, v.ID), Body: idMade{v.ID}}, err
}

func (s *Server) apiVerification(ctx context.Context, actor store.Actor, in *idInput) (*verificationOutput, error) {
	v, version, err := s.Store.Verification(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &verificationOutput{verificationJSON{
		ID: v.ID, Dataset: version.Dataset, Number: version.Number, Media: v.Media, State: v.State, Holds: v.Holds(), HashHolds: v.HashHolds, ImagesRead: v.DoneItems,
		Matching: v.Matching, Erased: v.Erased, Mismatching: v.Mismatched, Findings: v.Findings, Erasures: v.Erasures, FinishedAt: v.FinishedAt,
	}}, nil
}

func (s *Server) apiAddExport(ctx context.Context, actor store.Actor, in *exportInput) (*made[idMade], error) {
	version, err := s.Store.DatasetVersion(ctx, actor, in.Dataset, in.Number)
	if err != nil {
		return nil, err
	}
	e, err := s.Store.AddExport(ctx, actor, version, store.ExportAsk{
		Format: in.Body.Format, Media: in.Body.Media, Personal: in.Body.Personal, Decided: in.Body.Decided, Reason: in.Body.Reason,
	})
	return &made[idMade]{Location: fmt.Sprintf("%s/exports/%d", apiBase, e.ID), Body: idMade{e.ID}}, err
}

func (s *Server) apiExport(ctx context.Context, actor store.Actor, in *idInput) (*exportOutput, error) {
	e, version, err := s.Store.Export(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	personal := ""
	if version.Kind == "audio" {
		personal = e.Personal
	}
	return &exportOutput{exportJSON{
		Personal: personal,
		ID:       e.ID, Dataset: version.Dataset, Number: version.Number, Format: e.Format, Media: e.Media, State: e.State, Error: e.Error,
		DoneItems: e.DoneItems, Items: version.Lines, Bytes: e.Bytes, SHA256: hex.EncodeToString(e.SHA256), Losses: e.Losses, FinishedAt: e.FinishedAt,
	}}, nil
}

// apiDownload hands the request to what serves the browsers, which knows ranges.
func (s *Server) apiDownload(_ context.Context, _ store.Actor, in *idInput) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humachi.Unwrap(ctx)
		if err := s.serveExport(w, r, in.ID); err != nil {
			s.fail(w, r, err)
		}
	}}, nil
}
