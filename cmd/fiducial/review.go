package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
)

type reviewCommand struct {
	List    reviewListCommand    `cmd:"" help:"List what waits for review, the least agreed first."`
	Show    reviewShowCommand    `cmd:"" help:"Show an item with its answers and what was decided."`
	Approve reviewApproveCommand `cmd:"" help:"Take an answer, or the present truth, as it is."`
	Amend   reviewAmendCommand   `cmd:"" help:"Make boxes of your own the truth."`
	Merge   reviewMergeCommand   `cmd:"" help:"Take what most answers have."`
	Reject  reviewRejectCommand  `cmd:"" help:"Send an answer back to its labeler, with the reason."`
	Discard reviewDiscardCommand `cmd:"" help:"Throw an item out that nobody can decide."`
	Undo    reviewUndoCommand    `cmd:"" help:"Take back the last decision about an item that stands."`
}

// reviewBox is a box as the server tells it.
type reviewBox struct {
	Class    string  `json:"class"`
	X        float64 `json:"x"`
	Y        float64 `json:"y"`
	W        float64 `json:"w"`
	H        float64 `json:"h"`
	Rotation float64 `json:"rotation,omitempty"`
}

// reviewAnswer is an item under review as the server tells it.
type reviewAnswer struct {
	Item    int64  `json:"item"`
	Name    string `json:"name"`
	Project string `json:"project"`
	State   string `json:"state"`
	Version int    `json:"version"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Answers []struct {
		ID      int64       `json:"id"`
		Labeler string      `json:"labeler,omitempty"`
		At      string      `json:"at"`
		Boxes   []reviewBox `json:"boxes"`
	} `json:"answers"`
	Truth     []reviewBox `json:"truth,omitempty"`
	Decisions []struct {
		ID       int64  `json:"id"`
		Decision string `json:"decision"`
		Reviewer string `json:"reviewer,omitempty"`
		Note     string `json:"note,omitempty"`
		At       string `json:"at"`
		Undoes   int64  `json:"undoes,omitempty"`
		Standing bool   `json:"standing,omitempty"`
	} `json:"decisions"`
}

func (r reviewAnswer) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "item %d (%s), %s, version %d\n", r.Item, r.Name, strings.ReplaceAll(r.State, "_", " "), r.Version)
	boxes := func(list []reviewBox) {
		for i, b := range list {
			fmt.Fprintf(&text, "  %d  %s  %.2f %.2f  %.2f × %.2f\n", i, b.Class, b.X, b.Y, b.W, b.H)
		}
	}
	for _, a := range r.Answers {
		fmt.Fprintf(&text, "answer %d %s\n", a.ID, a.Labeler)
		boxes(a.Boxes)
	}
	if r.Truth != nil {
		fmt.Fprintln(&text, "truth")
		boxes(r.Truth)
	}
	for _, d := range r.Decisions {
		fmt.Fprintf(&text, "decision %d %s %s %s\n", d.ID, d.Decision, d.Reviewer, d.Note)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

type waitingReview struct {
	Item      int64    `json:"item"`
	Name      string   `json:"name"`
	Since     string   `json:"since"`
	Answers   int      `json:"answers"`
	Classes   []string `json:"classes"`
	Agreement *float64 `json:"agreement,omitempty"`
	Finding   string   `json:"finding,omitempty"`
	Disputed  bool     `json:"disputed,omitempty"`
	Undecided bool     `json:"undecided,omitempty"`
}

type reviewListCommand struct {
	clientFlags `embed:""`

	Project string `arg:"" help:"Short name of the project."`
	Limit   int    `help:"How many at most." default:"100"`
}

func (c *reviewListCommand) Run(ctx context.Context, std *streams) error {
	path := "/projects/" + url.PathEscape(c.Project) + "/reviews?limit=" + strconv.Itoa(c.Limit)
	return printRows(ctx, &c.clientFlags, std, path, "ITEM\tANSWERS\tAGREEMENT\tFINDING\tCLASSES\tNAME", func(w waitingReview) string {
		agreement := "-"
		if w.Agreement != nil {
			agreement = fmt.Sprintf("%.3f", *w.Agreement)
		}
		return fmt.Sprintf("%d\t%d\t%s\t%s\t%s\t%s", w.Item, w.Answers, agreement, w.Finding, strings.Join(w.Classes, ", "), w.Name)
	})
}

type reviewShowCommand struct {
	clientFlags `embed:""`

	Item int64 `arg:"" help:"Number of the item."`
}

func reviewPath(item int64) string { return fmt.Sprintf("/items/%d/review", item) }

func (c *reviewShowCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var r reviewAnswer
	if err := server.get(ctx, reviewPath(c.Item), &r); err != nil {
		return err
	}
	return c.printAnswer(std, r, r.String())
}

// reviewFlags are what every decision takes.
type reviewFlags struct {
	clientFlags `embed:""`

	Item     int64  `arg:"" help:"Number of the item."`
	Revision int    `help:"Decide only if the item is still at this version, which \"review show\" tells; else it is read first." placeholder:"VERSION"`
	Note     string `help:"What there is to say about it."`
	Reviewer string `help:"Address of the reviewer in whose name it is: each decision bears a person's." placeholder:"EMAIL"`
}

// decide sends a decision, and prints the item as it is then.
func (f *reviewFlags) decide(ctx context.Context, std *streams, decision map[string]any) error {
	server, err := f.connect()
	if err != nil {
		return err
	}
	if f.Revision == 0 {
		var now reviewAnswer
		if err := server.get(ctx, reviewPath(f.Item), &now); err != nil {
			return err
		}
		f.Revision = now.Version
	}
	decision["version"] = f.Revision
	if f.Note != "" {
		decision["note"] = f.Note
	}
	if f.Reviewer != "" {
		decision["reviewer"] = f.Reviewer
	}
	var r reviewAnswer
	if err := server.post(ctx, fmt.Sprintf("/items/%d/decisions", f.Item), decision, &r); err != nil {
		return err
	}
	return f.printAnswer(std, r, r.String())
}

type reviewApproveCommand struct {
	reviewFlags `embed:""`

	Answer int64 `help:"The answer that is taken; without one the present truth."`
}

func (c *reviewApproveCommand) Run(ctx context.Context, std *streams) error {
	return c.decide(ctx, std, map[string]any{"decision": "approved", "answer": c.Answer})
}

type reviewAmendCommand struct {
	reviewFlags `embed:""`

	Boxes  string `help:"JSON file: [{\"class\": \"Scratch\", \"x\": 1, \"y\": 2, \"w\": 30, \"h\": 4}, …]." required:"" type:"existingfile"`
	Answer int64  `help:"The answer that was amended, if it was one."`
}

func (c *reviewAmendCommand) Run(ctx context.Context, std *streams) error {
	text, err := os.ReadFile(c.Boxes)
	if err != nil {
		return err
	}
	var boxes []reviewBox
	if err := json.Unmarshal(text, &boxes); err != nil {
		return misuseError(fmt.Sprintf("%s is no list of boxes: %v", c.Boxes, err))
	}
	return c.decide(ctx, std, map[string]any{"decision": "amended", "answer": c.Answer, "boxes": boxes})
}

type reviewMergeCommand struct {
	reviewFlags `embed:""`
}

func (c *reviewMergeCommand) Run(ctx context.Context, std *streams) error {
	return c.decide(ctx, std, map[string]any{"decision": "merged"})
}

type reviewRejectCommand struct {
	reviewFlags `embed:""`

	Answer int64  `help:"The answer that goes back." required:""`
	Fault  string `help:"Why." enum:"loose_box,missed_defect,wrong_class,split_needed,other" required:"" placeholder:"loose_box|missed_defect|wrong_class|split_needed|other"`
	Box    *int   `help:"The box that it is about, by its place in the answer, from 0 on; without one the whole answer."`
	Reason string `help:"Said to the labeler; needed with other."`
}

func (c *reviewRejectCommand) Run(ctx context.Context, std *streams) error {
	mark := map[string]any{"fault": c.Fault}
	if c.Box != nil {
		mark["box"] = *c.Box
	}
	if c.Reason != "" {
		mark["note"] = c.Reason
	}
	return c.decide(ctx, std, map[string]any{"decision": "rejected", "answer": c.Answer, "marks": []any{mark}})
}

type reviewDiscardCommand struct {
	reviewFlags `embed:""`
}

func (c *reviewDiscardCommand) Run(ctx context.Context, std *streams) error {
	if c.Note == "" {
		return misuseError("Say with --note why the item is thrown out.")
	}
	return c.decide(ctx, std, map[string]any{"decision": "discarded"})
}

type reviewUndoCommand struct {
	clientFlags `embed:""`

	Decision int64  `arg:"" help:"Number of the decision."`
	Reviewer string `help:"Address of the reviewer in whose name it is." placeholder:"EMAIL"`
}

func (c *reviewUndoCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	in := map[string]any{}
	if c.Reviewer != "" {
		in["reviewer"] = c.Reviewer
	}
	var r reviewAnswer
	if err := server.post(ctx, fmt.Sprintf("/decisions/%d/undo", c.Decision), in, &r); err != nil {
		return err
	}
	return c.printAnswer(std, r, r.String())
}
