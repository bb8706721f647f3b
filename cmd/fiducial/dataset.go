package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/manifest"
)

type datasetCommand struct {
	Freeze  datasetFreezeCommand  `cmd:"" help:"Freeze the next version, and print its name and its sha256."`
	Rebuild datasetRebuildCommand `cmd:"" help:"Freeze the next version by the recipe of this one, from the labels of today."`
	Verify  datasetVerifyCommand  `cmd:"" help:"Check that a version is still what was frozen; exits with 3 if it is not."`
	Diff    datasetDiffCommand    `cmd:"" help:"Say what two versions differ in, and why."`
	Audit   datasetAuditCommand   `cmd:"" help:"Have test lines drawn at random labeled once more, blind, or say what that has found."`
	List    datasetListCommand    `cmd:"" help:"List the newest version of each dataset."`
}

// datasetVersion is a version as the server tells it.
type datasetVersion struct {
	Dataset string          `json:"dataset"`
	Number  int             `json:"number"`
	State   string          `json:"state"`
	Error   string          `json:"error,omitempty"`
	SHA256  string          `json:"sha256,omitempty"`
	Items   int             `json:"items"`
	Boxes   int64           `json:"boxes"`
	Recipe  manifest.Recipe `json:"recipe"`
}

func (v datasetVersion) name() string { return fmt.Sprintf("%s@%d", v.Dataset, v.Number) }

// versionPath is where the server has the version NAME@N, or the versions of NAME.
func versionPath(name string) (string, error) {
	dataset, number, ok := strings.Cut(name, "@")
	if n, err := strconv.Atoi(number); !ok || dataset == "" || err != nil || n < 1 {
		return "", misuseError(fmt.Sprintf("%q names no version: write NAME@N, such as steel-test@3", name))
	}
	return "/datasets/" + url.PathEscape(dataset) + "/versions/" + number, nil
}

// await reads path into out until ended says so; Ctrl-C leaves the work going on at the server.
func await[T any](ctx context.Context, server *client, path string, out *T, ended func() bool) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		var now T // what a later answer leaves out must not stay from an earlier one
		if err := server.get(ctx, path, &now); err != nil {
			return err
		}
		if *out = now; ended() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server goes on without this command: %w", ctx.Err())
		case <-time.After(pause):
		}
	}
}

type datasetFreezeCommand struct {
	clientFlags `embed:""`

	Name    string   `arg:"" help:"Name of the dataset, made if there is none."`
	Project []string `help:"Short name of a project; several may be given. Instead of the recipe's projects."`
	Recipe  string   `help:"Recipe as a YAML file: projects, seed, shares, filter, group, strata, sizes, retention. The server describes it at /datasets/recipe." type:"existingfile" placeholder:"FILE.yaml"`
}

