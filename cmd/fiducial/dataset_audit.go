package main

import (
	"context"
	"errors"
	"fmt"
)

type datasetAuditCommand struct {
	clientFlags `embed:""`

	Name  string `arg:"" help:"Dataset and version: NAME@N."`
	Items int    `help:"Start an audit of so many test lines. Without it the newest one is shown."`
	Seed  int64  `help:"The same seed draws the same of the same lines."`
	Now   bool   `help:"Have the report made anew first."`
}

// auditShare is a share with its interval.
type auditShare struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Share float64 `json:"share"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func (s auditShare) String() string {
	if s.Of == 0 {
		return "none yet"
	}
	return fmt.Sprintf("%d of %d, %.3f (%.3f to %.3f)", s.Count, s.Of, s.Share, s.Low, s.High)
}

// auditAnswer is a blind audit as the server tells it.
type auditAnswer struct {
	ID      int64  `json:"id"`
	Items   int    `json:"items"`
	Seed    int64  `json:"seed"`
	State   string `json:"state"`
	Error   string `json:"error,omitempty"`
	Batches []struct {
		Project  string `json:"project"`
		Number   int    `json:"number"`
		Items    int    `json:"items"`
		Answered int    `json:"answered"`
		Decided  int    `json:"decided"`
	} `json:"batches"`
	Answered int    `json:"answered"`
	Decided  int    `json:"decided"`
	Reported string `json:"reported_at,omitempty"`
	Report   *struct {
		Items      int            `json:"items"`
		Answered   int            `json:"answered"`
		Differ     auditShare     `json:"differ"`
		Wrong      auditShare     `json:"wrong"`
		Findings   map[string]int `json:"findings"`
		WordErrors int            `json:"word_errors"`
		Words      int            `json:"words"`
	} `json:"report,omitempty"`
}

// text is what people read.
func (a *auditAnswer) text() string {
	said := fmt.Sprintf("audit %d: %d lines, %s", a.ID, a.Items, a.State)
	if a.Error != "" {
		return said + "\n" + a.Error
	}
	for _, b := range a.Batches {
		said += fmt.Sprintf("\nbatch %d of %s: %d of %d answered, %d decided", b.Number, b.Project, b.Answered, b.Items, b.Decided)
	}
	if r := a.Report; r != nil {
		said += "\nlabeled differently: " + r.Differ.String() + "\nfound wrong: " + r.Wrong.String()
		if r.Words > 0 {
			said += fmt.Sprintf("\nword errors of the labels: %d of %d", r.WordErrors, r.Words)
		}
	}
	return said
}

func (c *datasetAuditCommand) Run(ctx context.Context, std *streams) error {
	path, err := versionPath(c.Name)
	if err != nil {
		return err
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	id, err := c.audit(ctx, server, path)
	if err != nil {
		return err
	}
	var answer auditAnswer
	own := fmt.Sprintf("/audits/%d", id)
	if err := await(ctx, server, own, &answer, func() bool { return answer.State != "waiting" }); err != nil {
		return err
	}
	if c.Now {
		before := answer.Reported
		if err := server.post(ctx, own+"/report", map[string]any{}, nil); err != nil {
			return err
		}
		if err := await(ctx, server, own, &answer, func() bool { return answer.Reported != before }); err != nil {
			return err
		}
	}
	if err := c.printAnswer(std, answer, answer.text()); err != nil {
		return err
	}
	if answer.State == "failed" {
		return errors.New("nothing was drawn")
	}
	return nil
}

// audit starts one, or finds the newest.
func (c *datasetAuditCommand) audit(ctx context.Context, server *client, path string) (id int64, err error) {
	if c.Items > 0 {
		var made idAnswer
		err := server.post(ctx, path+"/audits", map[string]any{"items": c.Items, "seed": c.Seed}, &made)
		return made.ID, err
	}
	err = list(ctx, server, path+"/audits", func(a auditAnswer) error {
		id = max(id, a.ID)
		return nil
	})
	if err == nil && id == 0 {
		err = errors.New("there is no audit of this version: start one with --items")
	}
	return id, err
}
