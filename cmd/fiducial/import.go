package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

type importCommand struct {
	clientFlags `embed:""`

	Project      string `arg:"" help:"Short name of the project."`
	Path         string `arg:"" help:"A file, a folder, or a zip." type:"path"`
	Format       string `help:"images alone, or the format of the labels: coco, voc, yolo (oriented too), cvat (for images 1.1), labelstudio (its JSON, of sound too). Of sound: audio alone, or nemo, ctm, stm, vtt, srt, textgrid, hypotheses (what a model version heard, JSON lines)." enum:"images,coco,voc,yolo,cvat,labelstudio,audio,nemo,ctm,stm,vtt,srt,textgrid,hypotheses" required:""`
	As           string `help:"What labels, or transcripts, become: truth, prefill or prediction; media brings in pictures, or recordings, alone." enum:",media,truth,prefill,prediction" default:""`
	Model        string `help:"Which model version predicted." placeholder:"NAME@VERSION"`
	Media        string `help:"Folder of the pictures, or recordings, when they lie elsewhere than the labels; label files in it are left out." type:"existingdir"`
	VOCBase      int    `name:"voc-base" help:"1 where VOC corners are counted from 1 and inclusive, 0 where they are plain coordinates." enum:"0,1" default:"1"`
	Source       string `help:"Whose data it is, made if it is missing; the project's name without it."`
	GroupBy      string `name:"group-by" help:"Keep items on one side of a split: those of one folder, or those in whose names --group-pattern finds the same." enum:",folder,name" default:""`
	GroupPattern string `name:"group-pattern" help:"Regular expression for --group-by name; what its first group finds is the group." placeholder:"REGEXP"`
	Per          string `help:"What becomes an item of a transcript with segments: the recording, or each segment." enum:",recording,segment" default:""`
	AddClasses   bool   `help:"Add the classes that the project lacks; else what names them is refused."`
	AllowErased  bool   `help:"Let in again what was erased: the customer came back, or a wrong item was erased. It holds for this import alone, and the audit log keeps it."`
	DryRun       bool   `help:"Say what would happen to each record, and change nothing."`
}

// importAnswer is how far an import is.
type importAnswer struct {
	ID        int64  `json:"id"`
	Project   string `json:"project"`
	State     string `json:"state"`
	Error     string `json:"error,omitempty"`
	DryRun    bool   `json:"dry_run"`
	Expected  int    `json:"expected"`
	Added     int    `json:"added"`
	Changed   int    `json:"changed"`
	Unchanged int    `json:"unchanged"`
	Refused   int    `json:"refused"`
	Lost      int    `json:"lost"`
	Boxes     int    `json:"boxes"`

	NewClasses []string `json:"new_classes"`
}

func (a importAnswer) ended() bool {
	return a.State == "done" || a.State == "failed" || a.State == "cancelled"
}

