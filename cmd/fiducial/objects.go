package main

import (
	"context"

	"fiducial/store/embedded"
)

// objectsCommand is the embedded object store's process. It changes its working directory, and
// only one may live in a process: that is why it is a child of its own.
type objectsCommand struct{}

func (c *objectsCommand) Run(ctx context.Context, std *streams) error {
	return embedded.ObjectsChild(ctx, std.in)
}
