package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"fiducial/internal/access"
	"fiducial/store"
)

type userCommand struct {
	Add userAddCommand `cmd:"" help:"Make an account; the password comes from a prompt or from standard input."`
}

type userAddCommand struct {
	platformFlags `embed:""`

	Email string `arg:"" help:"Address that the person signs in with."`
	Role  string `help:"labeler, reviewer, admin or viewer." enum:"labeler,reviewer,admin,viewer" required:""`
	Name  string `help:"Name; the address before the @ if missing."`
}

func (c *userAddCommand) Run(ctx context.Context, std *streams) error {
	password, err := readPassword(std)
	if err != nil {
		return err
	}
	return c.withStore(ctx, func(st *store.Store) error {
		n := store.NewPerson{Email: c.Email, Name: c.Name, Password: password, Role: access.Role(c.Role)}
		if _, err := st.AddPerson(ctx, store.System(), n); err != nil {
			return err
		}
		fmt.Fprintf(std.out, "%s can sign in as %s.\n", c.Email, c.Role)
		return nil
	})
}

// readPassword asks twice on a terminal, without showing what is typed; from anything else it takes
// the first line.
func readPassword(std *streams) (string, error) {
	file, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		line, err := bufio.NewReader(std.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("password: %w", err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", misuseError("give the password on standard input, or run this on a terminal and be asked for it")
		}
		return line, nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(std.err, prompt)
		text, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(std.err)
		if err != nil {
			return "", fmt.Errorf("password: %w", err)
		}
		typed[i] = string(text)
	}
	if typed[0] != typed[1] {
		return "", misuseError("the two passwords differ: start again")
	}
	return typed[0], nil
}
