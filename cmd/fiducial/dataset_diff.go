package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

type datasetDiffCommand struct {
	clientFlags `embed:""`

	From string `arg:"" help:"Dataset and version: NAME@M."`
	To   string `arg:"" help:"Dataset and version: NAME@N."`
}

// diffAnswer is what two versions differ in.
type diffAnswer struct {
	ID        int64       `json:"id"`
	From      string      `json:"from"`
	To        string      `json:"to"`
	State     string      `json:"state"`
	FromItems int         `json:"from_items"`
	ToItems   int         `json:"to_items"`
	Same      int         `json:"same"`
	Counts    []diffCount `json:"counts"`
	Classes   []diffClass `json:"classes"`
}

type diffCount struct {
	Reason    string `json:"reason"`
	Detail    string `json:"detail,omitempty"`
	FromSplit string `json:"from_split,omitempty"`
	ToSplit   string `json:"to_split,omitempty"`
	Came      int    `json:"came"`
	Gone      int    `json:"gone"`
	Changed   int    `json:"changed"`
}

type diffClass struct {
	Class string `json:"class"`
	From  int64  `json:"from_boxes"`
	To    int64  `json:"to_boxes"`
}

// String is a table for people: each reason with its splits, then the classes that have more or fewer boxes.
func (d *diffAnswer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d items) to %s (%d items): %d alike\n", d.From, d.FromItems, d.To, d.ToItems, d.Same)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(d.Counts) > 0 {
		fmt.Fprintln(table, "REASON\tHOW\tFROM\tTO\tCAME\tWENT\tCHANGED")
	}
	for _, c := range d.Counts {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\n", c.Reason, c.Detail, c.FromSplit, c.ToSplit, c.Came, c.Gone, c.Changed)
	}
	classes := slices.DeleteFunc(slices.Clone(d.Classes), func(c diffClass) bool { return c.From == c.To })
	if len(classes) > 0 {
		fmt.Fprintln(table, "CLASS\tBOXES BEFORE\tAFTER\tCHANGE")
	}
	for _, c := range classes {
		fmt.Fprintf(table, "%s\t%d\t%d\t%+d\n", c.Class, c.From, c.To, c.To-c.From)
	}
	_ = table.Flush() // into memory
	return strings.TrimSuffix(b.String(), "\n")
}

func (c *datasetDiffCommand) Run(ctx context.Context, std *streams) error {
	for _, name := range []string{c.From, c.To} {
		if _, err := versionPath(name); err != nil {
			return err
		}
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var made idAnswer
	if err := server.post(ctx, "/diffs", map[string]string{"from": c.From, "to": c.To}, &made); err != nil {
		return err
	}
	var answer diffAnswer
	bar := newProgressBar(std.err)
	err = await(ctx, server, fmt.Sprintf("/diffs/%d", made.ID), &answer, func() bool {
		bar.show("Comparing", 0, 0, "lines")
		return answer.State != "queued"
	})
	bar.end()
	if err != nil {
		return err
	}
	if answer.State != "done" {
		return errors.New("the versions could not be compared: the server's log says why")
	}
	return c.printAnswer(std, answer, answer.String())
}
