package store

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/formats"
	"fiducial/internal/speech"
)

// ImportUtterance is what an import has about one item of sound.
type ImportUtterance struct {
	Name string // where it stands in what was uploaded; unique in the import
	// Keys are the external keys under which the item may exist; a new one gets the first.
	Keys []string
	// Sound is the path of its recording; "" of what is about items that are there already.
	Sound string
	// Uploaded tells that the recording itself comes with this import.
	Uploaded bool
	// Alike finds, among the paths of the project's recordings (among the keys of its items, without Sound), the one that is meant
	// where neither Keys nor Sound is there.
	Alike func(*formats.Media) (string, error)
	// Channel, Begins and Ends say which part of the recording it is, in seconds; nil is the beginning, and the end.
	Channel      int
	Begins, Ends *float64
	Metadata     map[string]string
	Group        string
	Transcript   speech.Transcript // in seconds of the utterance
	Written      bool              // it has a transcript, be it an empty one
	Moments      []ImportMoment    // of what was written
	Hypothesis   *ImportHypothesis
	Fault        string // why it is refused whatever else there is; "" if it may come in
	Losses       []ImportResult
}

// ImportHypothesis is what a model version made of an utterance.
type ImportHypothesis struct {
	Text       string
	Confidence *float64 // from 0 to 1
	Words      []HeardWord
}

// ImportSound is an uploaded file of sound.
type ImportSound struct {
	Name  string // its path; unique in the import
	Media *ImportSoundMedia
	// Mentioned tells that something of this import is about it, so that it makes no item of its own.
	Mentioned bool
	Fault     string // why it is refused; "" if it may come in
}

// ImportSoundMedia is the content of a file of sound.
type ImportSoundMedia struct {
	Content     io.ReaderAt
	Bytes       int64
	SHA256      []byte
	ContentType string
}

// MergeUtterances brings utterances in, all of them in one transaction, as Merge does with pictures.
func (r *ImportRun) MergeUtterances(ctx context.Context, utterances []ImportUtterance) error {
	fresh := utterances[:0:0]
	for i := range utterances {
		if !r.done[utterances[i].Name] {
			fresh = append(fresh, utterances[i])
		}
	}
	return mergeApart(ctx, r, fresh, func(u *ImportUtterance) string { return u.Name }, func(ctx context.Context, some []ImportUtterance) error {
		b := &speechBatch{run: r, utterances: some}
		return b.merge(ctx, b.decideUtterances)
	})
}

// MergeSounds brings files of sound in, all of them in one transaction: each completes the recording of its path, or makes a new one
// with an item that is the whole of it.
func (r *ImportRun) MergeSounds(ctx context.Context, sounds []ImportSound) error {
	fresh := sounds[:0:0]
	for i := range sounds {
		if !r.done[sounds[i].Name] {
			fresh = append(fresh, sounds[i])
		}
	}
	return mergeApart(ctx, r, fresh, func(s *ImportSound) string { return s.Name }, func(ctx context.Context, some []ImportSound) error {
		if err := r.reserveRecordings(ctx, some); err != nil {
			return err
		}
		b := &speechBatch{run: r, sounds: some}
		return b.merge(ctx, b.decideSounds)
	})
}

// mergeApart merges records; if one of them cannot be stored, the others must not suffer for it.
func mergeApart[R any](ctx context.Context, r *ImportRun, records []R, name func(*R) string, merge func(context.Context, []R) error) error {
	if len(records) == 0 {
		return nil
	}
	err := merge(ctx, records)
	rule := unstorable(err)
	if rule == "" {
		return err
	}
	if half := len(records) / 2; half > 0 {
		if err := mergeApart(ctx, r, records[:half], name, merge); err != nil {
			return err
		}
		return mergeApart(ctx, r, records[half:], name, merge)
	}
	return r.refuse(ctx, name(&records[0]), "The database does not take this record ("+rule+"). Look for odd values in it.")
}

// reserveRecordings keeps enough ids at hand for the recordings that sounds may make.
func (r *ImportRun) reserveRecordings(ctx context.Context, sounds []ImportSound) error {
	missing := -len(r.reservedRecordings)
	for i := range sounds {
		if sounds[i].Media != nil && !sounds[i].Mentioned {
			missing++
		}
	}
	return r.reserveIDs(ctx, &r.reservedRecordings, missing, `
		INSERT INTO recording_reservations (import_id, recording_id)
		SELECT $1, nextval(pg_get_serial_sequence('recordings', 'id')) FROM generate_series(1, $2) RETURNING recording_id`)
}

// speechBatch is one transaction of a run that brings in sound.
type speechBatch struct {
	run        *ImportRun
	tx         pgx.Tx
	utterances []ImportUtterance
	sounds     []ImportSound

	recordings map[string]*knownRecording // by key hash
	byID       map[int64]*knownRecording
	items      map[string]*knownUtterance // by key hash
	itemsByID  map[int64]*knownUtterance
	tombs      map[string]tomb
	redacted   map[string]bool        // key hashes
	classes    map[string]importClass // by name, once a moment names one
	twins      map[string]int64       // an item of each sound that is there already, by its hash

	plans    []*utterancePlan
	attached []*soundPlan
	planned  map[string]bool // key hashes of items to be made
	used     int             // of the run's reserved recordings
	results  []ImportResult
}

