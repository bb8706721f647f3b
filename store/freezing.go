package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/manifest"
)

// They read the current truth of projects, as far as a condition of the recipe lets it in. Discarded and broken items are left out,
// and so are those that an erasure is about to take.
const (
	freezeTables = `
		FROM truths t
		JOIN items i ON i.id = t.item_id
		JOIN item_texts x ON x.item_id = i.id
		LEFT JOIN assets a ON a.item_id = i.id AND a.kind = 'original'
		LEFT JOIN recordings rc ON rc.id = i.recording_id
		LEFT JOIN item_sounds so ON so.item_id = i.id AND so.recording_version = rc.version
		LEFT JOIN tasks k ON k.item_id = i.id`
	freezeWhere = `
		WHERE t.current AND i.state <> 'broken' AND k.state IS DISTINCT FROM 'discarded' AND i.project_id = ANY(@projects)
		  AND NOT EXISTS (SELECT FROM erasure_lists el JOIN erasures er ON er.id = el.erasure_id WHERE el.item_id = i.id AND er.state IN ('queued', 'erasing'))`
	// candidateColumns are those of candidate.into.
	candidateColumns = `t.id, i.id, i.source_id, i.project_id, coalesce(i.group_id, 0), coalesce(a.sha256, so.sha256),
		CASE WHEN i.channel > 0 OR i.begins > 0 OR i.ends < (rc.frames - 0.5) / rc.rate THEN rc.id ELSE 0 END, i.retain_until IS NOT NULL,
		CASE WHEN @metadata = '' THEN '' ELSE coalesce(x.metadata->>@metadata, '') END`
	freezeBoxes = `
		SELECT b.truth_id, b.class_id, coalesce(b.definition_version, 0), b.x, b.y, b.w, b.h, b.rotation, b.crowd
		FROM truth_boxes b JOIN truths t ON t.id = b.truth_id JOIN items i ON i.id = t.item_id
		WHERE t.current AND i.project_id = ANY(@projects)`
	// lineSounds are the tables that soundColumns are read from, beside those of the items i and the truths t.
	lineSounds   = ` LEFT JOIN transcripts tr ON tr.item_id = i.id AND tr.kind = 'truth' AND tr.of_id = t.id`
	soundColumns = `i.recording_id IS NOT NULL OR i.state = 'redacted', i.channel, coalesce(i.begins, 0), coalesce(i.ends, 0), coalesce(t.rules_version, 0), coalesce(tr.segments, '[]')`
)

var (
	// errNothingToFreeze: no item of the projects has truth.
	errNothingToFreeze = errors.New("store: nothing to freeze")
	// errSoundChanged: a recording was written anew after its items' sounds were read.
	errSoundChanged = errors.New("store: a recording has changed meanwhile")
)

// soundOf is what a line holds of an utterance, or of a redaction of one, as soundColumns are scanned.
type soundOf struct {
	manifest.Sound

	is bool
}

func (s *soundOf) into() []any {
	s.Transcript = nil
	return []any{&s.is, &s.Channel, &s.Begin, &s.End, &s.Rules, &s.Transcript}
}

// line is the sound of a line, nil for an image.
func (s *soundOf) line() *manifest.Sound {
	if !s.is {
		return nil
	}
	return &s.Sound
}

// sizeOf is how much speech there is: seconds, and words as they are written.
func sizeOf(sound *manifest.Sound) (seconds float64, words int32) {
	if sound == nil {
		return 0, 0
	}
	for _, segment := range sound.Transcript {
		words += int32(len(strings.Fields(segment.Text))) //nolint:gosec // bounded by what a transcript may hold
	}
	return sound.End - sound.Begin, words
}

// FillVersion does the work of a freeze in one transaction and one snapshot: either the version is whole and frozen, or
// nothing of it is there and it can be filled anew. Nothing happens if the version is not freezing.
func (s *Store) FillVersion(ctx context.Context, id int64) error {
	version, err := s.versionByID(ctx, System(), id)
	if err != nil || version.State != VersionFreezing {
		return err
	}
	err = s.hashSounds(ctx, id)
	if err == nil {
		err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
			return s.fill(ctx, tx, version)
		})
	}
	if errors.Is(err, errNothingToFreeze) {
		return s.FailVersion(ctx, id, nothingToFreeze(&version.Recipe))
	}
	if refused, ok := errors.AsType[*InvalidError](err); ok {
		return s.FailVersion(ctx, id, refused.Reason)
	}
	if err != nil {
		return fmt.Errorf("freeze version %d: %w", id, err)
	}
	return s.countLines(ctx, version)
}

