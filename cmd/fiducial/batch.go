package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

type batchCommand struct {
	Add     batchAddCommand     `cmd:"" help:"Make a batch of items that are free, and print its number."`
	List    batchListCommand    `cmd:"" help:"List a project's batches."`
	Show    batchShowCommand    `cmd:"" help:"Show one batch."`
	Extend  batchExtendCommand  `cmd:"" help:"Put more items into a batch that nobody has begun on."`
	Sample  batchSampleCommand  `cmd:"" help:"Draw the sample that is looked at before a batch is approved."`
	Approve batchApproveCommand `cmd:"" help:"Approve whatever of a batch waits for review, once its plan is fulfilled."`
	Return  batchReturnCommand  `cmd:"" help:"Send every answer that is not approved yet back to its labeler."`
}

// batchMean is a mean as the server tells it.
type batchMean struct {
	Mean   float64 `json:"mean"`
	Margin float64 `json:"margin,omitempty"`
	Items  int     `json:"items"`
}

func (m *batchMean) String() string {
	switch {
	case m == nil:
		return "-"
	case m.Items == 1:
		return fmt.Sprintf("%.3f (n 1)", m.Mean)
	}
	return fmt.Sprintf("%.3f ±%.3f (n %d)", m.Mean, m.Margin, m.Items)
}

// batchAnswer is a batch as the server tells it.
type batchAnswer struct {
	Number    int        `json:"number"`
	Title     string     `json:"title,omitempty"`
	State     string     `json:"state"`
	Round     int        `json:"round,omitempty"`
	Owner     string     `json:"owner,omitempty"`
	Due       string     `json:"due,omitempty"`
	Overdue   bool       `json:"overdue"`
	Items     int        `json:"items"`
	Answered  int        `json:"answered"`
	Decided   int        `json:"decided"`
	Agreement *batchMean `json:"agreement,omitempty"`
	Plan      *struct {
		Size     int    `json:"size"`
		Looked   int    `json:"looked"`
		Faulty   int    `json:"faulty"`
		Accept   int    `json:"accept"`
		Sentence string `json:"sentence"`
	} `json:"plan,omitempty"`
	Settling string `json:"settling,omitempty"`
	Settled  int    `json:"settled,omitempty"`
	ToSettle int    `json:"to_settle,omitempty"`
	Error    string `json:"error,omitempty"`
	Version  int    `json:"version"`
}

func (b batchAnswer) due() string {
	if b.Overdue {
		return b.Due + " (overdue)"
	}
	return b.Due
}

func (b batchAnswer) String() string {
	var text strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-10s %s\n", name, value)
		}
	}
	line("batch", strconv.Itoa(b.Number))
	line("title", b.Title)
	line("state", b.State)
	line("owner", b.Owner)
	line("due", b.due())
	line("answered", fmt.Sprintf("%d of %d", b.Answered, b.Items))
	line("decided", fmt.Sprintf("%d of %d", b.Decided, b.Items))
	line("agreement", b.Agreement.String())
	if b.Plan != nil {
		line("plan", b.Plan.Sentence)
		line("look", fmt.Sprintf("%d of %d, %d faulty", b.Plan.Looked, b.Plan.Size, b.Plan.Faulty))
	}
	line("error", b.Error)
	return strings.TrimSuffix(text.String(), "\n")
}

// batchesPath is where the server has a project's batches.
func batchesPath(project string) string { return "/projects/" + url.PathEscape(project) + "/batches" }

// batchChoiceFlags say which items a batch is made of.
type batchChoiceFlags struct {
	Key     []string `help:"An item by its external key; several may be given. Then no filter counts." placeholder:"KEY" sep:"none"`
	Labeled string   `help:"How far labeling is: never_labeled, in_review or has_truth." enum:"never_labeled,in_review,has_truth," default:"" placeholder:"never_labeled|in_review|has_truth"`
	Class   string   `help:"Items whose truth, prediction or prefill has a box of this class."`
	Source  string   `help:"Items of this source."`
	Group   string   `help:"Items of this group."`
	Folder  string   `help:"Items whose key begins so."`
	From    string   `help:"Items captured on this day or later." placeholder:"2026-11-01"`
	Before  string   `help:"Items captured before this day." placeholder:"2026-12-01"`
	Size    int      `help:"How many items at most." default:"50"`
	Lasting bool     `help:"Only items that do not expire."`
	Seed    int64    `help:"Draw them at random: the same for the same seed. Without one the first that came in are taken."`
}

// choice is what the server is asked for.
func (f *batchChoiceFlags) choice() map[string]any {
	in := map[string]any{"size": f.Size}
	for name, value := range map[string]string{
		"state": f.Labeled, "class": f.Class, "source": f.Source, "group": f.Group, "folder": f.Folder, "captured_from": f.From, "captured_before": f.Before,
	} {
		if value != "" {
			in[name] = value
		}
	}
	if f.Lasting {
		in["lasting"] = true
	}
	if f.Seed != 0 {
		in["seed"] = f.Seed
	}
	if len(f.Key) > 0 {
		in["keys"] = f.Key
	}
	return in
}

type batchAddCommand struct {
	clientFlags `embed:""`

	Project          string `arg:"" help:"Short name of the project."`
	batchChoiceFlags `embed:""`

	Title  string `help:"What is special about the batch."`
	Owner  string `help:"Address of who answers for it: a reviewer of the project, or an admin." placeholder:"EMAIL"`
	Due    string `help:"By when it is wanted." placeholder:"2026-12-31"`
	DryRun bool   `help:"Say how many items it would hold, and make nothing."`
}

