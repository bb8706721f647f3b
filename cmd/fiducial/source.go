package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

type sourceCommand struct {
	Add  sourceAddCommand  `cmd:"" help:"Make a source: a customer, a production line."`
	List sourceListCommand `cmd:"" help:"List the sources with their retention."`
}

type sourceAddCommand struct {
	clientFlags `embed:""`

	Name      string    `arg:"" help:"Whose data it is."`
	Retention retention `help:"How long its items are kept, such as 90d; without it there is no limit." placeholder:"DAYSd"`
}

// retention is a number of days, written 90d; 0 is no limit.
type retention int

// UnmarshalText reads 90d, or 90.
func (r *retention) UnmarshalText(text []byte) error {
	days, err := strconv.Atoi(strings.TrimSuffix(string(text), "d"))
	if err != nil || days < 1 {
		return fmt.Errorf("%q is not a number of days: write 90d", text)
	}
	*r = retention(days)
	return nil
}

func (c *sourceAddCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	in := map[string]any{"name": c.Name}
	if c.Retention > 0 {
		in["retention_days"] = int(c.Retention)
	}
	var made idAnswer
	if err := server.post(ctx, "/sources", in, &made); err != nil {
		return err
	}
	return c.printAnswer(std, made, c.Name)
}

// idAnswer is what the server says of something that it made.
type idAnswer struct {
	ID int64 `json:"id"`
}

type sourceListCommand struct {
	clientFlags `embed:""`
}

type sourceRow struct {
	ID            int64  `json:"id"`
	Name          string `json:"name"`
	RetentionDays *int   `json:"retention_days"`
}

func (c *sourceListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, "/sources", "NAME\tRETENTION", func(s sourceRow) string {
		kept := "no limit"
		if s.RetentionDays != nil {
			kept = fmt.Sprintf("%dd", *s.RetentionDays)
		}
		return s.Name + "\t" + kept
	})
}
