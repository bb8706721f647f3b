package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
)

// keepAdminToken leaves an admin's token in the data folder, readable by this user alone, so that
// commands on this machine need no token of their own. One that was revoked is replaced.
func (p *platform) keepAdminToken(ctx context.Context, data string) error {
	path := filepath.Join(data, adminTokenFile)
	secret, err := os.ReadFile(path) //nolint:gosec // the folder is the operator's choice
	if err == nil {
		_, err = p.Store.TokenActor(ctx, strings.TrimSpace(string(secret)))
		if err == nil || !errors.Is(err, store.ErrNotFound) {
			return err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("admin token: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	_, made, err := p.Store.AddToken(ctx, store.System(), store.NewToken{Name: "Command line on " + host, Role: access.Admin})
	if err != nil {
		return err
	}
	return writePrivate(path, made+"\n")
}

// writePrivate replaces the file at path whole; nobody else can read it at any moment.
func writePrivate(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", filepath.Base(path), err), os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}
