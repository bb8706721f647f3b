package main

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

type changeCommand struct {
	Add  changeAddCommand  `cmd:"" help:"Record something that a team did, on the timeline."`
	List changeListCommand `cmd:"" help:"List what teams did, the latest first."`
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
