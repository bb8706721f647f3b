package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

type chainCommand struct {
	Add  chainAddCommand  `cmd:"" help:"Make a chain."`
	List chainListCommand `cmd:"" help:"List the chains."`
	Set  chainSetCommand  `cmd:"" help:"Change a chain's settings."`
}

// chainAnswer is a chain as the server tells it.
type chainAnswer struct {
	ID          int64    `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Slots       []string `json:"slots"`
	Baseline    []string `json:"baseline,omitempty"`
	AlertDrop   float64  `json:"alert_drop"`
	ExpectDays  int      `json:"expect_days,omitempty"`
	Runs        int      `json:"runs"`
}

type chainAddCommand struct {
	clientFlags `embed:""`

	Name        string   `arg:"" help:"Name of the chain."`
	Slots       []string `help:"Kinds of models in order: detector, or asr, formatting and nlp." required:"" placeholder:"asr,nlp"`
	Baseline    []string `help:"What runs are compared with: one for each slot." placeholder:"M@V"`
	AlertDrop   float64  `help:"How far the headline measure may fall, in its own unit." default:"0.02"`
	ExpectDays  int      `help:"Tell when no run has ended for so many days; 0: never."`
	Description string   `help:"What people should know of it."`
}

func (c *chainAddCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	body := map[string]any{"name": c.Name, "slots": c.Slots, "alert_drop": c.AlertDrop, "expect_days": c.ExpectDays, "description": c.Description}
	if len(c.Baseline) > 0 {
		body["baseline"] = c.Baseline
	}
	var made idAnswer
	if err := server.post(ctx, "/chains", body, &made); err != nil {
		return misuseOf(err)
	}
	return c.printAnswer(std, made, fmt.Sprintf("chain %d", made.ID))
}

type chainListCommand struct {
	clientFlags `embed:""`
}

func (c *chainListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, "/chains", "CHAIN\tNAME\tSLOTS\tBASELINE\tALERT\tRUNS", func(a chainAnswer) string {
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%g\t%d", a.ID, a.Name, strings.Join(a.Slots, " → "), strings.Join(a.Baseline, " → "), a.AlertDrop, a.Runs)
	})
}

type chainSetCommand struct {
	clientFlags `embed:""`

	ID         int64     `arg:"" help:"Number of the chain."`
	Name       *string   `help:"Another name."`
	Baseline   *[]string `help:"What runs are compared with: one for each slot; empty for nothing." placeholder:"M@V"`
	AlertDrop  *float64  `help:"How far the headline measure may fall, in its own unit."`
	ExpectDays *int      `help:"Tell when no run has ended for so many days; 0: never."`
}

func (c *chainSetCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	body := map[string]any{}
	if c.Name != nil {
		body["name"] = *c.Name
	}
	if c.Baseline != nil {
		body["baseline"] = *c.Baseline
	}
	if c.AlertDrop != nil {
		body["alert_drop"] = *c.AlertDrop
	}
	if c.ExpectDays != nil {
		body["expect_days"] = *c.ExpectDays
	}
	if len(body) == 0 {
		return misuseError("say what to change: --name, --baseline, --alert-drop or --expect-days")
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var chain chainAnswer
	header := http.Header{"Content-Type": {"application/json"}}
	err = server.send(ctx, http.MethodPatch, fmt.Sprintf("/chains/%d", c.ID), header, bytes.NewReader(text), decodeInto(&chain))
	if err != nil {
		return misuseOf(err)
	}
	return c.printAnswer(std, chain, fmt.Sprintf("chain %d: %s, baseline %s, alert at %g", chain.ID, chain.Name, strings.Join(chain.Baseline, " → "), chain.AlertDrop))
}
