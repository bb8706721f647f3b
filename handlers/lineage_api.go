package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

type lineageInput struct {
	Item int64 `path:"item" example:"17"`
}

// useJSON is a version that holds an item.
type useJSON struct {
	Dataset   string          `json:"dataset" example:"strip-test"`
	Number    int             `json:"number" example:"3"`
	Split     string          `json:"split" enum:"training,validation,test"`
	Position  int             `json:"position" doc:"Of its line in the version."`
	Current   bool            `json:"current" doc:"The truth that it holds is the one of today."`
	FrozenAt  time.Time       `json:"frozen_at"`
	Exports   []useExportJSON `json:"exports" doc:"Archives that hold it."`
	Consumers []consumerUse   `json:"consumers" doc:"Who works with the version."`
	Measured  []measuredJSON  `json:"evaluations" doc:"What was measured on the side of the version that holds it."`
}

type useExportJSON struct {
	ID     int64  `json:"id"`
	Format string `json:"format" example:"coco"`
	Media  bool   `json:"media"`
}

type measuredJSON struct {
	ID    int64     `json:"id"`
	Chain string    `json:"chain" example:"calls"`
	Title string    `json:"title" example:"Before the release"`
	State string    `json:"state" enum:"waiting,running,scoring,done,failed,cancelled"`
	At    time.Time `json:"at"`
}

type consumerUse struct {
	ID   int64     `json:"id"`
	Name string    `json:"name" example:"strip-trainer"`
	How  string    `json:"how" enum:"recorded,download"`
	From time.Time `json:"since"`
}

func (s *Server) lineageOperations(a api) {
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "get-lineage", Method: http.MethodGet, Path: "/items/{item}/lineage", Tags: []string{"Datasets"},
		Summary: "Every version, archive, consumer and evaluation that an item has got to", Errors: []int{http.StatusNotFound},
	}, s.apiLineage)
}

func (s *Server) apiLineage(ctx context.Context, actor store.Actor, in *lineageInput) (*listing[useJSON], error) {
	if _, err := s.Store.Item(ctx, actor, in.Item); err != nil {
		return nil, s.Store.ErasedItem(ctx, actor, in.Item, err)
	}
	uses, err := s.Store.Lineage(ctx, actor, in.Item)
	out := &listing[useJSON]{}
	out.Body.Data = make([]useJSON, 0, len(uses))
	for _, use := range uses {
		out.Body.Data = append(out.Body.Data, useAsJSON(use))
	}
	return out, err
}

func useAsJSON(use store.ItemUse) useJSON {
	out := useJSON{
		Dataset: use.Dataset, Number: use.Number, Split: use.Split, Position: use.Position, Current: use.Current, FrozenAt: use.FrozenAt,
		Exports: make([]useExportJSON, 0, len(use.Exports)), Consumers: make([]consumerUse, 0, len(use.Consumers)),
		Measured: make([]measuredJSON, 0, len(use.Measured)),
	}
	for _, m := range use.Measured {
		out.Measured = append(out.Measured, measuredJSON{m.Evaluation, m.Chain, m.Title, m.State, m.At})
	}
	for _, e := range use.Exports {
		out.Exports = append(out.Exports, useExportJSON{e.ID, e.Format, e.Media})
	}
	for _, c := range use.Consumers {
		out.Consumers = append(out.Consumers, consumerUse{c.ConsumerID, c.Consumer, c.How, c.Since})
	}
	return out
}