// manyLines is from how many lines on a version is made known to the planner at once.
const manyLines = 10_000

// countLines lets the planner know of a large version that was just frozen. Until it does, it takes the version for a few lines, and a
// verification looks up each of a million one by one, in twice the time.
func (s *Store) countLines(ctx context.Context, version DatasetVersion) error {
	var lines int
	if err := s.pool.QueryRow(ctx, `SELECT lines FROM dataset_versions WHERE id = $1`, version.ID).Scan(&lines); err != nil {
		return fmt.Errorf("lines of version %d: %w", version.ID, err)
	}
	if lines < manyLines {
		return nil
	}
	if _, err := s.pool.Exec(ctx, `ANALYZE dataset_lines`); err != nil {
		return fmt.Errorf("statistics of version %d: %w", version.ID, err)
	}
	return nil
}

func nothingToFreeze(recipe *manifest.Recipe) string {
	if recipe.Filter != nil {
		return "No item of these projects that has truth passes the recipe's filter. Widen it, and freeze again."
	}
	return "No item of these projects has truth. Review some, or import truth, and freeze again."
}

func (s *Store) fill(ctx context.Context, tx pgx.Tx, version DatasetVersion) error {
	// Whoever deletes items waits for this transaction from here on, before which it has no snapshot: what it reads stays.
	if _, err := tx.Exec(ctx, `LOCK TABLE dataset_version_strata IN ROW EXCLUSIVE MODE`); err != nil {
		return fmt.Errorf("keep items from being deleted: %w", err)
	}
	f := freezing{version: version, selection: manifest.NewSelection(&version.Recipe)}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"snapshot", func() error { return f.readSnapshot(ctx, tx) }},
		{"classes", func() error { return f.loadClasses(ctx, tx) }},
		{"collect", func() error { return s.collect(ctx, tx, &f) }},
		{"lines", func() error { return f.writeLines(ctx, tx) }},
		{"summary", func() error { return f.writeSummary(ctx, tx) }},
		{"strata", func() error { return f.writeStrata(ctx, tx) }},
		{"sources", func() error { return countVersionSources(ctx, tx, f.version.ID) }},
		{"close", func() error { return f.close(ctx, tx) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if s.afterFreezeStep != nil {
			s.afterFreezeStep(step.name)
		}
	}
	return nil
}

// FailVersion gives up on a version that is freezing; reason is a sentence for people.
func (s *Store) FailVersion(ctx context.Context, id int64, reason string) error {
	_, err := s.pool.Exec(ctx, `UPDATE dataset_versions SET state = 'failed', error = $2 WHERE id = $1 AND state = 'freezing'`, id, reason)
	if err != nil {
		return fmt.Errorf("fail version %d: %w", id, err)
	}
	return nil
}

// frozenLine is what is kept in memory of a line until all are there and sorted: 120 bytes.
type frozenLine struct {
	leaf          manifest.Leaf
	media         manifest.Leaf // as many bytes
	item, truth   int64
	seconds       float64 // of sound
	width, height int32
	words         int32
	stratum       int32
	profile       int32 // of its boxes, where they are counted later; else -1
	split         int8  // in the order of manifest.Splits
	hasMedia      bool
}

// lineChunk is how many lines are allocated at once, so that growing never copies.
const lineChunk = 8192

// freezing is a version on its way.
type freezing struct {
	version   DatasetVersion
	selection *manifest.Selection
	projects  []int64
	snapshot  labelSnapshot
	names     map[int64]string
	classes   []VersionClass
	chunks    [][]frozenLine
	placed    int
	lines     []*frozenLine // that are frozen, in the order of their leaves
	hash      []byte
	profiles  profiles
	tally     tally
}

// labelSnapshot says which labels a version saw.
type labelSnapshot struct {
	at        time.Time
	name      string
	lastTruth int64
}

