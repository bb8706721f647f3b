package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fiducial/store"
)

// demoBatches are how many batches the demo's round makes: of four strips of each coil.
const demoBatches = 3

// openRound opens a round of the strip project before anybody labels, so that its batches are handed out first, and a
// batch of all that everybody draws.
func (f *demoFill) openRound(ctx context.Context) error {
	project, err := f.Store.Project(ctx, f.admin(), demoStrip)
	if err != nil {
		return err
	}
	_, err = f.Store.OpenRound(ctx, f.admin(), store.NewRound{
		Project: project.ID, Share: 0.4, BatchSize: 8, Seed: 7, OwnerID: f.reviewer().PersonID, Due: new(f.day(3)),
	})
	if err != nil {
		return err
	}
	if err := f.until(ctx, func() (bool, error) {
		rounds, err := f.Store.Rounds(ctx, f.admin(), project.ID)
		return err == nil && rounds[0].State == store.RoundOpen && rounds[0].Batches == demoBatches, err
	}); err != nil {
		return err
	}
	if project, err = f.Store.Project(ctx, f.admin(), demoCalibration); err != nil {
		return err
	}
	_, err = f.Store.AddBatch(ctx, f.admin(), store.NewBatch{
		Project: project.ID, Title: "Everybody draws these", OwnerID: f.reviewer().PersonID, Choice: store.BatchChoice{State: store.NeverLabeled},
	})
	return err
}

// day is a day from now.
func (f *demoFill) day(days int) time.Time {
	return time.Now().UTC().AddDate(0, 0, days).Truncate(24 * time.Hour)
}

// until waits for what a job does.
func (f *demoFill) until(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// reviewBatches approves the round's first batch after a look, leaves the second in the middle of its look, and returns the
// third; one more is made of what nobody has begun.
func (f *demoFill) reviewBatches(ctx context.Context) error {
	first, err := f.look(ctx, 1, -1)
	if err != nil {
		return err
	}
	if err := f.Store.ApproveBatch(ctx, f.reviewer(), first.ID, first.Version, 0); err != nil {
		return err
	}
	if _, err := f.look(ctx, 2, 2); err != nil {
		return err
	}
	third, err := f.Store.Batch(ctx, f.reviewer(), demoStrip, 3)
	if err != nil {
		return err
	}
	late := store.BatchEdit{ID: third.ID, Version: third.Version, Title: "Loose boxes", OwnerID: third.OwnerID, Due: new(f.day(-1))}
	if err := f.Store.UpdateBatch(ctx, f.reviewer(), late); err != nil {
		return err
	}
	err = f.Store.ReturnBatch(ctx, f.reviewer(), store.BatchReturn{
		Batch: third.ID, Version: third.Version + 1, Fault: store.LooseBox, Note: "Most boxes run past the end of the defect. Tighten with t.",
	})
	if err != nil {
		return err
	}
	if err := f.untilSettled(ctx, store.BatchApproved, store.BatchInReview, store.BatchReturned); err != nil {
		return err
	}
	_, err = f.Store.AddBatch(ctx, f.admin(), store.NewBatch{
		Project: third.ProjectID, Title: "The last of A-0918", Due: new(f.day(7)), Choice: store.BatchChoice{State: store.NeverLabeled, Folder: "A-0918/"},
	})
	return err
}

// look draws a batch's sample and looks at so many of it, at all for -1.
func (f *demoFill) look(ctx context.Context, number, looks int) (store.Batch, error) {
	batch, err := f.Store.Batch(ctx, f.reviewer(), demoStrip, number)
	if err != nil {
		return batch, err
	}
	if err := f.Store.SampleBatch(ctx, f.reviewer(), batch.ID, batch.Version, 0.2, 0); err != nil {
		return batch, err
	}
	if batch, err = f.Store.Batch(ctx, f.reviewer(), demoStrip, number); err != nil {
		return batch, err
	}
	for n := 0; n != looks; n++ {
		item, err := f.Store.NextLook(ctx, f.reviewer(), batch, 0)
		if errors.Is(err, store.ErrQueueEmpty) {
			break
		}
		if err != nil {
			return batch, err
		}
		reviewed, err := f.Store.ReviewItem(ctx, f.reviewer(), item)
		if err != nil {
			return batch, err
		}
		_, err = f.Store.Adjudicate(ctx, f.reviewer(), store.Adjudication{
			Item: item, Version: reviewed.Version, Kind: store.Approved, Annotation: reviewed.Answers[0].ID, ActiveMS: 5000,
		})
		if err != nil {
			return batch, err
		}
	}
	return f.Store.Batch(ctx, f.reviewer(), demoStrip, number)
}

// untilSettled waits until the round's batches are in these states and no job is at work on them.
func (f *demoFill) untilSettled(ctx context.Context, states ...store.BatchState) error {
	return f.until(ctx, func() (bool, error) {
		for i, state := range states {
			batch, err := f.Store.Batch(ctx, f.reviewer(), demoStrip, i+1)
			switch {
			case err != nil:
				return false, err
			case batch.Error != "":
				return false, fmt.Errorf("batch %d: %s", batch.Number, batch.Error)
			case batch.Settling != "" || batch.State != state:
				return false, nil
			}
		}
		return true, nil
	})
}