// knownRecording is a recording that is there already, or one that this batch makes.
type knownRecording struct {
	ID       int64 // 0 until it is made
	Path     string
	State    string
	Fault    string
	SHA256   []byte // of the original; nil without one
	Rate     int
	Channels int
	Frames   int64
	silences []silence // what erasures overwrote
	items    []*knownUtterance
	hash     []byte
}

func (k *knownRecording) ready() bool { return k.State == "ready" }

func (k *knownRecording) seconds() float64 { return float64(k.Frames) / float64(k.Rate) }

// silence is a part of a recording that an erasure overwrote.
type silence struct {
	Recording    int64
	Channel      int
	Begins, Ends float64
}

// silent tells whether an erasure overwrote something between two times of the recording, on this channel.
func (k *knownRecording) silent(channel int, begins, ends float64) bool {
	return slices.ContainsFunc(k.silences, func(s silence) bool {
		return s.Begins < ends && begins < s.Ends && (s.Channel == 0 || channel == 0 || s.Channel == channel)
	})
}

// knownUtterance is an item of sound that is there already.
type knownUtterance struct {
	span
	Recording     int64
	Truth         int64 // 0 for none
	TruthImported bool
	Discarded     bool
	Touched       bool // somebody has begun to label it
	Prediction    int64
}

// utterancePlan is what is to be done about one utterance.
type utterancePlan struct {
	key       string
	group     string
	metadata  map[string]string
	item      *knownUtterance // nil: to be made
	recording *knownRecording
	span      span // span.Item once it is made

	transcript speech.Transcript
	moments    []Box
	hypothesis *ImportHypothesis
	labeled    bool // its transcript or hypothesis is to be written

	first, result int // index in results of the first that is about it, and of its outcome
}

// soundPlan is a file of sound that goes into a recording.
type soundPlan struct {
	sound     *ImportSound
	recording *knownRecording
}

func (b *speechBatch) merge(ctx context.Context, decide func(context.Context) error) error {
	r := b.run
	err := r.store.inTx(ctx, func(tx pgx.Tx) error {
		b.tx, b.planned = tx, map[string]bool{}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2::bigint::int)`, importMergeLock, r.ProjectID); err != nil {
			return err
		}
		if err := r.stillRunning(ctx, tx); err != nil {
			return err
		}
		if err := b.look(ctx); err != nil {
			return err
		}
		if err := decide(ctx); err != nil {
			return err
		}
		if !r.Options.DryRun {
			if err := b.write(ctx); err != nil {
				return err
			}
		}
		return insertResults(ctx, tx, r.ID, b.results)
	})
	if err != nil {
		return fmt.Errorf("merge into import %d: %w", r.ID, err)
	}
	b.settle()
	return nil
}

// settle remembers what the committed batch has done.
func (b *speechBatch) settle() {
	for _, result := range b.results {
		b.run.done[result.Name] = true
	}
	b.run.reservedRecordings = b.run.reservedRecordings[b.used:]
	for _, p := range b.plans {
		if p.item == nil && p.span.Item != 0 {
			b.run.taken[p.span.Item] = b.results[p.result].Name
		}
		if b.run.Options.DryRun && p.item == nil { // no later batch finds it in the database
			b.run.pretendedItems[string(keyHash(b.run.secret, p.key))] = b.results[p.result].Name
		}
		if b.run.Options.DryRun && p.recording.ID == 0 {
			b.run.pretendedItems[soundName(p.recording.hash)] = p.recording.Path
		}
	}
	for _, a := range b.attached {
		b.run.pretendedMedia[string(a.sound.Media.SHA256)] = true
	}
}

// soundName tells a recording among what a dry run would have made from an item of the same key.
func soundName(hash []byte) string { return "sound " + string(hash) }

// refuse refuses a record, and passes over what was said of it before.
func (b *speechBatch) refuse(name, reason string, item int64) {
	b.results = append(b.results, ImportResult{Name: name, Outcome: OutcomeRefused, Reason: reason, ItemID: item})
}

// groupOf is the group that a new utterance belongs to: the one that its file names, else the one of its key by the import's rule,
// else its recording, if that has several: the parts of one call stay on one side of a split.
func (b *speechBatch) groupOf(u *ImportUtterance, recording *knownRecording) string {
	if u.Group != "" {
		return u.Group
	}
	if group := b.run.groupOf(u.Keys[0]); group != "" || b.run.Options.GroupBy != "" || u.Begins == nil {
		return group
	}
	return recording.Path
}

// matches tells whether two spans of the recording are the same, one of which may not be fitted into it yet.
func (k *knownRecording) matches(x, y *span) bool {
	a, c := *x, *y
	if k.ready() {
		if a.fit(k.seconds(), k.Channels) != "" || c.fit(k.seconds(), k.Channels) != "" {
			return false
		}
	}
	return a.Channel == c.Channel && sameTime(a.Begins, c.Begins) && (a.Ends == nil || c.Ends == nil || sameTime(a.Ends, c.Ends))
}

// sameTime compares two times, of which nil is the beginning.
func sameTime(a, b *float64) bool {
	const noise = 1e-3
	var x, y float64
	if a != nil {
		x = *a
	}
	if b != nil {
		y = *b
	}
	return x-y < noise && y-x < noise
}