func (f *freezing) readSnapshot(ctx context.Context, tx pgx.Tx) error {
	err := tx.QueryRow(ctx, `
		SELECT statement_timestamp(), pg_current_snapshot()::text, (SELECT coalesce(max(id), 0) FROM truths),
			(SELECT array_agg(project_id) FROM dataset_version_projects WHERE version_id = $1)`, f.version.ID).
		Scan(&f.snapshot.at, &f.snapshot.name, &f.snapshot.lastTruth, &f.projects)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO dataset_version_guidelines (version_id, project_id, guideline_version)
		SELECT $1, id, guideline_version FROM projects WHERE id = ANY($2)`, f.version.ID, f.projects)
	return err
}

func (f *freezing) loadClasses(ctx context.Context, tx pgx.Tx) (err error) {
	f.classes, err = projectClasses(ctx, tx, f.projects)
	if err != nil {
		return err
	}
	f.names, f.tally = map[int64]string{}, newTally()
	for _, c := range f.classes {
		f.names[c.ID] = c.Name
	}
	expectClasses(f.selection, &f.version.Recipe, f.classes)
	return nil
}

// collect reads truth and boxes, keeps a leaf for each line and then drops what goes to the reserve.
func (s *Store) collect(ctx context.Context, tx pgx.Tx, f *freezing) error {
	rule, err := ruleOf(ctx, tx, &f.version.Recipe, f.projects)
	if err != nil {
		return err
	}
	var (
		c            candidate
		line         manifest.Line
		sound        soundOf
		ready        bool
		salt, buffer []byte
	)
	query := lineQuery{
		`SELECT ` + candidateColumns + `, coalesce(i.width, 0), coalesce(i.height, 0), x.external_key, s.salt, coalesce(rc.state, '') = 'ready', ` +
			soundColumns + freezeTables + lineSounds + ` JOIN item_salts s ON s.item_id = i.id` + freezeWhere + ` AND ` + rule.where + ` ORDER BY t.id`,
		freezeBoxes + ` ORDER BY b.truth_id, b.position`, rule.args,
	}
	into := append(append(c.into(), &line.Width, &line.Height, &line.Key, &salt, &ready), sound.into()...)
	err = s.eachLine(ctx, tx, query, into, func(boxes []truthBox) (err error) {
		if ready && c.Media == nil {
			return errSoundChanged
		}
		if line.Boxes, err = named(boxes, f.names, line.Boxes[:0]); err != nil {
			return err
		}
		place, ok := f.selection.Place(&c.Candidate, line.Boxes)
		if !ok {
			return nil
		}
		line.Item, line.Media, line.Split, line.Sound = c.Item, c.Media, place.Split, sound.line()
		buffer = line.AppendCanonical(buffer[:0])
		f.add(&line, c.truth, place, manifest.LeafOf(salt, buffer), boxes)
		return nil
	})
	if err != nil {
		return err
	}
	return f.choose()
}

func (f *freezing) add(line *manifest.Line, truth int64, place manifest.Place, leaf manifest.Leaf, boxes []truthBox) {
	if f.placed%lineChunk == 0 {
		f.chunks = append(f.chunks, make([]frozenLine, 0, lineChunk))
	}
	kept := frozenLine{
		leaf: leaf, item: line.Item, truth: truth, width: int32(line.Width), height: int32(line.Height), //nolint:gosec // an integer column
		stratum: int32(place.Stratum), split: splitNumber(place.Split), profile: -1, hasMedia: len(line.Media) > 0, //nolint:gosec // below the number of lines
	}
	kept.seconds, kept.words = sizeOf(line.Sound)
	copy(kept.media[:], line.Media)
	if f.selection.Cuts(place.Split) {
		kept.profile = f.profiles.of(boxes)
	} else {
		f.tally.add(place.Split, countBoxes(boxes, nil))
	}
	last := &f.chunks[len(f.chunks)-1]
	*last = append(*last, kept)
	f.placed++
}

func splitNumber(split manifest.Split) int8 {
	return int8(slices.Index(manifest.Splits(), split)) //nolint:gosec // one of three
}

func (l *frozenLine) side() manifest.Split { return manifest.Splits()[l.split] }

// choose drops what goes to the reserve, counts what is left and puts it into the order of the leaves.
func (f *freezing) choose() error {
	at := func(i int) *frozenLine { return &f.chunks[i/lineChunk][i%lineChunk] }
	dropped := make([]bool, f.placed)
	f.selection.Cut(f.placed, func(i int) (int64, manifest.Place) {
		return at(i).item, manifest.Place{Split: at(i).side(), Stratum: int(at(i).stratum)}
	}, func(i int) { dropped[i] = true })
	f.lines = make([]*frozenLine, 0, f.placed)
	for i := range f.placed {
		if dropped[i] {
			continue
		}
		line := at(i)
		if line.profile >= 0 {
			f.tally.add(line.side(), f.profiles.list[line.profile])
		}
		f.tally.hear(line.side(), line.seconds, line.words)
		f.lines = append(f.lines, line)
	}
	if len(f.lines) == 0 {
		return errNothingToFreeze
	}
	slices.SortFunc(f.lines, func(a, b *frozenLine) int { return bytes.Compare(a.leaf[:], b.leaf[:]) })
	var sum manifest.Sum
	for _, line := range f.lines {
		if err := sum.Add(line.leaf); err != nil {
			return err
		}
	}
	f.hash = sum.Hash()
	return nil
}

// writeLines stores the lines in the order of their leaves.
func (f *freezing) writeLines(ctx context.Context, tx pgx.Tx) error {
	columns := []string{"version_id", "position", "leaf", "split", "item_id", "truth_id", "media", "width", "height", "stratum"}
	row := make([]any, len(columns))
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"dataset_lines"}, columns, pgx.CopyFromSlice(len(f.lines), func(i int) ([]any, error) {
		line := f.lines[i]
		var media []byte
		if line.hasMedia {
			media = line.media[:]
		}
		row[0], row[1], row[2], row[3], row[4] = f.version.ID, i, line.leaf[:], string(line.side()), line.item
		row[5], row[6], row[7], row[8], row[9] = line.truth, media, line.width, line.height, line.stratum
		return row, nil
	}))
	return err
}

func (f *freezing) writeSummary(ctx context.Context, tx pgx.Tx) error {
	batch := &pgx.Batch{}
	for _, c := range f.classes {
		batch.Queue(`
			INSERT INTO dataset_version_classes (version_id, class_id, name, slot, definitions)
			SELECT $1, $2, $3, $4, coalesce(array_agg(n ORDER BY n), '{}') FROM unnest($5::int[]) n`,
			f.version.ID, c.ID, c.Name, c.Slot, slices.AppendSeq([]int{}, maps.Keys(f.tally.definitions[c.ID])))
	}
	for _, c := range f.tally.counts {
		batch.Queue(`INSERT INTO dataset_version_counts (version_id, split, class_id, items, boxes, seconds, words) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			f.version.ID, string(c.Split), orNull(c.ClassID), c.Items, c.Boxes, c.Seconds, c.Words)
	}
	return tx.SendBatch(ctx, batch).Close()
}

