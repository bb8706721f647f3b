package blob_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// An object that is written again and again is there all the time, whole: whoever renders a picture once more must not
// make it look erased to those who look at it.
func TestReplacedObjectIsNeverGone(t *testing.T) {
	t.Parallel()
	bucket := storetest.Bucket(t)
	const key = "items/1/display"
	put := func(i int) error {
		body := strings.Repeat(string(rune('a'+i%26)), 10_000+i%7)
		_, err := bucket.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), "image/jpeg")
		return err
	}
	if err := put(0); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var group errgroup.Group
	group.Go(func() error {
		defer done.Store(true)
		for i := range 300 {
			if err := put(i); err != nil {
				return err
			}
		}
		return nil
	})
	for range 4 {
		group.Go(func() error {
			for !done.Load() {
				object, err := bucket.Get(t.Context(), key)
				if err != nil {
					return err
				}
				body, err := io.ReadAll(object)
				if err := errors.Join(err, object.Close()); err != nil {
					return err
				}
				if len(bytes.Trim(body, string(body[:1]))) != 0 {
					return errors.New("two contents were mixed")
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(errors.Is(err, blob.ErrNotFound), err)
	}
}
