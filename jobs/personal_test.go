package jobs

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/pii"
	"fiducial/internal/speech"
	"fiducial/store"
)

func (s *shelf) scanPersonal(t *testing.T, address string) {
	t.Helper()
	(&scanPersonal{deps: s.deps, presidio: newPresidio(address)}).run(t)
}

func (w *scanPersonal) run(t *testing.T) {
	t.Helper()
	if err := w.Work(t.Context(), &river.Job[jobargs.ScanPersonal]{JobRow: &rivertype.JobRow{Attempt: 1}}); err != nil {
		t.Fatal(err)
	}
}

func (s *shelf) findings(t *testing.T, kind pii.Kind, state string) []store.PersonalFinding {
	t.Helper()
	found, err := s.store.PersonalFindings(t.Context(), store.System(), s.project, kind, state, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func said(f store.PersonalFinding) string { return string([]rune(f.Text)[f.First:f.Last]) }

func TestNewTruthIsScannedOnce(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 3, 1)
	s.say(t, u.Items[0], speech.Transcript{{End: 2, Text: "grüß dich my name is maria lopez"}, {Begin: 2, End: 4, Text: "call four one five five five five two six seven one please"}})
	s.say(t, u.Items[1], speech.Transcript{{End: 4, Text: "the bill is too high"}})
	u.Hear(t, s.pool, u.Items[0], "asr", "1", "maria lopez", `[{"word":"maria","start":1.1,"end":1.4},{"word":"lopez","start":1.4,"end":1.9}]`, 0.9)
	for range 2 {
		s.scanPersonal(t, "")
	}
	names, phones := s.findings(t, pii.Name, store.PersonalFound), s.findings(t, pii.Phone, "")
	if len(names) != 1 || said(names[0]) != "maria lopez" || len(phones) != 1 || phones[0].Segment != 1 || !strings.HasPrefix(said(phones[0]), "four one five") {
		t.Fatalf("%+v\n%+v", names, phones)
	}
	var begins, ends float64
	if err := s.pool.QueryRow(t.Context(), `SELECT begins, ends FROM personal_findings WHERE id = $1`, names[0].ID).Scan(&begins, &ends); err != nil {
		t.Fatal(err)
	}
	if begins < 1.04 || begins > 1.06 || ends < 1.94 || ends > 1.96 { // as heard, with its margin
		t.Errorf("from %v to %v", begins, ends)
	}
	if counts, waiting, err := s.store.PersonalCounts(t.Context(), store.System(), s.project); err != nil || waiting != 0 || len(counts) != 2 {
		t.Errorf("%+v, %d wait, %v", counts, waiting, err)
	}
	if _, err := s.pool.Exec(t.Context(), `UPDATE truths SET current = false WHERE item_id = $1`, u.Items[0]); err != nil {
		t.Fatal(err)
	}
	s.say(t, u.Items[0], speech.Transcript{{End: 2, Text: "my name is maria"}})
	if found := s.findings(t, "", ""); len(found) != 0 {
		t.Errorf("findings of a truth that holds no more: %+v", found)
	}
	s.scanPersonal(t, "")
	if found := s.findings(t, "", ""); len(found) != 1 || said(found[0]) != "maria" {
		t.Errorf("%+v", found)
	}
}

// Only truths that are new since all were looked at are looked at, until it is time for all again.
func TestScanGoesOnBehindItsPosition(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 3, 1)
	scanned := func() (list []int64) {
		rows, err := s.pool.Query(t.Context(), `SELECT item_id FROM personal_scans ORDER BY item_id`)
		if err != nil {
			t.Fatal(err)
		}
		if list, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
			t.Fatal(err)
		}
		return list
	}
	worker := &scanPersonal{deps: s.deps}
	s.say(t, u.Items[0], speech.Transcript{{End: 4, Text: "my name is maria lopez"}})
	worker.run(t)
	// As if another version of the detector had read it.
	if _, err := s.pool.Exec(t.Context(), `UPDATE personal_scans SET detector = 'rules@0'`); err != nil {
		t.Fatal(err)
	}
	for _, item := range u.Items[1:] {
		s.say(t, item, speech.Transcript{{End: 4, Text: "this is david speaking"}})
		worker.run(t)
	}
	if got := scanned(); !slices.Equal(got, u.Items) {
		t.Errorf("%d were scanned, want each of %d once", got, u.Items)
	}
	for range runsToAll - 2 {
		worker.run(t)
	}
	if got := scanned(); !slices.Equal(got, append([]int64{u.Items[0]}, u.Items...)) {
		t.Errorf("%d were scanned once it was time for all, want the first twice", got)
	}
	if found := s.findings(t, pii.Name, ""); len(found) != 3 {
		t.Errorf("%+v", found)
	}
}

