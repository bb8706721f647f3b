// Package embedded runs the two services that the product needs, a Postgres
// cluster and an S3 object store, as children of this process over a data
// folder, for machines where nobody has set up either. Both end with this
// process, however it ends.
package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

var (
	// ErrInUse means that another process already runs the service of that folder.
	ErrInUse = errors.New("in use by another running process")

	// ErrNoPostgres means that this machine has no usable PostgreSQL server.
	ErrNoPostgres = errors.New("no PostgreSQL server of version 15 or newer is installed; " +
		"on Debian or Ubuntu, as root: mkdir -p /etc/postgresql-common/createcluster.d && " +
		"echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.d/fiducial.conf && " +
		"apt-get install postgresql; on macOS: brew install postgresql@17; " +
		"or set DATABASE_URL to a server of your own")
)

// lockFolder takes the lock of dir, which lasts until the file is closed or this
// process ends. The caller must keep the file referenced: a collected file is a
// closed one. Children do not inherit it.
func lockFolder(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s is %w: stop that process first, or choose another data folder", dir, ErrInUse)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded: %w", err), file.Close())
	}
	return file, nil
}

// unlockFolder gives the lock back at once: closing the file alone leaves it to whatever process is
// being forked at that moment, until its exec.
func unlockFolder(lock *os.File) error {
	return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
}

// openLog starts a new log file of that name in dir and keeps the previous one
// beside it, so that logs never grow over restarts.
func openLog(dir, name string) (*os.File, error) {
	path := filepath.Join(dir, name)
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return file, nil
}
