package store_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/audio"
	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// spoken is a store with a project of utterances that have truth.
type spoken struct {
	*storetest.Utterances

	st     *store.Store
	pool   *pgxpool.Pool
	bucket *blob.Bucket
}

// newSpoken makes recordings of four seconds with so many items each; every item says its number, and every third asks a question.
func newSpoken(t *testing.T, recordings, each int) *spoken {
	t.Helper()
	s := &spoken{pool: storetest.Pool(t), bucket: storetest.Bucket(t)}
	var err error
	if s.st, err = store.New(s.pool, s.bucket); err != nil {
		t.Fatal(err)
	}
	s.Utterances = storetest.Speech(t, s.pool, s.bucket, recordings, each, 1)
	exec(t, s.pool, `INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2)`, s.Project, s.Source)
	for i, item := range s.Items {
		s.say(t, item, fmt.Sprintf(`[{"begin":0,"end":0.5,"speaker":"A","text":"this is item %d"},{"begin":0.5,"end":0.9,"text":"yes"}]`, i))
		if i%3 == 0 {
			exec(t, s.pool, `INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h)
				SELECT id, 0, $2, 1, 0.25, 0, 0.5, 1 FROM truths WHERE item_id = $1 AND current`, item, s.Class)
		}
	}
	return s
}

// say makes the segments, which are JSON, the truth of an item, with the moments of the truth before it.
func (s *spoken) say(t *testing.T, item int64, segments string) {
	t.Helper()
	var before int64
	if err := s.pool.QueryRow(t.Context(), `SELECT coalesce(max(id), 0) FROM truths WHERE item_id = $1`, item).Scan(&before); err != nil {
		t.Fatal(err)
	}
	if before > 0 {
		exec(t, s.pool, `UPDATE truths SET current = false WHERE item_id = $1 AND current`, item)
	}
	exec(t, s.pool, `
		WITH t AS (INSERT INTO truths (item_id, import_id, rules_version) SELECT $1, max(id), 2 FROM imports RETURNING id),
		m AS (INSERT INTO truth_boxes SELECT t.id, position, class_id, definition_version, x, y, w, h, rotation, crowd FROM t, truth_boxes b WHERE b.truth_id = $3)
		INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT $1, 'truth', id, $2 FROM t`, item, segments, before)
}

