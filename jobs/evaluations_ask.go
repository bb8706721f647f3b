package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"fiducial/internal/audio"
	"fiducial/internal/models"
	"fiducial/jobs/modelserver"
	"fiducial/store"
)

const (
	callsOfChunk = 4                // at once
	keepEvery    = 10 * time.Second // the places in which a chunk's calls are made, and its questions
	lookEvery    = time.Second      // whether the run still goes on
	placePause   = 20 * time.Millisecond
	othersPause  = 200 * time.Millisecond // until the questions are looked at again that another run asks
	placeTries   = 20
	faultsInARow = 8 // after which a server that cannot be reached is left alone for the rest of a chunk
)

var (
	errNoPlace  = errors.New("jobs: the model has as many calls as it may have at once")
	errOthers   = errors.New("jobs: another run asks the model the same now")
	errUnwanted = errors.New("jobs: the run of the chunk has ended")
)

// asking asks models about chunks, in one process.
type asking struct {
	deps

	worker  string // this process, as places bear it
	policy  modelserver.Policy
	servers *launches

	checked sync.Map // checkedServer, of what was looked at before it was asked
}

// checkedServer is a model as it was when a run looked at it.
type checkedServer struct {
	evaluation, model int64
	revision          int
}

func newAsking(d deps, cfg Config) *asking {
	return &asking{
		deps: d, worker: cfg.Name, policy: cfg.Models,
		servers: &launches{deps: d, worker: cfg.Name, launcher: cfg.Launcher, of: map[launchKey]*launch{}},
	}
}

// chunkRun is one chunk on its way.
type chunkRun struct {
	*asking

	chunk  *store.Chunk
	mine   []int // items that this chunk asks about now, and no other
	client *modelserver.Client

	mu      sync.Mutex
	places  []int
	counts  store.ChunkCounts
	faults  []store.ItemFault
	settled []bool // by the index of the item: it has an output or a fault
	gone    int    // erased meanwhile
	inARow  int    // items that could not even be asked about
	lost    *models.Fault
}

func newChunkRun(a *asking, c *store.Chunk) *chunkRun {
	r := &chunkRun{asking: a, chunk: c, settled: make([]bool, len(c.Items))}
	for i := range c.Items {
		if item := &c.Items[i]; item.Answered {
			r.settled[i] = true
			r.counts.Done++
			if item.Reused {
				r.counts.Reused++
			}
		}
	}
	return r
}

// run does one chunk, if it waits. Whatever has an output is not asked about again.
func (a *asking) run(ctx context.Context, step int64, number int) error {
	c, ok, err := a.store.BeginChunk(ctx, step, number)
	if err != nil || !ok {
		return err
	}
	r := newChunkRun(a, &c)
	switch err := r.answer(ctx); {
	case errors.Is(err, errUnwanted):
		return nil
	case err != nil:
		return err
	}
	return r.finish(ctx)
}

// answer settles every item of the chunk.
func (r *chunkRun) answer(ctx context.Context) error {
	if r.chunk.Fault == "" && r.chunk.Server.Adapter == models.Offline {
		return r.copy(ctx)
	}
	for i := range r.chunk.Items {
		switch item := &r.chunk.Items[i]; {
		case r.settled[i]:
		case item.Missing:
			r.fail(i, &models.Fault{Code: r.chunk.Unfed})
		case item.Closed:
			r.fail(i, &models.Fault{Code: models.FaultSource})
		}
	}
	if r.chunk.Fault != "" {
		r.failRest(&models.Fault{Code: r.chunk.Fault})
	}
	if r.left() == 0 {
		return nil
	}
	err := r.ask(ctx)
	if fault := models.FaultOf(err); fault != nil {
		r.failRest(fault)
		return nil
	}
	return err
}