func (c *batchAddCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	in := c.choice()
	in["dry_run"] = c.DryRun
	for name, value := range map[string]string{"title": c.Title, "owner": c.Owner, "due": c.Due} {
		if value != "" {
			in[name] = value
		}
	}
	var made struct {
		Number int `json:"number,omitempty"`
		Items  int `json:"items"`
	}
	if err := server.post(ctx, batchesPath(c.Project), in, &made); err != nil {
		return err
	}
	if c.DryRun {
		return c.printAnswer(std, made, fmt.Sprintf("%d items", made.Items))
	}
	return c.printAnswer(std, made, strconv.Itoa(made.Number))
}

type batchListCommand struct {
	clientFlags `embed:""`

	Project string `arg:"" help:"Short name of the project."`
	State   string `help:"Only those in this state." enum:"open,labeling,in_review,returned,approved,closed," default:"" placeholder:"STATE"`
	Round   int    `help:"Only those of this round."`
}

func (c *batchListCommand) Run(ctx context.Context, std *streams) error {
	query := url.Values{}
	if c.State != "" {
		query.Set("state", c.State)
	}
	if c.Round != 0 {
		query.Set("round", strconv.Itoa(c.Round))
	}
	path := batchesPath(c.Project) + "?" + query.Encode()
	return printRows(ctx, &c.clientFlags, std, path, "BATCH\tSTATE\tROUND\tANSWERED\tDECIDED\tAGREEMENT\tDUE\tOWNER\tTITLE", func(b batchAnswer) string {
		round := "-"
		if b.Round > 0 {
			round = strconv.Itoa(b.Round)
		}
		return fmt.Sprintf("%d\t%s\t%s\t%d/%d\t%d/%d\t%s\t%s\t%s\t%s", b.Number, b.State, round, b.Answered, b.Items, b.Decided, b.Items, b.Agreement, b.due(), b.Owner, b.Title)
	})
}

// batchName names a batch on the command line.
type batchName struct {
	Project string `arg:"" help:"Short name of the project."`
	Batch   int    `arg:"" help:"Number of the batch."`
}

func (n *batchName) path() string { return fmt.Sprintf("%s/%d", batchesPath(n.Project), n.Batch) }

type batchShowCommand struct {
	clientFlags `embed:""`
	batchName   `embed:""`
}

func (c *batchShowCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var b batchAnswer
	if err := server.get(ctx, c.path(), &b); err != nil {
		return err
	}
	return c.printAnswer(std, b, b.String())
}

type batchExtendCommand struct {
	clientFlags      `embed:""`
	batchName        `embed:""`
	batchChoiceFlags `embed:""`
}

func (c *batchExtendCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var b batchAnswer
	if err := server.post(ctx, c.path()+"/items", c.choice(), &b); err != nil {
		return err
	}
	return c.printAnswer(std, b, b.String())
}

type batchSampleCommand struct {
	clientFlags `embed:""`
	batchName   `embed:""`

	Limit  float64 `help:"The share of faulty items that is still good enough." default:"0.1"`
	Accept int     `help:"How many faulty items the sample may hold." default:"0"`
}

func (c *batchSampleCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var b batchAnswer
	if err := server.post(ctx, c.path()+"/sample", map[string]any{"limit": c.Limit, "accept": c.Accept}, &b); err != nil {
		return err
	}
	return c.printAnswer(std, b, b.Plan.Sentence)
}

type batchApproveCommand struct {
	clientFlags `embed:""`
	batchName   `embed:""`

	Reviewer string `help:"Address of the reviewer in whose name it is approved: each decision bears a person's." placeholder:"EMAIL"`
	Wait     bool   `help:"Wait until every item is decided on, or left to a person."`
}

func (c *batchApproveCommand) Run(ctx context.Context, std *streams) error {
	in := map[string]any{}
	if c.Reviewer != "" {
		in["reviewer"] = c.Reviewer
	}
	return settleBatch(ctx, std, &c.clientFlags, c.path(), "/approve", in, c.Wait)
}

type batchReturnCommand struct {
	clientFlags `embed:""`
	batchName   `embed:""`

	Fault    string `help:"Why: loose_box, missed_defect, wrong_class, split_needed or other." enum:"loose_box,missed_defect,wrong_class,split_needed,other" required:""`
	Note     string `help:"What to do better; the labelers read it on each item."`
	Reviewer string `help:"Address of the reviewer in whose name it is returned." placeholder:"EMAIL"`
	Wait     bool   `help:"Wait until every answer is sent back."`
}

func (c *batchReturnCommand) Run(ctx context.Context, std *streams) error {
	in := map[string]any{"fault": c.Fault}
	if c.Note != "" {
		in["note"] = c.Note
	}
	if c.Reviewer != "" {
		in["reviewer"] = c.Reviewer
	}
	return settleBatch(ctx, std, &c.clientFlags, c.path(), "/return", in, c.Wait)
}

// settleBatch asks for something to be done to all that is left of a batch. Exit 3 says that, after waiting, some of it
// is left to a person.
func settleBatch(ctx context.Context, std *streams, f *clientFlags, path, how string, in map[string]any, wait bool) error {
	server, err := f.connect()
	if err != nil {
		return err
	}
	var b batchAnswer
	if err := server.post(ctx, path+how, in, &b); err != nil {
		return err
	}
	if !wait {
		return f.printAnswer(std, b, b.String())
	}
	bar := newProgressBar(std.err)
	err = await(ctx, server, path, &b, func() bool {
		bar.show("Settling", int64(b.Settled), int64(b.ToSettle), "items")
		return b.Settling == ""
	})
	bar.end()
	if err != nil {
		return err
	}
	if b.Error != "" {
		return errors.New(b.Error)
	}
	if err := f.printAnswer(std, b, b.String()); err != nil {
		return err
	}
	if how == "/approve" && b.State != "approved" {
		return errAnswerNo
	}
	return nil
}
