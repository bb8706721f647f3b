package launcher

import (
	"fmt"
	"sync"
)

// LogLimit is how many bytes are kept of what a server wrote: the first eighth of it, and the last of the rest.
const LogLimit = 1 << 20

const logHead = LogLimit / 8

// boundedLog keeps the beginning and the end of what is written into it. It takes everything, so that nobody who writes waits.
type boundedLog struct {
	mu   sync.Mutex
	head []byte
	tail []byte // up to twice what is kept of it
	lost int64  // bytes between head and tail
}

// Write keeps p and never fails.
func (l *boundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := p
	if room := logHead - len(l.head); room > 0 {
		n := min(room, len(rest))
		l.head, rest = append(l.head, rest[:n]...), rest[n:]
	}
	const kept = LogLimit - logHead
	for len(rest) > 0 {
		n := min(len(rest), kept)
		l.tail, rest = append(l.tail, rest[:n]...), rest[n:]
		if over := len(l.tail) - kept; over >= kept {
			l.drop(over)
		}
	}
	return len(p), nil
}

func (l *boundedLog) drop(n int) {
	l.lost += int64(n)
	l.tail = append(l.tail[:0], l.tail[n:]...)
}

// note adds a line of ours.
func (l *boundedLog) note(line string) {
	_, _ = fmt.Fprintln(l, line)
}

// bytes are what is kept, with a line of ours where something is missing.
func (l *boundedLog) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if over := len(l.tail) - (LogLimit - logHead); over > 0 {
		l.drop(over)
	}
	all := append([]byte{}, l.head...)
	if l.lost > 0 {
		all = fmt.Appendf(all, "\n[%d bytes are left out here]\n", l.lost)
	}
	return append(all, l.tail...)
}
