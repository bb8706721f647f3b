package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
	"fiducial/internal/models"
	"fiducial/internal/speech"
	"fiducial/jobs/modelserver"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// loopback lets stand-in servers be called.
var loopback = modelserver.Policy{Hosts: []string{"127.0.0.1"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

// standIn is a model server that counts what it is asked.
type standIn struct {
	*httptest.Server

	calls atomic.Int64
	once  sync.Map // ids and texts that it was asked, with how often
	most  atomic.Int64
	now   atomic.Int64
}

// asked is a question of the adapter json.
type asked struct {
	ID    string `json:"id"`
	Text  string `json:"text"`
	Audio string `json:"audio_url"`
}

// newStandIn answers as answer says; a nil answer is refused with the status 503.
func newStandIn(tb testing.TB, answer func(asked) any) *standIn {
	tb.Helper()
	s := &standIn{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		var q asked
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) { // cut off: the caller may have been killed amid its question
				tb.Error(err)
			}
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.calls.Add(1)
		now := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
		}
		times, _ := s.once.LoadOrStore(q.ID+" "+q.Text, new(atomic.Int64))
		times.(*atomic.Int64).Add(1) //nolint:errcheck,forcetypeassert // stored above
		said := answer(q)
		if said == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if err := json.NewEncoder(w).Encode(said); err != nil {
			tb.Log(err) // the caller may have been killed
		}
	}))
	tb.Cleanup(s.Close)
	return s
}

// twice counts the questions that were asked more than once.
func (s *standIn) twice() (n int) {
	s.once.Range(func(_, times any) bool {
		if times.(*atomic.Int64).Load() > 1 { //nolint:errcheck,forcetypeassert // as above
			n++
		}
		return true
	})
	return n
}

// lab is a shelf with utterances that are frozen, some of them with a moment of the class "positive".
type lab struct {
	*shelf
	*storetest.Utterances

	version store.DatasetVersion
	asking  *asking
	bucket  blob.Config
	said    map[string]string // what is said in each item, by its id
}

// newLab has so many utterances of a second each, four of one recording.
func newLab(t *testing.T, recordings int) *lab {
	t.Helper()
	return newLabOf(t, recordings, storetest.BucketConfig(t))
}

