package blob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// Versioned reports whether the bucket keeps what is deleted: an operator has
// turned versioning on, or on and off again.
func (b *Bucket) Versioned(ctx context.Context) (bool, error) {
	config, err := b.client.GetBucketVersioning(ctx, b.name)
	if code := minio.ToErrorResponse(err).Code; code == minio.NotImplemented || code == minio.MethodNotAllowed {
		return false, nil // a store that has no versions
	}
	if err != nil {
		return false, b.fail("ask versioning of", "", err)
	}
	return config.Enabled() || config.Suspended(), nil
}

// Delete removes an object and every version of it. A missing one is no error,
// so that a deletion can be repeated.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	versioned, err := b.Versioned(ctx)
	if err != nil {
		return err
	}
	if versioned {
		_, err := b.deleteListed(ctx, key, true, func(k string) bool { return k == key })
		return err
	}
	err = b.client.RemoveObject(ctx, b.name, key, minio.RemoveObjectOptions{})
	if err := b.fail("delete", key, err); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

// DeletePrefix removes every object in the folder prefix, which ends with "/",
// with all versions, and returns how many it removed.
func (b *Bucket) DeletePrefix(ctx context.Context, prefix string) (int, error) {
	if !strings.HasSuffix(prefix, "/") || !keyShape.MatchString(strings.TrimSuffix(prefix, "/")) {
		return 0, fmt.Errorf("blob: delete: prefix %q is not a folder of ids", prefix)
	}
	versioned, err := b.Versioned(ctx)
	if err != nil {
		return 0, err
	}
	return b.deleteListed(ctx, prefix, versioned, func(string) bool { return true })
}

// DeleteKeys removes objects, with all versions, and does not look for others. Missing ones are no error. It is for folders that may be
// empty: our own store, which keeps files, reads everything beside a folder that is not there when it is asked to list it.
func (b *Bucket) DeleteKeys(ctx context.Context, keys []string) error {
	versioned, err := b.Versioned(ctx)
	if err != nil {
		return err
	}
	if versioned {
		var failed error
		for _, key := range keys {
			failed = errors.Join(failed, b.Delete(ctx, key))
		}
		return failed
	}
	results, err := b.client.RemoveObjectsWithIter(ctx, b.name, func(yield func(minio.ObjectInfo) bool) {
		for _, key := range keys {
			if !yield(minio.ObjectInfo{Key: key}) {
				return
			}
		}
	}, minio.RemoveObjectsOptions{})
	if err != nil {
		return b.fail("delete", "", err)
	}
	var failed error
	for r := range results {
		if err := b.fail("delete", r.ObjectName, r.Err); r.Err != nil && !errors.Is(err, ErrNotFound) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// deleteListed removes the wanted ones among the keys that begin with prefix, in
// requests of a thousand, and goes on past one that cannot be removed.
func (b *Bucket) deleteListed(ctx context.Context, prefix string, versions bool, wanted func(key string) bool) (int, error) {
	var listing error
	listed := b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: versions})
	results, err := b.client.RemoveObjectsWithIter(ctx, b.name, wantedObjects(listed, wanted, &listing), minio.RemoveObjectsOptions{})
	if err != nil {
		return 0, b.fail("delete", prefix, err)
	}
	deleted := 0
	var failed error
	for r := range results {
		if r.Err != nil {
			failed = errors.Join(failed, b.fail("delete", r.ObjectName, r.Err))
			continue
		}
		deleted++
	}
	if listing != nil {
		failed = errors.Join(failed, b.fail("list", prefix, listing))
	}
	return deleted, failed
}

// wantedObjects stops at an error of the listing and leaves it in failed.
func wantedObjects(listed iter.Seq[minio.ObjectInfo], wanted func(key string) bool, failed *error) iter.Seq[minio.ObjectInfo] {
	return func(yield func(minio.ObjectInfo) bool) {
		for o := range listed {
			if o.Err != nil {
				*failed = o.Err
				return
			}
			if wanted(o.Key) && !yield(o) {
				return
			}
		}
	}
}

// DeleteUploads drops the multipart uploads that began before that time and were
// never finished, and returns how many.
func (b *Bucket) DeleteUploads(ctx context.Context, before time.Time) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing on every way out
	core := minio.Core{Client: b.client}
	deleted := 0
	for upload := range b.client.ListIncompleteUploads(ctx, b.name, "", true) {
		if upload.Err != nil {
			return deleted, b.fail("list uploads of", "", upload.Err)
		}
		if !upload.Initiated.Before(before) {
			continue
		}
		if err := core.AbortMultipartUpload(ctx, b.name, upload.Key, upload.UploadID); err != nil {
			return deleted, b.fail("delete upload of", upload.Key, err)
		}
		deleted++
	}
	return deleted, nil
}
