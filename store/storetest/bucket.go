package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fiducial/store/blob"
	"fiducial/store/embedded"
)

// childArgument makes a test binary the object store of another.
const childArgument = "storetest-objects"

func init() {
	if len(os.Args) != 2 || os.Args[1] != childArgument {
		return
	}
	if err := embedded.ObjectsChild(context.Background(), os.Stdin); err != nil {
		slog.Error("object store", slog.Any("error", err))
		os.Exit(1)
	}
	os.Exit(0)
}

// objectStore is the object store of this test process. It is kept referenced,
// since a collected one would lose its lock, and ends with the process.
type objectStore struct {
	*embedded.Objects
	dir string
}

var theObjectStore = sync.OnceValues(func() (objectStore, error) {
	self, err := os.Executable()
	if err != nil {
		return objectStore{}, fmt.Errorf("storetest: %w", err)
	}
	return place("objects", func(dir string) (objectStore, error) {
		ctx, cancel := context.WithTimeout(lasting(), startPatience)
		defer cancel()
		objects, err := embedded.StartObjects(ctx, dir, []string{self, childArgument})
		if err != nil {
			return objectStore{}, err
		}
		store := objectStore{Objects: objects, dir: dir}
		return store, store.removeBuckets("")
	})
})

// removeBuckets removes the buckets whose names begin with prefix, by their
// folders: much faster than object by object.
func (s objectStore) removeBuckets(prefix string) error {
	var failed error
	for _, part := range []string{"objects", "meta"} {
		found, err := filepath.Glob(filepath.Join(s.dir, part, prefix+"*"))
		failed = errors.Join(failed, err)
		for _, path := range found {
			failed = errors.Join(failed, os.RemoveAll(path))
		}
	}
	return failed
}

// BucketConfig returns the configuration of a bucket that is not made yet, on a
// real object store, and which is gone when tb ends.
func BucketConfig(tb testing.TB) blob.Config {
	tb.Helper()
	store, err := theObjectStore()
	if err != nil {
		unavailable(tb, err)
	}
	name := "test-" + strings.ToLower(rand.Text())
	tb.Cleanup(func() {
		if err := store.removeBuckets(name); err != nil {
			tb.Error(err)
		}
	})
	return blob.Config{Endpoint: store.Endpoint, Bucket: name, AccessKey: store.AccessKey, SecretKey: store.SecretKey}
}

// Bucket returns an empty bucket on a real object store, which is gone when tb ends.
func Bucket(tb testing.TB) *blob.Bucket {
	tb.Helper()
	bucket, err := blob.Open(lasting(), BucketConfig(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return bucket
}
