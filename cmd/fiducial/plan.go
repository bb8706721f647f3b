package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

type planCommand struct {
	Preview planPreviewCommand `cmd:"" help:"Say what a plan would take, and how much work that is."`
	Draw    planDrawCommand    `cmd:"" help:"Choose utterances by confidence, open a batch of them, and print the plan's number."`
	List    planListCommand    `cmd:"" help:"List a project's plans."`
	Show    planShowCommand    `cmd:"" help:"Show one plan."`
	Report  planReportCommand  `cmd:"" help:"Say what a plan has brought: word error rates by confidence, and new words."`
}

// planAnswer is a plan, or what one would come to, as the server tells it.
type planAnswer struct {
	Number   int     `json:"number,omitempty"`
	Title    string  `json:"title,omitempty"`
	Model    string  `json:"model,omitempty"`
	State    string  `json:"state,omitempty"`
	Error    string  `json:"error,omitempty"`
	Items    int     `json:"items"`
	Chosen   int     `json:"chosen"`
	Control  int     `json:"control"`
	Seconds  float64 `json:"seconds"`
	Capped   int     `json:"capped"`
	Expired  int     `json:"expired"`
	Short    int     `json:"short"`
	Sentence string  `json:"sentence"`
	Batch    int     `json:"batch,omitempty"`
	InPlan   int     `json:"in_plan,omitempty"`
	Answered int     `json:"answered,omitempty"`
	Decided  int     `json:"decided,omitempty"`
	Seed     int64   `json:"seed,omitempty"`
	Unready  int     `json:"unready,omitempty"`
	Work     *struct {
		Hours float64 `json:"hours"`
		Low   float64 `json:"low"`
		High  float64 `json:"high"`
		N     int     `json:"n"`
	} `json:"work,omitempty"`
	Strata []struct {
		Name  string  `json:"name"`
		Items int     `json:"items"`
		Taken int     `json:"taken"`
		UpTo  float64 `json:"up_to"`
	} `json:"strata"`
}

// text is what people read.
func (p *planAnswer) text() string {
	said := fmt.Sprintf("%s\n%.1f h of sound", p.Sentence, p.Seconds/3600)
	if p.Work != nil {
		said += fmt.Sprintf(", %.1f h of work (%.1f to %.1f, n %d)", p.Work.Hours, p.Work.Low, p.Work.High, p.Work.N)
	}
	for _, s := range p.Strata {
		said += fmt.Sprintf("\n%s: %d of %d, up to %.2f", s.Name, s.Taken, s.Items, s.UpTo)
	}
	for _, left := range []struct {
		n   int
		why string
	}{{p.Capped, "their source has its number"}, {p.Expired, "they go before the work is done"}, {p.Short, "they are shorter"}} {
		if left.n > 0 {
			said += fmt.Sprintf("\n%d left out since %s", left.n, left.why)
		}
	}
	if p.Unready > 0 {
		said += fmt.Sprintf("\n%d items are not ready yet: their recordings have not come, or are still being read", p.Unready)
	}
	return said
}

func plansPath(project string) string { return "/projects/" + url.PathEscape(project) + "/plans" }

// planFlags say what a plan is to take.
type planFlags struct {
	Project  string    `arg:"" help:"Short name of the project."`
	Model    string    `required:"" help:"Whose confidence counts." placeholder:"NAME@VERSION"`
	Method   string    `help:"lowest: the least sure share of each length; below: all below a confidence; hours: the least sure hours; spread: a share of every tenth." enum:"lowest,below,hours,spread" default:"lowest"`
	Share    float64   `help:"For lowest and spread." default:"0.2"`
	Below    float64   `help:"For below."`
	Hours    float64   `help:"For hours: of sound."`
	Control  float64   `help:"As many as this share of the chosen ones besides, at random from all."`
	By       string    `help:"What length is counted in." enum:"words,seconds" default:"words"`
	Edges    []float64 `help:"Where the second, third … stratum of length begins." placeholder:"2,4,8"`
	Shortest float64   `help:"Leave alone what is shorter."`
	Most     int       `help:"Of one source at most."`
	Days     int       `help:"Within how many days the work is done."`
	Expiring string    `help:"What goes before: leave or first." enum:",leave,first" default:""`
	Seed     int64     `help:"The same seed draws the same of the same utterances."`
}

func (f *planFlags) body() map[string]any {
	body := map[string]any{"model": f.Model, "method": f.Method, "share": f.Share, "by": f.By}
	for name, value := range map[string]float64{"below": f.Below, "hours": f.Hours, "control": f.Control, "shortest": f.Shortest} {
		if value != 0 {
			body[name] = value
		}
	}
	for name, value := range map[string]int{"most": f.Most, "days": f.Days} {
		if value != 0 {
			body[name] = value
		}
	}
	if len(f.Edges) > 0 {
		body["edges"] = f.Edges
	}
	if f.Expiring != "" {
		body["expiring"] = f.Expiring
	}
	if f.Seed != 0 {
		body["seed"] = f.Seed
	}
	return body
}

type planPreviewCommand struct {
	clientFlags `embed:""`
	planFlags   `embed:""`
}

func (c *planPreviewCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var plan planAnswer
	if err := server.post(ctx, plansPath(c.Project)+"/preview", c.body(), &plan); err != nil {
		return err
	}
	return c.printAnswer(std, plan, plan.text())
}

type planDrawCommand struct {
	clientFlags `embed:""`
	planFlags   `embed:""`

	Title string   `help:"What is special about it."`
	Modes []string `help:"How the first, second … labeler of an utterance begins: blind, edit or reveal." placeholder:"blind,edit"`
	Owner string   `help:"Address of who answers for its batch." placeholder:"EMAIL"`
	Due   string   `help:"By when it is wanted." placeholder:"2026-12-31"`
}

