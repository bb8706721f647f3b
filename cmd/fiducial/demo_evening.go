package main

import (
	"context"
	"fmt"

	"fiducial/internal/manifest"
	"fiducial/store"
)

const (
	demoEvening     = "care-line-evening"
	demoEveningEach = 11 // turns of each call
)

// addEvening fills a project of calls of which half was written down beginning from what the recognizer heard and half from silence, and measures the
// recognizer by them: how far its own words in the reference flatter it can be told.
func (f *demoFill) addEvening(ctx context.Context) error {
	var turns []*demoTurn
	for n := range 6 {
		of, err := demoTurns(fmt.Sprintf("call-%02d.wav", n+1))
		if err != nil {
			return err
		}
		turns = append(turns, of[:min(demoEveningEach, len(of))]...)
	}
	c, err := f.addLine(ctx, store.NewProject{
		Slug: demoEvening, Name: "Care line, evenings", Kind: "audio", AcceptsTruth: true,
		Description: "Calls after six: half of them written down from what the recognizer heard, half from silence.",
	})
	if err != nil {
		return err
	}
	if err := c.writeRules(ctx, turns); err != nil {
		return err
	}
	if err := c.bringSounds(ctx, turns); err != nil {
		return err
	}
	if err := c.hear(ctx, turns, "1.1", newDemoEar(0.80, 71)); err != nil {
		return err
	}
	if err := c.writeEvening(ctx, len(turns)); err != nil {
		return err
	}
	if err := c.backdate(ctx, turns); err != nil {
		return err
	}
	if err := c.hear(ctx, turns, "1.0", newDemoEar(0.76, 72)); err != nil {
		return err
	}
	return c.measureEvening(ctx)
}

// writeEvening has somebody write every turn down who leaves what looks right, and the reviewer approve that.
func (c *demoLine) writeEvening(ctx context.Context, turns int) error {
	jonas := demoPeople[1]
	pen := newDemoPen(jonas.habit, 73)
	for n := range turns {
		if n == 0 || n == turns/2 {
			mode := map[bool]string{true: store.Edit, false: store.Blind}[n == 0]
			if err := c.Store.SetSound(ctx, c.admin(), c.project, store.SoundSettings{PrefillMode: mode}); err != nil {
				return err
			}
		}
		if err := c.write(ctx, jonas, pen); err != nil {
			return err
		}
	}
	list, err := c.inReview(ctx)
	if err != nil {
		return err
	}
	for _, w := range list {
		_, err := c.Store.Adjudicate(ctx, c.reviewer(), store.Adjudication{Item: w.Item, Version: w.Version, ActiveMS: 3000, Annotation: w.Annotation, Kind: store.Approved})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *demoLine) measureEvening(ctx context.Context) error {
	recipe := manifest.Default()
	recipe.Projects, recipe.Shares, recipe.Group = []string{demoEvening}, manifest.Shares{Test: 1000}, "item"
	version, err := c.Store.Freeze(ctx, c.admin(), demoEvening, recipe)
	if err != nil {
		return err
	}
	if _, err := c.untilFrozen(ctx, version); err != nil {
		return err
	}
	return c.evaluate(ctx, store.EvaluationRequest{
		Slots: []string{"asr"}, Title: "By the evening calls", Versions: []string{demoEvening + "@1"},
		Models: [][]string{{demoRecognizer + "@1.0", demoRecognizer + "@1.1"}}, Baseline: []string{demoRecognizer + "@1.0"},
	}, 1)
}
