package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"fiducial/store/embedded"
)

// runObjects is a process that starts an object store, says so, and waits to be killed.
func runObjects(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	objects, err := embedded.StartObjects(context.Background(), dir, []string{self, objectsArgument})
	if err != nil {
		return err
	}
	if _, err := fmt.Println(objects.Endpoint); err != nil {
		return err
	}
	return <-objects.Done()
}

func startObjects(t *testing.T, dir string) *embedded.Objects {
	t.Helper()
	begin := time.Now()
	objects, err := embedded.StartObjects(t.Context(), dir, objectsCommand(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("answers after %s", time.Since(begin).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := objects.Stop(); err != nil {
			t.Error(err)
		}
	})
	return objects
}

func client(t *testing.T, access embedded.ObjectsAccess) *minio.Client {
	t.Helper()
	c, err := minio.New(access.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(access.AccessKey, access.SecretKey, ""), Region: "us-east-1", MaxRetries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c *minio.Client, word string) {
	t.Helper()
	if err := c.MakeBucket(t.Context(), "kept", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutObject(t.Context(), "kept", "items/1/original", strings.NewReader(word), int64(len(word)), minio.PutObjectOptions{ContentType: "image/png"}); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *minio.Client) (word, contentType string) {
	t.Helper()
	object, err := c.GetObject(t.Context(), "kept", "items/1/original", minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(object)
	if err != nil {
		t.Fatal(err)
	}
	info, err := object.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return string(content), info.ContentType
}

func TestObjectsStartAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startObjects(t, dir)
	write(t, client(t, first.ObjectsAccess), "strip")
	if _, err := embedded.StartObjects(t.Context(), dir, objectsCommand(t)); !errors.Is(err, embedded.ErrInUse) {
		t.Fatalf("second start of a running store: %v", err)
	}
	beside, err := embedded.RunningObjects(dir)
	if err != nil || beside != first.ObjectsAccess {
		t.Fatalf("from beside: %v, %v", beside, err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	stopped(t, first.Done())
	second := startObjects(t, dir)
	if second.AccessKey != first.AccessKey || second.SecretKey != first.SecretKey {
		t.Error("the keys changed")
	}
	if word, contentType := read(t, client(t, second.ObjectsAccess)); word != "strip" || contentType != "image/png" {
		t.Errorf("read %q of type %q", word, contentType)
	}
}

func TestObjectsKeepTheirKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	objects := startObjects(t, dir)
	info, err := os.Stat(filepath.Join(dir, "access.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file of the keys: %v, %v", info, err)
	}
	wrong := objects.ObjectsAccess
	wrong.SecretKey = "guessed"
	if _, err := client(t, wrong).ListBuckets(t.Context()); minio.ToErrorResponse(err).Code != minio.SignatureDoesNotMatch {
		t.Fatalf("with a wrong key: %v", err)
	}
	lists, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range append(lists, "/proc/self/environ") {
		if raw, err := os.ReadFile(list); err == nil && bytes.Contains(raw, []byte(objects.SecretKey)) {
			t.Errorf("%s shows the secret key", list)
		}
	}
}

func TestObjectsEndWithTheirParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent, endpoint := startParent(t, parentArgument, dir)
	access, err := embedded.RunningObjects(dir)
	if err != nil || access.Endpoint != endpoint {
		t.Fatalf("from beside: %v, %v; the parent said %s", access, err, endpoint)
	}
	write(t, client(t, access), "strip")
	kill(t, parent)
	objects := startObjects(t, dir)
	if word, _ := read(t, client(t, objects.ObjectsAccess)); word != "strip" {
		t.Errorf("after kill -9: %q", word)
	}
	old := client(t, access)
	for deadline := time.Now().Add(time.Minute); access.Endpoint != objects.Endpoint; {
		if _, err := old.ListBuckets(t.Context()); err != nil {
			break // the orphan is gone
		}
		if time.Now().After(deadline) {
			t.Fatal("the store outlived its parent")
		}
	}
}

func TestObjectsWithoutExtendedAttributes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// As it is after a start on a file system without them.
	if err := os.Mkdir(filepath.Join(dir, "meta"), 0o700); err != nil {
		t.Fatal(err)
	}
	first := startObjects(t, dir)
	write(t, client(t, first.ObjectsAccess), "strip")
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := startObjects(t, dir)
	if word, contentType := read(t, client(t, second.ObjectsAccess)); word != "strip" || contentType != "image/png" {
		t.Errorf("read %q of type %q", word, contentType)
	}
}

func TestObjectsReportTheirEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trigger := filepath.Join(dir, "trigger")
	if err := syscall.Mkfifo(trigger, 0o600); err != nil {
		t.Fatal(err)
	}
	objects, err := embedded.StartObjects(t.Context(), dir, append(objectsCommand(t), trigger))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(trigger, []byte("crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	failed(t, objects.Done())
	if err := objects.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestObjectsSayWhyTheyDoNotStart(t *testing.T) {
	t.Parallel()
	_, err := embedded.StartObjects(t.Context(), t.TempDir(), []string{"/bin/false"})
	if err == nil || !strings.Contains(err.Error(), "objects.log") {
		t.Fatalf("got %v", err)
	}
	if err := embedded.ObjectsChild(t.Context(), strings.NewReader("")); err == nil {
		t.Fatal("a child without a parent serves")
	}
}
