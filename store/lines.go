package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/manifest"
)

// lineQuery names the lines of a version and, apart, their boxes. Both queries take args, and both are ordered by their
// first column, which tells lines and boxes that belong together. After it, boxes returns class, definition version
// (0: none), x, y, w, h, rotation and crowd, in the order of the truth. It may be empty for lines whose boxes nobody looks at.
type lineQuery struct {
	lines, boxes string
	args         pgx.NamedArgs
}

// truthBox is a box with the line that it belongs to.
type truthBox struct {
	order, class int64
	manifest.Box
}

// lineMemory is what Postgres may use for each sort and join of the lines: with its default a million of them go through its disk.
const lineMemory = "64MB"

// errEnough ends a reading early.
var errEnough = errors.New("store: enough lines")

// eachLine scans the lines into the variables of into, whose first is the order, and calls each for every line with the
// line's boxes. Lines and boxes come by two connections that share the snapshot of tx,
// which must be repeatable read: a join would send every line once a box. The boxes may not be kept.
func (s *Store) eachLine(ctx context.Context, tx pgx.Tx, q lineQuery, into []any, each func(boxes []truthBox) error) error {
	order, ok := into[0].(*int64)
	if !ok {
		return errors.New("store: lines are ordered by a bigint")
	}
	var snapshot string
	if err := tx.QueryRow(ctx, `SELECT pg_export_snapshot() FROM set_config('work_mem', $1, true)`, lineMemory).Scan(&snapshot); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches, sent := make(chan []truthBox, 4), make(chan error, 1)
	go func() {
		err := s.sendBoxes(ctx, snapshot, q, batches)
		if err != nil {
			cancel() // before the lines take the end of the boxes for their true end
		}
		close(batches)
		sent <- err
	}()
	feed := boxFeed{batches: batches}
	rows, err := tx.Query(ctx, q.lines, q.args) //nolint:rowserrcheck // ForEachRow checks it
	if err == nil {
		_, err = pgx.ForEachRow(rows, into, func() error { return each(feed.of(*order)) })
	}
	if err != nil {
		cancel() // nobody takes boxes any more
	}
	if boxErr := <-sent; boxErr != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return boxErr
	}
	return err
}

// boxBatch is how many boxes cross between the two readers at once.
const boxBatch = 2000

func (s *Store) sendBoxes(ctx context.Context, snapshot string, q lineQuery, batches chan<- []truthBox) error {
	if q.boxes == "" {
		return nil
	}
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET TRANSACTION SNAPSHOT '`+snapshot+`'`); err != nil {
			return fmt.Errorf("boxes: snapshot: %w", err)
		}
		if _, err := tx.Exec(ctx, `SELECT set_config('work_mem', $1, true)`, lineMemory); err != nil {
			return fmt.Errorf("boxes: %w", err)
		}
		rows, err := tx.Query(ctx, q.boxes, q.args) //nolint:rowserrcheck // ForEachRow checks it
		if err != nil {
			return fmt.Errorf("boxes: %w", err)
		}
		var b truthBox
		batch := make([]truthBox, 0, boxBatch)
		send := func() error {
			select {
			case batches <- batch:
				batch = make([]truthBox, 0, boxBatch)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		into := []any{&b.order, &b.class, &b.Definition, &b.X, &b.Y, &b.W, &b.H, &b.Rotation, &b.Crowd}
		_, err = pgx.ForEachRow(rows, into, func() error {
			if batch = append(batch, b); len(batch) == boxBatch {
				return send()
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("boxes: %w", err)
		}
		return send()
	})
}

// boxFeed hands out the boxes line by line. Boxes of lines that nobody asks for are passed over.
type boxFeed struct {
	batches <-chan []truthBox
	batch   []truthBox
	line    []truthBox
}

// of returns the boxes of the line at order, which must come in ascending order.
func (f *boxFeed) of(order int64) []truthBox {
	f.line = f.line[:0]
	for {
		if len(f.batch) == 0 {
			batch, ok := <-f.batches
			if !ok {
				return f.line
			}
			f.batch = batch
			continue
		}
		switch b := f.batch[0]; {
		case b.order > order:
			return f.line
		case b.order == order:
			f.line = append(f.line, b)
		}
		f.batch = f.batch[1:]
	}
}

// named gives the boxes the names of their classes.
func named(boxes []truthBox, classes map[int64]string, into []manifest.Box) ([]manifest.Box, error) {
	for _, b := range boxes {
		name, ok := classes[b.class]
		if !ok {
			return nil, fmt.Errorf("class %d is not one of the version", b.class)
		}
		b.Class = name
		into = append(into, b.Box)
	}
	return into, nil
}
