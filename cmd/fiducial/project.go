package main

import (
	"context"
	"fmt"
)

type projectCommand struct {
	Add  projectAddCommand  `cmd:"" help:"Make a project."`
	List projectListCommand `cmd:"" help:"List the projects that the token sees."`
}

type projectAddCommand struct {
	clientFlags `embed:""`

	Slug        string   `arg:"" help:"Short name: lower-case letters, digits and hyphens."`
	Kind        string   `help:"image or audio." enum:"image,audio" required:""`
	Name        string   `help:"Name that people read; the short name if missing."`
	Description string   `help:"What is labeled, and for what."`
	Overlap     int      `help:"Answers wanted for each item, 1 to 9." default:"1"`
	Lease       int      `help:"Minutes that a labeler has for an item." default:"30"`
	Accept      []string `help:"What imports may bring besides media: truth." enum:"truth" placeholder:"truth"`
	Metadata    []string `help:"Keys of an item's metadata that are kept; every other one is dropped at import."`
}

func (c *projectAddCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	in := map[string]any{
		"slug": c.Slug, "name": c.Name, "description": c.Description, "kind": c.Kind, "overlap": c.Overlap, "lease_minutes": c.Lease,
		"accepts_truth": len(c.Accept) > 0, "metadata_keys": c.Metadata,
	}
	if c.Metadata == nil {
		delete(in, "metadata_keys")
	}
	var made struct {
		ID   int64  `json:"id"`
		Slug string `json:"slug"`
	}
	if err := server.post(ctx, "/projects", in, &made); err != nil {
		return err
	}
	return c.printAnswer(std, made, made.Slug)
}

type projectListCommand struct {
	clientFlags `embed:""`
}

// projectRow is what the list of projects holds of each.
type projectRow struct {
	ID      int64  `json:"id"`
	Slug    string `json:"slug"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Overlap int    `json:"overlap"`
	Paused  bool   `json:"paused"`
}

func (c *projectListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, "/projects", "SLUG\tKIND\tOVERLAP\tSTATE\tNAME", func(p projectRow) string {
		state := "open"
		if p.Paused {
			state = "paused"
		}
		return fmt.Sprintf("%s\t%s\t%d\t%s\t%s", p.Slug, p.Kind, p.Overlap, state, p.Name)
	})
}
