//go:build unix && !linux

package launcher

import "syscall"

// childAttributes puts a program in a process group of its own, which is stopped as one. These kernels do not end a child with its parent.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
