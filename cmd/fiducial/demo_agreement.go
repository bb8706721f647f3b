package main

import (
	"context"
	"slices"

	"fiducial/store"
)

// demoRules let the calibration accept what everybody drew alike, and ask a fourth labeler, once there is one, where
// they hardly agree.
func demoRules() *store.AgreementRules {
	rules := store.DefaultAgreementRules()
	rules.AcceptAbove, rules.AskBelow, rules.OverlapMost = new(0.95), new(0.4), 4
	return &rules
}

// demoSettled is how many items of the calibration the reviewer decides, so that there is a truth to compare with.
const demoSettled = 2

// score sums up how far the answers agree, so that the pages show it from the first moment on; the jobs do the same
// whenever something changes. Of the calibration the reviewer decides what differs least, and leaves the rest.
func (f *demoFill) score(ctx context.Context) error {
	for _, slug := range []string{demoStrip, demoCalibration} {
		project, err := f.Store.Project(ctx, f.admin(), slug)
		if err != nil {
			return err
		}
		if err := f.scoreAll(ctx, project.ID); err != nil {
			return err
		}
		if slug == demoCalibration {
			if err := f.settleSome(ctx, project.ID); err != nil {
				return err
			}
			if err := f.scoreAll(ctx, project.ID); err != nil {
				return err
			}
		}
		if err := f.Store.SummarizeAgreement(ctx, store.AgreementScope{Project: project.ID}); err != nil {
			return err
		}
	}
	return nil
}

func (f *demoFill) scoreAll(ctx context.Context, project int64) error {
	for last := int64(0); ; {
		var err error
		if last, err = f.Store.ScoreSome(ctx, project, last); err != nil || last == 0 {
			return err
		}
	}
}

func (f *demoFill) settleSome(ctx context.Context, project int64) error {
	items, err := f.Store.ItemAgreements(ctx, f.reviewer(), store.AgreementFilter{Project: project, Limit: 100})
	if err != nil {
		return err
	}
	settled := 0
	for _, item := range slices.Backward(items) {
		if item.State != "in_review" || item.Objects == 0 || settled == demoSettled {
			continue
		}
		reviewed, err := f.Store.ReviewItem(ctx, f.reviewer(), item.Item)
		if err != nil {
			return err
		}
		strip, err := f.stripOf(ctx, item.Item)
		if err != nil {
			return err
		}
		_, err = f.Store.Adjudicate(ctx, f.reviewer(), store.Adjudication{
			Item: item.Item, Version: reviewed.Version, Kind: store.Amended, Boxes: f.boxes(demoCalibration, strip.Defects), ActiveMS: 11000,
		})
		if err != nil {
			return err
		}
		settled++
	}
	return nil
}