func (c *planDrawCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	body := c.body()
	if len(c.Modes) > 0 {
		body["modes"] = c.Modes
	}
	for name, value := range map[string]string{"title": c.Title, "owner": c.Owner, "due": c.Due} {
		if value != "" {
			body[name] = value
		}
	}
	var made struct {
		Number int `json:"number"`
	}
	if err := server.post(ctx, plansPath(c.Project), body, &made); err != nil {
		return err
	}
	var plan planAnswer
	bar := newProgressBar(std.err)
	err = await(ctx, server, fmt.Sprintf("%s/%d", plansPath(c.Project), made.Number), &plan, func() bool {
		bar.show("Choosing", int64(plan.InPlan), 0, "utterances")
		return plan.State != "drawing"
	})
	bar.end()
	if err != nil {
		return err
	}
	if plan.State == "failed" {
		return errors.New(plan.Error)
	}
	return c.printAnswer(std, plan, fmt.Sprintf("plan %d: batch %d of %d utterances\n%s", plan.Number, plan.Batch, plan.InPlan, plan.text()))
}

type planListCommand struct {
	clientFlags `embed:""`

	Project string `arg:"" help:"Short name of the project."`
}

func (c *planListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, plansPath(c.Project), "PLAN\tSTATE\tMODEL\tUTTERANCES\tANSWERED\tDECIDED\tBATCH\tTITLE", func(p planAnswer) string {
		return fmt.Sprintf("%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s", p.Number, p.State, p.Model, p.InPlan, p.Answered, p.Decided, p.Batch, p.Title)
	})
}

// onePlan names a plan.
type onePlan struct {
	Project string `arg:"" help:"Short name of the project."`
	Number  int    `arg:"" help:"Number of the plan."`
}

func (p *onePlan) path() string { return fmt.Sprintf("%s/%d", plansPath(p.Project), p.Number) }

type planShowCommand struct {
	clientFlags `embed:""`
	onePlan     `embed:""`
}

func (c *planShowCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	var plan planAnswer
	if err := server.get(ctx, c.path(), &plan); err != nil {
		return err
	}
	return c.printAnswer(std, plan, fmt.Sprintf("plan %d (%s), %s: %d answered and %d decided of %d\n%s",
		plan.Number, plan.State, plan.Model, plan.Answered, plan.Decided, plan.InPlan, plan.text()))
}

type planReportCommand struct {
	clientFlags `embed:""`
	onePlan     `embed:""`

	Again bool `help:"Have it made anew, and wait for it."`
}

// planRate is a word error rate as the server tells it.
type planRate struct {
	Of    int      `json:"of"`
	WER   float64  `json:"wer"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
	Items int      `json:"items"`
	Words int      `json:"words"`
}

func (r planRate) String() string {
	if r.Words == 0 {
		return "-"
	}
	if r.Low == nil || r.High == nil {
		return fmt.Sprintf("%.3f (n %d, too few calls for an interval)", r.WER, r.Items)
	}
	return fmt.Sprintf("%.3f (%.3f to %.3f, n %d)", r.WER, *r.Low, *r.High, r.Items)
}

type planReportAnswer struct {
	Items    int        `json:"items"`
	Of       int        `json:"of"`
	Seconds  float64    `json:"seconds"`
	Sentence string     `json:"sentence"`
	All      planRate   `json:"all"`
	Chosen   planRate   `json:"chosen"`
	Control  planRate   `json:"control"`
	Quarters []planRate `json:"quarters"` // of utterances of four words and more, the least sure first
	Deciles  []planRate `json:"deciles"`
	Strata   []planRate `json:"strata"`
	Sources  []planRate `json:"sources"`
	Models   []struct {
		Model string   `json:"model"`
		All   planRate `json:"all"`
	} `json:"models"`
	New   []int `json:"new"`
	Words []struct {
		Words string `json:"words"`
		Size  int    `json:"size"`
		Times int    `json:"times"`
	} `json:"words"`
}

func (r *planReportAnswer) text() string {
	said := fmt.Sprintf("%s\n%d of %d transcribed, %.1f h of sound\nWER %s; chosen %s, control %s", r.Sentence, r.Items, r.Of, r.Seconds/3600, r.All, r.Chosen, r.Control)
	for _, d := range r.Deciles {
		said += fmt.Sprintf("\ntenth %d: %s", d.Of, d)
	}
	for _, m := range r.Models {
		said += fmt.Sprintf("\n%s: %s", m.Model, m.All)
	}
	if len(r.New) == 3 {
		said += fmt.Sprintf("\nnew: %d words, %d pairs, %d triples", r.New[0], r.New[1], r.New[2])
	}
	return said
}

func (c *planReportCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	if c.Again {
		if err := c.again(ctx, server); err != nil {
			return err
		}
	}
	var report planReportAnswer
	if err := server.get(ctx, c.path()+"/report", &report); err != nil {
		return err
	}
	return c.printAnswer(std, report, report.text())
}

// again has the report made, and waits until there is a later one.
func (c *planReportCommand) again(ctx context.Context, server *client) error {
	var before, now struct {
		Reported string `json:"reported_at"`
	}
	if err := server.get(ctx, c.path(), &before); err != nil {
		return err
	}
	if err := server.post(ctx, c.path()+"/report", map[string]any{}, nil); err != nil {
		return err
	}
	return await(ctx, server, c.path(), &now, func() bool { return now.Reported != before.Reported })
}
