package main

import (
	"context"
	"fmt"
	"net/url"
)

type goldCommand struct {
	Add    goldAddCommand    `cmd:"" help:"Make decided items gold items."`
	List   goldListCommand   `cmd:"" help:"List the gold items of a project."`
	Remove goldRemoveCommand `cmd:"" help:"Make a gold item an ordinary one again."`
}

type goldAddCommand struct {
	clientFlags `embed:""`

	Project string  `arg:"" help:"Short name of the project."`
	Items   []int64 `arg:"" optional:"" help:"Ids of decided items."`
	Random  int     `help:"Instead of named items: so many decided ones, chosen at random." placeholder:"N"`
}

func (c *goldAddCommand) Run(ctx context.Context, std *streams) error {
	if (len(c.Items) > 0) == (c.Random > 0) {
		return misuseError("name the items, or say how many by --random")
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	in := map[string]any{}
	if c.Random > 0 {
		in["random"] = c.Random
	} else {
		in["items"] = c.Items
	}
	var made struct {
		Added int `json:"added"`
	}
	if err := server.post(ctx, "/projects/"+url.PathEscape(c.Project)+"/gold", in, &made); err != nil {
		return err
	}
	return c.printAnswer(std, made, fmt.Sprintf("%d gold items more", made.Added))
}

type goldListCommand struct {
	clientFlags `embed:""`

	Project string `arg:"" help:"Short name of the project."`
}

// goldRow is a gold item as the server tells it.
type goldRow struct {
	Item     int64    `json:"item"`
	Name     string   `json:"name"`
	Ready    bool     `json:"ready"`
	Boxes    int      `json:"boxes"`
	Answered int      `json:"answered"`
	Score    *float64 `json:"score,omitempty"`
	AddedAt  string   `json:"added_at"`
}

func (c *goldListCommand) Run(ctx context.Context, std *streams) error {
	path := "/projects/" + url.PathEscape(c.Project) + "/gold"
	return printRows(ctx, &c.clientFlags, std, path, "ITEM\tBOXES\tANSWERED\tSCORE\tSTATE\tNAME", func(g goldRow) string {
		score, state := "-", "handed out"
		if g.Score != nil {
			score = fmt.Sprintf("%.2f", *g.Score)
		}
		if !g.Ready {
			state = "not decided now"
		}
		return fmt.Sprintf("%d\t%d\t%d\t%s\t%s\t%s", g.Item, g.Boxes, g.Answered, score, state, g.Name)
	})
}

type goldRemoveCommand struct {
	clientFlags `embed:""`

	Project string `arg:"" help:"Short name of the project."`
	Item    int64  `arg:"" help:"Id of the item."`
}

func (c *goldRemoveCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/projects/%s/gold/%d", url.PathEscape(c.Project), c.Item)
	if err := server.remove(ctx, path); err != nil {
		return err
	}
	return c.printAnswer(std, map[string]int64{"item": c.Item}, fmt.Sprintf("item %d is no gold item any more", c.Item))
}
