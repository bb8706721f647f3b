package main

import (
	"context"
	"fmt"
	"net/url"
)

type expiringCommand struct {
	clientFlags `embed:""`

	Within  retention `help:"How far to look ahead." default:"90d" placeholder:"90d"`
	Source  string    `help:"What is of this source."`
	Project string    `help:"What is in this project, by its short name."`
	Parts   bool      `help:"Instead: which splits and strata of dataset versions get too small, and when."`
	Dataset string    `help:"With --parts: every version of this dataset, instead of the newest of each."`
}

// Help says what --help shows below the usage.
func (*expiringCommand) Help() string {
	return "Items are counted by the Monday (UTC) of the week in which they go. What a legal hold keeps is counted apart."
}

type expiringRow struct {
	Week   string `json:"week"`
	Source string `json:"source"`
	Items  int    `json:"items"`
	Held   int    `json:"held"`
}

type fallRow struct {
	State string `json:"state"`
	Week  string `json:"week,omitempty"`
}

func (r fallRow) String() string {
	switch r.State {
	case "fallen":
		return "already"
	case "falls":
		return "from " + r.Week
	case "never_held":
		return "from the start"
	}
	return "no"
}

type partRow struct {
	Dataset  string  `json:"dataset"`
	Version  int     `json:"version"`
	Split    string  `json:"split"`
	Stratum  string  `json:"stratum,omitempty"`
	Frozen   int     `json:"frozen"`
	Items    int     `json:"items"`
	Held     int     `json:"held"`
	Wanted   int     `json:"wanted"`
	Then     int     `json:"then"`
	Interval float64 `json:"interval"`
	Limit    float64 `json:"interval_limit"`
	Size     fallRow `json:"size"`
	Width    fallRow `json:"width"`
}

func (c *expiringCommand) Run(ctx context.Context, std *streams) error {
	query := url.Values{"within": {fmt.Sprintf("%dd", int(c.Within))}}
	for name, value := range map[string]string{"source": c.Source, "project": c.Project, "dataset": c.Dataset} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if c.Parts {
		const head = "PART\tAT LEAST\tNOW\tTHEN\tTOO SMALL\tINTERVAL TOO WIDE"
		return printRows(ctx, &c.clientFlags, std, "/expiring/parts?"+query.Encode(), head, func(r partRow) string {
			name := fmt.Sprintf("%s@%d %s", r.Dataset, r.Version, r.Split)
			if r.Stratum != "" {
				name += ", " + r.Stratum
			}
			return fmt.Sprintf("%s\t%d\t%d ±%.1f\t%d\t%s\t%s", name, r.Wanted, r.Items, 100*r.Interval, r.Then, r.Size, r.Width)
		})
	}
	if c.Dataset != "" {
		return misuseError("--dataset goes with --parts")
	}
	return printRows(ctx, &c.clientFlags, std, "/expiring?"+query.Encode(), "WEEK\tSOURCE\tITEMS\tHELD", func(r expiringRow) string {
		return fmt.Sprintf("%s\t%s\t%d\t%d", r.Week, r.Source, r.Items, r.Held)
	})
}
