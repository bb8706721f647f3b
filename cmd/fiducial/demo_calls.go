package main

import (
	"compress/gzip"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/sampling"
	"fiducial/internal/speech"
	"fiducial/store"
)

// demoSounds are telephone calls that a synthesizer spoke, compressed, with what was said in calls.json: see cmd/calls.
//
//go:embed calls
var demoSounds embed.FS

const demoCalls = "care-line"

// demoMargin is how much of the line is left around what somebody says, in seconds.
const demoMargin = 0.15

// demoTurn is what somebody says before the other answers, in seconds of the call.
type demoTurn struct {
	Channel int
	Begin   float64
	End     float64
	Text    string
	Words   []demoWord
	Moments []string

	file string
}

// demoWord is in seconds of its turn.
type demoWord struct {
	Word       string
	Start, End float64
}

// span is what of the call the turn's item is.
func (t *demoTurn) span() (begins, ends float64) {
	return math.Round((t.Begin-demoMargin)*100) / 100, math.Round((t.End+demoMargin)*100) / 100
}

// demoClasses are the moments that are marked in the calls.
var demoClasses = []struct{ name, key, markdown string }{
	{"question", "1", "Somebody **asks** for something and waits for an answer. A greeting such as *how can I help you* counts."},
	{"action", "2", "Somebody **promises to do** something, or asks that it be done: a call back, a note, a refund."},
	{"negative", "3", "The speaker is **annoyed, worried or disappointed**, in words or in tone. A plain report of a fault is not enough."},
	{"positive", "4", "The speaker is **pleased or relieved**. A thank-you out of politeness at the end of a call counts, a bare *goodbye* does not."},
}

const demoRulesBody = `Write what is said, as it is said, with capitals and punctuation.

- Numbers in words, as they are spoken: *double two, nine*.
- Leave out breathing and noise. What cannot be understood is *[unintelligible]*.
- Names as they are spelled in the call, or as they are usually spelled.
`

// addCalls fills a project of sound: calls cut into what each side says, with what two versions of a recognizer heard in it.
func (f *demoFill) addCalls(ctx context.Context) error {
	turns, err := demoTurns("call-01.wav", "call-02.wav", "call-04.wav", "call-05.wav")
	if err != nil {
		return err
	}
	c, err := f.addLine(ctx, store.NewProject{
		Slug: demoCalls, Name: "Care line calls", Kind: "audio", Overlap: 2, AcceptsTruth: true,
		Description: "What callers and agents say on the care line, turn by turn. Every voice is a synthesizer's, every name and number invented.",
	})
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, []*demoTurn) error{c.writeRules, c.bringSounds, c.bringHypotheses, c.drawPlan, c.transcribe, c.decide, c.backdate, c.report} {
		if err := step(ctx, turns); err != nil {
			return err
		}
	}
	return nil
}

// demoTurns are all turns of these calls.
func demoTurns(files ...string) (turns []*demoTurn, err error) {
	raw, err := demoSounds.ReadFile("calls/calls.json")
	if err != nil {
		return nil, err
	}
	var calls []struct {
		File  string
		Turns []*demoTurn
	}
	if err := json.Unmarshal(raw, &calls); err != nil {
		return nil, fmt.Errorf("calls.json: %w", err)
	}
	for _, call := range calls {
		for _, t := range call.Turns {
			t.file = call.File
			if slices.Contains(files, t.file) {
				turns = append(turns, t)
			}
		}
	}
	return turns, nil
}

// demoSound is the recording of a call.
func demoSound(file string) (content []byte, err error) {
	packed, err := demoSounds.Open("calls/" + file + ".gz")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, packed.Close()) }()
	r, err := gzip.NewReader(packed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return io.ReadAll(r)
}

// demoLine is the project of calls on its way.
type demoLine struct {
	*demoFill

	project int64
	slug    string
	turns   map[int64]*demoTurn // by item
	keys    map[*demoTurn]string
	classes map[string]int64
}

