package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"fiducial/internal/access"
	"fiducial/internal/steel"
	"fiducial/store"
)

type demoCommand struct {
	platformFlags `embed:""`
	jobFlags      `embed:""`
}

// Help says what --help shows below the usage.
func (*demoCommand) Help() string {
	return "Draws about 60 pictures of steel strip with known defects, lets three labelers and a reviewer work on them, and " +
		"freezes two dataset versions; adds six telephone calls that a synthesizer spoke, three of them of some minutes, with what a recognizer heard in them, a year of evaluations of it and of what reads it, and one of a detector. It fills an empty installation only."
}

func (c *demoCommand) Run(ctx context.Context, std *streams) (err error) {
	p, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.migrate(ctx); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	worked := make(chan error, 1)
	go func() { worked <- c.runJobs(working, p, "") }()
	defer func() {
		stop()
		err = errors.Join(err, <-worked)
	}()
	filled, err := p.fillDemo(ctx, c.Data, std.err)
	if err == nil && !filled {
		err = errors.New("people have accounts here already; the demo fills an empty installation only: choose another --data")
	}
	if err != nil {
		return err
	}
	return printSignIns(c.Data, std.out)
}

// demoPerson is somebody of the demo. Labelers have a habit of drawing.
type demoPerson struct {
	name  string
	role  access.Role
	habit steel.Habit
}

var demoPeople = []demoPerson{
	{"Mara Lindqvist", access.Labeler, steel.Careful},
	{"Jonas Weber", access.Labeler, steel.Loose},
	{"Inês Ferreira", access.Labeler, steel.Quick},
	{"Tomasz Król", access.Reviewer, ""},
	{"Ada Okafor", access.Admin, ""},
	{"Chris Novak", access.Viewer, ""},
}

func (d demoPerson) email() string {
	given, _, _ := strings.Cut(d.name, " ")
	return strings.ToLower(strings.ReplaceAll(given, "ê", "e")) + "@demo.example"
}

// fillDemo fills an empty installation and reports whether it was empty. Whoever starts at the same
// time waits, and then finds it filled.
func (p *platform) fillDemo(ctx context.Context, data string, progress io.Writer) (filled bool, err error) {
	empty, err := p.Store.Empty(ctx)
	if err != nil || !empty {
		return false, err
	}
	fmt.Fprintln(progress, "Filling in the demo: drawing strips, labeling, reviewing. This takes a moment.")
	password := "demo-" + strings.ToLower(rand.Text()[:10])
	fill := demoFill{platform: p, actors: map[string]store.Actor{}, strips: map[string]steel.Strip{}, progress: progress}
	if err := fill.addPeople(ctx, password); err != nil {
		return false, fmt.Errorf("demo: people: %w", err)
	}
	if err := os.WriteFile(signInsFile(data), []byte(password+"\n"), 0o600); err != nil {
		return false, fmt.Errorf("demo: %w", err)
	}
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"projects", fill.addProjects},
		{"pictures", fill.importStrips},
		{"defect book", fill.publishBook},
		{"round", fill.openRound},
		{"labeling", fill.label},
		{"review", fill.review},
		{"batches", fill.reviewBatches},
		{"agreement", fill.score},
		{"history", fill.backdate},
		{"definitions", fill.sharpen},
		{"quality", fill.watch},
		{"datasets", fill.freeze},
		{"retention", fill.limitTime},
		{"access requests", fill.askAccess},
		{"erasures", fill.askErasure},
		{"calls", fill.addCalls},
		{"whole calls", fill.addWhole},
		{"evaluations", fill.addEvaluations},
		{"evening calls", fill.addEvening},
		{"detector", fill.addDetector},
		{"arrival", fill.dateArrival},
	}
	for _, step := range steps {
		if err := step.do(ctx); err != nil {
			return false, fmt.Errorf("demo: %s: %w", step.name, err)
		}
	}
	return true, nil
}

func signInsFile(data string) string { return filepath.Join(data, "demo-password") }

// printSignIns lists who can sign in, if this data folder's server made the demo.
func printSignIns(data string, out io.Writer) error {
	password, err := os.ReadFile(signInsFile(data))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "Demo sign-ins, all with the password %s\n", strings.TrimSpace(string(password)))
	for _, d := range demoPeople {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", d.email(), d.role, d.name)
	}
	return table.Flush()
}
