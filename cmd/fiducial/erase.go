package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

type eraseCommand struct {
	clientFlags `embed:""`

	Source string `help:"Erase all of this source; with --group, the source of the group." placeholder:"NAME"`
	Group  string `help:"Erase this group, as it was imported." placeholder:"NAME"`
	Items  string `help:"Erase the items that this file names: a key or #ID in the first column of each line; - is standard input." placeholder:"FILE"`

	Project string `help:"Short name of the project whose keys --items names; without it, of every project."`
	Reason  string `help:"Who asked for it, or the number of a ticket. It stays for ever: nothing of what is erased." default:"by the command line"`
	Due     int    `help:"Days until it is due." default:"30"`
	DryRun  bool   `help:"Print what would go, and erase nothing."`
	Wait    bool   `help:"Wait until nothing of it can be reached, and print what went."`
}

// Help says what --help shows below the usage.
func (*eraseCommand) Help() string {
	return "Exit code 0: it is done, or confirmed without --wait. 3: a legal hold stops it; it goes on by itself once that is lifted. 1: it failed."
}

// erasureAnswer is an erasure as the server tells it.
type erasureAnswer struct {
	ID        int64            `json:"id"`
	State     string           `json:"state"`
	Reason    string           `json:"reason"`
	Items     int              `json:"items"`
	Done      int              `json:"done_items"`
	Late      int              `json:"late_items"`
	Unmatched []int            `json:"unmatched_lines,omitempty"`
	Counts    map[string]int64 `json:"counts"`
	Exports   []int64          `json:"exports,omitempty"`
	Erased    *time.Time       `json:"erased_at,omitempty"`
	Hold      int64            `json:"hold,omitempty"`
	Error     string           `json:"error,omitempty"`
}

func (c *eraseCommand) Run(ctx context.Context, std *streams) error {
	ask, err := c.request(std)
	if err != nil {
		return err
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var e erasureAnswer
	if err := server.post(ctx, "/erasures", ask, &e); err != nil {
		return err
	}
	path := "/erasures/" + strconv.FormatInt(e.ID, 10)
	if err := await(ctx, server, path, &e, func() bool { return e.State != "collecting" }); err != nil {
		return err
	}
	if c.DryRun {
		if err := server.post(ctx, path+"/cancel", nil, nil); err != nil {
			return err
		}
		return c.print(std, e)
	}
	if err := server.post(ctx, path+"/confirm", nil, &e); err != nil {
		return err
	}
	if c.Wait {
		bar := newProgressBar(std.err)
		err = await(ctx, server, path, &e, func() bool {
			bar.show("Erasing", int64(e.Done), int64(e.Items), "items")
			return e.State != "queued" && e.State != "erasing"
		})
		bar.end()
		if err != nil {
			return err
		}
	}
	if err := c.print(std, e); err != nil {
		return err
	}
	switch e.State {
	case "held":
		return errAnswerNo
	case "failed":
		return fmt.Errorf("erasure %d failed: %s", e.ID, e.Error)
	}
	return nil
}

// request is what the flags ask for.
func (c *eraseCommand) request(std *streams) (map[string]any, error) {
	ask := map[string]any{"reason": c.Reason, "due_within_days": c.Due}
	switch {
	case c.Items != "" && (c.Source != "" || c.Group != ""), c.Items == "" && c.Source == "" && c.Group == "":
		return nil, misuseError("say what to erase: --source NAME, --group NAME, or --items FILE")
	case c.Items != "":
		list, err := c.list(std)
		if err != nil {
			return nil, err
		}
		ask["scope"], ask["list"] = "items", list
		if c.Project != "" {
			ask["project"] = c.Project
		}
	case c.Group != "":
		ask["scope"], ask["group"] = "group", c.Group
		if c.Source != "" {
			ask["source"] = c.Source
		}
	default:
		ask["scope"], ask["source"] = "source", c.Source
	}
	return ask, nil
}

func (c *eraseCommand) list(std *streams) (string, error) {
	if c.Items == "-" {
		raw, err := io.ReadAll(std.in)
		return string(raw), err
	}
	raw, err := os.ReadFile(c.Items)
	return string(raw), err
}

func (c *eraseCommand) print(std *streams, e erasureAnswer) error {
	if c.JSON {
		return c.printAnswer(std, e, "")
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	state := e.State
	switch {
	case c.DryRun:
		state = "nothing was erased"
	case e.State == "held":
		state = fmt.Sprintf("stopped by legal hold %d", e.Hold)
	}
	fmt.Fprintf(table, "erasure\t%d\nstate\t%s\nitems\t%d\n", e.ID, state, e.Items)
	for _, kind := range slices.Sorted(maps.Keys(e.Counts)) {
		fmt.Fprintf(table, "  %s\t%d\n", kind, e.Counts[kind])
	}
	if len(e.Unmatched) > 0 {
		fmt.Fprintf(table, "lines that name no item\t%v\n", e.Unmatched)
	}
	return table.Flush()
}

type receiptShowCommand struct {
	clientFlags `embed:""`

	ID int64 `arg:"" help:"Number of the erasure."`
}

// Run prints the receipt's document, which 'fiducial receipt verify' reads.
func (c *receiptShowCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var document json.RawMessage
	if err := server.get(ctx, fmt.Sprintf("/erasures/%d/receipt", c.ID), &document); err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, string(document))
	return err
}
