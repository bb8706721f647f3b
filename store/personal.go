package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/pii"
	"fiducial/internal/speech"
)

// The states of a finding.
const (
	PersonalFound     = "found" // nobody has decided it
	PersonalConfirmed = "confirmed"
	PersonalDismissed = "dismissed"
)

// byPerson is the detector of what somebody added.
const byPerson = "person"

// UnscannedTruth is a current truth of an utterance that a detector has not read yet.
type UnscannedTruth struct {
	Item, Truth int64
	Transcript  speech.Transcript
	Heard       [][]speech.HeardWord
}

// ScanWanted says which truths a detector reads: the current ones, or with a version those that it holds. With the name of a model, only those of
// sources that let their data reach the server of models of that name.
type ScanWanted struct {
	Detector, Model string
	Version         int64
	After           int64 // the truth that those which are wanted come after, 0 for all
}

// NewestTruth is the newest truth that there is, 0 if there is none.
func (s *Store) NewestTruth(ctx context.Context) (id int64, err error) {
	if err := s.pool.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM truths`).Scan(&id); err != nil {
		return 0, fmt.Errorf("newest truth: %w", err)
	}
	return id, nil
}

// UnscannedTruths returns at most limit truths that a detector has not read, in their order.
func (s *Store) UnscannedTruths(ctx context.Context, w ScanWanted, limit int) ([]UnscannedTruth, error) {
	which := `t.current AND $5::bigint = 0`
	if w.Version != 0 {
		which = `EXISTS (SELECT FROM dataset_lines l WHERE l.version_id = $5 AND l.item_id = t.item_id AND l.truth_id = t.id)`
	}
	rows, err := s.pool.Query(ctx, `
		SELECT t.item_id AS item, t.id AS truth, tr.segments AS transcript,
			coalesce((SELECT jsonb_agg(h.words ORDER BY h.prediction_id DESC) FROM hypotheses h WHERE h.item_id = t.item_id), '[]') AS heard
		FROM truths t JOIN items i ON i.id = t.item_id JOIN sources s ON s.id = i.source_id
		JOIN transcripts tr ON tr.item_id = t.item_id AND tr.kind = 'truth' AND tr.of_id = t.id
		WHERE `+which+` AND t.id > $3 AND NOT EXISTS (SELECT FROM personal_scans z WHERE z.truth_id = t.id AND z.detector = $1)
		  AND ($2 = '' OR 'models' = ANY (s.open_to) OR EXISTS (SELECT FROM source_destinations d WHERE d.source_id = s.id AND d.kind = 'models' AND d.name = $2))
		ORDER BY t.id LIMIT $4`, w.Detector, w.Model, w.After, limit, w.Version)
	if err != nil {
		return nil, fmt.Errorf("truths to scan: %w", err)
	}
	truths, err := pgx.CollectRows(rows, pgx.RowToStructByName[UnscannedTruth])
	if err != nil {
		return nil, fmt.Errorf("truths to scan: %w", err)
	}
	return truths, nil
}

// SegmentFindings are what a detector found in each segment of a transcript.
type SegmentFindings [][]pii.Finding

// KeepScan keeps what a detector found in a truth, but for what overlaps a finding that is there. Nothing happens if the truth was erased, or
// scanned, meanwhile.
func (s *Store) KeepScan(ctx context.Context, t UnscannedTruth, detector string, found SegmentFindings) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT id FROM truths WHERE id = $1 FOR UPDATE`, t.Truth).Scan(new(int64)); errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT segment, first, last FROM personal_findings WHERE truth_id = $1`, t.Truth)
		if err != nil {
			return err
		}
		there, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f pii.Span, err error) {
			err = row.Scan(&f.Segment, &f.First, &f.Last)
			return f, err
		})
		if err != nil {
			return err
		}
		times, n := spokenTimes(t), 0
		for segment, list := range found {
			for _, f := range list {
				if slices.ContainsFunc(there, func(o pii.Span) bool { return o.Segment == segment && o.First < f.Last && f.First < o.Last }) {
					continue
				}
				begins, ends := times.around(segment, f.First, f.Last)
				_, err := tx.Exec(ctx, `
					INSERT INTO personal_findings (item_id, truth_id, segment, first, last, begins, ends, kind, detector, confidence)
					VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
					t.Item, t.Truth, segment, f.First, f.Last, begins, ends, f.Kind, f.Detector, f.Confidence)
				if err != nil {
					return err
				}
				n++
			}
		}
		_, err = tx.Exec(ctx, `INSERT INTO personal_scans (item_id, truth_id, detector, findings) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			t.Item, t.Truth, detector, n)
		return err
	})
	if err != nil {
		return fmt.Errorf("scan of truth %d: %w", t.Truth, err)
	}
	return nil
}

// transcriptTimes say when the words of a transcript are said.
type transcriptTimes struct {
	transcript speech.Transcript
	words      [][]speech.WordTime
}

func spokenTimes(t UnscannedTruth) transcriptTimes {
	basic, _ := speech.NormalizerOf("basic-1")
	return transcriptTimes{t.Transcript, t.Transcript.Times(t.Heard, basic)}
}

// How much more than a word is silenced on either side, in seconds: little where a recognizer heard it, more where its time is estimated.
const (
	heardMargin     = 0.05
	estimatedMargin = 0.3
)

// around is when a stretch of a segment's text is said, with a margin, inside of the segment.
func (t transcriptTimes) around(segment, first, last int) (begins, ends float64) {
	if segment >= len(t.transcript) {
		return 0, 0
	}
	s := t.transcript[segment]
	begins, ends = s.End, s.Begin
	for _, w := range t.words[segment] {
		if w.Last <= first || w.First >= last {
			continue
		}
		margin := estimatedMargin
		if w.Heard {
			margin = heardMargin
		}
		begins, ends = min(begins, w.Begin-margin), max(ends, w.End+margin)
	}
	if begins >= ends { // no word of it: all of the segment
		return s.Begin, s.End
	}
	return max(begins, s.Begin), min(ends, s.End)
}

// PersonalFinding is a finding with the text around it.
type PersonalFinding struct {
	ID          int64
	Item        int64
	Key         string
	Segment     int
	First, Last int
	Kind        pii.Kind
	Detector    string
	Confidence  float64
	State       string
	DecidedBy   string // a name or a pseudonym
	DecidedAt   *time.Time
	Text        string // of the segment
}

// PersonalCount is how many findings of a kind a project has, by what became of them.
type PersonalCount struct {
	Kind                        pii.Kind
	Found, Confirmed, Dismissed int
}

// currentFindings are the findings f in current truths of a project.
const currentFindings = `personal_findings f JOIN truths t ON t.id = f.truth_id AND t.current JOIN items i ON i.id = f.item_id AND i.project_id = @project`

// PersonalCounts counts the findings in the current truths of a project by kind, and how many truths no detector has read yet. The project came from
// a method that checked who asks.
func (s *Store) PersonalCounts(ctx context.Context, actor Actor, project int64) (counts []PersonalCount, waiting int, err error) {
	if err := actor.may(access.DecidePersonal); err != nil {
		return nil, 0, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT f.kind, count(*) FILTER (WHERE f.state = 'found')::int AS found, count(*) FILTER (WHERE f.state = 'confirmed')::int AS confirmed,
			count(*) FILTER (WHERE f.state = 'dismissed')::int AS dismissed
		FROM `+currentFindings+` GROUP BY f.kind ORDER BY f.kind`, pgx.NamedArgs{"project": project})
	if err != nil {
		return nil, 0, fmt.Errorf("personal data of project %d: %w", project, err)
	}
	if counts, err = pgx.CollectRows(rows, pgx.RowToStructByName[PersonalCount]); err != nil {
		return nil, 0, fmt.Errorf("personal data of project %d: %w", project, err)
	}
	err = s.pool.QueryRow(ctx, `
		SELECT count(*)::int FROM truths t JOIN items i ON i.id = t.item_id
		WHERE i.project_id = $1 AND t.current AND EXISTS (SELECT FROM transcripts tr WHERE tr.item_id = i.id AND tr.kind = 'truth' AND tr.of_id = t.id)
		  AND NOT EXISTS (SELECT FROM personal_scans z WHERE z.truth_id = t.id AND z.detector = $2)`, project, pii.Detector).Scan(&waiting)
	if err != nil {
		return nil, 0, fmt.Errorf("truths of project %d to scan: %w", project, err)
	}
	return counts, waiting, nil
}

