package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

type modelCommand struct {
	Add     modelAddCommand     `cmd:"" help:"Register a model."`
	Release modelReleaseCommand `cmd:"" help:"Register a release of a model."`
	List    modelListCommand    `cmd:"" help:"List the models with their releases."`
	Show    modelShowCommand    `cmd:"" help:"Show a model with the lineage of its releases."`
	Server  modelServerCommand  `cmd:"" help:"Say how a release is asked, with --adapter, or show it."`
	Try     modelTryCommand     `cmd:"" help:"Ask a release about one item or text, or only whether its server is there; exit 3 without an answer."`
}

type modelAddCommand struct {
	clientFlags `embed:""`

	Name string `arg:"" help:"Name without spaces and without @."`
	Kind string `help:"detector, asr, formatting or nlp." enum:"detector,asr,formatting,nlp" required:""`

	Description string `help:"What people should know of it, in Markdown."`
}

func (c *modelAddCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var made idAnswer
	if err := server.post(ctx, "/models", map[string]any{"name": c.Name, "kind": c.Kind, "description": c.Description}, &made); err != nil {
		return err
	}
	return c.printAnswer(std, made, c.Name)
}

type modelReleaseCommand struct {
	modelClientFlags `embed:""`
	modelServerFlags `embed:""`

	Release string `arg:"" name:"name@version" help:"Model and version, such as strip-detector@2.1."`

	SuccessorOf string   `help:"The version of the same model that it came after." placeholder:"2.0"`
	TrainedOn   []string `help:"Dataset versions that it was trained on." placeholder:"DATASET@N"`
	Description string   `help:"What people should know of it, in Markdown."`
}

func (c *modelReleaseCommand) Run(ctx context.Context, std *streams) error {
	name, version, err := parseRelease(c.Release)
	if err != nil {
		return err
	}
	asked, err := c.body()
	if err != nil {
		return err
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	body := map[string]any{"version": version, "successor_of": c.SuccessorOf, "description": c.Description}
	if len(c.TrainedOn) > 0 {
		body["trained_on"] = c.TrainedOn
	}
	if asked != nil {
		body["server"] = asked
	}
	var made idAnswer
	if err := server.post(ctx, "/models/"+url.PathEscape(name)+"/versions", body, &made); err != nil {
		return err
	}
	return c.printAnswer(std, made, c.Release)
}

type modelListCommand struct {
	clientFlags `embed:""`
}

type modelRow struct {
	ID       int64    `json:"id"`
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`
	Versions []string `json:"versions"`
}

func (c *modelListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, "/models", "NAME\tKIND\tRELEASES", func(m modelRow) string {
		return m.Name + "\t" + m.Kind + "\t" + strings.Join(m.Versions, " ")
	})
}

type modelShowCommand struct {
	clientFlags `embed:""`

	Name string `arg:"" help:"Name of the model."`
}

// modelAnswer is a model with its releases as the server tells it.
type modelAnswer struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Description string `json:"description,omitempty"`
	Releases    []struct {
		Version     string   `json:"version"`
		Description string   `json:"description,omitempty"`
		SuccessorOf string   `json:"successor_of,omitempty"`
		TrainedOn   []string `json:"trained_on"`
		Predicted   []struct {
			Project    string `json:"project"`
			Items      int    `json:"items"`
			Hypotheses int    `json:"hypotheses"`
		} `json:"predicted"`
	} `json:"releases"`
}

// text is what people read.
func (m *modelAnswer) text() string {
	said := m.Name + ", " + m.Kind
	if m.Description != "" {
		said += "\n" + m.Description
	}
	for _, r := range m.Releases {
		said += "\n" + m.Name + "@" + r.Version
		if r.SuccessorOf != "" {
			said += ", successor of " + r.SuccessorOf
		}
		if len(r.TrainedOn) > 0 {
			said += ", trained on " + strings.Join(r.TrainedOn, " ")
		}
		for _, p := range r.Predicted {
			said += fmt.Sprintf("; %d items of %s (%d hypotheses)", p.Items, p.Project, p.Hypotheses)
		}
	}
	return said
}

func (c *modelShowCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var model modelAnswer
	if err := server.get(ctx, "/models/"+url.PathEscape(c.Name), &model); err != nil {
		return err
	}
	return c.printAnswer(std, model, model.text())
}
