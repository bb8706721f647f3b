package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"pgregory.net/rapid"

	"fiducial/store/blob"
	"fiducial/store/storetest"
)

func noise(t *testing.T, size int) []byte {
	t.Helper()
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	if _, err := source.Read(content); err != nil {
		t.Fatal(err)
	}
	return content
}

func put(t *testing.T, b *blob.Bucket, key string, content []byte) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, bytes.NewReader(content), int64(len(content)), "image/png"); err != nil {
		t.Fatal(err)
	}
}

func keys(t *testing.T, b *blob.Bucket, prefix string) (found []string) {
	t.Helper()
	for info, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, info.Key)
	}
	return found
}

func TestPutThenGet(t *testing.T) {
	t.Parallel()
	b := storetest.Bucket(t)
	for name, test := range map[string]struct {
		size     int
		streamed bool
	}{
		"empty":                      {size: 0},
		"small":                      {size: 1000},
		"empty, streamed":            {size: 0, streamed: true},
		"small, streamed":            {size: 1000, streamed: true},
		"several parts":              {size: 40 << 20},
		"several parts, streamed":    {size: 40 << 20, streamed: true},
		"exactly one part, streamed": {size: 16 << 20, streamed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := noise(t, test.size)
			key, size := fmt.Sprintf("items/%d-%t/original", test.size, test.streamed), int64(test.size)
			if test.streamed {
				size = -1
			}
			stored, err := b.Put(t.Context(), key, io.MultiReader(bytes.NewReader(content)), size, "image/png")
			if err != nil || stored.Size != int64(test.size) {
				t.Fatalf("stored %d bytes: %v", stored.Size, err)
			}
			object, err := b.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(object)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("read %d bytes: %v", len(got), err)
			}
			if err := object.Close(); err != nil {
				t.Fatal(err)
			}
			stat, err := b.Stat(t.Context(), key)
			if err != nil || stat.Size != int64(test.size) || stat.ContentType != "image/png" || stat.ETag != object.ETag || stat.ETag == "" {
				t.Fatalf("stat %+v, object %+v: %v", stat, object.Info, err)
			}
		})
	}
}

func TestObjectReadsAndSeeksLikeAFile(t *testing.T) {
	t.Parallel()
	b := storetest.Bucket(t)
	content := noise(t, 100_000)
	put(t, b, "items/1/original", content)
	object, err := b.Get(t.Context(), "items/1/original")
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(object, content); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Int64Range(0, int64(len(content))).Draw(t, "from")
		length := rapid.IntRange(0, 20_000).Draw(t, "length")
		if _, err := object.Seek(from-int64(len(content)), io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.LimitReader(object, int64(length)))
		want := content[from:min(int(from)+length, len(content))]
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read %d bytes instead of %d: %v", len(got), len(want), err)
		}
	})
	if _, err := object.Seek(-1, io.SeekStart); err == nil {
		t.Error("seeks before the start")
	}
	if err := errors.Join(object.Close(), object.Close()); err != nil {
		t.Error(err)
	}
}