// PersonalFindings returns at most limit findings of a project after one, of a kind or of all for "", and of a state or of all for "". The project came
// from a method that checked who asks.
func (s *Store) PersonalFindings(ctx context.Context, actor Actor, project int64, kind pii.Kind, state string, after int64, limit int) ([]PersonalFinding, error) {
	if err := actor.may(access.DecidePersonal); err != nil {
		return nil, err
	}
	return s.personalWhere(ctx, `(@kind = '' OR f.kind = @kind) AND (@state = '' OR f.state = @state) AND f.id > @after ORDER BY f.id LIMIT @limit`,
		pgx.NamedArgs{"project": project, "kind": string(kind), "state": state, "after": after, "limit": limit})
}

func (s *Store) personalWhere(ctx context.Context, where string, args pgx.NamedArgs) ([]PersonalFinding, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT f.id, f.item_id AS item, x.external_key AS key, f.segment, f.first, f.last, f.kind, f.detector, f.confidence, f.state,
			coalesce(pi.name, pe.pseudonym, '') AS decided_by, f.decided_at, coalesce(tr.segments->f.segment->>'text', '') AS text
		FROM `+currentFindings+`
		JOIN item_texts x ON x.item_id = f.item_id
		LEFT JOIN transcripts tr ON tr.item_id = f.item_id AND tr.kind = 'truth' AND tr.of_id = f.truth_id
		LEFT JOIN people pe ON pe.id = f.decided_by LEFT JOIN person_identities pi ON pi.person_id = f.decided_by
		WHERE `+where, args)
	if err != nil {
		return nil, fmt.Errorf("personal data: %w", err)
	}
	findings, err := pgx.CollectRows(rows, pgx.RowToStructByName[PersonalFinding])
	if err != nil {
		return nil, fmt.Errorf("personal data: %w", err)
	}
	return findings, nil
}

// DecidePersonal says of findings of a project whether they are personal. Ids that are not there are passed over; it returns how many were decided.
func (s *Store) DecidePersonal(ctx context.Context, actor Actor, project int64, ids []int64, state string) (decided int, err error) {
	if err := checkPersonalState(actor, state); err != nil {
		return 0, err
	}
	return s.decidePersonal(ctx, actor, project, state, `f.id = ANY (@ids)`, pgx.NamedArgs{"ids": ids}, "")
}

// DecidePersonalKind says the same of all findings of a kind that nobody has decided, up to the one that was seen last.
func (s *Store) DecidePersonalKind(ctx context.Context, actor Actor, project int64, kind pii.Kind, upTo int64, state string) (decided int, err error) {
	if err := checkPersonalState(actor, state); err != nil {
		return 0, err
	}
	if !slices.Contains(pii.Kinds(), kind) {
		return 0, invalid("kind", "There is no such kind of personal data. Choose one of the list.")
	}
	return s.decidePersonal(ctx, actor, project, state, `f.kind = @kind AND f.state = 'found' AND f.id <= @upto`, pgx.NamedArgs{"kind": string(kind), "upto": upTo}, kind)
}

func checkPersonalState(actor Actor, state string) error {
	if err := actor.may(access.DecidePersonal); err != nil {
		return err
	}
	if state != PersonalConfirmed && state != PersonalDismissed && state != PersonalFound {
		return invalid("state", "Confirm the finding, dismiss it, or leave it open.")
	}
	return nil
}

func (s *Store) decidePersonal(ctx context.Context, actor Actor, project int64, state, where string, args pgx.NamedArgs, kind pii.Kind) (decided int, err error) {
	args["project"], args["new_state"], args["by"] = project, state, orNull(actor.PersonID)
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE personal_findings u SET state = @new_state, decided_by = CASE WHEN @new_state = 'found' THEN NULL ELSE @by::bigint END,
				decided_at = CASE WHEN @new_state = 'found' THEN NULL ELSE now() END
			WHERE u.id IN (SELECT f.id FROM `+currentFindings+` WHERE `+where+`)`, args)
		if err != nil {
			return fmt.Errorf("decide personal data: %w", err)
		}
		decided = int(tag.RowsAffected())
		return audit(ctx, tx, actor, auditEvent{
			Action: "personal.decide", ObjectType: "project", ObjectID: project, ProjectID: project,
			Detail: map[string]any{"state": state, "kind": string(kind), "findings": decided},
		})
	})
	return decided, err
}

