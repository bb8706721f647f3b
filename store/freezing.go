package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/manifest"
)

// They read the current truth of a version's projects. Discarded and broken items are left out.
const (
	freezeLines = `
		SELECT t.id, i.id, coalesce(i.group_id, 0), coalesce(i.width, 0), coalesce(i.height, 0), x.external_key, s.salt, a.sha256
		FROM truths t
		JOIN items i ON i.id = t.item_id
		JOIN item_texts x ON x.item_id = i.id
		JOIN item_salts s ON s.item_id = i.id
		LEFT JOIN assets a ON a.item_id = i.id AND a.kind = 'original'
		LEFT JOIN tasks k ON k.item_id = i.id
		WHERE t.current AND i.state <> 'broken' AND k.state IS DISTINCT FROM 'discarded'
		  AND i.project_id IN (SELECT project_id FROM dataset_version_projects WHERE version_id = @version)
		ORDER BY t.id`
	freezeBoxes = `
		SELECT b.truth_id, b.class_id, coalesce(b.definition_version, 0), b.x, b.y, b.w, b.h, b.rotation, b.crowd
		FROM truth_boxes b JOIN truths t ON t.id = b.truth_id JOIN items i ON i.id = t.item_id
		WHERE t.current AND i.project_id IN (SELECT project_id FROM dataset_version_projects WHERE version_id = @version)
		ORDER BY b.truth_id, b.position`
)

// errNothingToFreeze: no item of the projects has truth.
var errNothingToFreeze = errors.New("store: nothing to freeze")

