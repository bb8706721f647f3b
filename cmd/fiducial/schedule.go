package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

type scheduleCommand struct {
	Add    scheduleAddCommand    `cmd:"" help:"Have evaluations started by the clock, after releases, or both."`
	List   scheduleListCommand   `cmd:"" help:"List what starts evaluations by itself."`
	Pause  schedulePauseCommand  `cmd:"" help:"Let a schedule rest until it is resumed."`
	Resume scheduleResumeCommand `cmd:"" help:"Have a schedule go on that rests. What was due meanwhile is not made up for."`
	Remove scheduleRemoveCommand `cmd:"" help:"Remove a schedule. What it started stays."`
}

// scheduleAnswer is a schedule as the server tells it.
type scheduleAnswer struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	Chain      string     `json:"chain"`
	Request    any        `json:"request"`
	Every      string     `json:"every,omitempty"`
	Hour       int        `json:"hour"`
	OnRelease  bool       `json:"on_release"`
	NextAt     *time.Time `json:"next_at,omitempty"`
	PausedAt   *time.Time `json:"paused_at,omitempty"`
	Fault      string     `json:"fault,omitempty"`
	Evaluation int64      `json:"evaluation,omitempty"`
}

// when says when it starts.
func (s *scheduleAnswer) when() string {
	var parts []string
	if s.Every != "" {
		parts = append(parts, fmt.Sprintf("each %s at %02d:00 UTC", s.Every, s.Hour))
	}
	if s.OnRelease {
		parts = append(parts, "after releases")
	}
	return strings.Join(parts, " and ")
}

// next says when it starts next, or why not.
func (s *scheduleAnswer) next() string {
	switch {
	case s.PausedAt != nil:
		return "rests"
	case s.NextAt != nil:
		return s.NextAt.UTC().Format("2006-01-02 15:04")
	}
	return "-"
}

type scheduleAddCommand struct {
	clientFlags `embed:""`

	Name       string   `arg:"" help:"Name of the schedule, such as weekly."`
	Chain      string   `help:"Name of the chain." required:""`
	Dataset    []string `help:"Dataset versions to measure with, such as calls-test@latest." required:"" placeholder:"D@N"`
	Detector   []string `help:"Detectors, such as finder@latest." placeholder:"M@V"`
	ASR        []string `name:"asr" help:"Recognizers; reference is the truth in their place." placeholder:"M@V"`
	Formatting []string `help:"Formatting models." placeholder:"M@V"`
	NLP        []string `name:"nlp" help:"Language models." placeholder:"M@V"`
	Baseline   []string `help:"What the others are compared with: one for each kind, in the order of the chain; that of the chain if missing." placeholder:"M@V"`
	Split      string   `help:"Side of the versions." enum:"training,validation,test" default:"test"`
	Every      string   `help:"day, week (on Mondays) or month (on the first)." enum:",day,week,month" default:""`
	Hour       int      `help:"At which hour, in UTC." default:"3"`
	OnRelease  bool     `help:"After a release of a model that is named NAME@latest."`
}

func (c *scheduleAddCommand) Run(ctx context.Context, std *streams) error {
	named := evalStartCommand{Detector: c.Detector, ASR: c.ASR, Formatting: c.Formatting, NLP: c.NLP}
	_, versions := named.slots()
	switch {
	case len(versions) == 0:
		return misuseError("name at least one model version: --detector, --asr, --formatting or --nlp NAME@latest")
	case c.Every == "" && !c.OnRelease:
		return misuseError("say when it starts: --every day, week or month, --on-release, or both")
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	body := map[string]any{
		"name": c.Name, "chain": c.Chain, "versions": c.Dataset, "models": versions, "split": c.Split, "hour": c.Hour, "on_release": c.OnRelease,
	}
	if c.Every != "" {
		body["every"] = c.Every
	}
	if len(c.Baseline) > 0 {
		body["baseline"] = c.Baseline
	}
	var made idAnswer
	if err := server.post(ctx, "/schedules", body, &made); err != nil {
		return misuseOf(err)
	}
	return c.printAnswer(std, made, fmt.Sprintf("schedule %d", made.ID))
}

type scheduleListCommand struct {
	clientFlags `embed:""`
}

func (c *scheduleListCommand) Run(ctx context.Context, std *streams) error {
	return printRows(ctx, &c.clientFlags, std, "/schedules", "SCHEDULE\tNAME\tCHAIN\tSTARTS\tNEXT\tLAST\tFAULT", func(s scheduleAnswer) string {
		last := "-"
		if s.Evaluation != 0 {
			last = fmt.Sprintf("evaluation %d", s.Evaluation)
		}
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%s", s.ID, s.Name, s.Chain, s.when(), s.next(), last, s.Fault)
	})
}

// oneSchedule names a schedule.
type oneSchedule struct {
	ID int64 `arg:"" help:"Number of the schedule."`
}

func (o *oneSchedule) path() string { return fmt.Sprintf("/schedules/%d", o.ID) }

type schedulePauseCommand struct {
	clientFlags `embed:""`
	oneSchedule `embed:""`
}

func (c *schedulePauseCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	if err := server.post(ctx, c.path()+"/pause", struct{}{}, nil); err != nil {
		return misuseOf(err)
	}
	return c.printAnswer(std, idAnswer{ID: c.ID}, fmt.Sprintf("schedule %d rests", c.ID))
}

type scheduleResumeCommand struct {
	clientFlags `embed:""`
	oneSchedule `embed:""`
}

func (c *scheduleResumeCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	if err := server.post(ctx, c.path()+"/resume", struct{}{}, nil); err != nil {
		return misuseOf(err)
	}
	return c.printAnswer(std, idAnswer{ID: c.ID}, fmt.Sprintf("schedule %d goes on", c.ID))
}

type scheduleRemoveCommand struct {
	clientFlags `embed:""`
	oneSchedule `embed:""`
}

func (c *scheduleRemoveCommand) Run(ctx context.Context, std *streams) error {
	server, err := c.connect()
	if err != nil {
		return err
	}
	if err := server.remove(ctx, c.path()); err != nil {
		return err
	}
	return c.printAnswer(std, idAnswer{ID: c.ID}, fmt.Sprintf("schedule %d is removed", c.ID))
}
