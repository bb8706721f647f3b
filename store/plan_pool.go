package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/sampling"
)

// heardItem is what a model version heard in an item.
type heardItem struct {
	item       int64
	confidence float32
	words      int32
}

// soundItem is an item of sound without a truth.
type soundItem struct {
	item, source int64
	seconds      float32
	expires      int32
}

// The three readings that a plan chooses from, each in the order of the items' ids and from an index alone, so that they are
// put together without a sort, while the database reads them at the same time.
const (
	readSound = `
		SELECT i.id, i.source_id, i.begins, i.ends, i.retain_until FROM items i
		WHERE i.project_id = $1 AND i.recording_id IS NOT NULL AND i.state = 'ready'
		  AND NOT EXISTS (SELECT FROM truths u WHERE u.item_id = i.id AND u.current)
		ORDER BY i.id`
	readHeard = `
		SELECT item_id, confidence, words FROM predictions WHERE model_version_id = $1 AND confidence IS NOT NULL ORDER BY item_id`
	// What waits for a decision, was thrown out, or is in an unfinished batch, that of another plan among them.
	readTaken = `
		SELECT item_id FROM tasks WHERE project_id = $1 AND state IN ('in_review', 'adjudicated', 'discarded')
		UNION SELECT c.item_id FROM batches b JOIN batch_items c ON c.batch_id = b.id WHERE b.project_id = $1 AND NOT ` + finishedBatch + `
		ORDER BY 1`
)

// planPool reads what a plan may choose from: the items of a project that a model version heard something in, without those that
// have truth or that somebody is at already.
func (s *Store) planPool(ctx context.Context, project, version int64) ([]sampling.Utterance, error) {
	var now time.Time
	if err := s.pool.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return nil, fmt.Errorf("utterances to choose from: %w", err)
	}
	var sound []soundItem
	var heard []heardItem
	var taken []int64
	readings, ctx := errgroup.WithContext(ctx)
	readings.Go(func() error {
		return s.eachRaw(ctx, readSound, project, func(v [][]byte) {
			sound = append(doubling(sound), soundItem{rawInt64(v[0]), rawInt64(v[1]), rawSeconds(v[2], v[3]), rawDays(v[4], now)})
		})
	})
	readings.Go(func() error {
		return s.eachRaw(ctx, readHeard, version, func(v [][]byte) {
			heard = append(doubling(heard), heardItem{rawInt64(v[0]), rawFloat32(v[1]), rawInt32(v[2])})
		})
	})
	readings.Go(func() error {
		return s.eachRaw(ctx, readTaken, project, func(v [][]byte) { taken = append(taken, rawInt64(v[0])) })
	})
	if err := readings.Wait(); err != nil {
		return nil, fmt.Errorf("utterances to choose from: %w", err)
	}
	return joinPool(sound, heard, taken), nil
}

// doubling makes room in a full list for as many as it has: append would grow by a quarter, and copy far more of a million.
func doubling[T any](list []T) []T {
	if len(list) < cap(list) {
		return list
	}
	return slices.Grow(list, max(1024, len(list)))
}

// joinPool puts together what is in both of the first two and not in the third; all are in the order of the items.
func joinPool(sound []soundItem, heard []heardItem, taken []int64) []sampling.Utterance {
	pool := make([]sampling.Utterance, 0, min(len(sound), len(heard)))
	h, t := 0, 0
	for _, i := range sound {
		for h < len(heard) && heard[h].item < i.item {
			h++
		}
		for t < len(taken) && taken[t] < i.item {
			t++
		}
		if h == len(heard) {
			break
		}
		if heard[h].item != i.item || t < len(taken) && taken[t] == i.item {
			continue
		}
		pool = append(pool, sampling.Utterance{
			Item: i.item, Source: i.source, Confidence: heard[h].confidence, Words: heard[h].words, Seconds: i.seconds, Expires: i.expires,
		})
	}
	return pool
}

// eachRaw calls each with the values of every row as they came over the wire, in Postgres' binary format; NULL is nil.
func (s *Store) eachRaw(ctx context.Context, query string, arg int64, each func([][]byte)) error {
	rows, err := s.pool.Query(ctx, query, arg)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() { //nolint:forbidigo // rows.Err is returned below, and a million rows are scanned in half the time
		each(rows.RawValues())
	}
	for _, field := range rows.FieldDescriptions() {
		if field.Format != pgx.BinaryFormatCode {
			return fmt.Errorf("column %s came as text", field.Name)
		}
	}
	return rows.Err()
}

func rawInt64(v []byte) int64 { return int64(binary.BigEndian.Uint64(v)) } //nolint:gosec // the same bits

func rawInt32(v []byte) int32 {
	if v == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(v)) //nolint:gosec // the same bits
}

func rawFloat32(v []byte) float32 { return math.Float32frombits(binary.BigEndian.Uint32(v)) }

// rawSeconds is how long a span is; one whose ends are not known has no length.
func rawSeconds(begins, ends []byte) float32 {
	if begins == nil || ends == nil {
		return 0
	}
	return float32(math.Float64frombits(binary.BigEndian.Uint64(ends)) - math.Float64frombits(binary.BigEndian.Uint64(begins)))
}

// postgresEpoch is from when Postgres counts microseconds.
var postgresEpoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// rawDays is in how many whole days a moment comes.
func rawDays(v []byte, now time.Time) int32 {
	if v == nil {
		return sampling.NeverExpires
	}
	const day = 24 * time.Hour / time.Microsecond
	days := math.Floor(float64(rawInt64(v)-now.Sub(postgresEpoch).Microseconds()) / float64(day))
	return int32(min(max(days, 0), sampling.NeverExpires-1))
}

// planPace is how long people worked on the sound of a project: on its newest items that were answered, up to two thousand.
func (s *Store) planPace(ctx context.Context, project int64) (sampling.Pace, error) {
	var sums sampling.PaceSums
	err := s.pool.QueryRow(ctx, `
		SELECT count(*), coalesce(sum(work), 0), coalesce(sum(sound), 0), coalesce(sum(work * work), 0), coalesce(sum(work * sound), 0), coalesce(sum(sound * sound), 0)
		FROM (
			SELECT an.active_ms / 1000.0::float8 AS work, i.ends - i.begins AS sound
			FROM (SELECT id, item_id FROM tasks WHERE project_id = $1 AND state IN ('in_review', 'adjudicated') ORDER BY item_id DESC LIMIT 2000) t
			JOIN annotations an ON an.task_id = t.id AND an.active_ms > 0 AND NOT an.gold JOIN items i ON i.id = t.item_id
			WHERE i.ends IS NOT NULL) answers`, project).
		Scan(&sums.N, &sums.Work, &sums.Sound, &sums.WorkWork, &sums.WorkSound, &sums.SoundSound)
	if err != nil {
		return sampling.Pace{}, fmt.Errorf("pace of project %d: %w", project, err)
	}
	return sums.Pace(), nil
}
