package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type alertCommand struct {
	List        alertListCommand        `cmd:"" help:"List the alerts that are not closed, the newest first."`
	Show        alertShowCommand        `cmd:"" help:"Show an alert: what fell, by how much, and what lies behind it."`
	Acknowledge alertAcknowledgeCommand `cmd:"" help:"Say that somebody is at it: it is quiet until it is closed."`
	Snooze      alertSnoozeCommand      `cmd:"" help:"Put an alert off for some days."`
	Close       alertCloseCommand       `cmd:"" help:"Settle an alert: where the figure is now is what it is compared with from then on."`
}

// alertAnswer is an alert as the server tells it.
type alertAnswer struct {
	ID           int64      `json:"id"`
	Kind         string     `json:"kind"`
	Chain        string     `json:"chain"`
	Evaluation   int64      `json:"evaluation,omitempty"`
	Cell         int64      `json:"cell,omitempty"`
	State        string     `json:"state"`
	Times        int        `json:"times"`
	Title        string     `json:"title"`
	Sentences    []string   `json:"sentences"`
	RaisedAt     time.Time  `json:"raised_at"`
	LastAt       time.Time  `json:"last_at"`
	SnoozedUntil *time.Time `json:"snoozed_until,omitempty"`
	SettledAt    *time.Time `json:"settled_at,omitempty"`
	Summary      struct {
		Falls []struct {
			Against string `json:"against"`
			Name    string `json:"name"`
			Cell    int64  `json:"cell,omitempty"`
		} `json:"falls,omitempty"`
	} `json:"summary"`
}

// now is the alert's state in words.
func (a *alertAnswer) now() string {
	if a.State == "open" && a.SnoozedUntil != nil {
		return "put off until " + a.SnoozedUntil.UTC().Format(time.DateOnly)
	}
	return a.State
}

// text is what people read.
func (a *alertAnswer) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "alert %d, %s: %s\n", a.ID, a.now(), a.Title)
	for _, sentence := range a.Sentences {
		fmt.Fprintln(&b, sentence)
	}
	fmt.Fprintf(&b, "since %s, raised by %d runs", a.RaisedAt.UTC().Format("2006-01-02 15:04"), a.Times)
	if a.Evaluation != 0 {
		fmt.Fprintf(&b, ", last by evaluation %d", a.Evaluation)
	}
	for _, f := range a.Summary.Falls {
		if f.Cell != 0 && a.Cell != 0 {
			fmt.Fprintf(&b, "\nwhere it comes from, against %s: fiducial eval attribution %d --from %d", f.Name, a.Cell, f.Cell)
		}
	}
	return b.String()
}

type alertListCommand struct {
	clientFlags `embed:""`

	All        bool  `help:"Those that are closed, too."`
	Evaluation int64 `help:"Only those that this evaluation raised last." placeholder:"ID"`
	Check      bool  `help:"Exit with 3 if there is one that nobody has acknowledged or put off."`
}

// Help names the exit codes.
func (c *alertListCommand) Help() string {
	return "Exit codes: 0: done. 3: with --check, an alert is open that nobody has acknowledged or put off. 1: it failed. 2: wrong use."
}

func (c *alertListCommand) Run(ctx context.Context, std *streams) error {
	query := url.Values{}
	if c.All {
		query.Set("all", "true")
	}
	if c.Evaluation != 0 {
		query.Set("evaluation", fmt.Sprint(c.Evaluation))
	}
	path := "/alerts?" + query.Encode()
	err := printRows(ctx, &c.clientFlags, std, path, "ALERT\tKIND\tSTATE\tSINCE\tCHAIN\tWHAT", func(a alertAnswer) string {
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s", a.ID, a.Kind, a.now(), a.RaisedAt.UTC().Format(time.DateOnly), a.Chain, a.Title)
	})
	if err != nil || !c.Check {
		return err
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	return list(ctx, server, path, func(a alertAnswer) error {
		if a.waits() {
			return errAnswerNo
		}
		return nil
	})
}

// waits tells that nobody has acknowledged the alert, or put it off.
func (a *alertAnswer) waits() bool { return a.State == "open" && a.SnoozedUntil == nil }

// oneAlert names an alert.
type oneAlert struct {
	ID int64 `arg:"" help:"Number of the alert."`
}

func (o *oneAlert) path() string { return fmt.Sprintf("/alerts/%d", o.ID) }

// settle does something about the alert, and shows how it is then.
func (o *oneAlert) settle(ctx context.Context, std *streams, flags *clientFlags, act string, body any) error {
	server, err := flags.connect()
	if err != nil {
		return err
	}
	err = server.post(ctx, o.path()+act, body, nil)
	if problem, ok := errors.AsType[*problemError](err); ok && problem.Status == http.StatusConflict {
		return fmt.Errorf("the alert is not as it was: see 'fiducial alert show %d'", o.ID)
	}
	if err != nil {
		return misuseOf(err)
	}
	var a alertAnswer
	if err := server.get(ctx, o.path(), &a); err != nil {
		return err
	}
	return flags.printAnswer(std, a, fmt.Sprintf("alert %d: %s", a.ID, a.now()))
}

type alertShowCommand struct {
	clientFlags `embed:""`
	oneAlert    `embed:""`
}

func (c *alertShowCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var a alertAnswer
	if err := server.get(ctx, c.path(), &a); err != nil {
		return err
	}
	return c.printAnswer(std, a, a.text())
}

type alertAcknowledgeCommand struct {
	clientFlags `embed:""`
	oneAlert    `embed:""`
}

func (c *alertAcknowledgeCommand) Run(ctx context.Context, std *streams) error {
	return c.settle(ctx, std, &c.clientFlags, "/acknowledge", struct{}{})
}

type alertSnoozeCommand struct {
	clientFlags `embed:""`
	oneAlert    `embed:""`

	Days int `help:"For how many days, 1 to 90." default:"7"`
}

func (c *alertSnoozeCommand) Run(ctx context.Context, std *streams) error {
	return c.settle(ctx, std, &c.clientFlags, "/snooze", map[string]int{"days": c.Days})
}

type alertCloseCommand struct {
	clientFlags `embed:""`
	oneAlert    `embed:""`
}

func (c *alertCloseCommand) Run(ctx context.Context, std *streams) error {
	return c.settle(ctx, std, &c.clientFlags, "/close", struct{}{})
}
