package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

type pairsCommand struct {
	clientFlags `embed:""`

	Project string `arg:"" help:"Short name of the project."`
}

// rate is a measured share, as the server writes it.
type rate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	N     int     `json:"n"`
}

// String writes it with its interval and sample size; nil is a dash.
func (r *rate) String() string {
	if r == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f [%.3f, %.3f] (n %d)", r.Value, r.Low, r.High, r.N)
}

type confusedPair struct {
	A          string  `json:"a"`
	B          string  `json:"b"`
	Count      int     `json:"count"`
	Rate       *rate   `json:"rate,omitempty"`
	TruthCount int     `json:"truth_count"`
	TruthRate  *rate   `json:"truth_rate,omitempty"`
	Before     *rate   `json:"before,omitempty"`
	Since      *string `json:"since,omitempty"`
}

func (c *pairsCommand) Run(ctx context.Context, std *streams) error {
	path := "/projects/" + url.PathEscape(c.Project) + "/pairs"
	return printRows(ctx, &c.clientFlags, std, path, "PAIR\tLABELERS\tRATE\tBEFORE\tTRUTH\tRATE", func(p confusedPair) string {
		return fmt.Sprintf("%s, %s\t%d\t%s\t%s\t%d\t%s", p.A, p.B, p.Count, p.Rate, p.Before, p.TruthCount, p.TruthRate)
	})
}

type relabelCommand struct {
	clientFlags `embed:""`

	Project string   `arg:"" help:"Short name of the project."`
	Class   string   `help:"Class whose older labels go back." required:""`
	Pair    []string `help:"Only what was confused with this class; several may be given."`
	Note    string   `help:"What has changed, for whoever labels again."`
	DryRun  bool     `help:"Say what would go back, and change nothing."`
}

type relabelAnswer struct {
	ID        int64  `json:"id,omitempty"`
	Class     string `json:"class"`
	Version   int    `json:"version"`
	State     string `json:"state"`
	Items     int    `json:"items"`
	DoneItems int    `json:"done_items"`
	Answers   int    `json:"answers"`
	Reviews   int    `json:"reviews"`
	Labels    int    `json:"labels,omitempty"`
}

func (a relabelAnswer) String() string {
	if a.State == "dry run" {
		return fmt.Sprintf("%d labels in %d answers on %d items would go back, to be made under version %d of %s", a.Labels, a.Answers, a.Items, a.Version, a.Class)
	}
	return fmt.Sprintf("%d answers on %d items went back, to be made under version %d of %s; %d items went to review", a.Answers, a.Items, a.Version, a.Class, a.Reviews)
}

func (c *relabelCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	ask := map[string]any{"class": c.Class, "note": c.Note, "dry_run": c.DryRun}
	if len(c.Pair) > 0 {
		ask["confused_with"] = c.Pair
	}
	var answer relabelAnswer
	if err := server.post(ctx, "/projects/"+url.PathEscape(c.Project)+"/relabels", ask, &answer); err != nil {
		return err
	}
	if !c.DryRun {
		bar := newProgressBar(std.err)
		err := await(ctx, server, fmt.Sprintf("/relabels/%d", answer.ID), &answer, func() bool {
			bar.show("Sending back", int64(answer.DoneItems), int64(answer.Items), "items")
			return answer.State == "done"
		})
		bar.end()
		if err != nil {
			return errors.Join(errors.New("labels may still be going back"), err)
		}
	}
	return c.printAnswer(std, answer, answer.String())
}