func (c *datasetFreezeCommand) Run(ctx context.Context, std *streams) error {
	recipe, err := c.recipe()
	if err != nil {
		return err
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var version datasetVersion
	if err := server.post(ctx, "/datasets/"+url.PathEscape(c.Name)+"/versions", recipe, &version); err != nil {
		return err
	}
	return c.printFrozen(ctx, server, std, version)
}

type datasetRebuildCommand struct {
	clientFlags `embed:""`

	Name string `arg:"" help:"Dataset and version whose recipe is taken again: NAME@N."`
}

func (c *datasetRebuildCommand) Run(ctx context.Context, std *streams) error {
	path, err := versionPath(c.Name)
	if err != nil {
		return err
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var version datasetVersion
	if err := server.post(ctx, path+"/rebuild", nil, &version); err != nil {
		return err
	}
	return c.printFrozen(ctx, server, std, version)
}

// printFrozen waits until a version is frozen and prints its name and its sha256.
func (c *clientFlags) printFrozen(ctx context.Context, server *client, std *streams, version datasetVersion) error {
	path, err := versionPath(version.name())
	if err != nil {
		return err
	}
	bar := newProgressBar(std.err)
	err = await(ctx, server, path, &version, func() bool {
		bar.show("Freezing", 0, 0, "items")
		return version.State != "freezing"
	})
	bar.end()
	if err != nil {
		return err
	}
	if version.State != "frozen" {
		return fmt.Errorf("%s was not frozen: %s", version.name(), version.Error)
	}
	if err := tellShortfalls(ctx, server, std, path); err != nil {
		return err
	}
	return c.printAnswer(std, version, version.name()+"  "+version.SHA256)
}

// datasetStratum is a stratum on one side as the server tells it.
type datasetStratum struct {
	Split   string `json:"split"`
	Class   string `json:"class"`
	Source  string `json:"source"`
	Project string `json:"project"`
	Wanted  int    `json:"wanted"`
	Items   int    `json:"items"`
	Short   int    `json:"short"`
	Refused int    `json:"refused"`
}

func (s datasetStratum) name() string {
	name := s.Split
	for _, word := range []string{s.Class, s.Source, s.Project} {
		if word != "" {
			name += " · " + word
		}
	}
	return name
}

// tellShortfalls says which strata have fewer items than the recipe wants, and how many the test side left out.
func tellShortfalls(ctx context.Context, server *client, std *streams, path string) error {
	refused := 0
	err := list(ctx, server, path+"/strata", func(s datasetStratum) error {
		refused += s.Refused
		if s.Short > 0 {
			fmt.Fprintf(std.err, "short: %s has %d of %d\n", s.name(), s.Items, s.Wanted)
		}
		return nil
	})
	if err == nil && refused > 0 {
		fmt.Fprintf(std.err, "left out of the test side, since they are kept for a time only: %d\n", refused)
	}
	return err
}

func (c *datasetFreezeCommand) recipe() (recipe manifest.Recipe, err error) {
	recipe = manifest.Default()
	if c.Recipe != "" {
		file, err := os.ReadFile(c.Recipe)
		if err != nil {
			return recipe, err
		}
		if recipe, err = manifest.ParseYAML(file); err != nil {
			return recipe, misuseError(c.Recipe + ": " + err.Error())
		}
	}
	if len(c.Project) > 0 {
		recipe.Projects = c.Project
	}
	if len(recipe.Projects) == 0 {
		return recipe, misuseError("say what to freeze: --project SLUG, or --recipe FILE.yaml")
	}
	return recipe, nil
}

type datasetVerifyCommand struct {
	clientFlags `embed:""`

	Name  string `arg:"" help:"Dataset and version: NAME@N."`
	Media bool   `help:"Read every image too."`
}

// verificationAnswer is what a check found.
type verificationAnswer struct {
	ID          int64  `json:"id"`
	Dataset     string `json:"dataset"`
	Number      int    `json:"number"`
	Media       bool   `json:"media"`
	State       string `json:"state"`
	Holds       bool   `json:"holds"`
	HashHolds   bool   `json:"hash_holds"`
	ImagesRead  int    `json:"images_read"`
	Matching    int    `json:"matching"`
	Erased      int    `json:"erased"`
	Mismatching int    `json:"mismatching"`
	Findings    []struct {
		Position int    `json:"position"`
		Item     int64  `json:"item"`
		Reason   string `json:"reason"`
	} `json:"findings"`
	Erasures []struct {
		Erasure int64 `json:"erasure"`
		Lines   int   `json:"lines"`
	} `json:"erasures"`
}

func (v verificationAnswer) String() string {
	var b strings.Builder
	word := "holds"
	if !v.Holds {
		word = "does not hold"
	}
	fmt.Fprintf(&b, "%s@%d %s: %d lines hold, %d erased, %d do not", v.Dataset, v.Number, word, v.Matching, v.Erased, v.Mismatching)
	if !v.HashHolds {
		b.WriteString("\nthe leaves do not give the version's hash: lines are missing, or were exchanged")
	}
	for _, e := range v.Erasures {
		fmt.Fprintf(&b, "\n%d lines were taken by erasure %d: fiducial receipt %d", e.Lines, e.Erasure, e.Erasure)
	}
	for _, f := range v.Findings {
		fmt.Fprintf(&b, "\nline %d, item %d: %s", f.Position, f.Item, f.Reason)
	}
	return b.String()
}

func (c *datasetVerifyCommand) Run(ctx context.Context, std *streams) error {
	path, err := versionPath(c.Name)
	if err != nil {
		return err
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var made idAnswer
	if err := server.post(ctx, path+"/verifications", map[string]bool{"media": c.Media}, &made); err != nil {
		return err
	}
	var answer verificationAnswer
	bar := newProgressBar(std.err)
	err = await(ctx, server, fmt.Sprintf("/verifications/%d", made.ID), &answer, func() bool {
		bar.show("Verifying", int64(answer.ImagesRead), 0, "images")
		return answer.State != "queued"
	})
	bar.end()
	if err != nil {
		return err
	}
	if answer.State != "done" {
		return errors.New("the verification could not be done: the server's log says why")
	}
	if err := c.printAnswer(std, answer, answer.String()); err != nil {
		return err
	}
	if !answer.Holds {
		return errAnswerNo
	}
	return nil
}

type datasetListCommand struct {
	clientFlags `embed:""`
}

func (c *datasetListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, "/datasets", "VERSION\tSTATE\tITEMS\tBOXES\tPROJECTS\tSHA256", func(v datasetVersion) string {
		return fmt.Sprintf("%s\t%s\t%d\t%d\t%s\t%s", v.name(), v.State, v.Items, v.Boxes, strings.Join(v.Recipe.Projects, ","), v.SHA256)
	})
}
