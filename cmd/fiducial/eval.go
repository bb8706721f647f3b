package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"

	"fiducial/jobs"
)

type evalCommand struct {
	Start  evalStartCommand  `cmd:"" help:"Measure combinations of model versions over dataset versions."`
	Show   evalShowCommand   `cmd:"" help:"Show an evaluation with its figures."`
	List   evalListCommand   `cmd:"" help:"List the evaluations, the newest first."`
	Cancel evalCancelCommand `cmd:"" help:"Stop an evaluation. What was answered stays."`
	Retry  evalRetryCommand  `cmd:"" help:"Ask again about what has no answer."`

	Attribution evalAttributionCommand `cmd:"" help:"Divide the difference of two combinations' figures among what changed: models, data, labels, definitions, normalizer."`

	Step evalStepCommand `cmd:"" help:"Run one step of an evaluation in this process: for engines of workflows. It opens the database and the object store itself."`
}

// evalAnswer is an evaluation as the server tells it.
type evalAnswer struct {
	ID       int64         `json:"id"`
	Chain    string        `json:"chain"`
	Title    string        `json:"title,omitempty"`
	State    string        `json:"state"`
	Error    string        `json:"error,omitempty"`
	Versions []string      `json:"versions"`
	Baseline []string      `json:"baseline,omitempty"`
	Items    int           `json:"items"`
	Done     int           `json:"done"`
	Reused   int           `json:"reused"`
	Failed   int           `json:"failed"`
	Cells    []evalCell    `json:"cells,omitempty"`
	Failures []evalFailure `json:"failures,omitempty"`
}

type evalCell struct {
	ID         int64    `json:"id"`
	Version    string   `json:"version"`
	Models     []string `json:"models"`
	Measure    string   `json:"measure"`
	Value      *float64 `json:"value"`
	Low        *float64 `json:"low"`
	High       *float64 `json:"high"`
	Items      int      `json:"items"`
	Failed     int      `json:"failed"`
	Stale      bool     `json:"stale"`
	Flags      []string `json:"flags"`
	Difference *struct {
		Value  *float64 `json:"value"`
		Low    *float64 `json:"low"`
		High   *float64 `json:"high"`
		P      *float64 `json:"p"`
		Real   bool     `json:"real"`
		Better bool     `json:"better"`
		Items  int      `json:"items"`
		Gained int      `json:"gained"`
		Lost   int      `json:"lost"`
	} `json:"difference,omitempty"`
	Dropped bool `json:"dropped"`
}

type evalFailure struct {
	Models   []string `json:"models"`
	Reason   string   `json:"reason"`
	Status   int      `json:"status,omitempty"`
	Items    int      `json:"items"`
	Sentence string   `json:"sentence"`
}

// why is the reason, with the status of the server's answer where that is one.
func (f *evalFailure) why() string {
	if f.Status == 0 {
		return f.Reason
	}
	return fmt.Sprintf("%s %d", f.Reason, f.Status)
}

// interval is from where to where a figure lies, "-" of one that has none.
func (c *evalCell) interval() string {
	if c.Low == nil || c.High == nil {
		return "-"
	}
	return decimal(c.Low) + " to " + decimal(c.High)
}

func decimal(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.4f", *v)
}

