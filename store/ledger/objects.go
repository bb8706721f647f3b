package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"fiducial/store/blob"
)

// Prefix is where Objects keeps its lines. No backup takes what is there.
const Prefix = "ledger/"

// Objects is a ledger in object storage, for several machines: each Append makes an object, named by its first line. Whoever appends
// sees to it that nobody else does at the same time.
type Objects struct{ Bucket *blob.Bucket }

// Append adds lines and returns the new head once the store has them.
func (o *Objects) Append(ctx context.Context, entries []Entry) (Head, error) {
	head, err := o.Head(ctx)
	if err != nil || len(entries) == 0 {
		return head, err
	}
	key := fmt.Sprintf("%s%012d", Prefix, head.Line+1)
	var lines bytes.Buffer
	if head, err = write(&lines, head, entries); err != nil {
		return head, err
	}
	if _, err := o.Bucket.Put(ctx, key, &lines, int64(lines.Len()), "application/jsonl"); err != nil {
		return head, fmt.Errorf("ledger: %w", err)
	}
	return head, nil
}

// Head returns the end of the ledger; the zero one if nothing was ever erased.
func (o *Objects) Head(ctx context.Context) (Head, error) {
	newest := ""
	for info, err := range o.Bucket.List(ctx, Prefix) {
		if err != nil {
			return Head{}, fmt.Errorf("ledger: %w", err)
		}
		newest = info.Key
	}
	if newest == "" {
		return Head{}, nil
	}
	raw, err := o.content(ctx, newest)
	if err != nil {
		return Head{}, err
	}
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	return headOf(raw[bytes.LastIndexByte(raw, '\n')+1:])
}

// Read calls each for every entry from the first on. The error is ErrDamaged if the chain is broken.
func (o *Objects) Read(ctx context.Context, each func(Entry) error) (head Head, err error) {
	for info, err := range o.Bucket.List(ctx, Prefix) {
		if err != nil {
			return head, fmt.Errorf("ledger: %w", err)
		}
		raw, err := o.content(ctx, info.Key)
		if err != nil {
			return head, err
		}
		if head, err = Read(bytes.NewReader(raw), head, each); err != nil {
			return head, err
		}
	}
	return head, nil
}

func (o *Objects) content(ctx context.Context, key string) (raw []byte, err error) {
	object, err := o.Bucket.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	raw, err = io.ReadAll(object)
	if err := errors.Join(err, object.Close()); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return raw, nil
}