// copy takes the outputs of an offline model from what was imported.
func (r *chunkRun) copy(ctx context.Context) error {
	there, err := r.store.CopyPredictions(ctx, r.chunk)
	if err != nil {
		return err
	}
	for i := range r.chunk.Items {
		item := &r.chunk.Items[i]
		switch {
		case there[item.Item]:
			if !r.settled[i] {
				r.done(i)
			}
		case item.Missing && r.chunk.Unfed == models.FaultInput:
			r.fail(i, &models.Fault{Code: models.FaultInput})
		case !r.settled[i]:
			r.fail(i, &models.Fault{Code: models.FaultPrediction})
		}
	}
	return nil
}

// ask asks the model about what is left, several items at once, as far as all workers together may.
func (r *chunkRun) ask(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		r.watch(ctx, cancel)
	}()
	err := r.askInTurns(ctx)
	cause := context.Cause(ctx)
	cancel(nil)
	<-watched
	if err != nil && cause != nil {
		return cause
	}
	return err
}

// askInTurns asks what no other run asks now, then looks what became of the rest: it is answered, or free to be asked here. Where it can begin with
// nothing, or in no place, the chunk is put off as a whole.
func (r *chunkRun) askInTurns(ctx context.Context) error {
	for first := true; ; first = false {
		err := r.askTurn(ctx)
		if !first && (errors.Is(err, errNoPlace) || errors.Is(err, errOthers)) {
			err = nil
		}
		if err != nil || r.left() == 0 {
			return err
		}
		if err := wait(ctx, othersPause); err != nil {
			return err
		}
	}
}

func (r *chunkRun) askTurn(ctx context.Context) error {
	// Both are given back also when the process is to stop: the next one need not wait until they run out.
	free := context.WithoutCancel(ctx)
	defer func() { _ = r.store.LeaveQuestions(free, r.chunk) }()
	mine, answered, err := r.store.ClaimQuestions(ctx, r.chunk, r.unsettled())
	if err != nil {
		return err
	}
	for _, i := range answered {
		r.done(i)
	}
	if r.mine = mine; len(mine) == 0 {
		if len(answered) > 0 {
			return nil
		}
		return errOthers
	}
	if err := r.takePlaces(ctx); err != nil {
		return err
	}
	defer func() { _ = r.store.LeavePlaces(free, r.chunk.Server.VersionID, r.worker, r.taken()) }()
	return r.askAll(ctx)
}