func TestObjectReplacedWhileRead(t *testing.T) {
	t.Parallel()
	b := storetest.Bucket(t)
	put(t, b, "items/1/original", []byte("first"))
	object, err := b.Get(t.Context(), "items/1/original")
	if err != nil {
		t.Fatal(err)
	}
	put(t, b, "items/1/original", []byte("other"))
	if _, err := object.Seek(2, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(object); err == nil {
		t.Fatalf("mixed with %q", got)
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	b := storetest.Bucket(t)
	put(t, b, "items/1/original", []byte("0123456789"))
	for _, test := range []struct {
		offset, length int64
		want           string
	}{{0, 1, "0"}, {0, 10, "0123456789"}, {3, 4, "3456"}, {9, 1, "9"}, {8, 100, "89"}} {
		body, err := b.Range(t.Context(), "items/1/original", test.offset, test.length)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != test.want {
			t.Errorf("%d bytes from %d: %q, %v", test.length, test.offset, got, err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, test := range [][2]int64{{-1, 5}, {0, 0}, {10, 1}} {
		if _, err := b.Range(t.Context(), "items/1/original", test[0], test[1]); err == nil {
			t.Errorf("%d bytes from %d: no error", test[1], test[0])
		}
	}
}

func TestMissingObject(t *testing.T) {
	t.Parallel()
	b := storetest.Bucket(t)
	if _, err := b.Get(t.Context(), "items/1/original"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if _, err := b.Stat(t.Context(), "items/1/original"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("stat: %v", err)
	}
	if _, err := b.Range(t.Context(), "items/1/original", 0, 1); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("range: %v", err)
	}
	if err := b.Delete(t.Context(), "items/1/original"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if n, err := b.DeletePrefix(t.Context(), "items/1/"); n != 0 || err != nil {
		t.Errorf("delete prefix: %d, %v", n, err)
	}
}

func TestKeysAreIDs(t *testing.T) {
	t.Parallel()
	b := storetest.Bucket(t)
	for _, key := range []string{"", "/items", "items/", "items//1", "items/../1", "items/./1", ".hidden", "items/Jane Doe", "items/größe"} {
		if _, err := b.Put(t.Context(), key, strings.NewReader("x"), 1, "text/plain"); err == nil {
			t.Errorf("put takes key %q", key)
		}
	}
	for _, prefix := range []string{"", "/", "items", "items//"} {
		if _, err := b.DeletePrefix(t.Context(), prefix); err == nil {
			t.Errorf("delete takes prefix %q", prefix)
		}
	}
}

func TestListAndDelete(t *testing.T) {
	t.Parallel()
	b := storetest.Bucket(t)
	all := []string{"items/1/original", "items/1/thumb", "items/10/original", "items/2/original", "versions/1/manifest"}
	for _, key := range all {
		put(t, b, key, []byte(key))
	}
	if got := keys(t, b, ""); !slices.Equal(got, all) {
		t.Errorf("all: %v", got)
	}
	for _, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		break // a listing may be left
	}
	if err := b.Delete(t.Context(), "items/2/original"); err != nil {
		t.Fatal(err)
	}
	if n, err := b.DeletePrefix(t.Context(), "items/1/"); n != 2 || err != nil {
		t.Fatalf("deleted %d: %v", n, err)
	}
	if got := keys(t, b, ""); !slices.Equal(got, []string{"items/10/original", "versions/1/manifest"}) {
		t.Errorf("left: %v", got)
	}
}

func TestDeleteManyPages(t *testing.T) {
	t.Parallel()
	b := storetest.Bucket(t)
	const many = 1100 // a listing's page and a deletion's request hold a thousand
	for n := range many {
		put(t, b, fmt.Sprintf("items/%d/thumb", n), []byte("x"))
	}
	if n, err := b.DeletePrefix(t.Context(), "items/"); n != many || err != nil {
		t.Fatalf("deleted %d: %v", n, err)
	}
	if left := keys(t, b, ""); len(left) != 0 {
		t.Fatalf("%d are left", len(left))
	}
}

func TestFailedPutLeavesNothing(t *testing.T) {
	t.Parallel()
	b := storetest.Bucket(t)
	broken := io.MultiReader(bytes.NewReader(noise(t, 20<<20)), iotest.ErrReader(errors.New("the file was truncated")))
	if _, err := b.Put(t.Context(), "items/1/original", broken, -1, "image/png"); err == nil || !strings.Contains(err.Error(), "the file was truncated") {
		t.Fatalf("got %v", err)
	}
	if _, err := b.Stat(t.Context(), "items/1/original"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("stat: %v", err)
	}
	if n, err := b.DeleteUploads(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("%d parts were left: %v", n, err)
	}
}

func TestDeleteUploads(t *testing.T) {
	t.Parallel()
	config := storetest.BucketConfig(t)
	b, err := blob.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	core := minio.Core{Client: client(t, config)}
	if _, err := core.NewMultipartUpload(t.Context(), config.Bucket, "items/1/original", minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		before time.Time
		want   int
	}{{time.Now().Add(-time.Hour), 0}, {time.Now().Add(time.Hour), 1}, {time.Now().Add(time.Hour), 0}} {
		if n, err := b.DeleteUploads(t.Context(), test.before); n != test.want || err != nil {
			t.Errorf("deleted %d instead of %d: %v", n, test.want, err)
		}
	}
}

func client(t *testing.T, config blob.Config) *minio.Client {
	t.Helper()
	c, err := minio.New(config.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(config.AccessKey, config.SecretKey, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	config := storetest.BucketConfig(t)
	config.Endpoint = "http://" + config.Endpoint + "/"
	for range 2 {
		b, err := blob.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if versioned, err := b.Versioned(t.Context()); versioned || err != nil {
			t.Fatalf("versioned: %t, %v", versioned, err)
		}
	}
	config.SecretKey = "wrong"
	if _, err := blob.Open(t.Context(), config); err == nil {
		t.Fatal("opens with a wrong key")
	}
}

func TestStoreAway(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = blob.Open(t.Context(), blob.Config{Endpoint: endpoint, Bucket: "fiducial", AccessKey: "a", SecretKey: "b"})
	if !errors.Is(err, blob.ErrAway) || !strings.Contains(err.Error(), endpoint) {
		t.Fatalf("got %v", err)
	}
}

func TestStoreSilent(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = blob.Open(ctx, blob.Config{Endpoint: listener.Addr().String(), Bucket: "fiducial", AccessKey: "a", SecretKey: "b"})
	if !errors.Is(err, blob.ErrAway) {
		t.Fatalf("got %v", err)
	}
}

// It measures the whole process, so it runs alone.
func TestStreamedPutHasBoundedMemory(t *testing.T) {
	b := storetest.Bucket(t)
	const size = 400 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stored, err := b.Put(t.Context(), "datasets/1/export.zip", io.LimitReader(zeros{}, size), -1, "application/zip")
	if err != nil || stored.Size != size {
		t.Fatalf("stored %d bytes: %v", stored.Size, err)
	}
	runtime.ReadMemStats(&after)
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 64 {
		t.Fatalf("allocated %d MB for 400 MB", allocated)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestReadAtAnyPlace(t *testing.T) {
	t.Parallel()
	bucket, content := storetest.Bucket(t), []byte("0123456789")
	if _, err := bucket.Put(t.Context(), "a/b", bytes.NewReader(content), int64(len(content)), "text/plain"); err != nil {
		t.Fatal(err)
	}
	object, err := bucket.Get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at, length int
		want       string
		end        bool
	}{{6, 3, "678", false}, {9, 1, "9", false}, {0, 4, "0123", false}, {4, 2, "45", false}, {8, 5, "89", true}, {10, 1, "", true}} {
		got := make([]byte, c.length)
		n, err := object.ReadAt(got, int64(c.at))
		if string(got[:n]) != c.want || errors.Is(err, io.EOF) != c.end || err != nil && !c.end {
			t.Errorf("%d bytes from %d: %q, %v", c.length, c.at, got[:n], err)
		}
	}
	if err := object.Close(); err != nil {
		t.Fatal(err)
	}
}