// silence overwrites a stretch of the recording of an item as an erasure does.
func (s *spoken) silence(t *testing.T, recording int, clip audio.Clip) {
	t.Helper()
	id := s.Recordings[recording]
	sound, err := s.st.OpenSound(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var wav bytes.Buffer
	if err := sound.WriteClip(&wav, audio.Clip{Ends: sound.Seconds()}, []audio.Clip{clip}); err != nil {
		t.Fatal(err)
	}
	if err := sound.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.bucket.Put(t.Context(), fmt.Sprintf("recordings/%d/original", id), &wav, int64(wav.Len()), "audio/wav"); err != nil {
		t.Fatal(err)
	}
	exec(t, s.pool, `UPDATE recordings SET version = version + 1 WHERE id = $1`, id)
	exec(t, s.pool, `INSERT INTO recording_silences (recording_id, channel, begins, ends) VALUES ($1, $2, $3, $4)`, id, clip.Channel, clip.Begins, clip.Ends)
}

func TestSpeechIsFrozenAndCounted(t *testing.T) {
	t.Parallel()
	s := newSpoken(t, 6, 4)
	version := frozen(t, s.st, "calls-test", recipeOf("calls"))
	if version.State != store.VersionFrozen || version.Kind != "audio" || version.Lines != 24 || version.Seconds != 24 || version.Words != 24*5 || version.Boxes != 8 {
		t.Fatalf("%+v", version)
	}
	again := frozen(t, s.st, "calls-test", recipeOf("calls"))
	if !bytes.Equal(version.Hash, again.Hash) {
		t.Error("the same recipe on the same truth gave another hash")
	}
	summary, err := s.st.VersionSummary(t.Context(), version)
	if err != nil {
		t.Fatal(err)
	}
	var seconds float64
	for _, c := range summary.Counts {
		if c.ClassID == 0 && c.Words != int64(c.Items)*5 {
			t.Errorf("%+v", c)
		}
		seconds += c.Seconds
	}
	if seconds != 24 {
		t.Errorf("%v seconds in all splits", seconds)
	}
	lines, err := s.st.DatasetLines(t.Context(), version, "", -1, 100)
	if err != nil || len(lines) != 24 || lines[0].Seconds != 1 || !strings.HasSuffix(lines[0].Text, " yes") {
		t.Errorf("%v, %+v", err, lines)
	}
	for _, media := range []bool{false, true} {
		if v := verified(t, s.st, version, media); !v.Holds() || v.Matching != 24 {
			t.Errorf("media %v: %+v", media, v)
		}
	}
	var torn int
	err = s.pool.QueryRow(t.Context(), `
		SELECT count(*) FROM (SELECT FROM dataset_lines l JOIN items i ON i.id = l.item_id WHERE l.version_id = $1
			GROUP BY i.recording_id HAVING count(DISTINCT split) > 1) r`, version.ID).Scan(&torn)
	if err != nil || torn > 0 {
		t.Errorf("%d recordings lie on two sides (%v)", torn, err)
	}
}

// The whole point of hashing an item's own sound: what is erased beside it changes nothing.
func TestErasedNeighboursChangeNothing(t *testing.T) {
	t.Parallel()
	s := newSpoken(t, 2, 4)
	version := frozen(t, s.st, "calls-test", recipeOf("calls"))
	s.silence(t, 0, audio.Clip{Begins: 1, Ends: 2}) // the second item, to the frame
	exec(t, s.pool, `DELETE FROM transcripts WHERE item_id = $1`, s.Items[1])
	exec(t, s.pool, `DELETE FROM item_sounds WHERE item_id = $1`, s.Items[1])
	exec(t, s.pool, `INSERT INTO erasures (kind, scope, state, due_at, erased_at) VALUES ('request', 'items', 'erased', now(), now())`)
	exec(t, s.pool, `
		UPDATE dataset_lines SET item_id = NULL, truth_id = NULL, split = NULL, media = NULL, width = NULL, height = NULL,
			erasure_id = (SELECT max(id) FROM erasures) WHERE item_id = $1`, s.Items[1])
	for _, media := range []bool{false, true} {
		if v := verified(t, s.st, version, media); !v.HashHolds || v.Mismatched > 0 && v.Findings[0].Item != 0 || v.Matching != 7 || v.Erased != 1 {
			t.Errorf("media %v: %+v", media, v)
		}
	}
	exec(t, s.pool, `UPDATE truths SET current = false WHERE item_id = $1`, s.Items[1])
	next := frozen(t, s.st, "calls-test", recipeOf("calls"))
	if diff := compared(t, s.st, version, next); diff.Same != 7 {
		t.Errorf("%d lines are the same of the seven that nobody touched: %+v", diff.Same, diff.Counts)
	}
}

func TestAnOverlappingErasureIsTold(t *testing.T) {
	t.Parallel()
	s := newSpoken(t, 1, 4)
	version := frozen(t, s.st, "calls-test", recipeOf("calls"))
	s.silence(t, 0, audio.Clip{Begins: 2.5, Ends: 3}) // half of the third item
	for _, media := range []bool{false, true} {
		v := verified(t, s.st, version, media)
		if v.Holds() || v.Matching != 3 || v.Mismatched != 1 || v.Findings[0].Item != s.Items[2] || v.Findings[0].Reason != store.FoundSilenced {
			t.Errorf("media %v: %+v", media, v)
		}
	}
	next := frozen(t, s.st, "calls-test", recipeOf("calls"))
	if v := verified(t, s.st, next, true); !v.Holds() {
		t.Errorf("%+v", v)
	}
	diff := compared(t, s.st, version, next)
	if diff.Same != 3 || len(diff.Counts) != 1 || diff.Counts[0].Reason != manifest.Replaced || diff.Counts[0].Changed != 1 {
		t.Errorf("%+v", diff)
	}
}

func TestVerifyFindsOtherWordsAndOtherSound(t *testing.T) {
	t.Parallel()
	s := newSpoken(t, 3, 1)
	version := frozen(t, s.st, "calls-test", recipeOf("calls"))
	exec(t, s.pool, `UPDATE transcripts SET segments = jsonb_set(segments, '{0,text}', '"that was item 0"') WHERE item_id = $1`, s.Items[0])
	tone := storetest.Tone(t, storetest.SpeechRate, storetest.SpeechSeconds, 1000)
	if _, err := s.bucket.Put(t.Context(), fmt.Sprintf("recordings/%d/original", s.Recordings[1]), bytes.NewReader(tone), int64(len(tone)), "audio/wav"); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, s.st, version, false); v.Mismatched != 1 || v.Findings[0].Reason != store.FoundChanged {
		t.Errorf("%+v", v)
	}
	if v := verified(t, s.st, version, true); v.Mismatched != 2 || v.Matching != 1 {
		t.Errorf("%+v", v)
	}
}

