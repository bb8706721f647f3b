package embedded

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// objectsPatience is how long the object store may take to answer after its start.
const objectsPatience = 15 * time.Second

// ObjectsAccess is how to reach an object store: its loopback "host:port" (plain
// HTTP) and the keys of its only account.
type ObjectsAccess struct {
	Endpoint  string `json:"endpoint"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

// Objects is a running object store of our own.
type Objects struct {
	ObjectsAccess
	proc *process
	stop func() error
}

// objectsOrder is what the child reads on its standard input, where no other
// process can read the keys. The input then stays open for as long as the parent lives.
type objectsOrder struct {
	Dir string `json:"dir"`
	ObjectsAccess
}

// StartObjects serves the objects in dir over S3 from a child process, on a free
// port of the loopback interface, and returns when it answers. self is the
// command of the child, a program that calls ObjectsChild. The keys are random,
// made once, and kept in dir with mode 0600. The store stops with Stop or with
// this process, however that ends. The error is ErrInUse if dir is already
// served. ctx bounds the start alone.
func StartObjects(ctx context.Context, dir string, self []string) (*Objects, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	objects, err := startObjects(ctx, dir, self)
	if err != nil {
		return nil, errors.Join(err, unlockFolder(lock))
	}
	objects.proc.lock = lock
	objects.stop = sync.OnceValue(func() error {
		return errors.Join(objects.proc.stop(syscall.SIGTERM, syscall.SIGKILL), unlockFolder(lock))
	})
	return objects, nil
}

// RunningObjects returns how to reach the object store in dir that another
// process runs. Only that process's account and root can read it.
func RunningObjects(dir string) (ObjectsAccess, error) {
	raw, err := os.ReadFile(accessFile(dir))
	if err != nil {
		return ObjectsAccess{}, fmt.Errorf("embedded: %w", err)
	}
	var access ObjectsAccess
	if err := json.Unmarshal(raw, &access); err != nil {
		return ObjectsAccess{}, fmt.Errorf("embedded: %s: %w", accessFile(dir), err)
	}
	return access, nil
}

// Stop ends the object store. It may be called again.
func (o *Objects) Stop() error { return o.stop() }

// Done yields an error if the object store ends without Stop, and is closed once it has ended.
func (o *Objects) Done() <-chan error { return o.proc.failed }

// ObjectsChild is the whole work of the command that StartObjects runs: it serves
// until ctx ends or stdin, which the parent holds open, closes.
func ObjectsChild(ctx context.Context, stdin io.Reader) error {
	input := json.NewDecoder(stdin)
	var order objectsOrder
	if err := input.Decode(&order); err != nil {
		return fmt.Errorf("embedded: this command is started by the server itself: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		var nothing json.RawMessage
		_ = input.Decode(&nothing) // returns when the parent is gone, whatever it says
	}()
	return ServeObjects(ctx, order.Dir, order.Endpoint, order.AccessKey, order.SecretKey)
}

// ServeObjects serves the objects in dir over S3 on addr until ctx ends. It
// changes the working directory of the process, and only one may run in it: give
// it a process of its own.
func ServeObjects(ctx context.Context, dir, addr, access, secret string) error {
	root := filepath.Join(dir, "objects")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	// The threshold's zero value is not a default: every copy would fail.
	opts := posix.PosixOpts{CopyObjectThreshold: 5 << 30}
	opts.SetNewDirPerm(0o700)
	opts.SetNewFilePerm(0o600)
	store, err := objectMetadata(dir, root, &opts)
	if err != nil {
		return err
	}
	backend, err := posix.New(root, store, opts)
	if err != nil {
		return fmt.Errorf("embedded: object store: %w", err)
	}
	err = embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: access, RootUserSecret: secret, Region: "us-east-1",
		Ports: []string{addr}, MaxConnections: 4096, MaxRequests: 1024, MultipartMaxParts: 10000,
		KeepAlive: true, Quiet: true, DisableACLs: true,
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("embedded: object store: %w", err)
	}
	return nil
}

// objectMetadata keeps the objects' metadata in extended attributes, or in plain
// files beside them where the file system has none. A folder that began with
// plain files stays with them, for its objects would lose their metadata.
func objectMetadata(dir, root string, opts *posix.PosixOpts) (meta.MetadataStorer, error) {
	sidecar := filepath.Join(dir, "meta")
	_, err := os.Stat(sidecar)
	if os.IsNotExist(err) && (meta.XattrMeta{}).Test(root) == nil {
		return meta.XattrMeta{}, nil
	}
	if err := os.MkdirAll(sidecar, 0o700); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	opts.SideCarDir = sidecar
	store, err := meta.NewSideCar(sidecar)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return store, nil
}

// startObjects tries a few ports: a free one may be taken before the child has it.
func startObjects(ctx context.Context, dir string, self []string) (*Objects, error) {
	access, err := objectKeys(dir)
	if err != nil {
		return nil, err
	}
	log, err := openLog(dir, "objects.log")
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // only the child writes, through its own handle
	var objects *Objects
	for range 3 {
		if access.Endpoint, err = freePort(ctx); err != nil {
			return nil, err
		}
		if objects, err = spawnObjects(ctx, dir, self, access, log); err == nil {
			return objects, writeAccess(dir, access)
		}
	}
	return nil, err
}

func spawnObjects(ctx context.Context, dir string, self []string, access ObjectsAccess, log *os.File) (*Objects, error) {
	order, err := json.Marshal(objectsOrder{Dir: dir, ObjectsAccess: access})
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	cmd := exec.Command(self[0], self[1:]...) //nolint:gosec,noctx // our own binary, which outlives the start's context
	cmd.Stdout, cmd.Stderr = log, log
	stdin, err := cmd.StdinPipe() // closed by Wait, or by the kernel when we end
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	proc, err := startProcess(cmd, syscall.SIGTERM, nil)
	if err != nil {
		return nil, err
	}
	if _, err = stdin.Write(order); err == nil {
		err = awaitObjects(ctx, proc, access)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded: the object store did not start (see %s): %w", log.Name(), err),
			proc.stop(syscall.SIGTERM, syscall.SIGKILL))
	}
	return &Objects{ObjectsAccess: access, proc: proc}, nil
}

// awaitObjects returns when the store at access knows our keys, so that it is
// ours that answers there.
func awaitObjects(ctx context.Context, proc *process, access ObjectsAccess) error {
	ctx, cancel := context.WithTimeout(ctx, objectsPatience)
	defer cancel()
	client, err := minio.New(access.Endpoint, &minio.Options{
		Creds:  credentials.NewStaticV4(access.AccessKey, access.SecretKey, ""),
		Region: "us-east-1", MaxRetries: 1,
	})
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		_, asked := client.ListBuckets(ctx)
		if asked == nil {
			return nil
		}
		select {
		case <-proc.ended:
			return fmt.Errorf("it ended: %s", proc.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", asked)
		case <-tick.C:
		}
	}
}

func freePort(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("embedded: %w", err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", fmt.Errorf("embedded: %w", err)
	}
	return addr, nil
}

func accessFile(dir string) string { return filepath.Join(dir, "access.json") }

// objectKeys returns the keys of dir, new ones the first time.
func objectKeys(dir string) (ObjectsAccess, error) {
	access, err := RunningObjects(dir)
	if errors.Is(err, os.ErrNotExist) {
		return ObjectsAccess{AccessKey: rand.Text(), SecretKey: rand.Text() + rand.Text()}, nil
	}
	return access, err
}

// writeAccess replaces the file whole, so that no reader and no crash sees half of it.
func writeAccess(dir string, access ObjectsAccess) error {
	raw, err := json.Marshal(access) //nolint:gosec // G117: the file of the keys is what this writes
	if err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	if err := os.WriteFile(accessFile(dir)+".new", raw, 0o600); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	if err := os.Rename(accessFile(dir)+".new", accessFile(dir)); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	return nil
}
