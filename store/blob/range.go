package blob

import (
	"context"
	"fmt"
	"io"
)

// headBytes is what is read of an object when it is opened for reading in places: the whole header of most media.
const headBytes = 4 << 10

// Ranged is an open object of which any part can be read, each by a request of its own for no more than that. It needs no closing,
// and is safe for concurrent use.
type Ranged struct {
	bucket *Bucket
	ctx    context.Context // Ranges', since io.ReaderAt has no place for one
	key    string
	etag   string
	size   int64
	head   []byte
}

// Ranges opens an object of size bytes, or returns ErrNotFound. ctx bounds all its reads. If the object is replaced meanwhile, a later
// read fails instead of mixing the two.
func (b *Bucket) Ranges(ctx context.Context, key string, size int64) (*Ranged, error) {
	if size <= 0 {
		return nil, fmt.Errorf("blob: ranges of %s: it has %d bytes", key, size)
	}
	r := &Ranged{bucket: b, ctx: ctx, key: key, size: size, head: make([]byte, min(size, headBytes))}
	body, info, err := b.open(ctx, key, "", 0, int64(len(r.head))-1)
	if err != nil {
		return nil, err
	}
	r.etag = info.ETag
	if err := readAll(body, r.head); err != nil {
		return nil, b.fail("read", key, err)
	}
	return r, nil
}

// ReadAt implements io.ReaderAt.
func (r *Ranged) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("blob: read %s: before its start", r.key)
	}
	if short := r.size - off; short < int64(len(p)) {
		p, err = p[:max(short, 0)], io.EOF
	}
	if off < int64(len(r.head)) {
		n = copy(p, r.head[off:])
	}
	if n == len(p) {
		return n, err
	}
	first := off + int64(n)
	body, _, failed := r.bucket.open(r.ctx, r.key, r.etag, first, off+int64(len(p))-1)
	if failed != nil {
		return n, failed
	}
	if failed := readAll(body, p[n:]); failed != nil {
		return n, r.bucket.fail("read", r.key, failed)
	}
	return len(p), err
}

// readAll fills p from a body and closes it.
func readAll(body io.ReadCloser, p []byte) error {
	_, err := io.ReadFull(body, p)
	if closed := body.Close(); err == nil {
		err = closed
	}
	return err
}
