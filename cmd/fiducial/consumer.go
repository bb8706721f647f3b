package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type consumerCommand struct {
	Add     consumerAddCommand     `cmd:"" help:"Record who uses dataset versions: a team, a training job, a system."`
	List    consumerListCommand    `cmd:"" help:"List who uses dataset versions, and what they have not confirmed."`
	Confirm consumerConfirmCommand `cmd:"" help:"Confirm that a consumer's copy of erased items is deleted."`
}

// consumerAnswer is a consumer as the server tells it.
type consumerAnswer struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	URL      string `json:"url,omitempty"`
	Versions int    `json:"versions"`
	Open     int    `json:"open"`
	Dead     int    `json:"dead"`
}

type consumerAddCommand struct {
	clientFlags `embed:""`

	Name  string   `arg:"" help:"Name of the consumer."`
	Owner string   `help:"Address of the account of who answers for it; they are told in the app." placeholder:"EMAIL"`
	Call  string   `help:"Address that is called when items are erased. The secret that signs the calls is printed once." placeholder:"https://…"`
	Uses  []string `help:"Version that it uses, NAME@N; several may be given." placeholder:"NAME@N"`
}

func (c *consumerAddCommand) Run(ctx context.Context, std *streams) error {
	for _, name := range c.Uses {
		if _, err := versionPath(name); err != nil {
			return err
		}
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var answer struct {
		ID     int64  `json:"id"`
		Secret string `json:"secret,omitempty"`
	}
	if err := server.post(ctx, "/consumers", map[string]string{"name": c.Name, "owner": c.Owner}, &answer); err != nil {
		return err
	}
	path := fmt.Sprintf("/consumers/%d", answer.ID)
	if c.Call != "" {
		body, err := json.Marshal(map[string]string{"url": c.Call})
		if err != nil {
			return err
		}
		header := http.Header{"Content-Type": {"application/json"}}
		if err := server.send(ctx, http.MethodPut, path+"/address", header, bytes.NewReader(body), decodeInto(&answer)); err != nil {
			return fmt.Errorf("%s is recorded, and is not called: %w", c.Name, err)
		}
	}
	for _, name := range c.Uses {
		if err := server.post(ctx, path+"/versions", map[string]string{"version": name}, nil); err != nil {
			return fmt.Errorf("%s is recorded, and not as one that uses %s: %w", c.Name, name, err)
		}
	}
	text := fmt.Sprintf("consumer %d", answer.ID)
	if answer.Secret != "" {
		text += "\n" + answer.Secret
	}
	return c.printAnswer(std, answer, text)
}

type consumerListCommand struct {
	clientFlags `embed:""`
}

func (c *consumerListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, "/consumers", "ID\tNAME\tKIND\tVERSIONS\tNOT CONFIRMED\tCALLS GIVEN UP", func(v consumerAnswer) string {
		return fmt.Sprintf("%d\t%s\t%s\t%d\t%d\t%d", v.ID, v.Name, v.Kind, v.Versions, v.Open, v.Dead)
	})
}

type consumerConfirmCommand struct {
	clientFlags `embed:""`

	Name    string `arg:"" help:"Name of the consumer."`
	Erasure int64  `help:"Only for this erasure; without it, for all that are open."`
}

// noticeAnswer is what a consumer was told.
type noticeAnswer struct {
	ID      int64  `json:"id"`
	Version string `json:"version"`
	Erasure int64  `json:"erasure"`
	Lines   int    `json:"lines"`
}

func (c *consumerConfirmCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var id int64
	err = list(ctx, server, "/consumers", func(v consumerAnswer) error {
		if v.Name == c.Name {
			id = v.ID
		}
		return nil
	})
	if err != nil {
		return err
	}
	if id == 0 {
		return fmt.Errorf("there is no consumer %q that you may know of: see 'fiducial consumer list'", c.Name)
	}
	query := url.Values{"consumer": {strconv.FormatInt(id, 10)}, "open": {"true"}}
	if c.Erasure != 0 {
		query.Set("erasure", strconv.FormatInt(c.Erasure, 10))
	}
	confirmed := []noticeAnswer{}
	err = list(ctx, server, "/consumer-notices?"+query.Encode(), func(v noticeAnswer) error {
		confirmed = append(confirmed, v)
		return nil
	})
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, n := range confirmed {
		if err := server.post(ctx, fmt.Sprintf("/consumer-notices/%d/confirm", n.ID), struct{}{}, nil); err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s: %d lines of erasure %d\n", n.Version, n.Lines, n.Erasure)
	}
	fmt.Fprintf(&text, "%d confirmed", len(confirmed))
	return c.printAnswer(std, confirmed, text.String())
}
