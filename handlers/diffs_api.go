package handlers

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
	"fiducial/store"
)

type diffInput struct {
	Body struct {
		From string `json:"from" example:"steel-test@2" doc:"Dataset and version."`
		To   string `json:"to" example:"steel-test@3" doc:"Of the same dataset or of another. Whichever was frozen first is compared with the other."`
	}
}

type diffCountJSON struct {
	Reason    manifest.Reason `json:"reason" enum:"added,relabelled,redefined,replaced,moved,filtered,discarded,withdrawn,expired,erased"`
	Detail    string          `json:"detail,omitempty" example:"definition" doc:"How it came about: item, truth, recipe or returned of what was added; definition, relabel or name of what was redefined; the rule of what was filtered."`
	FromSplit manifest.Split  `json:"from_split,omitempty" example:"training" doc:"Missing for what was not there, or is erased."`
	ToSplit   manifest.Split  `json:"to_split,omitempty" example:"test"`
	Came      int             `json:"came" example:"0" doc:"Lines of the newer version alone."`
	Gone      int             `json:"gone" example:"0" doc:"Lines of the older version alone."`
	Changed   int             `json:"changed" example:"12" doc:"Lines of both."`
}

type diffClassJSON struct {
	Class string `json:"class" example:"scratch"`
	From  int64  `json:"from_boxes" example:"120"`
	To    int64  `json:"to_boxes" example:"134"`
}

type diffJSON struct {
	ID         int64           `json:"id" example:"1"`
	From       string          `json:"from" example:"steel-test@2" doc:"The older version."`
	To         string          `json:"to" example:"steel-test@3"`
	State      string          `json:"state" enum:"queued,done,failed"`
	FromItems  int             `json:"from_items" example:"980"`
	ToItems    int             `json:"to_items" example:"1010"`
	Same       int             `json:"same" example:"940" doc:"Lines that both have, byte for byte. With those that went and changed they are the older version's; with those that came and changed the newer one's."`
	Counts     []diffCountJSON `json:"counts"`
	Classes    []diffClassJSON `json:"classes" doc:"Boxes by class as the versions were frozen."`
	FinishedAt *time.Time      `json:"finished_at,omitempty"`
}

type diffOutput struct{ Body diffJSON }

type diffLinesInput struct {
	PageQuery

	ID     int64           `path:"id" example:"1"`
	Reason manifest.Reason `query:"reason" required:"true" enum:"added,relabelled,redefined,replaced,moved,filtered,discarded,withdrawn,expired,erased" example:"erased"`
	Split  string          `query:"split" enum:"training,validation,test" doc:"Where the item is now, or was."`
}

type diffLineJSON struct {
	Reason       manifest.Reason `json:"reason"`
	Detail       string          `json:"detail,omitempty"`
	Item         int64           `json:"item,omitempty" doc:"Missing once it is erased."`
	FromPosition *int            `json:"from_position,omitempty" doc:"In the older manifest; missing where it is not there."`
	ToPosition   *int            `json:"to_position,omitempty"`
	FromSplit    string          `json:"from_split,omitempty"`
	ToSplit      string          `json:"to_split,omitempty"`
	Leaf         string          `json:"leaf" doc:"Of the newer version, else of the older one."`
	Erasure      int64           `json:"erasure,omitempty" doc:"The erasure that took it."`
	ErasedAt     *time.Time      `json:"erased_at,omitempty"`

	cursor string
}

func (s *Server) diffOperations(a api) {
	const unknown, refused = http.StatusNotFound, http.StatusUnprocessableEntity
	tags := []string{"Datasets"}
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "compare-versions", Method: http.MethodPost, Path: "/diffs", Tags: tags, Summary: "Have two versions compared",
		Description:   "What differs is worked out by a job and kept until something of either version is erased: read the diff until it is done.",
		DefaultStatus: http.StatusCreated, Errors: []int{unknown, refused},
	}, s.apiCompare)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "get-diff", Method: http.MethodGet, Path: "/diffs/{id}", Tags: tags, Summary: "What two versions differ in, and why", Errors: []int{unknown},
	}, s.apiDiff)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "list-diff-lines", Method: http.MethodGet, Path: "/diffs/{id}/lines", Tags: tags, Summary: "The differences of one reason", Errors: []int{unknown},
	}, s.apiDiffLines)
}

