package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/audio"
	"fiducial/store/blob"
)

// recordingKinds are the objects that a recording can have.
var recordingKinds = []string{"original", "sound", "peaks"}

// RecordingKey is the object under which bytes of a recording are stored: original, sound or peaks.
func RecordingKey(recording int64, kind string) string {
	return fmt.Sprintf("recordings/%d/%s", recording, kind)
}

// recordingPrefix is the folder of a recording's objects.
func recordingPrefix(recording int64) string { return fmt.Sprintf("recordings/%d/", recording) }

// Hearing is what somebody may hear of an item of sound: its span, with what comes before and after as far as they may hear that. The
// served sound begins LeftContext seconds before the item and ends RightContext seconds after it.
type Hearing struct {
	Item      int64
	Recording int64
	Version   int // of the recording: raised when its bytes are written anew
	Rate      int // frames a second
	Channels  int // of the served sound: 1 if the item is one channel alone
	Channel   int // of the recording, from 1; 0: all
	Begins    float64
	Ends      float64 // of the item, in seconds of the recording
	Seconds   float64 // of the item

	LeftContext, RightContext float64 // seconds
	Context                   float64 // how much of it they may hear on either side, if there is as much
	Wider                     bool    // they asked to hear more than everybody does

	first, end int64  // frames
	frames     int64  // of the recording
	all        int    // channels of the recording
	kind       string // of the object that is read
	bytes      int64
	peaks      int64 // bytes of the outlines, 0 if there are none
}

// heard is what SoundOf reads.
type heard struct {
	Item, Recording            int64
	Version, Rate              int
	Channel, Channels          int
	Frames                     int64
	Begins, Ends, Context      float64
	Wider                      float64
	Kind                       string
	Bytes, Peaks               int64
	RecordingState, RecordFail string
}

// SoundOf says what the actor may hear of an item, or returns ErrNotFound; ErrErased if it was erased.
func (s *Store) SoundOf(ctx context.Context, actor Actor, item int64) (Hearing, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT i.id AS item, r.id AS recording, r.version, r.rate, i.channel, r.channels, r.frames,
			coalesce(i.begins, 0) AS begins, coalesce(i.ends, r.frames::float8 / r.rate) AS ends, p.context_seconds AS context,
			coalesce((SELECT w.seconds FROM wider_contexts w WHERE w.item_id = i.id AND w.person_id = @person ORDER BY w.id DESC LIMIT 1), 0) AS wider,
			a.kind, a.bytes, coalesce((SELECT k.bytes FROM recording_assets k WHERE k.recording_id = r.id AND k.kind = 'peaks'), 0) AS peaks,
			r.state AS recording_state, r.fault AS record_fail
		FROM items i JOIN projects p ON p.id = i.project_id AND p.archived_at IS NULL
		JOIN recordings r ON r.id = i.recording_id AND r.state = 'ready'
		JOIN LATERAL (SELECT k.kind, k.bytes FROM recording_assets k WHERE k.recording_id = r.id AND k.kind IN ('sound', 'original')
			ORDER BY k.kind = 'sound' DESC LIMIT 1) a ON true
		WHERE i.id = @item AND i.state = 'ready' AND `+sees+` AND `+maySeeItem,
		actor.args(pgx.NamedArgs{"item": item, "reads": access.Allows(actor.Role, access.ReadItems), "labels": access.Allows(actor.Role, access.Label)}))
	if err != nil {
		return Hearing{}, fmt.Errorf("sound of item %d: %w", item, err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[heard])
	if err != nil {
		return Hearing{}, fmt.Errorf("sound of item %d: %w", item, s.ErasedItem(ctx, actor, item, notFound(err)))
	}
	return found.hearing(), nil
}

// hearing works out which frames are heard.
func (f heard) hearing() Hearing {
	h := Hearing{
		Item: f.Item, Recording: f.Recording, Version: f.Version, Rate: f.Rate, Channels: f.Channels, Channel: f.Channel,
		Begins: f.Begins, Ends: f.Ends, Seconds: f.Ends - f.Begins, Context: max(f.Context, f.Wider), Wider: f.Wider > f.Context,
		frames: f.Frames, all: f.Channels, kind: f.Kind, bytes: f.Bytes, peaks: f.Peaks,
	}
	if h.Channel > 0 {
		h.Channels = 1
	}
	h.first = h.frame(h.Begins - h.Context)
	h.end = max(h.first, h.frame(h.Ends+h.Context))
	rate := float64(h.Rate)
	h.LeftContext = max(h.Begins-float64(h.first)/rate, 0)
	h.RightContext = max(float64(h.end)/rate-h.Ends, 0)
	return h
}

// frame is the frame nearest to a time of the recording.
func (h *Hearing) frame(seconds float64) int64 {
	return int64(math.Round(min(max(seconds*float64(h.Rate), 0), float64(h.frames))))
}

// Playback is the sound that somebody may hear of an item, as a WAV file that is made while it is read.
type Playback struct {
	Hearing

	Content io.ReadSeeker
}

// PlayItem opens the sound of an item, if the actor may hear it, and notes that they did: once a minute, however many parts of it are
// asked for. No byte of it tells anything of what lies outside of what they may hear. Everything else is ErrNotFound.
func (s *Store) PlayItem(ctx context.Context, actor Actor, item int64) (*Playback, error) {
	playback, err := s.playback(ctx, actor, item)
	if err != nil {
		return nil, err
	}
	return playback, s.noteHearing(ctx, actor, item)
}

// FetchItem opens the same for a page that fetches it before it is worked on. For whoever has been handed the item that is no hearing yet: Shown
// notes it once the item is on the screen. For everybody else it is PlayItem.
func (s *Store) FetchItem(ctx context.Context, actor Actor, item int64) (*Playback, error) {
	var handed bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM assignments a JOIN tasks t ON t.id = a.task_id WHERE t.item_id = $1 AND a.person_id = $2 AND a.state = 'leased')`,
		item, actor.PersonID).Scan(&handed)
	if err != nil {
		return nil, fmt.Errorf("sound of item %d: %w", item, err)
	}
	if !handed {
		return s.PlayItem(ctx, actor, item)
	}
	return s.playback(ctx, actor, item)
}

