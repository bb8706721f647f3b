package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
)

// attributionAnswer is how a difference is divided, as the server tells it.
type attributionAnswer struct {
	Cell       int64   `json:"cell"`
	From       int64   `json:"from"`
	Measure    string  `json:"measure"`
	State      string  `json:"state"`
	Error      string  `json:"error,omitempty"`
	FromValue  float64 `json:"from_value"`
	Value      float64 `json:"value"`
	Difference float64 `json:"difference"`
	Factors    []struct {
		Factor string   `json:"factor"`
		Value  float64  `json:"value"`
		Low    *float64 `json:"low,omitempty"`
		High   *float64 `json:"high,omitempty"`
	} `json:"factors"`
	Remainder float64 `json:"remainder"`
	Missing   []struct {
		Models   []string `json:"models"`
		Version  string   `json:"version"`
		Sentence string   `json:"sentence"`
	} `json:"missing"`
	Erased    int  `json:"erased,omitempty"`
	Lost      int  `json:"lost,omitempty"`
	Added     int  `json:"added,omitempty"`
	Relabeled int  `json:"relabeled,omitempty"`
	Redefined int  `json:"redefined,omitempty"`
	Outdated  bool `json:"outdated,omitempty"`
}

// text is what people read: a line for each factor.
func (a *attributionAnswer) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of cell %d is %.4f, that of cell %d %.4f: %+.4f\n", a.Measure, a.Cell, a.Value, a.From, a.FromValue, a.Difference)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FACTOR\tPART\tINTERVAL\t")
	for _, f := range a.Factors {
		fmt.Fprintf(table, "%s\t%+.4f\t%s to %s\t\n", f.Factor, f.Value, decimal(f.Low), decimal(f.High))
	}
	if a.Remainder != 0 {
		fmt.Fprintf(table, "not computed\t%+.4f\t\n", a.Remainder)
	}
	_ = table.Flush() // into memory
	fmt.Fprintf(&b, "items: %d gone, %d new, %d with another truth, %d of them under another definition", a.Lost, a.Added, a.Relabeled+a.Redefined, a.Redefined)
	if a.Erased > 0 {
		fmt.Fprintf(&b, ", %d erased", a.Erased)
	}
	for _, m := range a.Missing {
		fmt.Fprintf(&b, "\n%s", m.Sentence)
	}
	if a.Outdated {
		b.WriteString("\nthe figures were computed again since: ask again with --again")
	}
	return b.String()
}

type evalAttributionCommand struct {
	clientFlags `embed:""`

	Cell  int64 `arg:"" help:"Number of the cell, as 'fiducial eval show --json' has it."`
	From  int64 `help:"Number of the cell to compare with; the one before it in its trend if missing." placeholder:"CELL"`
	Again bool  `help:"Compute it again, although it is there."`
}

// Help names the exit codes.
func (c *evalAttributionCommand) Help() string {
	return "It asks for the attribution if it is not there, and waits for it. Exit codes: 0: done. 1: it failed, or there is no such cell. 2: wrong use."
}

func (c *evalAttributionCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	a, err := c.ask(ctx, server)
	if err != nil {
		return misuseOf(err)
	}
	path := fmt.Sprintf("/cells/%d/attributions/%d", c.Cell, a.From)
	if err := await(ctx, server, path, &a, func() bool { return a.State != "waiting" }); err != nil {
		return err
	}
	if a.State == "failed" {
		return errors.New(a.Error)
	}
	return c.printAnswer(std, a, a.text())
}

// ask finds the attribution, or asks for it.
func (c *evalAttributionCommand) ask(ctx context.Context, server *client) (a attributionAnswer, err error) {
	if c.From != 0 && !c.Again {
		err = server.get(ctx, fmt.Sprintf("/cells/%d/attributions/%d", c.Cell, c.From), &a)
		problem, ok := errors.AsType[*problemError](err)
		if !ok || problem.Status != http.StatusNotFound {
			return a, err
		}
	}
	body := map[string]int64{}
	if c.From != 0 {
		body["from"] = c.From
	}
	return a, server.post(ctx, fmt.Sprintf("/cells/%d/attributions", c.Cell), body, &a)
}
