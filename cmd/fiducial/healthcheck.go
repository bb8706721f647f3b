package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// healthcheckCommand asks the server beside it whether it is ready, for containers that hold nothing
// but this binary.
type healthcheckCommand struct {
	Listen string `default:"127.0.0.1:8080" env:"FIDUCIAL_LISTEN"`
}

func (c *healthcheckCommand) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return nil
}
