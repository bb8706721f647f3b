package jobs

import (
	"context"
	"slices"

	"fiducial/internal/models"
	"fiducial/store"
)

// done counts an output.
func (r *chunkRun) done(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled[i] = true
	r.counts.Done++
	r.inARow = 0
}

// forget leaves out an item that was erased meanwhile.
func (r *chunkRun) forget(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled[i] = true
	r.gone++
}

// fail counts an item without an output.
func (r *chunkRun) fail(i int, fault *models.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failLocked(i, fault)
	if !unreachable(fault.Code) {
		r.inARow = 0
		return
	}
	if r.inARow++; r.inARow >= faultsInARow || !fault.Temporary() {
		r.lost = &models.Fault{Code: fault.Code, Status: fault.Status}
	}
}

func (r *chunkRun) failLocked(i int, fault *models.Fault) {
	r.settled[i] = true
	r.counts.Failed++
	r.faults = append(r.faults, store.ItemFault{Item: r.chunk.Items[i].Item, Reason: fault.Code, Status: fault.Status, Asked: fault.Attempts})
}

// failRest counts all that is not settled as without an output.
func (r *chunkRun) failRest(fault *models.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.settled {
		if !r.settled[i] {
			r.failLocked(i, fault)
		}
	}
}

// unreachable tells faults of the server as a whole from those of one item.
func unreachable(code string) bool {
	return slices.Contains([]string{
		models.FaultConnection, models.FaultHost, models.FaultAddress, models.FaultRedirect, models.FaultSettings, models.FaultCredential,
	}, code)
}

// lostServer is why the rest is not asked about, nil if it is.
func (r *chunkRun) lostServer() *models.Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// unsettled are the items that have neither an output nor a fault.
func (r *chunkRun) unsettled() (items []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, settled := range r.settled {
		if !settled {
			items = append(items, i)
		}
	}
	return items
}

// take notes the places in which calls may be made, of which taken tells.
func (r *chunkRun) take(places []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places = places
}

func (r *chunkRun) taken() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.places
}

// left is how many items are not settled.
func (r *chunkRun) left() int { return len(r.unsettled()) }

func (r *chunkRun) soFar() store.ChunkCounts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// finish writes down what has no output, and ends the chunk.
func (r *chunkRun) finish(ctx context.Context) error {
	if err := r.store.NoteFaults(ctx, r.chunk, r.faults); err != nil {
		return err
	}
	return r.store.FinishChunk(ctx, r.chunk, r.counts)
}

// answerKeeper writes answers as they come: while one transaction is under way, the answers that come meanwhile wait for the next one, so that
// each is on the disk before its caller goes on, and many callers cost few transactions.
type answerKeeper struct {
	run     *chunkRun
	waiting chan keptAnswer
	turn    chan struct{} // held by whoever writes
}

type keptAnswer struct {
	answer store.ModelAnswer
	ended  chan error // errAnswerGone if the item was erased
}

func newAnswerKeeper(r *chunkRun) *answerKeeper {
	return &answerKeeper{run: r, waiting: make(chan keptAnswer, callsOfChunk), turn: make(chan struct{}, 1)}
}

type answerGoneError struct{}

func (answerGoneError) Error() string { return "jobs: the item was erased" }

// keep returns once the answer is written; false if its item was erased.
func (k *answerKeeper) keep(ctx context.Context, answer store.ModelAnswer) (kept bool, err error) {
	mine := keptAnswer{answer, make(chan error, 1)}
	k.waiting <- mine // there is room for one of each caller
	for {
		select {
		case err := <-mine.ended:
			_, gone := err.(answerGoneError) //nolint:errorlint // the very value
			if gone {
				return false, nil
			}
			return err == nil, err
		case k.turn <- struct{}{}:
			k.write(ctx)
			<-k.turn
		}
	}
}

// write writes all answers that wait.
func (k *answerKeeper) write(ctx context.Context) {
	var batch []keptAnswer
	for more := true; more; {
		select {
		case a := <-k.waiting:
			batch = append(batch, a)
		default:
			more = false
		}
	}
	if len(batch) == 0 {
		return
	}
	answers := make([]store.ModelAnswer, len(batch))
	for i, a := range batch {
		answers[i] = a.answer
	}
	gone, err := k.run.store.KeepAnswers(ctx, k.run.chunk, answers)
	for _, a := range batch {
		if err == nil && slices.Contains(gone, a.answer.Item.Item) {
			a.ended <- answerGoneError{}
			continue
		}
		a.ended <- err
	}
}
