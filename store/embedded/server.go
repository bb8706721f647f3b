package embedded

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const oldestMajor = 15

// server is an installed PostgreSQL server.
type server struct {
	bin   string // folder of initdb and postgres
	major int
}

// serverFolders are where Debian, Red Hat, Homebrew and a build from source put servers.
var serverFolders = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/usr/local/pgsql/bin",
}

var serverVersion = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// findServers returns the usable servers of this machine, newest first, or ErrNoPostgres.
func findServers(ctx context.Context) ([]server, error) {
	var bins []string
	for _, pattern := range serverFolders {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("embedded: %w", err)
		}
		bins = append(bins, found...)
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		bins = append(bins, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		bins = append(bins, filepath.Dir(path))
	}
	slices.Sort(bins)
	var servers []server
	for _, bin := range slices.Compact(bins) {
		if major, ok := serverMajor(ctx, bin); ok {
			servers = append(servers, server{bin: bin, major: major})
		}
	}
	if len(servers) == 0 {
		return nil, ErrNoPostgres
	}
	slices.SortStableFunc(servers, func(a, b server) int { return b.major - a.major })
	return servers, nil
}

// serverMajor returns the major version of the server in bin, and false if there
// is none that we can use.
func serverMajor(ctx context.Context, bin string) (int, bool) {
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return 0, false // clients only
	}
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output() //nolint:gosec // one of the folders above
	if err != nil {
		return 0, false
	}
	match := serverVersion.FindSubmatch(out)
	if match == nil {
		return 0, false
	}
	major, err := strconv.Atoi(string(match[1]))
	return major, err == nil && major >= oldestMajor
}

// serverFor returns the server for the cluster in data: the one of the cluster's
// own version, or the newest if there is no cluster yet.
func serverFor(ctx context.Context, data string) (server, error) {
	servers, err := findServers(ctx)
	if err != nil {
		return server{}, err
	}
	raw, err := os.ReadFile(filepath.Join(data, "PG_VERSION")) //nolint:gosec // the operator names the folder
	if os.IsNotExist(err) {
		return servers[0], nil
	}
	if err != nil {
		return server{}, fmt.Errorf("embedded: %w", err)
	}
	version := strings.TrimSpace(string(raw))
	for _, s := range servers {
		if strconv.Itoa(s.major) == version {
			return s, nil
		}
	}
	return server{}, fmt.Errorf("embedded: the database in %s was made by PostgreSQL %s, but only PostgreSQL %d is installed: "+
		"install PostgreSQL %s beside it (on Debian: apt-get install postgresql-%s), "+
		"or make a backup with the old version and restore it into an empty data folder",
		data, version, servers[0].major, version, version)
}

// InstalledPostgres returns the folder and the major version of the server that a new cluster would
// use, or ErrNoPostgres.
func InstalledPostgres(ctx context.Context) (bin string, major int, err error) {
	servers, err := findServers(ctx)
	if err != nil {
		return "", 0, err
	}
	return servers[0].bin, servers[0].major, nil
}