// newLabOf keeps its sound in this bucket.
func newLabOf(t *testing.T, recordings int, config blob.Config) *lab {
	t.Helper()
	bucket, err := blob.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	s, u := newSoundShelfIn(t, bucket, recordings, 4)
	l := &lab{shelf: s, Utterances: u, said: map[string]string{}, bucket: config}
	l.asking = newAsking(s.deps, Config{Name: "test", Models: loopback, Log: s.log})
	positive := s.id(t, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'positive', 7) RETURNING id`, u.Project)
	for i, item := range u.Items {
		words := fmt.Sprintf("call number %d is bad today", i)
		if i%3 == 0 {
			words = fmt.Sprintf("call number %d is good today", i)
		}
		l.said[fmt.Sprint(item)] = words
		truth := s.say(t, item, speech.Transcript{{End: 1, Text: words}})
		if i%3 == 0 {
			s.exec(t, `INSERT INTO truth_boxes (truth_id, position, class_id, x, y, w, h, rotation, crowd) VALUES ($1, 0, $2, 0, 0, 1, 1, 0, false)`, truth, positive)
		}
	}
	s.exec(t, `UPDATE sources SET open_to = array_append(open_to, 'models') WHERE NOT 'models' = ANY(open_to)`)
	l.version = l.freezeAll(t, "calls-test")
	return l
}

// freezeAll freezes all of the project as a test side.
func (l *lab) freezeAll(t *testing.T, dataset string) store.DatasetVersion {
	t.Helper()
	recipe := manifest.Default()
	recipe.Projects, recipe.Shares = []string{l.Slug}, manifest.Shares{Test: 1000}
	version, err := l.store.Freeze(t.Context(), store.System(), dataset, recipe)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.store.FillVersion(t.Context(), version.ID); err != nil {
		t.Fatal(err)
	}
	if version, err = l.store.DatasetVersion(t.Context(), store.System(), dataset, version.Number); err != nil || version.Lines == 0 {
		t.Fatal(version.Lines, err)
	}
	return version
}

// model registers a model version that a server answers for.
func (l *lab) model(tb testing.TB, kind, name, version, address string, change func(*models.Settings)) string {
	tb.Helper()
	if _, err := l.store.AddModel(tb.Context(), store.System(), name, kind); err != nil && !strings.Contains(err.Error(), "already") {
		tb.Fatal(err)
	}
	if _, err := l.store.ReleaseModel(tb.Context(), store.System(), name, version); err != nil {
		tb.Fatal(err)
	}
	settings := models.Defaults()
	settings.URL, settings.Attempts = address, 1
	if kind == "nlp" {
		settings.Options = models.Options{Task: models.TaskLabel, Labels: map[string]string{"pos": "positive"}}
	}
	if change != nil {
		change(&settings)
	}
	if err := l.store.SetModelServer(tb.Context(), store.System(), name, version, store.ModelServerEdit{Settings: settings}); err != nil {
		tb.Fatal(err)
	}
	return name + "@" + version
}

// start starts a run of a chain of a recognizer and a language model.
func (l *lab) start(tb testing.TB, r store.EvaluationRequest) int64 {
	tb.Helper()
	if r.Slots == nil {
		r.Slots = []string{"asr", "nlp"}
	}
	if r.Versions == nil {
		r.Versions = []string{"calls-test@1"}
	}
	id, err := l.store.StartEvaluation(tb.Context(), store.System(), r)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// next takes the oldest job that a run waits for off the queue.
func (l *lab) next(t *testing.T) (kind string, args []byte, ok bool) {
	t.Helper()
	err := l.pool.QueryRow(t.Context(), `
		DELETE FROM river_job WHERE id = (SELECT min(id) FROM river_job WHERE kind IN ('run_chunk', 'score_step', 'compare_evaluation')) RETURNING kind, args`).Scan(&kind, &args)
	return kind, args, err == nil
}

// drain does what is queued, one after the other, and what that causes, until nothing is left or until ends.
func (l *lab) drain(t *testing.T, until func() bool) {
	t.Helper()
	row := &rivertype.JobRow{Attempt: 1, MaxAttempts: 25}
	for until == nil || !until() {
		kind, args, ok := l.next(t)
		if !ok {
			return
		}
		var err error
		switch kind {
		case "run_chunk":
			job := &river.Job[jobargs.RunChunk]{JobRow: row}
			decode(t, args, &job.Args)
			err = (&runChunk{asking: l.asking}).Work(t.Context(), job)
		case "score_step":
			job := &river.Job[jobargs.ScoreStep]{JobRow: row}
			decode(t, args, &job.Args)
			err = (&scoreStep{deps: l.deps}).Work(t.Context(), job)
		case "compare_evaluation":
			job := &river.Job[jobargs.CompareEvaluation]{JobRow: row}
			decode(t, args, &job.Args)
			err = (&compareEvaluation{deps: l.deps}).Work(t.Context(), job)
		}
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) evaluation(tb testing.TB, id int64) store.Evaluation {
	tb.Helper()
	e, err := l.store.Evaluation(tb.Context(), store.System(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func (l *lab) cells(tb testing.TB, id int64) []store.Cell {
	tb.Helper()
	cells, err := l.store.Cells(tb.Context(), store.System(), store.CellQuery{Evaluation: id})
	if err != nil {
		tb.Fatal(err)
	}
	return cells
}

// hears is a recognizer that makes a mistake in every so manieth utterance.
func (l *lab) hears(every int) func(asked) any {
	return func(q asked) any {
		words := l.said[q.ID]
		var n int
		if _, err := fmt.Sscanf(words, "call number %d", &n); err == nil && n%every == 0 {
			words = strings.Replace(words, "today", "tuesday", 1)
			if every == 2 {
				words = strings.Replace(words, "good", "food", 1)
			}
		}
		return map[string]any{"text": words, "confidence": 0.9}
	}
}

// feels is a language model that knows one word.
func feels(q asked) any {
	if strings.Contains(q.Text, "good") {
		return map[string]any{"label": "pos", "confidence": 0.9}
	}
	return map[string]any{"label": "other", "confidence": 0.6}
}