func (f *freezing) writeStrata(ctx context.Context, tx pgx.Tx) error {
	recipe := &f.version.Recipe
	columns := []string{"version_id", "split", "stratum", "class", "source_id", "project_id", "wanted", "items", "pool", "refused"}
	strata := f.selection.Strata()
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"dataset_version_strata"}, columns, pgx.CopyFromSlice(len(strata), func(i int) ([]any, error) {
		s := strata[i]
		var class *string
		if slices.Contains(recipe.Strata, manifest.PerClass) {
			class = &s.Cell.Class
		}
		return []any{
			f.version.ID, string(s.Split), s.Number, class, orNull(s.Cell.Source), orNull(s.Cell.Project), orNull(int64(s.Wanted)), s.Items, s.Pool, s.Refused,
		}, nil
	}))
	return err
}

func (f *freezing) close(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		UPDATE dataset_versions SET state = 'frozen', hash = $2, lines = $3, boxes = $4, frozen_at = now(),
			labels_at = $5, label_snapshot = $6, last_truth_id = $7, seconds = $8, words = $9
		WHERE id = $1 AND state = 'freezing'`,
		f.version.ID, f.hash, len(f.lines), f.tally.boxes, f.snapshot.at, f.snapshot.name, f.snapshot.lastTruth, f.tally.seconds, f.tally.words)
	return err
}