// addLine makes a project of sound that everybody of the demo is a member of.
func (f *demoFill) addLine(ctx context.Context, n store.NewProject) (*demoLine, error) {
	project, err := f.Store.AddProject(ctx, f.admin(), n)
	if err != nil {
		return nil, err
	}
	for _, actor := range f.actors {
		if err := f.Store.AddMember(ctx, f.admin(), project.ID, actor.PersonID); err != nil {
			return nil, err
		}
	}
	return &demoLine{demoFill: f, project: project.ID, slug: project.Slug, turns: map[int64]*demoTurn{}, classes: map[string]int64{}}, nil
}

// writeRules makes the classes, and says how to write.
func (c *demoLine) writeRules(ctx context.Context, _ []*demoTurn) error {
	for _, d := range demoClasses {
		id, err := c.Store.AddClass(ctx, c.admin(), c.project, d.name, d.key)
		if err != nil {
			return err
		}
		c.classes[d.name] = id
		if err := c.Store.SaveDefinition(ctx, c.reviewer(), id, 0, d.markdown, nil); err != nil {
			return err
		}
		if _, err := c.Store.PublishDefinition(ctx, c.reviewer(), id, 2); err != nil {
			return err
		}
	}
	if err := c.Store.SaveRules(ctx, c.reviewer(), c.project, 0, demoRulesBody, speech.Rules{}); err != nil {
		return err
	}
	_, _, err := c.Store.PublishRules(ctx, c.reviewer(), c.project, 1, store.SendBack{})
	return err
}

// bringSounds imports the calls, cut into turns.
func (c *demoLine) bringSounds(ctx context.Context, turns []*demoTurn) error {
	return c.importCalls(ctx, turns, store.PurposeMedia, "Care line")
}

// importCalls imports the calls, cut into turns, with what is said in them where the purpose is truth.
func (c *demoLine) importCalls(ctx context.Context, turns []*demoTurn, purpose, source string) error {
	added, err := c.Store.AddImport(ctx, c.admin(), c.slug, store.NewImport{
		Format: store.FormatSTM, Purpose: purpose, Source: source, Options: store.ImportOptions{VOCBase: 1, Per: store.PerSegment},
	})
	if err != nil {
		return err
	}
	var stm strings.Builder
	sent := map[string]bool{}
	for _, t := range turns {
		begins, ends := t.span()
		fmt.Fprintf(&stm, "%s %d %s %.2f %.2f %s\n", strings.TrimSuffix(t.file, ".wav"), t.Channel, []string{"agent", "caller"}[t.Channel-1], begins, ends, t.Text)
		if sent[t.file] {
			continue
		}
		sent[t.file] = true
		content, err := demoSound(t.file)
		if err != nil {
			return err
		}
		if err := c.uploadFile(ctx, added.ID, t.file, content); err != nil {
			return err
		}
	}
	if err := c.uploadFile(ctx, added.ID, "turns.stm", []byte(stm.String())); err != nil {
		return err
	}
	if err := c.Store.StartImport(ctx, c.admin(), added.ID); err != nil {
		return err
	}
	if err := c.until(ctx, len(turns), `SELECT count(*) FROM items WHERE project_id = $1 AND state = 'ready'`); err != nil {
		return err
	}
	return c.match(ctx, turns)
}

