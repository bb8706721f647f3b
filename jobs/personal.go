package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
	"fiducial/internal/pii"
	"fiducial/store"
)

// scanPersonal looks for personal data in the transcripts of truths that no detector has read yet.
type scanPersonal struct {
	river.WorkerDefaults[jobargs.ScanPersonal]
	deps

	presidio            *presidio // nil unless one is configured
	running             sync.Mutex
	rulesAt, presidioAt scanPosition
}

// scanPosition is how far a detector has come in this process. Most runs look at the truths behind it alone, so that what they cost does not grow with
// all that there are. The first run looks at all, for another version of a detector reads them anew; and so does one in a quarter of
// an hour: decisions are undone, sources opened to models, and what was begun earlier may be there later.
type scanPosition struct {
	runs  int // since all were looked at
	after int64
}

// runsToAll is how many runs there are from one that looks at all truths to the next.
const runsToAll = 45

// truthsAtOnce is how many truths are read before their findings are kept.
const truthsAtOnce = 200

// Timeout lets it go on until all are read.
func (w *scanPersonal) Timeout(*river.Job[jobargs.ScanPersonal]) time.Duration { return -1 }

func (w *scanPersonal) Work(ctx context.Context, _ *river.Job[jobargs.ScanPersonal]) error {
	w.running.Lock()
	defer w.running.Unlock()
	err := w.scanNew(ctx, &w.rulesAt, store.ScanWanted{Detector: pii.Detector}, byRules)
	if err != nil || w.presidio == nil {
		return err
	}
	if err := w.scanNew(ctx, &w.presidioAt, store.ScanWanted{Detector: presidioDetector, Model: presidioModel}, w.presidio.find); err != nil {
		if ctx.Err() != nil {
			return err
		}
		// The next run tries again; what the rules found is kept.
		w.log.WarnContext(ctx, "Presidio did not answer", slog.Any("error", err))
	}
	return nil
}

// scanNew reads the truths behind a detector's position or, when it is time, all that it has not read.
func (w *scanPersonal) scanNew(ctx context.Context, at *scanPosition, wanted store.ScanWanted, find finder) error {
	if at.runs > 0 {
		wanted.After = at.after
	}
	newest, err := w.store.NewestTruth(ctx)
	if err != nil {
		return err
	}
	if err := w.scan(ctx, wanted, find); err != nil {
		return err
	}
	if at.runs == 0 {
		at.after = newest
	}
	at.runs = (at.runs + 1) % runsToAll
	return nil
}

// finder finds personal data in a text.
type finder func(ctx context.Context, text string) ([]pii.Finding, error)

func byRules(_ context.Context, text string) ([]pii.Finding, error) { return pii.Find(text), nil }

// scan reads the truths that are wanted, until none is left that was not read.
func (d deps) scan(ctx context.Context, wanted store.ScanWanted, find finder) error {
	for {
		truths, err := d.store.UnscannedTruths(ctx, wanted, truthsAtOnce)
		if err != nil || len(truths) == 0 {
			return err
		}
		for _, t := range truths {
			found := make(store.SegmentFindings, len(t.Transcript))
			for i, segment := range t.Transcript {
				if found[i], err = find(ctx, segment.Text); err != nil {
					return err
				}
			}
			if err := d.store.KeepScan(ctx, t, wanted.Detector, found); err != nil {
				return err
			}
			wanted.After = t.Truth
		}
	}
}

const (
	presidioDetector = "presidio@1"
	presidioModel    = "presidio" // as sources name it among the models that may have their data
	presidioPatience = 10 * time.Second
	presidioAnswer   = 1 << 20 // bytes
)

// presidio asks Microsoft Presidio's analyzer.
type presidio struct {
	url    string
	client *http.Client
}

// newPresidio returns nil for no address.
func newPresidio(address string) *presidio {
	if address == "" {
		return nil
	}
	refuse := func(*http.Request, []*http.Request) error { return errRedirect } // it would be sent the words, too
	return &presidio{strings.TrimSuffix(address, "/") + "/analyze", &http.Client{Timeout: presidioPatience, CheckRedirect: refuse}}
}

// CheckPresidio says what is wrong with the address of a Presidio analyzer, or nil.
func CheckPresidio(address string) error {
	at, err := url.Parse(address)
	if address != "" && (err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https") {
		return errors.New("the address of Presidio is not one: give it as http://HOST:PORT")
	}
	return nil
}

// presidioKinds are the kinds of its entities that are asked for.
var presidioKinds = map[string]pii.Kind{
	"PERSON": pii.Name, "PHONE_NUMBER": pii.Phone, "LOCATION": pii.Address, "EMAIL_ADDRESS": pii.Email, "CREDIT_CARD": pii.Card, "IBAN_CODE": pii.Account,
	"US_BANK_NUMBER": pii.Account,
}

// presidioLeast is the score of an entity at least. Patterns that fit any number of some digits have 0.05, and 0.35 more where a word
// beside them speaks for it.
const presidioLeast = 0.35

// presidioAsk is a request to analyze, as Presidio documents it.
type presidioAsk struct {
	Text     string   `json:"text"`
	Language string   `json:"language"`
	Least    float64  `json:"score_threshold"`
	Entities []string `json:"entities"`
}

// find sends a text and returns what is found in it, in runes: Presidio counts code points. The text stands in no error, nor does what Presidio
// says is wrong, which may quote it.
func (p *presidio) find(ctx context.Context, text string) (found []pii.Finding, err error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	body, err := json.Marshal(presidioAsk{text, "en", presidioLeast, slices.Sorted(maps.Keys(presidioKinds))})
	if err != nil {
		return nil, fmt.Errorf("presidio: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("presidio: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := p.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("presidio: %w", err)
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("presidio answered %d", answer.StatusCode)
	}
	var entities []struct {
		Start, End int
		Score      float64
		Type       string `json:"entity_type"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, presidioAnswer)).Decode(&entities); err != nil {
		return nil, errors.New("presidio answered what is no list of entities")
	}
	length := len([]rune(text))
	for _, e := range entities {
		kind, known := presidioKinds[e.Type]
		if known && e.Score >= presidioLeast && e.Start >= 0 && e.Start < e.End && e.End <= length {
			found = append(found, pii.Finding{First: e.Start, Last: e.End, Kind: kind, Detector: presidioDetector, Confidence: min(max(e.Score, 0), 1)})
		}
	}
	return pii.Merge(found), nil
}
