package main

import (
	"context"
	"errors"
	"fmt"
)

type migrateCommand struct {
	platformFlags `embed:""`
}

func (c *migrateCommand) Run(ctx context.Context, std *streams) (err error) {
	p, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.migrate(ctx); err != nil {
		return err
	}
	fmt.Fprintln(std.out, "The database is at this version's schema.")
	return nil
}
