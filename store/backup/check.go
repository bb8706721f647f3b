package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/store/blob"
)

// Checked is what came of comparing every object with its row.
type Checked struct {
	Objects   int64
	Missing   []string // keys
	Different []string // keys
}

// CheckObjects reads every object that a row gives the checksum of, and compares.
func CheckObjects(ctx context.Context, pool *pgxpool.Pool, bucket *blob.Bucket) (c Checked, err error) {
	const query = `
		SELECT 'items/' || item_id || '/' || kind, sha256 FROM assets
		UNION ALL SELECT 'recordings/' || recording_id || '/' || kind, sha256 FROM recording_assets
		UNION ALL SELECT 'exports/' || id, sha256 FROM exports WHERE state = 'done'`
	rows, err := pool.Query(ctx, query) //nolint:rowserrcheck // ForEachRow does
	if err != nil {
		return c, fmt.Errorf("check objects: %w", err)
	}
	var key string
	var want []byte
	_, err = pgx.ForEachRow(rows, []any{&key, &want}, func() error {
		c.Objects++
		got, err := digest(ctx, bucket, key)
		switch {
		case errors.Is(err, blob.ErrNotFound):
			c.Missing = append(c.Missing, key)
		case err != nil:
			return err
		case !bytes.Equal(got, want):
			c.Different = append(c.Different, key)
		}
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("check objects: %w", err)
	}
	return c, nil
}

func digest(ctx context.Context, bucket *blob.Bucket, key string) (sum []byte, err error) {
	object, err := bucket.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	hash := sha256.New()
	_, err = io.Copy(hash, object)
	return hash.Sum(nil), err
}