func (r *chunkRun) askAll(ctx context.Context) (err error) {
	if err := r.connect(ctx); err != nil {
		return err
	}
	defer r.client.Close()
	keeper := newAnswerKeeper(r)
	group, asks := errgroup.WithContext(ctx)
	next := make(chan int)
	group.Go(func() error {
		defer close(next)
		for _, i := range r.mine {
			select {
			case next <- i:
			case <-asks.Done():
				return asks.Err()
			}
		}
		return nil
	})
	for range r.taken() {
		group.Go(func() error {
			for i := range next {
				if err := r.askOne(asks, keeper, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// connect makes the client, and looks once a run whether the server is there and what its settings say.
func (r *chunkRun) connect(ctx context.Context) (err error) {
	server, policy, err := r.servers.serverOf(ctx, r.chunk, r.policy)
	if err != nil {
		return err
	}
	r.client, err = modelserver.New(modelserver.Config{Server: server, Policy: policy, Admit: r.admit})
	if err != nil {
		return err
	}
	looked := checkedServer{r.chunk.Evaluation, server.VersionID, server.Revision}
	if _, ok := r.checked.Load(looked); ok {
		return nil
	}
	for attempt := 1; ; attempt++ {
		err := r.client.Check(ctx)
		if err == nil {
			r.checked.Store(looked, true)
			return nil
		}
		if fault := models.FaultOf(err); fault == nil || !fault.Temporary() || attempt >= server.Attempts {
			r.client.Close()
			return err
		}
		if err := wait(ctx, time.Duration(attempt)*250*time.Millisecond); err != nil {
			r.client.Close()
			return err
		}
	}
}

// admit waits until the model may be called: so often at most, of all workers together.
func (r *chunkRun) admit(ctx context.Context) (done func(), err error) {
	if r.chunk.Server.Rate > 0 {
		pause, err := r.store.NextCall(ctx, r.chunk.Server.VersionID, r.chunk.Server.Rate)
		if err != nil {
			return nil, err
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
	return func() {}, nil
}

// takePlaces waits a little for places in which calls can be made.
func (r *chunkRun) takePlaces(ctx context.Context) error {
	server := r.chunk.Server
	for range placeTries {
		places, err := r.store.TakePlaces(ctx, server.VersionID, r.worker, server.Concurrency, min(callsOfChunk, len(r.mine)))
		if err != nil || len(places) > 0 {
			r.take(places)
			return err
		}
		if err := wait(ctx, placePause); err != nil {
			return err
		}
	}
	return errNoPlace
}

// watch keeps the places and the questions, says how far the chunk is, and ends it when its run has ended.
func (r *chunkRun) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		wanted, err := r.store.EvaluationAsks(ctx, r.chunk.Evaluation)
		if err == nil && !wanted {
			cancel(errUnwanted)
			return
		}
		if err == nil {
			err = r.store.NoteChunk(ctx, r.chunk, r.soFar())
		}
		if n%int(keepEvery/lookEvery) == 0 && err == nil {
			err = errors.Join(r.store.KeepPlaces(ctx, r.chunk.Server.VersionID, r.worker, r.taken()), r.store.KeepQuestions(ctx, r.chunk))
		}
		if err != nil && ctx.Err() == nil {
			cancel(fmt.Errorf("watch a chunk: %w", err))
			return
		}
	}
}

// askOne asks about one item, and keeps what the model says before the next one is asked about.
func (r *chunkRun) askOne(ctx context.Context, keeper *answerKeeper, i int) error {
	if fault := r.lostServer(); fault != nil {
		r.fail(i, fault)
		return nil
	}
	item := &r.chunk.Items[i]
	began := time.Now() //nolint:forbidigo // measures the call; nothing is decided by it
	output, err := r.client.Ask(ctx, r.input(item))
	if fault := models.FaultOf(err); fault != nil {
		r.fail(i, fault)
		return nil
	}
	if err != nil {
		return err
	}
	kept, err := keeper.keep(ctx, store.ModelAnswer{Item: item, Output: output, Took: time.Since(began)})
	switch {
	case err != nil:
		return err
	case kept:
		r.done(i)
	default:
		r.forget(i)
	}
	return nil
}

// input is an item as the model is given it.
func (r *chunkRun) input(item *store.ChunkItem) modelserver.Input {
	in := modelserver.Input{
		ID: strconv.FormatInt(item.Item, 10), Text: item.Text, ContentType: item.Type, Width: item.Width, Height: item.Height, Seconds: item.Ends - item.Begins,
	}
	if item.Recording != 0 {
		in.Sound = func(ctx context.Context) (io.ReadCloser, error) { return r.sound(ctx, item) }
	} else {
		in.Image = func(ctx context.Context) (io.ReadCloser, error) { return r.image(ctx, item) }
	}
	return in
}

// sound is the item's own sound as a WAV file.
func (r *chunkRun) sound(ctx context.Context, item *store.ChunkItem) (_ io.ReadCloser, err error) {
	sound, err := r.store.OpenSound(ctx, item.Recording)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sound.Close()) }()
	var wav bytes.Buffer
	if err := sound.WriteClip(&wav, audio.Clip{Begins: item.Begins, Ends: item.Ends, Channel: item.Channel}, nil); err != nil {
		return nil, err
	}
	return io.NopCloser(&wav), nil
}

func (r *chunkRun) image(ctx context.Context, item *store.ChunkItem) (io.ReadCloser, error) {
	kind := "original"
	if item.Upright {
		kind = "display"
	}
	return r.blobs.Get(ctx, store.AssetKey(item.Item, kind))
}