// FillVersion does the work of a freeze in one transaction and one snapshot: either the version is whole and frozen, or
// nothing of it is there and it can be filled anew. Nothing happens if the version is not freezing.
func (s *Store) FillVersion(ctx context.Context, id int64) error {
	version, err := s.versionByID(ctx, System(), id)
	if err != nil || version.State != VersionFreezing {
		return err
	}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		f := freezing{version: version}
		if err := f.loadClasses(ctx, tx); err != nil {
			return err
		}
		if err := s.collect(ctx, tx, &f); err != nil {
			return err
		}
		return f.write(ctx, tx)
	})
	if errors.Is(err, errNothingToFreeze) {
		return s.FailVersion(ctx, id, "No item of these projects has truth. Review some, or import truth, and freeze again.")
	}
	if err != nil {
		return fmt.Errorf("freeze version %d: %w", id, err)
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

// frozenLine is what is kept in memory of a line until all are there and sorted: 104 bytes.
type frozenLine struct {
	leaf          manifest.Leaf
	media         manifest.Leaf // as many bytes
	item, truth   int64
	width, height int32
	split         manifest.Split
	hasMedia      bool
}

// lineChunk is how many lines are allocated at once, so that growing never copies.
const lineChunk = 8192

// freezing is a version on its way.
type freezing struct {
	version DatasetVersion
	names   map[int64]string
	classes []VersionClass
	chunks  [][]frozenLine
	lines   int
	boxes   int64
	counts  map[countKey]*VersionCount
	used    map[int64]map[int]bool // class → definition versions
}

type countKey struct {
	split manifest.Split
	class int64
}

func (f *freezing) loadClasses(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT c.id, c.name, c.slot, '{}'::int[] AS definitions FROM classes c
		JOIN dataset_version_projects p ON p.project_id = c.project_id WHERE p.version_id = $1 ORDER BY c.id`, f.version.ID)
	if err != nil {
		return fmt.Errorf("classes: %w", err)
	}
	if f.classes, err = pgx.CollectRows(rows, pgx.RowToStructByName[VersionClass]); err != nil {
		return fmt.Errorf("classes: %w", err)
	}
	f.names, f.used, f.counts = map[int64]string{}, map[int64]map[int]bool{}, map[countKey]*VersionCount{}
	for _, c := range f.classes {
		f.names[c.ID], f.used[c.ID] = c.Name, map[int]bool{}
	}
	return nil
}

// collect reads truth and boxes and keeps a leaf for each line.
func (s *Store) collect(ctx context.Context, tx pgx.Tx, f *freezing) error {
	var (
		truth, group int64
		line         manifest.Line
		salt         []byte
		media        []byte
		buffer       []byte
	)
	query := lineQuery{freezeLines, freezeBoxes, pgx.NamedArgs{"version": f.version.ID}}
	into := []any{&truth, &line.Item, &group, &line.Width, &line.Height, &line.Key, &salt, &media}
	return s.eachLine(ctx, tx, query, into, func(boxes []truthBox) (err error) {
		line.Media = media
		line.Split = f.version.Recipe.Shares.Assign(f.version.Recipe.Seed, togetherKey(group, media, line.Item))
		if line.Boxes, err = named(boxes, f.names, line.Boxes[:0]); err != nil {
			return err
		}
		buffer = line.AppendCanonical(buffer[:0])
		f.add(&line, truth, manifest.LeafOf(salt, buffer))
		f.count(line.Split, boxes)
		return nil
	})
}

// togetherKey names what must fall on one side of a split: the item's group, else all items with the same bytes, else the item alone.
func togetherKey(group int64, media []byte, item int64) string {
	switch {
	case group != 0:
		return "group:" + strconv.FormatInt(group, 10)
	case len(media) > 0:
		return "media:" + hex.EncodeToString(media)
	}
	return "item:" + strconv.FormatInt(item, 10)
}

func (f *freezing) add(line *manifest.Line, truth int64, leaf manifest.Leaf) {
	if f.lines%lineChunk == 0 {
		f.chunks = append(f.chunks, make([]frozenLine, 0, lineChunk))
	}
	kept := frozenLine{
		leaf: leaf, item: line.Item, truth: truth, width: int32(line.Width), height: int32(line.Height), //nolint:gosec // an integer column
		split: line.Split, hasMedia: len(line.Media) > 0,
	}
	copy(kept.media[:], line.Media)
	last := &f.chunks[len(f.chunks)-1]
	*last = append(*last, kept)
	f.lines++
}

func (f *freezing) count(split manifest.Split, boxes []truthBox) {
	f.boxes += int64(len(boxes))
	whole := f.countOf(split, 0)
	whole.Items++
	whole.Boxes += int64(len(boxes))
	for i, b := range boxes {
		f.used[b.class][b.Definition] = true
		count := f.countOf(split, b.class)
		count.Boxes++
		if !slices.ContainsFunc(boxes[:i], func(before truthBox) bool { return before.class == b.class }) {
			count.Items++
		}
	}
}

func (f *freezing) countOf(split manifest.Split, class int64) *VersionCount {
	key := countKey{split, class}
	if f.counts[key] == nil {
		f.counts[key] = &VersionCount{Split: split, ClassID: class}
	}
	return f.counts[key]
}

// sorted returns the lines in the order of their leaves.
func (f *freezing) sorted() []*frozenLine {
	lines := make([]*frozenLine, 0, f.lines)
	for _, chunk := range f.chunks {
		for i := range chunk {
			lines = append(lines, &chunk[i])
		}
	}
	slices.SortFunc(lines, func(a, b *frozenLine) int { return bytes.Compare(a.leaf[:], b.leaf[:]) })
	return lines
}

// write stores the lines in the order of their leaves, the counts and classes, and closes the version.
func (f *freezing) write(ctx context.Context, tx pgx.Tx) error {
	if f.lines == 0 {
		return errNothingToFreeze
	}
	lines := f.sorted()
	var sum manifest.Sum
	for _, line := range lines {
		if err := sum.Add(line.leaf); err != nil {
			return err
		}
	}
	if err := f.writeLines(ctx, tx, lines); err != nil {
		return err
	}
	if err := f.writeSummary(ctx, tx); err != nil {
		return err
	}
	if err := countVersionSources(ctx, tx, f.version.ID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		UPDATE dataset_versions SET state = 'frozen', hash = $2, lines = $3, boxes = $4, frozen_at = now() WHERE id = $1 AND state = 'freezing'`,
		f.version.ID, sum.Hash(), f.lines, f.boxes)
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

func (f *freezing) writeLines(ctx context.Context, tx pgx.Tx, lines []*frozenLine) error {
	columns := []string{"version_id", "position", "leaf", "split", "item_id", "truth_id", "media", "width", "height"}
	row := make([]any, len(columns))
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"dataset_lines"}, columns, pgx.CopyFromSlice(len(lines), func(i int) ([]any, error) {
		line := lines[i]
		var media []byte
		if line.hasMedia {
			media = line.media[:]
		}
		row[0], row[1], row[2], row[3], row[4] = f.version.ID, i, line.leaf[:], string(line.split), line.item
		row[5], row[6], row[7], row[8] = line.truth, media, line.width, line.height
		return row, nil
	}))
	if err != nil {
		return fmt.Errorf("lines: %w", err)
	}
	return nil
}

func (f *freezing) writeSummary(ctx context.Context, tx pgx.Tx) error {
	batch := &pgx.Batch{}
	for _, c := range f.classes {
		batch.Queue(`
			INSERT INTO dataset_version_classes (version_id, class_id, name, slot, definitions)
			SELECT $1, $2, $3, $4, coalesce(array_agg(n ORDER BY n), '{}') FROM unnest($5::int[]) n`,
			f.version.ID, c.ID, c.Name, c.Slot, slices.AppendSeq([]int{}, maps.Keys(f.used[c.ID])))
	}
	for _, c := range f.counts {
		batch.Queue(`INSERT INTO dataset_version_counts (version_id, split, class_id, items, boxes) VALUES ($1, $2, $3, $4, $5)`,
			f.version.ID, string(c.Split), orNull(c.ClassID), c.Items, c.Boxes)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("summary: %w", err)
	}
	return nil
}