// versionNamed returns the version NAME@N.
func (s *Server) versionNamed(ctx context.Context, actor store.Actor, field, name string) (store.DatasetVersion, error) {
	dataset, number, ok := strings.Cut(name, "@")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return store.DatasetVersion{}, &store.InvalidError{Field: field, Reason: fmt.Sprintf("%q names no version. Write NAME@N, such as steel-test@3.", name)}
	}
	return s.Store.DatasetVersion(ctx, actor, dataset, n)
}

func (s *Server) apiCompare(ctx context.Context, actor store.Actor, in *diffInput) (*made[idMade], error) {
	from, err := s.versionNamed(ctx, actor, "from", in.Body.From)
	if err != nil {
		return nil, err
	}
	to, err := s.versionNamed(ctx, actor, "to", in.Body.To)
	if err != nil {
		return nil, err
	}
	diff, err := s.Store.Compare(ctx, actor, from, to)
	return &made[idMade]{Location: fmt.Sprintf("%s/diffs/%d", apiBase, diff.ID), Body: idMade{diff.ID}}, err
}

func (s *Server) apiDiff(ctx context.Context, actor store.Actor, in *idInput) (*diffOutput, error) {
	diff, err := s.Store.Diff(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	out := diffJSON{
		ID: diff.ID, From: fmt.Sprintf("%s@%d", diff.From.Dataset, diff.From.Number), To: fmt.Sprintf("%s@%d", diff.To.Dataset, diff.To.Number),
		State: diff.State, FromItems: diff.From.Lines, ToItems: diff.To.Lines, Same: diff.Same, FinishedAt: diff.FinishedAt, Counts: []diffCountJSON{},
	}
	for _, c := range diff.Counts {
		out.Counts = append(out.Counts, diffCountJSON(c))
	}
	out.Classes, err = s.diffClassesJSON(ctx, diff)
	return &diffOutput{out}, err
}

func (s *Server) diffClassesJSON(ctx context.Context, diff store.Diff) ([]diffClassJSON, error) {
	names, boxes := map[int64]string{}, map[int64]*diffClassJSON{}
	out, order := []diffClassJSON{}, []int64{}
	for i, version := range []store.DatasetVersion{diff.From, diff.To} {
		summary, err := s.Store.VersionSummary(ctx, version)
		if err != nil {
			return nil, err
		}
		for _, class := range summary.Classes {
			names[class.ID] = class.Name
		}
		for _, c := range summary.Counts {
			if c.ClassID == 0 {
				continue
			}
			if boxes[c.ClassID] == nil {
				boxes[c.ClassID] = &diffClassJSON{}
				order = append(order, c.ClassID)
			}
			if i == 0 {
				boxes[c.ClassID].From += c.Boxes
			} else {
				boxes[c.ClassID].To += c.Boxes
			}
		}
	}
	for _, id := range order {
		boxes[id].Class = names[id]
		out = append(out, *boxes[id])
	}
	return out, nil
}

func (s *Server) apiDiffLines(ctx context.Context, actor store.Actor, in *diffLinesInput) (*listing[diffLineJSON], error) {
	diff, err := s.Store.Diff(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	lines, err := s.Store.DiffLines(ctx, diff, in.Reason, in.Split, wallPlace(in.After), in.Limit+1, false)
	if err != nil {
		return nil, err
	}
	rows := make([]diffLineJSON, 0, len(lines))
	for _, l := range lines {
		rows = append(rows, diffLineJSON{
			Reason: l.Reason, Detail: l.Detail, Item: l.ItemID, FromPosition: l.FromPosition, ToPosition: l.ToPosition, FromSplit: l.FromSplit, ToSplit: l.ToSplit,
			Leaf: hex.EncodeToString(l.Leaf), Erasure: l.ErasureID, ErasedAt: l.ErasedAt, cursor: l.Split + "-" + strconv.Itoa(l.Ordinal),
		})
	}
	query := url.Values{"reason": {string(in.Reason)}}
	if in.Split != "" {
		query.Set("split", in.Split)
	}
	return pageOf(fmt.Sprintf("/diffs/%d/lines", in.ID), query, in.Limit, rows, func(l diffLineJSON) string { return l.cursor }), nil
}
