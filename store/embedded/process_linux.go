package embedded

import "syscall"

// clusterLocale sorts by code point and knows the letters of every script.
const clusterLocale = "C.UTF-8"

// childAttributes puts a child in a process group of its own, so that Ctrl-C
// does not take it from under a draining server, and has the kernel send it
// onParentEnd when its parent ends.
func childAttributes(onParentEnd syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: onParentEnd}
}