// until waits until a count of the project has come to n.
func (c *demoLine) until(ctx context.Context, n int, count string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var have int
		if err := c.Pool.QueryRow(ctx, count, c.project).Scan(&have); err != nil {
			return err
		}
		if have >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// match finds the item of each turn.
func (c *demoLine) match(ctx context.Context, turns []*demoTurn) error {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := c.Pool.Query(ctx, `
		SELECT i.id, x.external_key, x.file_name, i.channel, i.begins FROM items i JOIN item_texts x ON x.item_id = i.id WHERE i.project_id = $1`, c.project)
	if err != nil {
		return err
	}
	c.keys = map[*demoTurn]string{}
	var item int64
	var key, file string
	var channel int
	var begins float64
	_, err = pgx.ForEachRow(rows, []any{&item, &key, &file, &channel, &begins}, func() error {
		for _, t := range turns {
			if begin, _ := t.span(); t.file == file && t.Channel == channel && math.Abs(begin-begins) < 0.02 {
				c.turns[item], c.keys[t] = t, key
				return nil
			}
		}
		return fmt.Errorf("no turn is item %q", key)
	})
	return err
}

// demoRecognizer is the recognizer of the demo.
const demoRecognizer = "careline-asr"

// bringHypotheses imports what two versions of a recognizer made of the turns.
func (c *demoLine) bringHypotheses(ctx context.Context, turns []*demoTurn) error {
	if _, err := c.Store.AddModel(ctx, c.admin(), demoRecognizer, "asr"); err != nil {
		return err
	}
	for n, version := range []string{"1.0", "1.1"} {
		if _, err := c.Store.ReleaseModel(ctx, c.admin(), demoRecognizer, version); err != nil {
			return err
		}
		if err := c.hear(ctx, turns, version, newDemoEar(0.80+0.08*float64(n), uint64(n)+1)); err != nil {
			return err
		}
	}
	return nil
}

// hear imports what a version of the recognizer made of the turns.
func (c *demoLine) hear(ctx context.Context, turns []*demoTurn, version string, ear *demoEar) error {
	added, err := c.Store.AddImport(ctx, c.admin(), c.slug, store.NewImport{
		Format: store.FormatHypotheses, Purpose: store.PurposePrediction, Model: demoRecognizer + "@" + version, Options: store.ImportOptions{VOCBase: 1},
	})
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, t := range turns {
		line, err := json.Marshal(ear.hear(t, c.keys[t]))
		if err != nil {
			return err
		}
		lines.Write(append(line, '\n'))
	}
	if err := c.uploadFile(ctx, added.ID, "heard.jsonl", []byte(lines.String())); err != nil {
		return err
	}
	var before int
	const count = `SELECT count(*) FROM predictions p JOIN items i ON i.id = p.item_id WHERE i.project_id = $1`
	if err := c.Pool.QueryRow(ctx, count, c.project).Scan(&before); err != nil {
		return err
	}
	if err := c.Store.StartImport(ctx, c.admin(), added.ID); err != nil {
		return err
	}
	return c.until(ctx, before+len(turns), count)
}

// drawPlan has those turns written down of which the recognizer is least sure, once begun from what it heard and once from silence.
func (c *demoLine) drawPlan(ctx context.Context, _ []*demoTurn) error {
	plan, err := c.Store.DrawPlan(ctx, c.admin(), store.NewPlan{
		Project: c.project, Title: "What 1.1 is unsure of", Model: demoRecognizer + "@1.1", Modes: []string{store.Edit, store.Blind},
		Choice: sampling.Choice{By: "words", Edges: sampling.DefaultEdges(), Method: sampling.Lowest, Share: 0.4, Control: 0.2, Seed: 7},
	})
	if err != nil {
		return err
	}
	return c.until(ctx, plan.Number, `SELECT count(*) FROM plans WHERE project_id = $1 AND state = 'open'`)
}

// transcribe lets the labelers write down a part, one after another, so that each is beside each other one.
func (c *demoLine) transcribe(ctx context.Context, _ []*demoTurn) error {
	pens := map[string]*demoPen{}
	for n, d := range demoPeople {
		if d.habit != "" {
			pens[d.name] = newDemoPen(d.habit, uint64(n)+11)
		}
	}
	for range 20 {
		for _, d := range demoPeople {
			if pens[d.name] == nil {
				continue
			}
			if err := c.write(ctx, d, pens[d.name]); err != nil && !errors.Is(err, store.ErrQueueEmpty) {
				return err
			}
		}
	}
	return nil
}

// write claims the labeler's next turn and submits what they hear in it.
func (c *demoLine) write(ctx context.Context, d demoPerson, pen *demoPen) error {
	claimed, err := c.Store.Claim(ctx, c.actors[d.name], c.slug, 0)
	if err != nil {
		return err
	}
	work, err := c.Store.Work(ctx, c.actors[d.name], claimed.Task)
	if err != nil {
		return err
	}
	turn := c.turns[work.Item]
	begun := ""
	if work.Mode == store.Edit {
		begun = work.Transcript.Text()
	}
	_, err = c.Store.Submit(ctx, c.actors[d.name], store.NewAnnotation{
		Task: work.Task, Assignment: work.Assignment, Boxes: c.moments(turn, pen.marks(turn)), ActiveMS: int64(4000 + 3200*(turn.End-turn.Begin)),
		Transcript: speech.Transcript{{End: length(turn), Channel: turn.Channel, Text: pen.write(turn, begun)}},
	})
	return err
}

func length(t *demoTurn) float64 {
	begins, ends := t.span()
	return ends - begins
}

// moments are classes on all of a turn.
func (c *demoLine) moments(t *demoTurn, names []string) []store.DraftBox {
	boxes := make([]store.DraftBox, len(names))
	for i, name := range names {
		boxes[i] = store.DraftBox{ID: fmt.Sprintf("new-%d", i), ClassID: c.classes[name], W: length(t), H: 1}
	}
	return boxes
}

// inReview lists what everybody has answered, with one of the answers.
func (c *demoLine) inReview(ctx context.Context) ([]waiting, error) {
	rows, err := c.Pool.Query(ctx, `
		SELECT t.item_id AS item, a.id AS annotation, t.version, i.name AS author, 0 AS boxes
		FROM tasks t JOIN LATERAL (SELECT a.* FROM annotations a JOIN person_identities i ON i.person_id = a.person_id
			WHERE a.task_id = t.id ORDER BY i.name DESC LIMIT 1) a ON true
		JOIN person_identities i ON i.person_id = a.person_id
		WHERE t.project_id = $1 AND t.state = 'in_review' ORDER BY t.id`, c.project)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[waiting])
}