// text is what people read: a line for each combination.
func (e *evalAnswer) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "evaluation %d of %s, %s: %d of %d answered (%d of them before), %d without an answer\n", e.ID, e.Chain, e.State, e.Done, e.Items, e.Reused, e.Failed)
	for _, f := range e.Failures {
		fmt.Fprintf(&b, "%d items of %s: %s: %s\n", f.Items, strings.Join(f.Models, " → "), f.why(), f.Sentence)
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(e.Cells) > 0 {
		fmt.Fprintln(table, "DATASET\tMODELS\tMEASURE\tVALUE\tINTERVAL\tITEMS\tDIFFERENCE\t")
	}
	for _, c := range e.Cells {
		difference := ""
		if d := c.Difference; d != nil && d.Value != nil {
			difference = fmt.Sprintf("%+.4f", *d.Value)
			switch {
			case c.Dropped:
				difference += " DROP"
			case d.Real && d.Better:
				difference += " better"
			case d.Real:
				difference += " worse"
			default:
				difference += " (chance)"
			}
		}
		items := fmt.Sprint(c.Items - c.Failed)
		if c.Failed > 0 {
			items += fmt.Sprintf(" of %d", c.Items)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", c.Version, strings.Join(c.Models, " → "), c.Measure, decimal(c.Value), c.interval(), items, difference)
	}
	_ = table.Flush() // into memory
	return strings.TrimSuffix(b.String(), "\n")
}

// verdict ends the command as the evaluation has ended: failed, or with combinations that are really worse than their baseline.
func (e *evalAnswer) verdict() error {
	switch {
	case e.State == "failed":
		return errors.New(e.Error)
	case e.State == "cancelled":
		return errors.New("the evaluation was stopped")
	case slices.ContainsFunc(e.Cells, func(c evalCell) bool { return c.Dropped }):
		return errAnswerNo
	case e.State == "done" && e.Failed > 0:
		return fmt.Errorf("%d items have no answer, so the figures are incomplete: see 'fiducial eval show %d', and ask again with 'fiducial eval retry %d'", e.Failed, e.ID, e.ID)
	}
	return nil
}

func (e *evalAnswer) open() bool {
	return slices.Contains([]string{"waiting", "running", "scoring"}, e.State)
}

const evalExits = "Exit codes: 0: done, nothing became worse. 3: something is really worse than the baseline, by more than the chain lets pass. 1: it failed, or items have no answer. 2: wrong use."

type evalStartCommand struct {
	clientFlags `embed:""`

	Dataset    []string `help:"Dataset versions to measure with, such as calls-test@3 or calls-test@latest." required:"" placeholder:"D@N"`
	Detector   []string `help:"Detectors." placeholder:"M@V"`
	ASR        []string `name:"asr" help:"Recognizers; reference is the truth in their place." placeholder:"M@V"`
	Formatting []string `help:"Formatting models." placeholder:"M@V"`
	NLP        []string `name:"nlp" help:"Language models." placeholder:"M@V"`
	Chain      string   `help:"Name of the chain; the only one of these kinds if missing."`
	Baseline   []string `help:"What the others are compared with: one for each kind, in the order of the chain; that of the chain if missing." placeholder:"M@V"`
	Split      string   `help:"Side of the versions." enum:"training,validation,test" default:"test"`
	Normalizer string   `help:"How words are written alike before they are compared."`
	Labels     string   `help:"frozen: the labels of the version; today: those of now." enum:"frozen,today" default:"frozen"`
	Runner     string   `help:"workers, or argo." enum:"workers,argo" default:"workers"`
	Title      string   `help:"What is special about it."`
	Wait       bool     `help:"Wait until it is done, and print its figures."`
}

// Help names the exit codes.
func (c *evalStartCommand) Help() string { return evalExits + " Without --wait: 0 once it is started." }

// slots are the kinds that versions were named of, in the order of a chain.
func (c *evalStartCommand) slots() (kinds []string, versions [][]string) {
	for _, slot := range []struct {
		kind  string
		named []string
	}{{"detector", c.Detector}, {"asr", c.ASR}, {"formatting", c.Formatting}, {"nlp", c.NLP}} {
		if len(slot.named) > 0 {
			kinds, versions = append(kinds, slot.kind), append(versions, slot.named)
		}
	}
	return kinds, versions
}

func (c *evalStartCommand) Run(ctx context.Context, std *streams) error {
	kinds, versions := c.slots()
	if len(kinds) == 0 {
		return misuseError("name at least one model version: --detector, --asr, --formatting or --nlp NAME@VERSION")
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	body := map[string]any{
		"slots": kinds, "models": versions, "versions": c.Dataset, "split": c.Split, "labels": c.Labels, "runner": c.Runner, "title": c.Title, "normalizer": c.Normalizer,
		"chain": c.Chain,
	}
	if len(c.Baseline) > 0 {
		body["baseline"] = c.Baseline
	}
	var made idAnswer
	if err := server.post(ctx, "/evaluations", body, &made); err != nil {
		return misuseOf(err)
	}
	if !c.Wait {
		return c.printAnswer(std, made, fmt.Sprintf("evaluation %d", made.ID))
	}
	return waitForEvaluation(ctx, server, std, &c.clientFlags, made.ID)
}

// misuseOf tells a request that the server does not take from one that failed.
func misuseOf(err error) error {
	if problem, ok := errors.AsType[*problemError](err); ok && (problem.Status == 422 || problem.Status == 400) {
		return misuseError(problem.Error())
	}
	return err
}

func waitForEvaluation(ctx context.Context, server *client, std *streams, flags *clientFlags, id int64) error {
	var e evalAnswer
	bar := newProgressBar(std.err)
	err := await(ctx, server, fmt.Sprintf("/evaluations/%d", id), &e, func() bool {
		bar.show("Asking", int64(e.Done+e.Failed), int64(e.Items), "items")
		return !e.open()
	})
	bar.end()
	if err != nil {
		return err
	}
	if err := flags.printAnswer(std, e, e.text()); err != nil {
		return err
	}
	return e.verdict()
}

// oneEvaluation names an evaluation.
type oneEvaluation struct {
	ID int64 `arg:"" help:"Number of the evaluation."`
}

func (o *oneEvaluation) path() string { return fmt.Sprintf("/evaluations/%d", o.ID) }

type evalShowCommand struct {
	clientFlags   `embed:""`
	oneEvaluation `embed:""`

	Wait bool `help:"Wait until it is done."`
}

// Help names the exit codes.
func (c *evalShowCommand) Help() string { return evalExits }

func (c *evalShowCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	if c.Wait {
		return waitForEvaluation(ctx, server, std, &c.clientFlags, c.ID)
	}
	var e evalAnswer
	if err := server.get(ctx, c.path(), &e); err != nil {
		return err
	}
	if err := c.printAnswer(std, e, e.text()); err != nil {
		return err
	}
	return e.verdict()
}

type evalListCommand struct {
	clientFlags `embed:""`
}

func (c *evalListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, "/evaluations", "EVALUATION\tSTATE\tCHAIN\tDATASETS\tANSWERED\tFAILED\tTITLE", func(e evalAnswer) string {
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%d of %d\t%d\t%s", e.ID, e.State, e.Chain, strings.Join(e.Versions, " "), e.Done, e.Items, e.Failed, e.Title)
	})
}

type evalCancelCommand struct {
	clientFlags   `embed:""`
	oneEvaluation `embed:""`
}

func (c *evalCancelCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	if err := server.post(ctx, c.path()+"/cancel", map[string]any{}, nil); err != nil {
		return err
	}
	return c.printAnswer(std, idAnswer{ID: c.ID}, fmt.Sprintf("evaluation %d is stopped", c.ID))
}

type evalRetryCommand struct {
	clientFlags   `embed:""`
	oneEvaluation `embed:""`

	Wait bool `help:"Wait until it is done."`
}

// Help names the exit codes.
func (c *evalRetryCommand) Help() string { return evalExits }

func (c *evalRetryCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	if err := server.post(ctx, c.path()+"/retry", map[string]any{}, nil); err != nil {
		return misuseOf(err)
	}
	if c.Wait {
		return waitForEvaluation(ctx, server, std, &c.clientFlags, c.ID)
	}
	return c.printAnswer(std, idAnswer{ID: c.ID}, fmt.Sprintf("evaluation %d goes on", c.ID))
}

type evalStepCommand struct {
	platformFlags `embed:""`
	modelFlags    `embed:""`

	Step int64 `arg:"" help:"Number of the step."`
}

func (c *evalStepCommand) Run(ctx context.Context, _ *streams) (err error) {
	if c.DatabaseURL == "" || c.S3Endpoint == "" {
		return misuseError("eval step needs DATABASE_URL and S3_ENDPOINT: with the embedded services, 'fiducial serve' runs evaluations itself")
	}
	p, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	started := c.launcher()
	if started.Argo, err = c.argo(); err != nil {
		return err
	}
	return jobs.EvaluationStep(ctx, p.Store, p.Blobs, jobs.Config{Name: p.name, Log: slog.Default(), Models: c.models(), Launcher: started}, c.Step)
}
