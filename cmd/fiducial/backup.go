package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"fiducial/migrations"
	"fiducial/store"
	"fiducial/store/backup"
)

type backupCommand struct {
	Make    backupMakeCommand    `cmd:"" default:"withargs" help:"Write everything into one file."`
	List    backupListCommand    `cmd:"" help:"List the backups that were made here and whose files are still there."`
	Deleted backupDeletedCommand `cmd:"" help:"Note that the file of a backup was deleted."`
}

type backupMakeCommand struct {
	platformFlags `embed:""`

	File string `arg:"" type:"path" help:"File to write; it must not exist yet."`
	Keep days   `help:"How long the file will be kept, such as 30d or 8w: the receipt of an erasure names the day until which a backup knows." default:"30d" env:"FIDUCIAL_BACKUP_KEEP"`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help says what --help shows below the usage.
func (*backupMakeCommand) Help() string {
	return "Nothing deletes the file by itself: delete it by the day that you named, and say so with 'fiducial backup deleted NUMBER'. " +
		"Neither the signing key nor the ledger of erasures is in it: keep those apart."
}

// days is a number of days, written as 30d or as 8w.
type days int

const longestKept = 3660

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *days) UnmarshalText(text []byte) error {
	number, unit := strings.TrimRight(string(text), "dw"), 1
	if strings.HasSuffix(string(text), "w") {
		unit = 7
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n*unit > longestKept {
		return errors.New("write days such as 30d, or weeks such as 8w, up to ten years")
	}
	*d = days(n * unit)
	return nil
}

// madeBackup is the answer of a backup that was made.
type madeBackup struct {
	backup.Summary

	ID        int64  `json:"id"`
	KeepUntil string `json:"keep_until"`
}

// Run may work beside a server: the backup is of the moment at which it begins.
func (c *backupMakeCommand) Run(ctx context.Context, std *streams) (err error) {
	p, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.mustBeCurrent(ctx); err != nil {
		return err
	}
	made := madeBackup{KeepUntil: time.Now().UTC().AddDate(0, 0, int(c.Keep)).Format(time.DateOnly)}
	if made.ID, err = p.Store.BeginBackup(ctx, int(c.Keep)); err != nil {
		return err
	}
	made.Summary, err = c.write(ctx, p, std)
	if err := errors.Join(err, p.Store.EndBackup(context.WithoutCancel(ctx), made.ID, made.Bytes, err == nil)); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(made)
	}
	fmt.Fprintf(std.out, "%s: %s\n", c.File, summaryText(made.Summary))
	fmt.Fprintf(std.out, "This is backup %d. Delete the file by %s; then: fiducial backup deleted %d\n", made.ID, made.KeepUntil, made.ID)
	return nil
}

func (p *platform) mustBeCurrent(ctx context.Context) error {
	current, err := migrations.Current(ctx, p.Pool)
	if err == nil && !current {
		err = errors.New("the database is not at this version's schema: make the backup with the version that serves it; or check --data and DATABASE_URL")
	}
	return err
}

type backupListCommand struct {
	platformFlags `embed:""`

	JSON bool `name:"json" help:"Print JSON, one line each."`
}

// listedBackup is a line of the list.
type listedBackup struct {
	ID        int64  `json:"id"`
	MadeAt    string `json:"made_at"`
	KeepUntil string `json:"keep_until"`
	State     string `json:"state"`
	Due       bool   `json:"due"` // its day has passed
}

func (c *backupListCommand) Run(ctx context.Context, std *streams) error {
	return c.withStore(ctx, func(st *store.Store) error {
		kept, err := st.KeptBackups(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
		if !c.JSON {
			fmt.Fprintln(table, "BACKUP\tMADE\tKEEP UNTIL\t")
		}
		for _, b := range kept {
			line := listedBackup{b.ID, b.MadeAt.UTC().Format(time.RFC3339), b.KeepUntil.Format(time.DateOnly), b.State, b.Due}
			if c.JSON {
				if err := json.NewEncoder(std.out).Encode(line); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", line.ID, b.MadeAt.UTC().Format("2006-01-02 15:04 UTC"), line.KeepUntil, backupState(b))
		}
		return table.Flush()
	})
}

func backupState(b store.Backup) string {
	switch {
	case b.State == "writing":
		return "being written, or cut off"
	case b.Due:
		return "to be deleted"
	}
	return ""
}

type backupDeletedCommand struct {
	platformFlags `embed:""`

	Number int64 `arg:"" help:"Number of the backup, as 'fiducial backup list' gives it."`
}

func (c *backupDeletedCommand) Run(ctx context.Context, std *streams) error {
	err := c.withStore(ctx, func(st *store.Store) error { return st.DropBackup(ctx, c.Number) })
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no backup %d here: see 'fiducial backup list'", c.Number)
	}
	if err == nil {
		fmt.Fprintf(std.out, "Backup %d is noted as deleted.\n", c.Number)
	}
	return err
}

// write makes the file, and leaves none when it fails.
func (c *backupMakeCommand) write(ctx context.Context, p *platform, std *streams) (summary backup.Summary, err error) {
	schema, err := migrations.Version(ctx, p.Pool)
	if err != nil {
		return summary, err
	}
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return summary, fmt.Errorf("%s exists: a backup never replaces a file", c.File)
	}
	if err != nil {
		return summary, err
	}
	out := bufio.NewWriterSize(file, 1<<20)
	header := backup.Header{Program: version, Schema: schema, At: time.Now().UTC()}
	summary, err = backup.Write(ctx, out, p.Pool, p.Blobs, header, progress(std))
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return summary, errors.Join(err, os.Remove(c.File))
	}
	return summary, nil
}

// progress returns a reporter that says every few seconds how far a backup or a restore is.
func progress(std *streams) func(backup.Summary) {
	last := time.Now()
	return func(s backup.Summary) {
		if now := time.Now(); now.Sub(last) > 3*time.Second {
			last = now
			fmt.Fprintf(std.err, "… %s\n", summaryText(s))
		}
	}
}

func summaryText(s backup.Summary) string {
	text := fmt.Sprintf("%d rows of %d tables, %d objects of %.1f MB", s.Rows, s.Tables, s.Objects, float64(s.Bytes)/1e6)
	if s.Missing > 0 {
		text += fmt.Sprintf("; %d objects were gone already", s.Missing)
	}
	return text
}
