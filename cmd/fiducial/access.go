package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

type accessCommand struct {
	clientFlags `embed:""`

	Source string `help:"What is held on this source." xor:"of" required:"" placeholder:"NAME"`
	Person string `help:"What is held on the person with this address." xor:"of" required:"" placeholder:"EMAIL"`
	ID     int64  `help:"An access request that was made before." xor:"of" required:"" placeholder:"N"`
	Media  bool   `help:"With the original images of the source."`
	Due    string `help:"When it is to be answered; in 30 days without it." placeholder:"YYYY-MM-DD"`
	Out    string `help:"Where the archive goes; waits for it." type:"path" placeholder:"FILE.zip"`
	Wait   bool   `help:"Wait until the archive is written."`
}

// accessAnswer is an access request as the server tells it.
type accessAnswer struct {
	ID        int64  `json:"id"`
	SourceID  int64  `json:"source_id,omitempty"`
	PersonID  int64  `json:"person_id,omitempty"`
	Media     bool   `json:"media"`
	DueOn     string `json:"due_on"`
	State     string `json:"state"`
	Error     string `json:"error,omitempty"`
	Records   int64  `json:"records"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256,omitempty"`
	KeptUntil string `json:"kept_until,omitempty"`
}

func (c *accessCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	if c.ID == 0 {
		if c.ID, err = c.ask(ctx, server); err != nil {
			return err
		}
	}
	path := fmt.Sprintf("/access/%d", c.ID)
	var answer accessAnswer
	bar := newProgressBar(std.err)
	err = await(ctx, server, path, &answer, func() bool {
		bar.show("Writing", answer.Records, 0, "records")
		return !c.Wait && c.Out == "" || answer.State != "queued" && answer.State != "running"
	})
	if err == nil && answer.State == "done" && c.Out != "" {
		err = server.download(ctx, path+"/archive", c.Out, archiveAnswer{answer.Bytes, answer.SHA256}, bar)
	}
	bar.end()
	if err != nil {
		return err
	}
	return c.tell(std, answer)
}

// ask makes the request and returns its id.
func (c *accessCommand) ask(ctx context.Context, server *client) (int64, error) {
	in := map[string]any{"media": c.Media}
	if c.Due != "" {
		in["due_on"] = c.Due
	}
	if c.Person != "" {
		in["person"] = c.Person
	} else {
		id, err := sourceNamed(ctx, server, c.Source)
		if err != nil {
			return 0, err
		}
		in["source_id"] = id
	}
	var made idAnswer
	err := server.post(ctx, "/access", in, &made)
	return made.ID, err
}

// sourceNamed returns the id of the source of that name.
func sourceNamed(ctx context.Context, server *client, name string) (int64, error) {
	var page struct {
		Data []sourceRow `json:"data"`
	}
	if err := server.get(ctx, "/sources?name="+url.QueryEscape(name), &page); err != nil {
		return 0, err
	}
	if len(page.Data) == 0 {
		return 0, fmt.Errorf("there is no source called %q: fiducial source list names them", name)
	}
	return page.Data[0].ID, nil
}

func (c *accessCommand) tell(std *streams, answer accessAnswer) error {
	switch {
	case answer.State == "failed":
		return errors.New(answer.Error)
	case answer.State == "deleted":
		return errors.New("the archive is deleted: ask again without --id")
	case answer.State == "done" && c.Out != "":
		return c.printAnswer(std, answer, fmt.Sprintf("%s  %s", answer.SHA256, c.Out))
	case answer.State == "done":
		return c.printAnswer(std, answer, fmt.Sprintf("access request %d is done: fiducial access --id %d --out FILE.zip", answer.ID, answer.ID))
	}
	return c.printAnswer(std, answer, fmt.Sprintf("access request %d is %s: fiducial access --id %d --out FILE.zip", answer.ID, answer.State, answer.ID))
}
