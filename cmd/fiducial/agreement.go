package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"fiducial/internal/agreement"
)

type agreementCommand struct {
	clientFlags `embed:""`

	Project string `arg:"" help:"Short name of the project."`
	Round   int    `help:"Of this round alone." placeholder:"N"`
}

// agreementDocument is a summary as the server tells it.
type agreementDocument struct {
	Project    string            `json:"project"`
	Round      int               `json:"round,omitempty"`
	ComputedAt time.Time         `json:"computed_at"`
	Classes    []agreementName   `json:"class_names"`
	Labelers   []agreementName   `json:"labeler_names"`
	Histogram  []int             `json:"histogram"`
	Differ     []agreementDiffer `json:"differ"`
	Summary    agreement.Summary `json:"summary"`
}

type agreementName struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type agreementDiffer struct {
	Item        int64   `json:"item"`
	Majority    int64   `json:"majority"`
	Likely      int64   `json:"likely"`
	Probability float64 `json:"probability"`
	Tied        bool    `json:"tied"`
}

func (c *agreementCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	path := "/projects/" + url.PathEscape(c.Project) + "/agreement"
	if c.Round != 0 {
		path += "?round=" + strconv.Itoa(c.Round)
	}
	var doc agreementDocument
	err = server.get(ctx, path, &doc)
	if problem, ok := errors.AsType[*problemError](err); ok && problem.Status == 404 {
		return fmt.Errorf("there is no such project, or no item of it has two answers yet: %w", err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return c.printAnswer(std, doc, "")
	}
	return doc.print(std)
}

func (d agreementDocument) print(std *streams) error {
	s := d.Summary
	fmt.Fprintf(std.out, "%d items with several answers, %d decided, computed %s\n\n", s.Compared, s.Decided, d.ComputedAt.UTC().Format("2006-01-02 15:04:05 UTC"))
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURE\tVALUE\t95 %\tN")
	for _, m := range []struct {
		name string
		agreement.Estimate
	}{{"alpha", s.Alpha}, {"fleiss", s.Fleiss}, {"cohen", s.Cohen}, {"iou", s.IoU}, {"score", s.Score}} {
		fmt.Fprintf(table, "%s\t%s\n", m.name, estimateCells(m.Estimate))
	}
	names := map[int64]string{}
	for _, c := range d.Classes {
		names[c.ID] = c.Name
	}
	fmt.Fprintln(table, "\nCLASS\tVOTES\t95 %\tN\tTRUTH\t95 %\tN")
	for _, c := range s.Classes {
		if c.Class != agreement.NoBox {
			fmt.Fprintf(table, "%s\t%s\t%s\n", names[c.Class], estimateCells(c.Votes), estimateCells(c.Truth))
		}
	}
	return table.Flush()
}

// estimateCells are value, interval and sample size, between tabs.
func estimateCells(e agreement.Estimate) string {
	if !e.Defined {
		return fmt.Sprintf("-\t-\t%d", e.N)
	}
	return fmt.Sprintf("%.3f\t%.3f to %.3f\t%d", e.Value, e.Low, e.High, e.N)
}
