package handlers

import (
	"context"
	"fmt"
	"net/url"

	"fiducial/store"
)

type batchItemsInput struct {
	PageQuery
	BatchPath

	State  string `query:"state" enum:"open,in_review,adjudicated,discarded"`
	Sample bool   `query:"sample" doc:"Those that were drawn for the look."`
	Left   bool   `query:"left" doc:"Those that were left to a person."`
}

// batchItemJSON is an item of a batch as programs see it.
type batchItemJSON struct {
	ID       int64    `json:"id" example:"17"`
	Key      string   `json:"key" example:"coil-7/strip-0017.png"`
	Position int      `json:"position" example:"14"`
	Task     string   `json:"task" enum:"open,in_review,adjudicated,discarded"`
	Score    *float64 `json:"score,omitempty" example:"0.82" doc:"How far its answers agree."`
	Worst    string   `json:"worst,omitempty" enum:"agreed,loose,class,missed,split"`
	Look     int      `json:"look,omitempty" example:"3" doc:"Its place in the sample."`
	Looked   bool     `json:"looked"`
	Faulty   bool     `json:"faulty"`
	Left     string   `json:"left_because,omitempty" enum:"unanswered,undecided,disputed,conflict,changed" doc:"Why it was left to a person."`

	place string
}

func (s *Server) apiBatchItems(ctx context.Context, actor store.Actor, in *batchItemsInput) (*listing[batchItemJSON], error) {
	b, err := s.Store.Batch(ctx, actor, in.Slug, in.Number)
	if err != nil {
		return nil, err
	}
	filter := store.BatchItemFilter{State: in.State, Sample: in.Sample, Left: in.Left, After: store.BatchItemPlace{Score: -1}, Limit: in.Limit + 1}
	if in.After != "" {
		var ok bool
		if filter.After, ok = batchPlaceOf(in.After); !ok {
			return nil, badRequest("The cursor in 'after' is not one that this list gave out. Start without it.")
		}
	}
	items, err := s.Store.BatchItems(ctx, actor, b, filter)
	if err != nil {
		return nil, err
	}
	rows := make([]batchItemJSON, len(items))
	for i, item := range items {
		rows[i] = batchItemJSON{
			ID: item.ID, Key: item.ExternalKey, Position: item.Position, Task: item.TaskState, Score: item.Score, Worst: item.Worst, Look: item.Look,
			Looked: item.Looked, Faulty: item.Faulty, Left: string(item.Left), place: placeText(item.Place()),
		}
	}
	filters := url.Values{}
	for name, value := range map[string]string{"state": in.State, "sample": flagText(in.Sample), "left": flagText(in.Left)} {
		if value != "" {
			filters.Set(name, value)
		}
	}
	path := fmt.Sprintf("/projects/%s/batches/%d/items", b.Slug, b.Number)
	return pageOf(path, filters, in.Limit, rows, func(i batchItemJSON) string { return i.place }), nil
}

func flagText(flag bool) string {
	if flag {
		return "true"
	}
	return ""
}
