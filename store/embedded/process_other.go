//go:build unix && !linux

package embedded

import "syscall"

// clusterLocale is the closest to Linux's C.UTF-8 that every such system has.
const clusterLocale = "en_US.UTF-8"

// childAttributes puts a child in a process group of its own, so that Ctrl-C
// does not take it from under a draining server. These kernels do not tell a
// child that its parent ended: the object store sees its standard input close,
// and a left-over cluster is stopped by the next start.
func childAttributes(syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
