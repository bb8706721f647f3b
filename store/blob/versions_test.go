package blob_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"

	"fiducial/store/blob"
	"fiducial/store/embedded"
)

func TestDeletesEveryVersion(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := embedded.StartObjects(t.Context(), t.TempDir(), []string{self, versionedArgument})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := objects.Stop(); err != nil {
			t.Error(err)
		}
	})
	config := blob.Config{Endpoint: objects.Endpoint, Bucket: "versioned", AccessKey: objects.AccessKey, SecretKey: objects.SecretKey}
	b, err := blob.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	server := client(t, config)
	if err := server.EnableVersioning(t.Context(), config.Bucket); err != nil {
		t.Fatal(err)
	}
	if versioned, err := b.Versioned(t.Context()); !versioned || err != nil {
		t.Fatalf("versioned: %t, %v", versioned, err)
	}
	versions := func() (n int) {
		for o := range server.ListObjectsIter(t.Context(), config.Bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			n++
		}
		return n
	}
	for _, key := range []string{"items/1/original", "items/1/original-2", "items/2/a", "items/2/b"} {
		put(t, b, key, []byte("first"))
		put(t, b, key, []byte("second"))
	}
	if n := versions(); n != 8 {
		t.Fatalf("%d versions", n)
	}
	if err := b.Delete(t.Context(), "items/1/original"); err != nil {
		t.Fatal(err)
	}
	if n := versions(); n != 6 {
		t.Fatalf("%d versions after one of four objects was deleted", n)
	}
	if _, err := b.DeletePrefix(t.Context(), "items/2/"); err != nil {
		t.Fatal(err)
	}
	if n := versions(); n != 2 {
		t.Fatalf("%d versions after three of four objects were deleted", n)
	}
}

// versionedArgument makes this test binary an object store that keeps versions,
// as an operator's may and the embedded one never does.
const versionedArgument = "blob-test-versioned"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == versionedArgument {
		fmt.Fprintln(os.Stderr, serveVersioned())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func serveVersioned() error {
	var order struct {
		Dir string `json:"dir"`
		embedded.ObjectsAccess
	}
	if err := json.NewDecoder(os.Stdin).Decode(&order); err != nil {
		return err
	}
	root, versions := filepath.Join(order.Dir, "objects"), filepath.Join(order.Dir, "versions")
	for _, dir := range []string{root, versions} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	backend, err := posix.New(root, meta.XattrMeta{}, posix.PosixOpts{VersioningDir: versions})
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(context.Background(), backend, &embedgw.Config{
		RootUserAccess: order.AccessKey, RootUserSecret: order.SecretKey, Ports: []string{order.Endpoint},
		MaxConnections: 64, MaxRequests: 64, MultipartMaxParts: 10000, Quiet: true,
	})
}
