package main

import (
	"context"
	"net/url"
	"strings"
)

type modelCommand struct {
	Add     modelAddCommand     `cmd:"" help:"Register a model."`
	Release modelReleaseCommand `cmd:"" help:"Register a release of a model."`
	List    modelListCommand    `cmd:"" help:"List the models with their releases."`
}

type modelAddCommand struct {
	clientFlags `embed:""`

	Name string `arg:"" help:"Name without spaces and without @."`
	Kind string `help:"detector, asr or nlp." enum:"detector,asr,nlp" required:""`
}

func (c *modelAddCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var made idAnswer
	if err := server.post(ctx, "/models", map[string]any{"name": c.Name, "kind": c.Kind}, &made); err != nil {
		return err
	}
	return c.printAnswer(std, made, c.Name)
}

type modelReleaseCommand struct {
	clientFlags `embed:""`

	Release string `arg:"" name:"name@version" help:"Model and version, such as strip-detector@2.1."`
}

func (c *modelReleaseCommand) Run(ctx context.Context, std *streams) error {
	name, version, ok := strings.Cut(c.Release, "@")
	if !ok || name == "" || version == "" {
		return misuseError("write the release as NAME@VERSION, such as strip-detector@2.1")
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var made idAnswer
	if err := server.post(ctx, "/models/"+url.PathEscape(name)+"/versions", map[string]any{"version": version}, &made); err != nil {
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