// decide reviews most of what everybody has answered: what Mara wrote is taken, and what others did is put right.
func (c *demoLine) decide(ctx context.Context, _ []*demoTurn) error {
	list, err := c.inReview(ctx)
	if err != nil {
		return err
	}
	for _, w := range list[:len(list)*4/5] {
		turn := c.turns[w.Item]
		decision := store.Adjudication{Item: w.Item, Version: w.Version, ActiveMS: 6000, Annotation: w.Annotation, Kind: store.Approved}
		if w.Author != "Mara Lindqvist" {
			decision.Kind, decision.Boxes = store.Amended, c.moments(turn, turn.Moments)
			decision.Transcript = speech.Transcript{{End: length(turn), Channel: turn.Channel, Text: turn.Text}}
		}
		if _, err := c.Store.Adjudicate(ctx, c.reviewer(), decision); err != nil {
			return err
		}
	}
	return nil
}

// report says what the plan has brought so far.
func (c *demoLine) report(ctx context.Context, _ []*demoTurn) error {
	if err := c.Store.AskForReport(ctx, c.admin(), c.slug, 1); err != nil {
		return err
	}
	return c.until(ctx, 1, `SELECT count(*) FROM plans WHERE project_id = $1 AND reported_at IS NOT NULL`)
}

// backdate spreads the work over the days before, as that on the pictures.
func (c *demoLine) backdate(ctx context.Context, _ []*demoTurn) error {
	const ago = `((SELECT max(n.id) - t.id + 1 FROM tasks n WHERE n.project_id = t.project_id) * interval '50 minutes' + interval '2 hours')`
	batch := &pgx.Batch{}
	batch.Queue(`
		UPDATE annotations a SET submitted_at = a.submitted_at - `+ago+` + a.person_id * interval '7 minutes',
			active_ms = 4000 + 3200 * (i.ends - i.begins) + a.id * 7919 % 5000
		FROM tasks t JOIN items i ON i.id = t.item_id WHERE t.id = a.task_id AND t.project_id = $1`, c.project)
	batch.Queue(`
		UPDATE assignments s SET active_ms = a.active_ms, finished_at = a.submitted_at, claimed_at = a.submitted_at - a.active_ms * interval '1 millisecond'
		FROM annotations a WHERE a.assignment_id = s.id AND s.project_id = $1 AND s.state = 'submitted'`, c.project)
	for _, table := range []string{"plans", "batches"} {
		batch.Queue(`UPDATE `+table+` SET created_at = created_at - interval '5 days' WHERE project_id = $1`, c.project)
	}
	batch.Queue(`UPDATE reviews r SET decided_at = r.decided_at - `+ago+` + interval '100 minutes' FROM tasks t WHERE t.id = r.task_id AND t.project_id = $1`, c.project)
	batch.Queue(`UPDATE truths h SET created_at = r.decided_at FROM reviews r JOIN tasks t ON t.id = r.task_id WHERE r.id = h.review_id AND t.project_id = $1`, c.project)
	return c.Pool.SendBatch(ctx, batch).Close()
}
