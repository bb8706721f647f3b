package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"fiducial/migrations"
	"fiducial/store/backup"
)

type backupCommand struct {
	platformFlags `embed:""`

	File string `arg:"" type:"path" help:"File to write; it must not exist yet."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run may work beside a server: the backup is of the moment at which it begins.
func (c *backupCommand) Run(ctx context.Context, std *streams) (err error) {
	p, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	current, err := migrations.Current(ctx, p.Pool)
	if err != nil {
		return err
	}
	if !current {
		return errors.New("the database is not at this version's schema: make the backup with the version that serves it; or check --data and DATABASE_URL")
	}
	summary, err := c.write(ctx, p, std)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(summary)
	}
	fmt.Fprintf(std.out, "%s: %s\n", c.File, summaryText(summary))
	return nil
}

// write makes the file, and leaves none when it fails.
func (c *backupCommand) write(ctx context.Context, p *platform, std *streams) (summary backup.Summary, err error) {
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