// AddPersonal adds what a person found in the current truth of an item, confirmed at once. first and last count runes of a segment's text.
func (s *Store) AddPersonal(ctx context.Context, actor Actor, project, item int64, span pii.Span) error {
	if err := actor.may(access.DecidePersonal); err != nil {
		return err
	}
	if !slices.Contains(pii.Kinds(), span.Kind) {
		return invalid("kind", "Choose a kind of personal data.")
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var t UnscannedTruth
		err := tx.QueryRow(ctx, `
			SELECT t.id, t.item_id, tr.segments, coalesce((SELECT jsonb_agg(h.words ORDER BY h.prediction_id DESC) FROM hypotheses h WHERE h.item_id = t.item_id), '[]')
			FROM truths t JOIN items i ON i.id = t.item_id JOIN transcripts tr ON tr.item_id = t.item_id AND tr.kind = 'truth' AND tr.of_id = t.id
			WHERE t.item_id = $1 AND t.current AND i.project_id = $2`, item, project).Scan(&t.Truth, &t.Item, &t.Transcript, &t.Heard)
		if err != nil {
			return fmt.Errorf("truth of item %d: %w", item, notFound(err))
		}
		if span.Segment < 0 || span.Segment >= len(t.Transcript) || span.First < 0 || span.Last <= span.First || span.Last > len([]rune(t.Transcript[span.Segment].Text)) {
			return invalid("span", "Select the words in the text of one line, then say what they are.")
		}
		begins, ends := spokenTimes(t).around(span.Segment, span.First, span.Last)
		_, err = tx.Exec(ctx, `
			INSERT INTO personal_findings (item_id, truth_id, segment, first, last, begins, ends, kind, detector, confidence, state, decided_by, decided_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, 'confirmed', $10, now())
			ON CONFLICT (truth_id, segment, first, last, kind) DO UPDATE SET state = 'confirmed', decided_by = excluded.decided_by, decided_at = now()`,
			t.Item, t.Truth, span.Segment, span.First, span.Last, begins, ends, string(span.Kind), byPerson, orNull(actor.PersonID))
		if err != nil {
			return fmt.Errorf("add personal data of item %d: %w", item, err)
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "personal.add", ObjectType: "item", ObjectID: item, ProjectID: project, Detail: map[string]any{"kind": string(span.Kind)},
		})
	})
}

// NewestPersonal is the newest finding in the current truths of a project, 0 if there is none. The project came from a method that checked who asks.
func (s *Store) NewestPersonal(ctx context.Context, actor Actor, project int64) (id int64, err error) {
	if err := actor.may(access.DecidePersonal); err != nil {
		return 0, err
	}
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(f.id), 0) FROM `+currentFindings, pgx.NamedArgs{"project": project}).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("newest finding of project %d: %w", project, err)
	}
	return id, nil
}
