package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
)

type tokenCommand struct {
	Add tokenAddCommand `cmd:"" help:"Make an API token and print its secret, which is shown only once."`
}

type tokenAddCommand struct {
	platformFlags `embed:""`

	Name    string   `arg:"" help:"What will use the token."`
	Role    string   `help:"labeler, reviewer, admin or viewer." enum:"labeler,reviewer,admin,viewer" required:""`
	Project string   `help:"Short name of the only project that the token reaches; all of them if missing."`
	Expires lifetime `help:"How long it holds, such as 90d or 12h; until it is revoked if missing."`
}

// Run prints the secret alone, so that a script can keep it.
func (c *tokenAddCommand) Run(ctx context.Context, std *streams) error {
	return c.withStore(ctx, func(st *store.Store) error {
		n := store.NewToken{Name: c.Name, Role: access.Role(c.Role)}
		if c.Project != "" {
			project, err := st.Project(ctx, store.System(), c.Project)
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("there is no project %s: 'fiducial project list' names all", c.Project)
			}
			if err != nil {
				return err
			}
			n.Project = project.ID
		}
		if c.Expires > 0 {
			n.ExpiresAt = time.Now().Add(time.Duration(c.Expires))
		}
		_, secret, err := st.AddToken(ctx, store.System(), n)
		if err != nil {
			return err
		}
		fmt.Fprintln(std.out, secret)
		return nil
	})
}

// lifetime is a duration that may be written in days.
type lifetime time.Duration

// UnmarshalText reads 90d, or what time.ParseDuration reads.
func (l *lifetime) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n <= 0 || n > 36500 {
			return fmt.Errorf("%q is no number of days: write it like 90d", text)
		}
		*l = lifetime(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no length of time: write it like 90d or 12h", text)
	}
	*l = lifetime(d)
	return nil
}
