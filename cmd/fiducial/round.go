package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

type roundCommand struct {
	Open roundOpenCommand `cmd:"" help:"Open a project's next round, wait until its batches are made, and print its number."`
	List roundListCommand `cmd:"" help:"List a project's rounds with how far the answers agreed."`
}

// roundAnswer is a round as the server tells it.
type roundAnswer struct {
	Number    int        `json:"number"`
	State     string     `json:"state"`
	Error     string     `json:"error,omitempty"`
	Share     float64    `json:"share"`
	Seed      int64      `json:"seed"`
	Items     int        `json:"items"`
	Batches   int        `json:"batches"`
	Finished  int        `json:"finished"`
	Answered  int        `json:"answered"`
	Decided   int        `json:"decided"`
	Agreement *batchMean `json:"agreement,omitempty"`
}

func roundsPath(project string) string { return "/projects/" + url.PathEscape(project) + "/rounds" }

type roundOpenCommand struct {
	clientFlags `embed:""`

	Project string  `arg:"" help:"Short name of the project."`
	Share   float64 `help:"Share of each class, rounded up." default:"0.3"`
	Size    int     `help:"Items a batch at most." default:"50"`
	Seed    int64   `help:"The same seed draws the same of the same items."`
	Owner   string  `help:"Address of who answers for its batches." placeholder:"EMAIL"`
	Due     string  `help:"By when they are wanted." placeholder:"2026-12-31"`
}

func (c *roundOpenCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	in := map[string]any{"share": c.Share, "size": c.Size}
	if c.Seed != 0 {
		in["seed"] = c.Seed
	}
	if c.Owner != "" {
		in["owner"] = c.Owner
	}
	if c.Due != "" {
		in["due"] = c.Due
	}
	var made struct {
		Number int `json:"number"`
	}
	if err := server.post(ctx, roundsPath(c.Project), in, &made); err != nil {
		return err
	}
	var round roundAnswer
	bar := newProgressBar(std.err)
	err = await(ctx, server, fmt.Sprintf("%s/%d", roundsPath(c.Project), made.Number), &round, func() bool {
		bar.show("Making batches", int64(round.Batches), 0, "batches")
		return round.State != "drawing"
	})
	bar.end()
	if err != nil {
		return err
	}
	if round.State == "failed" {
		return errors.New(round.Error)
	}
	return c.printAnswer(std, round, fmt.Sprintf("round %d: %d items in %d batches, seed %d", round.Number, round.Items, round.Batches, round.Seed))
}

type roundListCommand struct {
	clientFlags `embed:""`

	Project string `arg:"" help:"Short name of the project."`
}

func (c *roundListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, roundsPath(c.Project), "ROUND\tSTATE\tSHARE\tITEMS\tDECIDED\tBATCHES\tDONE\tAGREEMENT", func(r roundAnswer) string {
		return fmt.Sprintf("%d\t%s\t%g\t%d\t%d\t%d\t%d\t%s", r.Number, r.State, r.Share, r.Items, r.Decided, r.Batches, r.Finished, r.Agreement)
	})
}