func TestDiffOfSpeechHasOneReasonEach(t *testing.T) {
	t.Parallel()
	s := newSpoken(t, 6, 1)
	recipe := recipeOf("calls")
	recipe.Shares = manifest.Shares{Training: 1000}
	from := frozen(t, s.st, "calls-test", recipe)
	s.say(t, s.Items[0], `[{"begin":0,"end":0.5,"speaker":"A","text":"this was item 0"},{"begin":0.5,"end":0.9,"text":"yes"}]`)
	exec(t, s.pool, `UPDATE truths SET rules_version = 3 WHERE item_id = $1`, s.Items[1])
	s.say(t, s.Items[2], `[{"begin":0,"end":0.5,"speaker":"A","text":"this is item 2"},{"begin":0.5,"end":0.9,"text":"yes"}]`)
	exec(t, s.pool, `UPDATE truths SET rules_version = 3 WHERE item_id = $1 AND current`, s.Items[2])
	s.say(t, s.Items[3], `[{"begin":0,"end":0.9,"text":"no"}]`)
	exec(t, s.pool, `UPDATE truth_boxes SET w = 0.75 WHERE truth_id = (SELECT id FROM truths WHERE item_id = $1 AND current)`, s.Items[3])
	exec(t, s.pool, `UPDATE truths SET current = false WHERE item_id = $1`, s.Items[4])
	to := frozen(t, s.st, "calls-test", recipe)
	got := map[string]int{}
	diff := compared(t, s.st, from, to)
	for _, c := range diff.Counts {
		got[string(c.Reason)+":"+c.Detail] = c.Lines()
	}
	want := map[string]int{"relabelled:words": 1, "redefined:rules": 1, "relabelled:": 1, "withdrawn:": 1}
	// Item 1 has the same truth under rules that were changed beneath it, which no writer does: it counts as replaced by name.
	delete(got, "replaced:key")
	if fmt.Sprint(got) != fmt.Sprint(want) || diff.Same != 1 {
		t.Errorf("%v, %d the same, want %v", got, diff.Same, want)
	}
	lines, err := s.st.DiffLines(t.Context(), diff, manifest.Relabelled, "", store.DiffPlace{}, 10, true)
	if err != nil || len(lines) != 2 {
		t.Fatalf("%+v, %v", lines, err)
	}
	for _, line := range lines {
		if line.ItemID == s.Items[0] && (line.FromText != "this is item 0 yes" || line.ToText != "this was item 0 yes" || !line.Sound) {
			t.Errorf("%+v", line)
		}
	}
}

func TestRecipesOfSpeech(t *testing.T) {
	t.Parallel()
	s := newSpoken(t, 4, 2)
	exec(t, s.pool, `UPDATE items SET ends = begins + 0.5 WHERE id = $1`, s.Items[0])
	short := parsed(t, "projects: [calls]\nfilter:\n  max_seconds: 1.5\n")
	if v := frozen(t, s.st, "short", short); v.Lines != 1 || v.Seconds != 0.5 {
		t.Errorf("%+v", v)
	}
	long := parsed(t, "projects: [calls]\nfilter:\n  min_seconds: 1.5\n  classes: [question]\n")
	if v := frozen(t, s.st, "long", long); v.Lines != 2 {
		t.Errorf("%+v", v)
	}
	balanced := frozen(t, s.st, "balanced", parsed(t, "projects: [calls]\nstrata: [class]\n"))
	strata, err := s.st.VersionStrata(t.Context(), balanced)
	if err != nil {
		t.Fatal(err)
	}
	asked, others := 0, 0
	for _, stratum := range strata {
		if stratum.Cell.Class == "question" {
			asked += stratum.Items
		} else {
			others += stratum.Items
		}
	}
	if asked != 3 || others != 5 {
		t.Errorf("%d utterances with a question, %d without", asked, others)
	}
	preview, err := s.st.Preview(t.Context(), store.System(), short)
	if err != nil || preview.Items != 1 || preview.Filtered != 7 {
		t.Errorf("%+v, %v", preview, err)
	}
	exec(t, s.pool, `INSERT INTO projects (slug, name, kind, key_secret) VALUES ('strip', 'Strip', 'image', sha256('strip'))`)
	if _, err := s.st.Freeze(t.Context(), store.System(), "mixed", recipeOf("calls", "strip")); !isInvalid(err, "projects") {
		t.Errorf("images and sound in one version: %v", err)
	}
}

// A recording that is not read yet has no sound to hash; its items are frozen by their words, and media is missing.
func TestRecordingThatIsNotReady(t *testing.T) {
	t.Parallel()
	s := newSpoken(t, 2, 1)
	exec(t, s.pool, `UPDATE recordings SET state = 'processing' WHERE id = $1`, s.Recordings[0])
	version := frozen(t, s.st, "calls-test", recipeOf("calls"))
	var without int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM dataset_lines WHERE version_id = $1 AND media IS NULL`, version.ID).Scan(&without); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, s.st, version, true); version.Lines != 2 || without != 1 || !v.Holds() {
		t.Errorf("%d of %d lines without sound; %+v", without, version.Lines, v)
	}
}
