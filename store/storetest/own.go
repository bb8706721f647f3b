package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/store/blob"
	"fiducial/store/embedded"
)

// Installation is a database and an object store that nobody shares, run as the product runs its own, so that a test may look
// into their files.
type Installation struct {
	Dir    string // of both
	Pool   *pgxpool.Pool
	Bucket *blob.Bucket
}

// Own starts an installation in a folder of its own, which is gone when tb ends. That takes a second or two. Its database has no
// schema yet.
func Own(tb testing.TB) Installation {
	tb.Helper()
	dir, err := os.MkdirTemp("", "fiducial-own-") //nolint:usetesting // the user postgres must be able to pass through
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // for that reason
		tb.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(lasting(), startPatience)
	defer cancel()
	cluster, err := embedded.StartPostgres(ctx, filepath.Join(dir, "postgres"), embedded.PostgresOptions{})
	if err != nil {
		unavailable(tb, err)
	}
	objects, err := embedded.StartObjects(ctx, filepath.Join(dir, "objects"), []string{self, childArgument})
	if err != nil {
		tb.Fatal(errors.Join(err, cluster.Stop()))
	}
	tb.Cleanup(func() {
		if err := errors.Join(objects.Stop(), cluster.Stop()); err != nil {
			tb.Error(err)
		}
	})
	own := Installation{Dir: dir}
	if own.Pool, err = pgxpool.New(ctx, cluster.DSN); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(own.Pool.Close)
	own.Bucket, err = blob.Open(ctx, blob.Config{Endpoint: objects.Endpoint, Bucket: "own", AccessKey: objects.AccessKey, SecretKey: objects.SecretKey})
	if err != nil {
		tb.Fatal(err)
	}
	return own
}
