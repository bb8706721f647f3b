// Package blob is the object storage: one bucket of any S3 server. Object keys are
// made of ids and fixed words, never of content, since they show in logs and listings.
package blob

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

var (
	// ErrNotFound means that there is no object with that key.
	ErrNotFound = errors.New("no such object")

	// ErrAway means that the object store did not answer.
	ErrAway = errors.New("the object store does not answer: check that it runs, and S3_ENDPOINT")
)

const (
	partSize    = 16 << 20 // memory of a streamed upload; 10,000 parts make 160 GB
	retries     = 3
	dialTimeout = 5 * time.Second
	stall       = 30 * time.Second // longest silence of a connection in use
	answerTime  = 10 * time.Second // longest wait for the answer to a small question
)

// keyShape allows what ids and fixed words need. A key is a path on some stores,
// so that "a" and "a/b" cannot both exist.
var keyShape = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)

// Config says which bucket, and how to reach it.
type Config struct {
	Endpoint  string // "host:port", or a URL, whose scheme then decides over Secure
	Bucket    string
	Region    string // empty: us-east-1
	AccessKey string
	SecretKey string
	Secure    bool // HTTPS
}

// Bucket is the place of all objects. It is safe for concurrent use.
type Bucket struct {
	client *minio.Client
	name   string
}

// Info describes an object.
type Info struct {
	Key         string
	Size        int64  // bytes
	ContentType string // empty in listings
	ETag        string
	Modified    time.Time
}

// Open connects to the bucket and makes it if it is missing and the keys allow
// that. The error is ErrAway if the store does not answer.
func Open(ctx context.Context, c Config) (*Bucket, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if scheme, host, ok := strings.Cut(c.Endpoint, "://"); ok {
		c.Endpoint, c.Secure = strings.TrimSuffix(host, "/"), scheme == "https"
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	transport, err := minio.DefaultTransport(c.Secure)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	transport.DialContext = dial
	transport.ResponseHeaderTimeout = stall
	transport.IdleConnTimeout = stall / 2 // before the connection itself gives up
	transport.MaxIdleConnsPerHost = 64
	client, err := minio.New(c.Endpoint, &minio.Options{
		Creds:  credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""),
		Secure: c.Secure, Region: c.Region, Transport: transport, MaxRetries: retries,
	})
	if err != nil {
		return nil, fmt.Errorf("blob: endpoint %q: %w", c.Endpoint, err)
	}
	b := &Bucket{client: client, name: c.Bucket}
	exists, err := client.BucketExists(ctx, c.Bucket)
	if err != nil {
		return nil, b.fail("open", "", err)
	}
	if !exists {
		err = client.MakeBucket(ctx, c.Bucket, minio.MakeBucketOptions{Region: c.Region})
		if code := minio.ToErrorResponse(err).Code; err != nil && code != minio.BucketAlreadyOwnedByYou {
			return nil, fmt.Errorf("blob: bucket %s does not exist and cannot be made with these keys: %w", c.Bucket, err)
		}
	}
	return b, nil
}

// Put stores an object whole or not at all, replacing what was there. size is in
// bytes; -1 streams what r has, in parts of bounded memory. The returned Info has
// the true size.
func (b *Bucket) Put(ctx context.Context, key string, r io.Reader, size int64, contentType string) (Info, error) {
	if !keyShape.MatchString(key) {
		return Info{}, fmt.Errorf("blob: put: key %q is not made of ids", key)
	}
	if size < 0 {
		peeked := bufio.NewReader(r)
		if _, err := peeked.Peek(1); errors.Is(err, io.EOF) {
			size = 0
		}
		r = peeked
	}
	up, err := b.client.PutObject(ctx, b.name, key, r, size, minio.PutObjectOptions{
		ContentType: contentType, PartSize: partSize, NumThreads: 2,
		// A signed empty body leaves bytes behind on the connection to the
		// embedded store, which spoil the next request.
		DisableContentSha256: size == 0,
	})
	if err != nil {
		return Info{}, b.fail("put", key, err)
	}
	return Info{Key: key, Size: up.Size, ContentType: contentType, ETag: up.ETag, Modified: up.LastModified}, nil
}

// Stat describes an object, or returns ErrNotFound.
func (b *Bucket) Stat(ctx context.Context, key string) (Info, error) {
	o, err := b.client.StatObject(ctx, b.name, key, minio.StatObjectOptions{})
	if err != nil {
		return Info{}, b.fail("stat", key, err)
	}
	return infoOf(o), nil
}

// Range reads length bytes from offset, fewer at the object's end.
func (b *Bucket) Range(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 || length <= 0 {
		return nil, fmt.Errorf("blob: range of %s: %d bytes from %d", key, length, offset)
	}
	body, _, err := b.open(ctx, key, "", offset, offset+length-1)
	return body, err
}

// toEnd is the last byte of a read that has no other.
const toEnd = -1

// open reads from first to last. With an etag it fails if the object has changed since.
func (b *Bucket) open(ctx context.Context, key, etag string, first, last int64) (io.ReadCloser, Info, error) {
	var opts minio.GetObjectOptions
	if last == toEnd && first > 0 {
		last = 0 // minio-go's word for it, except from the start
	}
	if last != toEnd {
		if err := opts.SetRange(first, last); err != nil {
			return nil, Info{}, b.fail("read", key, err)
		}
	}
	if etag != "" {
		if err := opts.SetMatchETag(etag); err != nil {
			return nil, Info{}, b.fail("read", key, err)
		}
	}
	core := minio.Core{Client: b.client}
	body, o, _, err := core.GetObject(ctx, b.name, key, opts)
	if err != nil {
		return nil, Info{}, b.fail("read", key, err)
	}
	return body, infoOf(o), nil
}

// List yields the objects whose keys begin with prefix, by key; on an error it
// yields that and ends.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for o := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
			if o.Err != nil {
				yield(Info{}, b.fail("list", prefix, o.Err))
				return
			}
			if !yield(infoOf(o), nil) {
				return
			}
		}
	}
}

// Ping asks for the bucket: nil if it is there and the keys are good.
func (b *Bucket) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	exists, err := b.client.BucketExists(ctx, b.name)
	if err != nil {
		return b.fail("ping", "", err)
	}
	if !exists {
		return fmt.Errorf("blob: bucket %s is gone", b.name)
	}
	return nil
}

// fail says what was attempted, and names the two errors that callers handle.
func (b *Bucket) fail(attempt, key string, err error) error {
	if err == nil {
		return nil
	}
	var away *url.Error
	var network net.Error
	switch code := minio.ToErrorResponse(err).Code; {
	case code == minio.NoSuchKey || code == minio.NoSuchVersion:
		err = ErrNotFound
	case errors.Is(err, context.Canceled):
	case errors.As(err, &away) || errors.As(err, &network):
		err = fmt.Errorf("%w (%s): %w", ErrAway, b.client.EndpointURL().Host, err)
	}
	return fmt.Errorf("blob: %s %s: %w", attempt, strings.TrimSuffix(b.name+"/"+key, "/"), err)
}

func infoOf(o minio.ObjectInfo) Info {
	return Info{Key: o.Key, Size: o.Size, ContentType: o.ContentType, ETag: o.ETag, Modified: o.LastModified}
}

// dial connects, and has the connection give up when nothing moves for a while,
// which minio-go's own timeouts do not cover in the middle of a body.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return stallConn{conn}, nil
}

type stallConn struct{ net.Conn }

func (c stallConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write moves the deadline of a waiting Read too: the answer comes after the upload.
func (c stallConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