func (s *Store) noteHearing(ctx context.Context, actor Actor, item int64) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO media_reads (person_id, token_id, item_id, kind) VALUES ($1, $2, $3, 'sound') ON CONFLICT DO NOTHING`,
		orNull(actor.PersonID), orNull(actor.TokenID), item)
	if err != nil {
		return fmt.Errorf("note the hearing of item %d: %w", item, err)
	}
	return nil
}

func (s *Store) playback(ctx context.Context, actor Actor, item int64) (*Playback, error) {
	h, err := s.SoundOf(ctx, actor, item)
	if err != nil {
		return nil, err
	}
	sound, err := s.decoded(ctx, h)
	if err != nil {
		return nil, err
	}
	content, err := sound.Play(h.Channel, h.first, h.end)
	if err != nil {
		return nil, fmt.Errorf("sound of item %d: %w", item, err)
	}
	return &Playback{h, content}, nil
}

// decoded opens the sound of a recording.
func (s *Store) decoded(ctx context.Context, h Hearing) (*audio.Sound, error) {
	object, err := s.blobs.Ranges(ctx, RecordingKey(h.Recording, h.kind), h.bytes)
	if errors.Is(err, blob.ErrNotFound) {
		err = s.lost(ctx, h.Item)
	}
	if err != nil {
		return nil, fmt.Errorf("sound of item %d: %w", h.Item, err)
	}
	sound, err := audio.Open(object, h.bytes)
	if err != nil {
		return nil, fmt.Errorf("sound of item %d: %w", h.Item, err)
	}
	return sound, nil
}

// What can be asked of an outline.
const (
	MostPoints    = 4000
	fewestBuckets = 256     // of a stretch that is drawn from outlines: its edges are decoded then, and are as long as a bucket at most
	decodeAtOnce  = 2 << 20 // samples that are decoded for an outline rather than read out of one
)

// Peaks is the outline of what somebody may hear of an item, or of a part of that.
type Peaks struct {
	Hearing

	From, To float64  // seconds of the served sound
	Points   [][]int8 // for each channel of it the lowest and the highest of each point in turn, from -127 to 127
}

// PeaksOf draws the outline of what the actor may hear of an item, from and to in seconds of the served sound (0 to 0: all of it), in at most
// width points. What they may not hear does not show in it.
func (s *Store) PeaksOf(ctx context.Context, actor Actor, item int64, from, to float64, width int) (Peaks, error) {
	if width < 1 || width > MostPoints {
		return Peaks{}, invalid("width", fmt.Sprintf("Ask for between 1 and %d points.", MostPoints))
	}
	h, err := s.SoundOf(ctx, actor, item)
	if err != nil {
		return Peaks{}, err
	}
	first, end := h.first, h.end
	if to > 0 || from > 0 {
		begin := float64(h.first) / float64(h.Rate)
		first = max(h.first, min(h.frame(begin+from), h.end))
		if to > 0 {
			end = max(first, min(h.frame(begin+to), h.end))
		}
	}
	window := audio.NewWindow(h.Channel, h.all, first, end, width)
	sound, err := s.decoded(ctx, h)
	if err != nil {
		return Peaks{}, err
	}
	if h.peaks == 0 || (end-first)*int64(h.all) <= decodeAtOnce {
		err = window.Decode(sound, first, end)
	} else {
		err = s.drawOutlines(ctx, h, sound, window, first, end, width)
	}
	if err != nil {
		return Peaks{}, fmt.Errorf("outline of item %d: %w", item, err)
	}
	rate := float64(h.Rate)
	return Peaks{Hearing: h, From: float64(first-h.first) / rate, To: float64(end-h.first) / rate, Points: window.Peaks}, nil
}

// drawOutlines draws a long stretch from the coarsest outline that is fine enough, and decodes what its buckets do not cover as a whole.
func (s *Store) drawOutlines(ctx context.Context, h Hearing, sound *audio.Sound, window *audio.Window, first, end int64, width int) error {
	object, err := s.blobs.Ranges(ctx, RecordingKey(h.Recording, "peaks"), h.peaks)
	if err != nil {
		return err
	}
	outline, err := audio.FindOutline(object, h.peaks, (end-first)/int64(max(width, fewestBuckets)))
	if err != nil {
		return err
	}
	from, to := window.Inside(outline.Bucket, h.frames)
	raw, err := outline.Read(object, from, to)
	if err != nil {
		return err
	}
	window.Draw(outline.Outline, from, raw)
	if err := window.Decode(sound, first, from*int64(outline.Bucket)); err != nil {
		return err
	}
	return window.Decode(sound, to*int64(outline.Bucket), end)
}

// WiderContexts are the seconds around an item that can be asked for.
var WiderContexts = []int{10, 30, 60}

// WidenContext lets the actor hear more around the item of a task, from now on, for a reason that those who read items see.
func (s *Store) WidenContext(ctx context.Context, actor Actor, task int64, seconds int, reason string) (Hearing, error) {
	reason = strings.TrimSpace(reason)
	switch {
	case actor.PersonID == 0:
		return Hearing{}, invalid("", "A token hears nothing: sign in to hear more.")
	case !slices.Contains(WiderContexts, seconds):
		return Hearing{}, invalid("seconds", "Choose 10, 30 or 60 seconds.")
	case reason == "":
		return Hearing{}, invalid("reason", "Say in a word why you need to hear more around this utterance.")
	case len([]rune(reason)) > noteLimit:
		return Hearing{}, invalid("reason", fmt.Sprintf("Keep the reason under %d characters.", noteLimit))
	}
	var item int64
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		item, err = widen(ctx, tx, actor, task, seconds, reason)
		return err
	})
	if err != nil {
		return Hearing{}, fmt.Errorf("hear more of task %d: %w", task, s.ErasedTask(ctx, actor, task, err))
	}
	return s.SoundOf(ctx, actor, item)
}

func widen(ctx context.Context, tx pgx.Tx, actor Actor, task int64, seconds int, reason string) (item int64, err error) {
	var project, id int64
	err = tx.QueryRow(ctx, `
		SELECT i.id, i.project_id FROM tasks t JOIN items i ON i.id = t.item_id JOIN projects p ON p.id = i.project_id AND p.archived_at IS NULL
		WHERE t.id = @task AND i.state = 'ready' AND i.recording_id IS NOT NULL AND `+sees+` AND `+maySeeItem+` FOR KEY SHARE OF i`,
		actor.args(pgx.NamedArgs{"task": task, "reads": access.Allows(actor.Role, access.ReadItems), "labels": access.Allows(actor.Role, access.Label)})).
		Scan(&item, &project)
	if err != nil {
		return 0, notFound(err)
	}
	err = tx.QueryRow(ctx, `INSERT INTO wider_contexts (item_id, person_id, seconds) VALUES ($1, $2, $3) RETURNING id`, item, actor.PersonID, seconds).Scan(&id)
	if err != nil {
		return 0, err
	}
	if err := writeNote(ctx, tx, item, contextNote, id, reason); err != nil {
		return 0, err
	}
	return item, audit(ctx, tx, actor, auditEvent{
		Action: "item.widen", ObjectType: "item", ObjectID: item, ProjectID: project, Detail: map[string]any{"seconds": seconds},
	})
}

// WiderContext is somebody who asked to hear more around an item than the project lets everybody hear.
type WiderContext struct {
	PersonID int64
	Name     string
	Seconds  float64
	Reason   string
	At       time.Time
}

// WiderContexts returns who heard more around an item, and why, the newest first.
func (s *Store) WiderContexts(ctx context.Context, actor Actor, item int64) ([]WiderContext, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT w.person_id, coalesce(d.name, q.pseudonym) AS name, w.seconds, `+noteOf(contextNote, "w.item_id", "w.id")+` AS reason, w.at
		FROM wider_contexts w JOIN items i ON i.id = w.item_id JOIN projects p ON p.id = i.project_id
		JOIN people q ON q.id = w.person_id LEFT JOIN person_identities d ON d.person_id = q.id
		WHERE w.item_id = @item AND `+sees+` ORDER BY w.id DESC`, actor.args(pgx.NamedArgs{"item": item}))
	if err != nil {
		return nil, fmt.Errorf("who heard more of item %d: %w", item, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[WiderContext])
}
