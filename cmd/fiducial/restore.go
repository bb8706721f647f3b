package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"fiducial/migrations"
	"fiducial/store"
	"fiducial/store/backup"
)

type restoreCommand struct {
	platformFlags `embed:""`

	File   string `arg:"" type:"existingfile" help:"Backup to read."`
	Ledger string `type:"existingfile" help:"Ledger of erasures that was kept apart, as 'fiducial ledger FILE' wrote it: what it names is erased again before anything is served. One in the data folder, or in the bucket, is found by itself." placeholder:"FILE"`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// restored is what a restore brought, and what came of verifying it.
type restored struct {
	backup.Summary

	From     backup.Header     `json:"-"`
	Objects  backup.Checked    `json:"checked"`
	Versions []restoredVersion `json:"versions"`
	Jobs     int               `json:"jobs"`
	Erased   int               `json:"erased"` // items that the ledger says were erased after the backup was made
}

type restoredVersion struct {
	Version string `json:"version"`
	Hash    string `json:"sha256"`
	Lines   int    `json:"lines"`
	Holds   bool   `json:"holds"`
}

func (c *restoreCommand) Run(ctx context.Context, std *streams) (err error) {
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	archive, err := backup.Open(bufio.NewReaderSize(file, 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	p, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.prepareRestore(ctx, archive.Header); err != nil {
		return err
	}
	r := restored{From: archive.Header}
	if r.Summary, err = archive.Load(ctx, p.Pool, p.Blobs, progress(std)); err != nil {
		return err
	}
	if err := c.finishRestore(ctx, p, &r, std); err != nil {
		return fmt.Errorf("everything was brought in, but not all of it verified: %w", err)
	}
	return c.print(std, &r)
}

// prepareRestore brings an empty database to the backup's schema and refuses any other.
func (p *platform) prepareRestore(ctx context.Context, h backup.Header) error {
	present, err := migrations.Version(ctx, p.Pool)
	if err != nil {
		return err
	}
	newest, err := migrations.Newest(ctx, p.Pool)
	if err != nil {
		return err
	}
	switch {
	case h.Schema > newest:
		return fmt.Errorf("the backup was made by a newer version (%s): restore it with that one", h.Program)
	case present > h.Schema:
		return errors.New("this database has a newer schema than the backup: restore into one that no server has opened yet; the restore brings it up to date then")
	case present > 0:
		if err := backup.Empty(ctx, p.Pool, p.name); err != nil {
			return err
		}
	}
	if err := migrations.UpTo(ctx, p.Pool, h.Schema); err != nil {
		return err
	}
	return backup.Empty(ctx, p.Pool, p.name)
}

// finishRestore brings the rows up to date, erases again what the ledger names, verifies the rest and takes up what was unfinished.
func (c *restoreCommand) finishRestore(ctx context.Context, p *platform, r *restored, std *streams) (err error) {
	if err := p.migrate(ctx); err != nil {
		return err
	}
	if err := c.mergeLedger(ctx, p, std.err); err != nil {
		return err
	}
	if r.Erased, err = p.Store.ApplyLedger(ctx); err != nil {
		return err
	}
	if r.Objects, err = backup.CheckObjects(ctx, p.Pool, p.Blobs); err != nil {
		return err
	}
	err = p.Store.VerifyVersions(ctx, func(version store.DatasetVersion, v store.Verification) error {
		r.Versions = append(r.Versions, restoredVersion{
			Version: fmt.Sprintf("%s@%d", version.Dataset, version.Number), Hash: hex.EncodeToString(version.Hash),
			Lines: version.Lines, Holds: v.Holds(),
		})
		return nil
	})
	if err != nil {
		return err
	}
	r.Jobs, err = p.Store.ResumeWork(ctx)
	return err
}

// print says what came of it; the answer is no when anything is not what it was.
func (c *restoreCommand) print(std *streams, r *restored) error {
	if c.JSON {
		if err := json.NewEncoder(std.out).Encode(r); err != nil {
			return err
		}
	} else if err := r.table(std); err != nil {
		return err
	}
	if len(r.Objects.Missing)+len(r.Objects.Different) > 0 {
		return errAnswerNo
	}
	for _, v := range r.Versions {
		if !v.Holds {
			return errAnswerNo
		}
	}
	return nil
}

func (r *restored) table(std *streams) error {
	fmt.Fprintf(std.out, "Restored the backup of %s: %s.\n", r.From.At.Format("2006-01-02 15:04 MST"), summaryText(r.Summary))
	fmt.Fprintf(std.out, "%d objects compared with their rows: %d missing, %d different.\n", r.Objects.Objects, len(r.Objects.Missing), len(r.Objects.Different))
	for _, key := range r.Objects.Missing {
		fmt.Fprintf(std.out, "  missing: %s\n", key)
	}
	for _, key := range r.Objects.Different {
		fmt.Fprintf(std.out, "  different: %s\n", key)
	}
	if r.Erased > 0 {
		fmt.Fprintf(std.out, "%d items had been erased since, and were erased again.\n", r.Erased)
	}
	if r.Jobs > 0 {
		fmt.Fprintf(std.out, "%d unfinished jobs wait for a server.\n", r.Jobs)
	}
	if len(r.Versions) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DATASET\tLINES\tVERIFIED\tSHA256")
	for _, v := range r.Versions {
		holds := "yes"
		if !v.Holds {
			holds = "NO"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", v.Version, v.Lines, holds, v.Hash)
	}
	return table.Flush()
}