func (c *importCommand) Run(ctx context.Context, std *streams) error {
	if c.As == "" && c.Format == "hypotheses" {
		c.As = "prediction"
	}
	if c.As == "" && c.Format != "images" && c.Format != "audio" {
		return misuseError("say what the labels become: --as truth, prefill or prediction, or --as media to bring in the pictures, or recordings, alone")
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	files, err := c.files()
	if err != nil {
		return err
	}
	made, err := c.begin(ctx, server)
	if err != nil {
		return err
	}
	upload := &upload{client: server, path: fmt.Sprintf("/imports/%d", made.ID), bar: newProgressBar(std.err)}
	if err := upload.send(ctx, files); err != nil {
		return errors.Join(err, withdraw(ctx, server, upload.path))
	}
	answer, err := follow(ctx, server, upload.path, upload.bar)
	if err != nil {
		return err
	}
	if err := c.report(ctx, server, std, answer); err != nil {
		return err
	}
	switch {
	case answer.State != "done":
		return fmt.Errorf("the import is %s: %s", answer.State, answer.Error)
	case answer.Refused > 0 && c.DryRun:
		return fmt.Errorf("%d would be refused", answer.Refused)
	case answer.Refused > 0:
		return fmt.Errorf("%d refused; the rest went in", answer.Refused)
	}
	return nil
}

func (c *importCommand) begin(ctx context.Context, server *client) (made idAnswer, err error) {
	purpose := c.As
	if purpose == "" {
		purpose = "media"
	}
	err = server.post(ctx, "/projects/"+c.Project+"/imports", map[string]any{
		"format": c.Format, "purpose": purpose, "model": c.Model, "source": c.Source, "voc_base": c.VOCBase, "group_by": c.GroupBy, "group_pattern": c.GroupPattern, "per": c.Per,
		"add_classes": c.AddClasses, "allow_erased": c.AllowErased, "dry_run": c.DryRun,
	}, &made)
	return made, err
}

// withdraw cancels an import whose upload broke off, also when ctx has ended because of Ctrl-C.
func withdraw(ctx context.Context, server *client, path string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.post(ctx, path+"/cancel", nil, nil)
}

// follow starts the import and waits for its end. Ctrl-C leaves it at work on the server.
func follow(ctx context.Context, server *client, path string, bar *progressBar) (answer importAnswer, err error) {
	if err := server.post(ctx, path+"/start", nil, &answer); err != nil {
		return answer, err
	}
	for pause := 50 * time.Millisecond; !answer.ended(); pause = min(2*pause, time.Second) {
		done := answer.Added + answer.Changed + answer.Unchanged + answer.Refused
		bar.show("Importing", int64(done), int64(answer.Expected), "records")
		select {
		case <-ctx.Done():
			return answer, fmt.Errorf("the import goes on without this command: see its page in the project: %w", ctx.Err())
		case <-time.After(pause):
		}
		if err := server.get(ctx, path, &answer); err != nil {
			return answer, err
		}
	}
	bar.end()
	return answer, nil
}

// importResult is what became of one record.
type importResult struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	Item    int64  `json:"item,omitempty"`
	Boxes   int    `json:"boxes"`
}

// listedResults is how many refusals, and how many losses, the tables for people hold.
const listedResults = 1000

// report prints what came in, what was there, what was refused and why, and what was lost.
func (c *importCommand) report(ctx context.Context, server *client, std *streams, answer importAnswer) error {
	refused, err := c.results(ctx, server, answer.ID, "refused")
	if err != nil {
		return err
	}
	lost, err := c.results(ctx, server, answer.ID, "lost")
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(struct {
			importAnswer

			Refusals []importResult `json:"refusals"`
			Losses   []importResult `json:"losses"`
		}{answer, refused, lost})
	}
	if err := printImport(std.out, answer); err != nil {
		return err
	}
	if err := printResults(std.out, "REFUSED\tWHY", refused, answer.Refused); err != nil {
		return err
	}
	return printResults(std.out, "LOST\tWHAT", lost, answer.Lost)
}

// results lists the results of an import with this outcome: all for programs, the first for people.
func (c *importCommand) results(ctx context.Context, server *client, id int64, outcome string) ([]importResult, error) {
	results := []importResult{}
	errFull := errors.New("enough")
	err := list(ctx, server, fmt.Sprintf("/imports/%d/results?outcome=%s&limit=1000", id, outcome), func(r importResult) error {
		if len(results) == listedResults && !c.JSON {
			return errFull
		}
		results = append(results, r)
		return nil
	})
	if err != nil && !errors.Is(err, errFull) {
		return nil, err
	}
	return results, nil
}

func printImport(out io.Writer, answer importAnswer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head := "ADDED\tCHANGED\tUNCHANGED\tREFUSED\tLOST\tBOXES"
	if answer.DryRun {
		head += "\t(dry run: nothing was changed)"
	}
	fmt.Fprintf(table, "%s\n%d\t%d\t%d\t%d\t%d\t%d\n", head, answer.Added, answer.Changed, answer.Unchanged, answer.Refused, answer.Lost, answer.Boxes)
	if len(answer.NewClasses) > 0 {
		fmt.Fprintf(table, "\nNEW CLASSES\n%s\n", strings.Join(answer.NewClasses, "\n"))
	}
	return table.Flush()
}

// printResults prints results of which there are total, if there are any.
func printResults(out io.Writer, head string, results []importResult, total int) error {
	if len(results) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\n%s\n", head)
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%s\n", r.Name, r.Reason)
	}
	if more := total - len(results); more > 0 {
		fmt.Fprintf(table, "and %d more\tsee the import's page\n", more)
	}
	return table.Flush()
}
