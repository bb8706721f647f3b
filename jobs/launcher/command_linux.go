package launcher

import "syscall"

// childAttributes puts a program in a process group of its own, which is stopped as one, and has the kernel end it when this process ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
