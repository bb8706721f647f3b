package jobs

import (
	"errors"
	"fmt"
	"os"
)

// scratchFile is a file for what does not fit into memory. It has no name: its bytes go with its last handle, so that a process that
// is killed leaves no picture behind.
func scratchFile() (*os.File, error) {
	file, err := os.CreateTemp("", "fiducial-scratch-*")
	if err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("scratch file: %w", err), file.Close())
	}
	return file, nil
}