func TestPeopleDecideWhatIsPersonal(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 2, 1)
	s.say(t, u.Items[0], speech.Transcript{{End: 4, Text: "my name is maria lopez from room nine"}})
	s.say(t, u.Items[1], speech.Transcript{{End: 4, Text: "this is david speaking"}})
	s.scanPersonal(t, "")
	found := s.findings(t, pii.Name, store.PersonalFound)
	if len(found) != 2 {
		t.Fatalf("%+v", found)
	}
	if n, err := s.store.DecidePersonal(t.Context(), store.System(), s.project, []int64{found[0].ID, 999999}, store.PersonalDismissed); err != nil || n != 1 {
		t.Errorf("%d decided, %v", n, err)
	}
	if n, err := s.store.DecidePersonal(t.Context(), store.System(), s.project+1, []int64{found[1].ID}, store.PersonalDismissed); err != nil || n != 0 {
		t.Errorf("%d of another project decided, %v", n, err)
	}
	if n, err := s.store.DecidePersonalKind(t.Context(), store.System(), s.project, pii.Name, found[1].ID, store.PersonalConfirmed); err != nil || n != 1 {
		t.Errorf("%d decided by kind, %v", n, err)
	}
	err := s.store.AddPersonal(t.Context(), store.System(), s.project, u.Items[0], pii.Span{First: 28, Last: 37, Kind: pii.Address})
	if err != nil {
		t.Fatal(err)
	}
	added := s.findings(t, pii.Address, store.PersonalConfirmed)
	if len(added) != 1 || said(added[0]) != "room nine" || added[0].Detector != "person" {
		t.Errorf("%+v", added)
	}
	for name, span := range map[string]pii.Span{
		"beyond the text": {First: 30, Last: 99, Kind: pii.Name}, "nothing": {First: 3, Last: 3, Kind: pii.Name}, "no kind": {First: 0, Last: 2, Kind: "hat"},
		"no segment": {Segment: 4, First: 0, Last: 2, Kind: pii.Name},
	} {
		if err := s.store.AddPersonal(t.Context(), store.System(), s.project, u.Items[0], span); err == nil {
			t.Errorf("%s was added", name)
		}
	}
	labeler := store.Actor{PersonID: 1, Role: access.Labeler}
	if _, err := s.store.PersonalFindings(t.Context(), labeler, s.project, "", "", 0, 10); err == nil {
		t.Error("a labeler reads what is personal")
	}
	var logged string
	if err := s.pool.QueryRow(t.Context(), `SELECT string_agg(detail::text, ' ') FROM audit_events WHERE action LIKE 'personal.%'`).Scan(&logged); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(logged, "maria") || !strings.Contains(logged, "confirmed") {
		t.Errorf("the log holds %s", logged)
	}
}

// analyzer answers as Presidio does: it takes every "rose" for a person.
func analyzer(t *testing.T, asked *atomic.Int64) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var ask struct{ Text, Language string }
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.URL.Path != "/analyze" || ask.Language != "en" {
			t.Errorf("%s %+v: %v", r.URL.Path, ask, err)
		}
		asked.Add(1)
		before, _, ok := strings.Cut(ask.Text, "rose")
		answer := []map[string]any{{"start": 0, "end": 99999, "score": 1, "entity_type": "PERSON"}, {"start": 0, "end": 1, "score": 1, "entity_type": "HAT"}}
		if ok {
			first := len([]rune(before))
			answer = append(answer, map[string]any{"start": first, "end": first + 4, "score": 0.85, "entity_type": "PERSON"})
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestPresidioStandsBesideTheRules(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 2, 1)
	s.say(t, u.Items[0], speech.Transcript{{End: 4, Text: "grüße from rose to maria lopez"}})
	var asked atomic.Int64
	address := analyzer(t, &asked)
	if _, err := s.pool.Exec(t.Context(), `UPDATE sources SET open_to = '{exports}'`); err != nil {
		t.Fatal(err)
	}
	s.scanPersonal(t, address)
	if asked.Load() != 0 || len(s.findings(t, pii.Name, "")) != 1 {
		t.Fatalf("a text of a source that lets no model have its data was sent %d times", asked.Load())
	}
	if _, err := s.pool.Exec(t.Context(), `INSERT INTO source_destinations (source_id, kind, name) SELECT id, 'models', 'presidio' FROM sources`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.scanPersonal(t, address)
	}
	found := s.findings(t, pii.Name, "")
	if asked.Load() != 1 || len(found) != 2 || said(found[1]) != "rose" || found[1].Detector != presidioDetector {
		t.Errorf("asked %d times: %+v", asked.Load(), found)
	}
}

