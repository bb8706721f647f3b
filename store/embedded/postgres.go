package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	postgresRole = "fiducial"
	postgresPort = "5432" // only names the socket file: the cluster listens on no network
	socketLimit  = 103    // longest path of a socket that every kernel takes
)

// PostgresOptions vary a cluster.
type PostgresOptions struct {
	// NoSync never waits for the disk. A crash of the machine can then destroy
	// the cluster: for tests only.
	NoSync bool
}

// Postgres is a running cluster of our own.
type Postgres struct {
	// DSN connects to it as its superuser; see PostgresDSN.
	DSN string

	proc *process
	stop func() error
}

// PostgresDSN returns the URL of the cluster in dir, for processes beside the one
// that runs it. The cluster listens on a socket alone, in a folder that only the
// account that runs the cluster (and root) can enter.
func PostgresDSN(dir string) string {
	query := url.Values{"host": {filepath.Join(dir, "run")}, "port": {postgresPort}, "user": {postgresRole}, "sslmode": {"disable"}}
	return "postgres:///postgres?" + query.Encode()
}

// StartPostgres runs the cluster in dir, making it first if there is none, and
// returns when it answers. The cluster stops with Stop or with this process,
// however that ends; what was committed is kept. Run as root, it works as the
// system user postgres, who must be able to reach dir. The error is ErrNoPostgres
// without a server on this machine, and ErrInUse if dir's cluster already runs.
// ctx bounds the start alone.
func StartPostgres(ctx context.Context, dir string, opts PostgresOptions) (*Postgres, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	c := &cluster{dir: dir, data: filepath.Join(dir, "data"), run: filepath.Join(dir, "run"), opts: opts}
	if len(c.socket()) > socketLimit {
		return nil, fmt.Errorf("embedded: the path %s is too long for a Unix socket: choose a data folder with a shorter path", c.run)
	}
	if c.server, err = serverFor(ctx, c.data); err != nil {
		return nil, err
	}
	if c.owner, err = clusterOwner(); err != nil {
		return nil, err
	}
	if err := c.makeFolders(); err != nil {
		return nil, err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	proc, err := c.start(ctx)
	if err != nil {
		return nil, errors.Join(err, unlockFolder(lock))
	}
	proc.lock = lock
	return &Postgres{DSN: PostgresDSN(dir), proc: proc, stop: sync.OnceValue(func() error {
		return errors.Join(proc.stop(syscall.SIGINT, syscall.SIGQUIT), unlockFolder(lock))
	})}, nil
}

// Stop ends all connections and shuts the cluster down. It may be called again.
func (p *Postgres) Stop() error { return p.stop() }

// Done yields an error if the cluster ends without Stop, and is closed once it has ended.
func (p *Postgres) Done() <-chan error { return p.proc.failed }

// cluster is what StartPostgres knows on its way. Its folder holds
//
//	lock, postgres.log  ours
//	data, run           the owner's, closed to everyone else
//
// so that the account of the database can plant nothing among our files.
type cluster struct {
	dir, data, run string
	server         server
	owner          owner
	opts           PostgresOptions
}

// owner is the account that the cluster runs as.
type owner struct {
	uid, gid int
	as       *syscall.Credential // nil: our own
}

// clusterOwner is ourselves, except for root, whom Postgres refuses.
func clusterOwner() (owner, error) {
	if os.Geteuid() != 0 {
		return owner{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return owner{}, fmt.Errorf("embedded: PostgreSQL does not run as root, and there is no system user postgres to run it as: "+
			"make one (useradd --system postgres), or start as another user: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return owner{}, fmt.Errorf("embedded: user postgres: %w", err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return owner{}, fmt.Errorf("embedded: user postgres: %w", err)
	}
	return owner{uid: int(uid), gid: int(gid), as: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func (c *cluster) socket() string { return filepath.Join(c.run, ".s.PGSQL."+postgresPort) }

func (c *cluster) makeFolders() error {
	mode := fs.FileMode(0o700)
	if c.owner.as != nil {
		mode = 0o711 // the owner passes through, nobody lists
	}
	if err := os.MkdirAll(c.dir, mode); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	if err := os.Chmod(c.dir, mode); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	return c.ownFolder(c.run)
}

// ownFolder makes path as an empty folder that only the owner may enter, or
// corrects one that is there.
func (c *cluster) ownFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	if err := os.Chmod(path, 0o700); err != nil { //nolint:gosec // a folder
		return fmt.Errorf("embedded: %w", err)
	}
	if err := os.Chown(path, c.owner.uid, c.owner.gid); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	return nil
}

// start makes the cluster if need be and runs it until it answers.
func (c *cluster) start(ctx context.Context) (*process, error) {
	log, err := openLog(c.dir, "postgres.log")
	if err != nil {
		return nil, err
	}
	proc, err := c.startLogged(ctx, log)
	if err != nil && errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: the system user postgres cannot reach %s: choose a data folder outside private folders, such as /var/lib/fiducial", err, c.dir)
	}
	return proc, errors.Join(err, log.Close()) // the child has its own handle
}

func (c *cluster) startLogged(ctx context.Context, log *os.File) (*process, error) {
	switch info, err := os.Stat(c.data); {
	case os.IsNotExist(err):
		if err := c.initialize(ctx, log); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("embedded: %w", err)
	case !ownedBy(info, c.owner.uid):
		return nil, fmt.Errorf("embedded: the database in %s belongs to another account: start as the one that made it", c.data)
	}
	if err := c.stopOrphan(ctx); err != nil {
		return nil, err
	}
	// A postmaster that was killed leaves children for a moment, while which
	// the next one refuses to start: try again for a short time.
	for deadline := time.Now().Add(5 * time.Second); ; {
		proc, err := startProcess(c.postgres(log), syscall.SIGINT, c.owner.as)
		if err != nil {
			return nil, err
		}
		err = c.awaitReady(ctx, proc)
		if err == nil {
			return proc, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return nil, errors.Join(err, proc.stop(syscall.SIGINT, syscall.SIGQUIT))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func ownedBy(info fs.FileInfo, uid int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == uid
}

// initialize runs initdb aside and renames the result, so that a killed initdb
// leaves no half cluster. Every connection is trusted, since only the owner and
// root get through the socket's folder.
func (c *cluster) initialize(ctx context.Context, log *os.File) error {
	aside := c.data + ".init"
	if err := os.RemoveAll(aside); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	if err := c.ownFolder(aside); err != nil {
		return err
	}
	args := []string{
		"--pgdata=" + aside, "--username=" + postgresRole, "--auth=trust", "--encoding=UTF8",
		"--locale=" + clusterLocale, "--data-checksums",
	}
	if c.opts.NoSync {
		args = append(args, "--no-sync")
	}
	proc, err := startProcess(c.command(log, "initdb", args...), syscall.SIGKILL, c.owner.as)
	if err != nil {
		return err
	}
	select {
	case <-proc.ended:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), proc.stop(syscall.SIGTERM, syscall.SIGKILL))
	}
	if proc.err != nil {
		return fmt.Errorf("embedded: initdb failed (%w): see %s", proc.err, log.Name())
	}
	if err := os.Rename(aside, c.data); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	return nil
}

// stopOrphan stops a postmaster that outlived the process which ran it. We hold
// the folder's lock, so whoever listens on its socket is one.
func (c *cluster) stopOrphan(ctx context.Context) error {
	for asked := false; ; asked = true {
		dialer := net.Dialer{Timeout: time.Second}
		conn, err := dialer.DialContext(ctx, "unix", c.socket())
		if err != nil {
			return ctx.Err() // nobody listens
		}
		if err := conn.Close(); err != nil {
			return fmt.Errorf("embedded: %w", err)
		}
		if pid, _ := c.postmaster(); pid > 0 && !asked {
			if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("embedded: stop the previous PostgreSQL (process %d): %w", pid, err)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// postmaster reads the pid file: who runs the cluster, and whether it takes connections.
func (c *cluster) postmaster() (pid int, ready bool) {
	raw, err := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
	if err != nil {
		return 0, false
	}
	lines := strings.Split(string(raw), "\n")
	if pid, err = strconv.Atoi(lines[0]); err != nil {
		return 0, false
	}
	const statusLine = 7 // as pg_ctl reads it
	return pid, len(lines) > statusLine && strings.TrimSpace(lines[statusLine]) == "ready"
}

// awaitReady returns when proc takes connections. Recovery after a crash may
// take long, so only the end of proc or of ctx ends the wait.
func (c *cluster) awaitReady(ctx context.Context, proc *process) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-proc.ended:
			return fmt.Errorf("embedded: PostgreSQL did not start: see %s", filepath.Join(c.dir, "postgres.log"))
		case <-ctx.Done():
			return fmt.Errorf("embedded: PostgreSQL did not start in time: %w", ctx.Err())
		case <-tick.C:
			// The file may still be a dead postmaster's.
			if pid, ready := c.postmaster(); ready && pid == proc.cmd.Process.Pid {
				return nil
			}
		}
	}
}

// postgres is the command of the server. Its settings are arguments, not a file,
// so that an upgrade of the product brings its own.
func (c *cluster) postgres(log *os.File) *exec.Cmd {
	settings := []string{
		"listen_addresses=", "unix_socket_permissions=0700", "port=" + postgresPort,
		"max_connections=200", "timezone=UTC", "log_timezone=UTC",
		"wal_recycle=off", // a recycled file would keep erased rows
		"jit=off",         // compiling costs more than these queries take
		// The log holds no content: no statements, no values, no errors of
		// statements (the client gets those).
		"log_min_messages=log", "log_min_error_statement=panic", "log_error_verbosity=terse", "log_checkpoints=off",
	}
	if c.opts.NoSync {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-D", c.data, "-k", c.run}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return c.command(log, "postgres", args...)
}

func (c *cluster) command(log *os.File, name string, args ...string) *exec.Cmd {
	// Without a context: the child must not be killed when the start's ends.
	cmd := exec.Command(filepath.Join(c.server.bin, name), args...) //nolint:gosec,noctx // the installed server
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.Env = []string{"LC_ALL=" + clusterLocale, "PATH=/usr/local/bin:/usr/bin:/bin"} // drops PGDATA, PGPORT and their like
	return cmd
}
