package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/erasure"
	"fiducial/store"
)

// demoDays is by when the erasure is to be done that a visitor finds done.
const demoDays = 14

// eraseAfter erases something of the first version once it has consumers, and exports it again, because its archive goes with that.
func (f *demoFill) eraseAfter(ctx context.Context, version store.DatasetVersion) error {
	if err := f.addConsumers(ctx, version); err != nil {
		return err
	}
	if err := f.eraseTwo(ctx, version); err != nil {
		return err
	}
	_, err := f.Store.AddExport(ctx, f.admin(), version, store.ExportAsk{Format: "coco", Media: true})
	return err
}

// untilExported waits for an archive, so that what is erased next takes a whole one with it.
func (f *demoFill) untilExported(ctx context.Context, id int64) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		export, _, err := f.Store.Export(ctx, f.admin(), id)
		switch {
		case err != nil:
			return err
		case export.State == store.ExportDone:
			return nil
		case export.State == store.ExportFailed:
			return fmt.Errorf("exporting: %s", export.Error)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// addConsumers records who trains and reports on a version, so that somebody is told when something of it goes.
func (f *demoFill) addConsumers(ctx context.Context, version store.DatasetVersion) error {
	for name, owner := range map[string]string{"strip-grader": "ada@demo.example", "surface-report": "chris@demo.example"} {
		id, err := f.Store.AddConsumer(ctx, f.admin(), name, owner)
		if err != nil {
			return err
		}
		if err := f.Store.RecordConsumer(ctx, f.admin(), version, id); err != nil {
			return err
		}
	}
	return nil
}

// eraseTwo erases two pictures that the first version holds and the next one is therefore without: the receipt, the diff and
// what the consumers are told have something to show.
func (f *demoFill) eraseTwo(ctx context.Context, version store.DatasetVersion) error {
	rows, err := f.Pool.Query(ctx, `
		SELECT l.item_id FROM dataset_lines l JOIN items i ON i.id = l.item_id JOIN sources s ON s.id = i.source_id
		JOIN tasks t ON t.item_id = i.id
		WHERE l.version_id = $1 AND s.name = 'Mill 2' ORDER BY t.batch_id NULLS FIRST, i.id DESC LIMIT 2`, version.ID)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	request := store.ErasureRequest{Scope: store.ScopeItems, Reason: "Ticket 2207: a visitor stands in the picture", DueDays: demoDays}
	for i, id := range ids {
		request.Items = append(request.Items, erasure.Named{Line: i + 1, ID: id})
	}
	id, err := f.confirmed(ctx, request)
	if err != nil {
		return err
	}
	return f.untilState(ctx, id, store.ErasureErased, store.ErasureRewritten)
}

// askErasure asks for two erasures more, when everything else is there: one that a legal hold stops, and one that waits to be confirmed.
func (f *demoFill) askErasure(ctx context.Context) error {
	customer, err := f.Store.SourceByName(ctx, f.admin(), "Aurum Cars")
	if err != nil {
		return err
	}
	coil, err := f.Store.GroupNamed(ctx, f.admin(), customer.ID, "A-0918")
	if err != nil {
		return err
	}
	if _, err := f.Store.PlaceHold(ctx, f.admin(), store.NewHold{Group: coil, Reason: "Claim 88-214: kept until the court has decided"}); err != nil {
		return err
	}
	if _, err := f.confirmed(ctx, store.ErasureRequest{Scope: store.ScopeSource, Source: customer.ID, Reason: "Ticket 2231: the contract has ended"}); err != nil {
		return err
	}
	mill, err := f.Store.SourceByName(ctx, f.admin(), "Mill 2")
	if err != nil {
		return err
	}
	scrapped, err := f.Store.GroupNamed(ctx, f.admin(), mill.ID, "C-48213")
	if err != nil {
		return err
	}
	asked, err := f.Store.PreviewErasure(ctx, f.admin(), store.ErasureRequest{Scope: store.ScopeGroup, Group: scrapped, Reason: "Ticket 2240: coil was a trial of a customer's alloy"})
	if err != nil {
		return err
	}
	return f.untilState(ctx, asked.ID, store.ErasurePreviewed)
}

// confirmed asks for an erasure, waits for its preview and confirms it.
func (f *demoFill) confirmed(ctx context.Context, request store.ErasureRequest) (id int64, err error) {
	asked, err := f.Store.PreviewErasure(ctx, f.admin(), request)
	if err != nil {
		return 0, err
	}
	if err := f.untilState(ctx, asked.ID, store.ErasurePreviewed); err != nil {
		return 0, err
	}
	return asked.ID, f.Store.ConfirmErasure(ctx, f.admin(), asked.ID)
}

// untilState waits until the jobs have brought an erasure into one of states.
func (f *demoFill) untilState(ctx context.Context, id int64, states ...string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := f.Store.Erasure(ctx, f.admin(), id)
		switch {
		case err != nil:
			return err
		case slices.Contains(states, now.State):
			return nil
		case now.State == store.ErasureFailed:
			return fmt.Errorf("erasing: %s", now.Error)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
