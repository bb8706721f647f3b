package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Object is an open object. It reads, and seeks without a request until the next
// read, so that http.ServeContent costs one request.
type Object struct {
	Info
	bucket *Bucket
	ctx    context.Context // Get's, since io.Reader has no place for one
	body   io.ReadCloser   // nil: to be opened at next
	at     int64           // where body stands
	next   int64           // where the caller wants to read
}

// Get opens an object, or returns ErrNotFound. The caller must close it. ctx
// bounds all its reads. If the object is replaced meanwhile, a later read fails
// instead of mixing the two.
func (b *Bucket) Get(ctx context.Context, key string) (*Object, error) {
	body, info, err := b.open(ctx, key, "", 0, toEnd)
	if err != nil {
		return nil, err
	}
	info.Key = key
	return &Object{Info: info, bucket: b, ctx: ctx, body: body}, nil
}

// Read implements io.Reader.
func (o *Object) Read(p []byte) (int, error) {
	if o.next >= o.Size {
		return 0, io.EOF
	}
	if o.body == nil || o.at != o.next {
		if err := o.Close(); err != nil {
			return 0, err
		}
		body, _, err := o.bucket.open(o.ctx, o.Key, o.ETag, o.next, toEnd)
		if err != nil {
			return 0, err
		}
		o.body, o.at = body, o.next
	}
	n, err := o.body.Read(p)
	o.at += int64(n)
	o.next = o.at
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		err = o.bucket.fail("read", o.Key, err)
	case o.at < o.Size:
		err = o.bucket.fail("read", o.Key, io.ErrUnexpectedEOF)
	}
	return n, err
}

// Seek implements io.Seeker.
func (o *Object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.next
	case io.SeekEnd:
		offset += o.Size
	}
	if offset < 0 {
		return 0, fmt.Errorf("blob: seek %s: before its start", o.Key)
	}
	o.next = offset
	return offset, nil
}

// Close implements io.Closer.
func (o *Object) Close() error {
	if o.body == nil {
		return nil
	}
	body := o.body
	o.body = nil
	if err := body.Close(); err != nil {
		return o.bucket.fail("close", o.Key, err)
	}
	return nil
}

// Try writes, reads and deletes an object of its own, to see whether the bucket lets us.
func (b *Bucket) Try(ctx context.Context) error {
	key := "try-" + rand.Text()
	if _, err := b.Put(ctx, key, strings.NewReader(key), int64(len(key)), "text/plain"); err != nil {
		return err
	}
	object, err := b.Get(ctx, key)
	if err != nil {
		return err
	}
	read, err := io.ReadAll(object)
	if err := errors.Join(err, object.Close()); err != nil {
		return err
	}
	if string(read) != key {
		return fmt.Errorf("blob: the bucket %s gives back something else than was written", b.name)
	}
	return b.Delete(ctx, key)
}

// ReadAt implements io.ReaderAt, but for one caller at a time: reads that follow each other take one request in all, and one elsewhere
// a new one. Where Read goes on afterwards is not said.
func (o *Object) ReadAt(p []byte, offset int64) (int, error) {
	if _, err := o.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(o, p)
	if errors.Is(err, io.ErrUnexpectedEOF) && o.next >= o.Size {
		err = io.EOF
	}
	return n, err
}
