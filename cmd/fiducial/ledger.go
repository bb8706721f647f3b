package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"fiducial/store"
	"fiducial/store/ledger"
)

const ledgerFile = "erasures.ledger"

// openLedger is where this installation records its erasures: in the data folder, or beside the objects where the database and the object
// store are both external, since several machines share those.
func (f *platformFlags) openLedger(p *platform) store.Ledger {
	if f.DatabaseURL != "" && f.S3Endpoint != "" {
		return &ledger.Objects{Bucket: p.Blobs}
	}
	return &ledger.File{Path: filepath.Join(f.Data, ledgerFile)}
}

// eraseAgain applies the ledger before anybody is answered: this database may be one that was restored by whatever means.
func (p *platform) eraseAgain(ctx context.Context, std *streams) error {
	items, err := p.Store.ApplyLedger(ctx)
	if errors.Is(err, ledger.ErrDamaged) {
		err = fmt.Errorf("%w: put back the copy of it that you keep; nothing is served before, since what was erased may be back", err)
	}
	if err == nil && items > 0 {
		fmt.Fprintf(std.err, "%d items that had been erased were back in this database, and have been erased again.\n", items)
	}
	return err
}

type ledgerCommand struct {
	platformFlags `embed:""`

	File string `arg:"" type:"path" help:"File to write; it is replaced. - is standard output."`
}

// Help says what --help shows below the usage.
func (*ledgerCommand) Help() string {
	return "The ledger says what was erased, by ids and keyed hashes. It is in no backup: keep a copy that is as new as your newest backup, apart " +
		"from this machine, and give it to 'fiducial restore BACKUP --ledger FILE'."
}

func (c *ledgerCommand) Run(ctx context.Context, std *streams) (err error) {
	p, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if c.File == "-" {
		_, err = ledger.Copy(ctx, std.out, c.openLedger(p))
		return err
	}
	// Replaced whole, so that a copy that fails leaves the one before.
	file, err := os.CreateTemp(filepath.Dir(c.File), filepath.Base(c.File)+"-*") // made with mode 0600
	if err != nil {
		return err
	}
	lines, err := ledger.Copy(ctx, file, c.openLedger(p))
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), c.File)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	fmt.Fprintf(std.out, "%s: %d items\n", c.File, lines)
	return nil
}

// mergeLedger takes up the ledger that was kept apart, and says so if there is none at all.
func (c *restoreCommand) mergeLedger(ctx context.Context, p *platform, messages io.Writer) error {
	if c.Ledger != "" {
		_, err := p.Store.MergeLedger(ctx, &ledger.File{Path: c.Ledger})
		return err
	}
	head, err := c.openLedger(p).Head(ctx)
	if err == nil && head.Line == 0 {
		fmt.Fprintln(messages, "No ledger of erasures is here: whatever was erased after this backup was made is back. If there is one, restore again, with --ledger.")
	}
	return err
}