func TestPresidioThatIsAwayIsAskedAgain(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 1, 1)
	s.say(t, u.Items[0], speech.Transcript{{End: 4, Text: "a rose for maria lopez"}})
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(broken.Close)
	s.scanPersonal(t, broken.URL)
	if found := s.findings(t, "", ""); len(found) != 1 {
		t.Errorf("%+v", found)
	}
	var asked atomic.Int64
	elsewhere := analyzer(t, &asked)
	moved := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(moved.Close)
	if s.scanPersonal(t, moved.URL); asked.Load() != 0 {
		t.Error("a text was sent on to where nobody configured")
	}
	s.scanPersonal(t, elsewhere)
	if found := s.findings(t, "", ""); len(found) != 2 || asked.Load() != 1 {
		t.Errorf("%+v", found)
	}
	for address, want := range map[string]bool{"": true, "http://presidio:3000": true, "https://x.example/": true, "presidio:3000": false, "ftp://x": false, "http://": false} {
		if err := CheckPresidio(address); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// What Presidio documents that it is asked, and that it answers: offsets count code points, as Python's do, and are no bytes.
func TestPresidioAsItIsDocumented(t *testing.T) {
	t.Parallel()
	const greeting, family = "Grüße 👋🏽, hier ist Zoë Müller aus 東京 🗼 bitte", "Zoe\u0308 👩‍👩‍👧 zoe@example.org"
	tests := []struct {
		name, text, answer string
		status             int
		want               []string // kind, what is found, confidence
		err                string
	}{
		{"explained", "John Smith drivers license is AC432223", `[
			{"entity_type": "PERSON", "start": 0, "end": 10, "score": 0.85, "analysis_explanation": {"recognizer": "SpacyRecognizer", "pattern_name": null, "pattern": null,
				"original_score": 0.85, "score": 0.85, "textual_explanation": "Identified as PERSON by Spacy's Named Entity Recognition", "score_context_improvement": 0,
				"supportive_context_word": "", "validation_result": null}},
			{"entity_type": "US_DRIVER_LICENSE", "start": 30, "end": 38, "score": 0.6499999999999999, "analysis_explanation": null}]`, 200, []string{"name John Smith 0.85"}, ""},
		{"lean", "call 212-555-5555", `[{"analysis_explanation": null, "end": 17, "entity_type": "PHONE_NUMBER", "score": 0.4, "start": 5}]`, 200, []string{"phone 212-555-5555 0.4"}, ""},
		{
			"past other scripts", greeting, `[{"entity_type": "LOCATION", "start": 34, "end": 36, "score": 0.85}, {"entity_type": "PERSON", "start": 19, "end": 29, "score": 0.85}]`, 200,
			[]string{"name Zoë Müller 0.85", "address 東京 0.85"},
			"",
		},
		{
			"past what is put together", family, `[{"entity_type": "EMAIL_ADDRESS", "start": 11, "end": 26, "score": 1.0}, {"entity_type": "PERSON", "start": 0, "end": 4, "score": 0.85}]`, 200,
			[]string{"name Zoe\u0308 0.85", "email zoe@example.org 1"},
			"",
		},
		{"out of the text", greeting, `[{"entity_type": "PERSON", "start": 48, "end": 58, "score": 0.85}]`, 200, nil, ""},
		{
			"the better of two", "mail zoe@example.org", `[{"entity_type": "PERSON", "start": 5, "end": 8, "score": 0.5}, {"entity_type": "EMAIL_ADDRESS", "start": 5, "end": 20, "score": 1.0}]`, 200,
			[]string{"email zoe@example.org 1"},
			"",
		},
		{"hardly", "12345678", `[{"entity_type": "US_BANK_NUMBER", "start": 0, "end": 8, "score": 0.05}]`, 200, nil, ""},
		{"nothing", "good morning", `[]`, 200, nil, ""},
		{"refused", "rose", `{"error": "Failed to parse /analyze request for AnalyzerEngine.analyze(). rose"}`, 400, nil, "presidio answered 400"},
		{"failed", "rose", `{"error": "No matching recognizers were found to serve the request: rose"}`, 500, nil, "presidio answered 500"},
		{"another service", "rose", `<p>rose</p>`, 200, nil, "presidio answered what is no list of entities"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var ask map[string]any
				if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.Method != http.MethodPost || r.URL.Path != "/analyze" || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
				}
				want := map[string]any{"text": tt.text, "language": "en", "score_threshold": 0.35, "entities": []any{
					"CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "LOCATION", "PERSON", "PHONE_NUMBER", "US_BANK_NUMBER",
				}}
				if !reflect.DeepEqual(ask, want) {
					t.Errorf("it is asked %v", ask)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tt.status)
				if _, err := io.WriteString(w, tt.answer); err != nil {
					t.Error(err)
				}
			}))
			t.Cleanup(server.Close)
			found, err := newPresidio(server.URL+"/").find(t.Context(), tt.text)
			if message := fmt.Sprint(err); tt.err != "" && message != tt.err || tt.err == "" && err != nil {
				t.Errorf("the error is %q", message)
			}
			var got []string
			for _, f := range found {
				got = append(got, fmt.Sprintf("%s %s %v", f.Kind, string([]rune(tt.text)[f.First:f.Last]), f.Confidence))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}
