package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

type changeCommand struct {
	Add  changeAddCommand  `cmd:"" help:"Record something that a team did, on the timeline."`
	List changeListCommand `cmd:"" help:"List what teams did, the latest first."`
	Edit changeEditCommand `cmd:"" help:"Put a change right that you recorded; an admin any."`

	Withdraw changeWithdrawCommand `cmd:"" help:"Take a change off the timeline that you recorded; an admin any."`
}

type changeAddCommand struct {
	clientFlags `embed:""`

	Title   string `arg:"" help:"What was done, in one line."`
	Kind    string `help:"change, or intervention for what was done to repair." enum:"change,intervention" default:"change"`
	System  string `help:"Where it was done, in the words of your team." placeholder:"recognizer"`
	At      string `help:"When it took effect, such as 2026-03-01T10:00:00Z; now without it." placeholder:"TIME"`
	Body    string `help:"More about it, in Markdown." placeholder:"TEXT"`
	Link    string `help:"Address of a page about it." placeholder:"https://…"`
	Release string `help:"The model version that it brought." placeholder:"NAME@VERSION"`
	Key     string `help:"What names it where it comes from, such as the number of a deployment: told twice under one key, it is one change." placeholder:"KEY"`
}

func (c *changeAddCommand) Run(ctx context.Context, std *streams) error {
	body := map[string]any{"title": c.Title, "kind": c.Kind}
	if c.At != "" {
		at, err := time.Parse(time.RFC3339, c.At)
		if err != nil {
			return misuseError("--at: write the time like 2026-03-01T10:00:00Z")
		}
		body["at"] = at
	}
	for name, value := range map[string]string{"system": c.System, "body": c.Body, "url": c.Link, "release": c.Release, "key": c.Key} {
		if value != "" {
			body[name] = value
		}
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var made idAnswer
	if err := server.post(ctx, "/changes", body, &made); err != nil {
		return err
	}
	return c.printAnswer(std, made, fmt.Sprintf("change %d", made.ID))
}

type changeEditCommand struct {
	clientFlags `embed:""`

	ID      int64   `arg:"" help:"Number of the change."`
	Title   *string `help:"What was done, in one line."`
	Kind    *string `help:"change, or intervention." placeholder:"KIND"`
	System  *string `help:"Where it was done." placeholder:"recognizer"`
	At      string  `help:"When it took effect, such as 2026-03-01T10:00:00Z." placeholder:"TIME"`
	Body    *string `help:"More about it, in Markdown." placeholder:"TEXT"`
	Link    *string `help:"Address of a page about it." placeholder:"https://…"`
	Release *string `help:"The model version that it brought; empty for none." placeholder:"NAME@VERSION"`
}

func (c *changeEditCommand) Run(ctx context.Context, std *streams) error {
	body := map[string]any{}
	if c.At != "" {
		at, err := time.Parse(time.RFC3339, c.At)
		if err != nil {
			return misuseError("--at: write the time like 2026-03-01T10:00:00Z")
		}
		body["at"] = at
	}
	for name, value := range map[string]*string{"title": c.Title, "kind": c.Kind, "system": c.System, "body": c.Body, "url": c.Link, "release": c.Release} {
		if value != nil {
			body[name] = *value
		}
	}
	if len(body) == 0 {
		return misuseError("say what to put right: --title, --kind, --system, --at, --body, --link or --release")
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var change changeAnswer
	header := http.Header{"Content-Type": {"application/json"}}
	err = server.send(ctx, http.MethodPatch, fmt.Sprintf("/changes/%d", c.ID), header, bytes.NewReader(text), decodeInto(&change))
	if err != nil {
		return misuseOf(err)
	}
	return c.printAnswer(std, change, fmt.Sprintf("change %d: %s, %s, %s", change.ID, change.At.UTC().Format("2006-01-02 15:04"), change.Kind, change.Title))
}

type changeWithdrawCommand struct {
	clientFlags `embed:""`

	ID int64 `arg:"" help:"Number of the change."`
}

func (c *changeWithdrawCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	if err := server.remove(ctx, fmt.Sprintf("/changes/%d", c.ID)); err != nil {
		return err
	}
	return c.printAnswer(std, idAnswer{ID: c.ID}, fmt.Sprintf("change %d is off the timeline", c.ID))
}

type changeListCommand struct {
	clientFlags `embed:""`

	Kind   string `help:"Only these: change or intervention." enum:",change,intervention" default:""`
	System string `help:"Only those of this system." placeholder:"recognizer"`
}

// changeAnswer is a change as the server tells it.
type changeAnswer struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Title   string    `json:"title"`
	Body    string    `json:"body,omitempty"`
	System  string    `json:"system,omitempty"`
	URL     string    `json:"url,omitempty"`
	Release string    `json:"release,omitempty"`
	Origin  string    `json:"origin"`
}

func (c *changeListCommand) Run(ctx context.Context, std *streams) error {
	query := url.Values{}
	if c.Kind != "" {
		query.Set("kind", c.Kind)
	}
	if c.System != "" {
		query.Set("system", c.System)
	}
	return printRows(ctx, &c.clientFlags, std, "/changes?"+query.Encode(), "ID\tWHEN\tKIND\tSYSTEM\tWHAT", func(v changeAnswer) string {
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%s", v.ID, v.At.UTC().Format("2006-01-02 15:04"), v.Kind, v.System, v.Title)
	})
}
