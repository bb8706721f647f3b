package main

import (
	"context"
	"fmt"
	"slices"

	"fiducial/internal/speech"
	"fiducial/store"
)

// Calls that are written down as a whole: of the longer one a labeler has come to the middle.
const (
	demoWhole     = "whole-calls"
	demoLongCall  = "call-03.wav"
	demoShortCall = "call-06.wav"
)

// addWhole fills a project of whole calls, both sides of them: the short one is written down and approved, in the long one somebody is at work.
func (f *demoFill) addWhole(ctx context.Context) error {
	turns, err := demoTurns(demoShortCall, demoLongCall)
	if err != nil {
		return err
	}
	c, err := f.addLine(ctx, store.NewProject{
		Slug: demoWhole, Name: "Whole calls", Kind: "audio",
		Description: "Calls from the first word to the last, a channel for each side: who says what and when, also where both talk at once.",
	})
	if err != nil {
		return err
	}
	if err := c.writeRules(ctx, turns); err != nil {
		return err
	}
	for n, file := range []string{demoShortCall, demoLongCall} {
		if err := c.bringCall(ctx, file, n+1); err != nil {
			return err
		}
	}
	if err := c.writeShort(ctx, turns, demoPeople[0]); err != nil {
		return err
	}
	if err := c.backdate(ctx, turns); err != nil {
		return err
	}
	return c.beginLong(ctx, turns, demoPeople[1])
}

// bringCall imports a call as one item, the project's nth.
func (c *demoLine) bringCall(ctx context.Context, file string, nth int) error {
	added, err := c.Store.AddImport(ctx, c.admin(), c.slug, store.NewImport{
		Format: store.FormatAudio, Purpose: store.PurposeMedia, Source: "Care line", Options: store.ImportOptions{VOCBase: 1},
	})
	if err != nil {
		return err
	}
	content, err := demoSound(file)
	if err != nil {
		return err
	}
	if err := c.uploadFile(ctx, added.ID, file, content); err != nil {
		return err
	}
	if err := c.Store.StartImport(ctx, c.admin(), added.ID); err != nil {
		return err
	}
	return c.until(ctx, nth, `SELECT count(*) FROM items WHERE project_id = $1 AND state = 'ready'`)
}

// writeShort has somebody write all of the short call down, and the reviewer approve it.
func (c *demoLine) writeShort(ctx context.Context, turns []*demoTurn, d demoPerson) error {
	work, err := c.whole(ctx, d, demoShortCall)
	if err != nil {
		return err
	}
	segments, moments := c.sides(turns, demoShortCall)
	_, err = c.Store.Submit(ctx, c.actors[d.name], store.NewAnnotation{
		Task: work.Task, Assignment: work.Assignment, Boxes: moments, ActiveMS: int64(5200 * work.Seconds), Transcript: segments,
	})
	if err != nil {
		return err
	}
	reviewed, err := c.Store.ReviewItem(ctx, c.reviewer(), work.Item)
	if err != nil {
		return err
	}
	_, err = c.Store.Adjudicate(ctx, c.reviewer(), store.Adjudication{
		Item: work.Item, Version: reviewed.Version, Kind: store.Approved, Annotation: reviewed.Answers[0].ID, ActiveMS: int64(1300 * work.Seconds),
	})
	return err
}

// beginLong leaves somebody in the middle of the long call: what follows is one segment without a word.
func (c *demoLine) beginLong(ctx context.Context, turns []*demoTurn, d demoPerson) error {
	work, err := c.whole(ctx, d, demoLongCall)
	if err != nil {
		return err
	}
	segments, moments := c.sides(turns, demoLongCall)
	next := segments[len(segments)/2].Begin
	segments = append(segments[:len(segments)/2], speech.Segment{Begin: next, End: work.Seconds})
	moments = slices.DeleteFunc(moments, func(m store.DraftBox) bool { return m.X >= next })
	_, err = c.Store.SaveDraft(ctx, c.actors[d.name], work.Task, work.Assignment, 0, moments, segments)
	return err
}

// whole claims somebody's next call, which is this one.
func (c *demoLine) whole(ctx context.Context, d demoPerson, file string) (store.Work, error) {
	claimed, err := c.Store.Claim(ctx, c.actors[d.name], c.slug, 0)
	if err != nil {
		return store.Work{}, err
	}
	work, err := c.Store.Work(ctx, c.actors[d.name], claimed.Task)
	if err == nil && work.Name != file {
		err = fmt.Errorf("the next call is %s, not %s", work.Name, file)
	}
	return work, err
}

// sides are what is said in a call, on which channel and by whom, and the moments in it.
func (c *demoLine) sides(turns []*demoTurn, file string) (segments speech.Transcript, moments []store.DraftBox) {
	for _, t := range turns {
		if t.file != file {
			continue
		}
		segments = append(segments, speech.Segment{Begin: t.Begin, End: t.End, Channel: t.Channel, Speaker: []string{"A", "B"}[t.Channel-1], Text: t.Text})
		for _, name := range t.Moments {
			moments = append(moments, store.DraftBox{
				ID: fmt.Sprintf("new-%d", len(moments)), ClassID: c.classes[name], X: t.Begin, Y: float64(t.Channel), W: t.End - t.Begin, H: 1,
			})
		}
	}
	return segments.Clean(), moments
}
