// Package ledger keeps the record of what was erased outside the database and outside every backup, so that a backup that is
// older does not bring it back. It holds ids and keyed hashes, never content.
//
// A ledger is a sequence of lines that are only ever added to. Each is a JSON object without spaces,
//
//	{"line":2,"erasure":7,"project":1,"item":17,"key_hash":"…","at":"2026-03-04T08:30:00Z","sum":"…"}
//
// key_hash is the HMAC-SHA-256 of the item's external key under the project's secret, which a backup holds too; sum is the
// SHA-256 of the line before's sum (32 zero bytes for the first) followed by the line up to and without ,"sum". A line that was
// changed, left out or put in breaks the chain. A last line without its end is one that a crash cut off, and counts as never written.
package ledger

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrDamaged means that a ledger is not what was written.
var ErrDamaged = errors.New("the ledger of erasures is damaged")

// Entry is one item that was erased.
type Entry struct {
	Erasure int64
	Project int64
	Item    int64
	KeyHash []byte
	At      time.Time
}

// Head is the end of a ledger: how many lines it has, and the sum of the last.
type Head struct {
	Line int64
	Sum  []byte
}

// Same reports whether both are of the same ledger at the same length.
func (h Head) Same(other Head) bool { return h.Line == other.Line && bytes.Equal(h.Sum, other.Sum) }

// line is an entry as it is written. The order of the fields is that of the members.
type line struct {
	Line    int64  `json:"line"`
	Erasure int64  `json:"erasure"`
	Project int64  `json:"project"`
	Item    int64  `json:"item"`
	KeyHash string `json:"key_hash"`
	At      string `json:"at"`
	Sum     string `json:"sum,omitempty"`
}

// sum completes the line that follows head, and returns the new head.
func (l *line) sum(head Head) (Head, error) {
	l.Sum = ""
	raw, err := json.Marshal(l)
	if err != nil {
		return head, fmt.Errorf("ledger: %w", err)
	}
	before := head.Sum
	if head.Line == 0 {
		before = make([]byte, sha256.Size)
	}
	sum := sha256.Sum256(append(bytes.Clone(before), bytes.TrimSuffix(raw, []byte("}"))...))
	l.Sum = hex.EncodeToString(sum[:])
	return Head{Line: l.Line, Sum: sum[:]}, nil
}

// write appends the entries after head to b, and returns the new head.
func write(b *bytes.Buffer, head Head, entries []Entry) (Head, error) {
	for _, e := range entries {
		l := line{
			Line: head.Line + 1, Erasure: e.Erasure, Project: e.Project, Item: e.Item,
			KeyHash: hex.EncodeToString(e.KeyHash), At: e.At.UTC().Format(time.RFC3339),
		}
		var err error
		if head, err = l.sum(head); err != nil {
			return head, err
		}
		if err := json.NewEncoder(b).Encode(l); err != nil {
			return head, fmt.Errorf("ledger: %w", err)
		}
	}
	return head, nil
}

// Read reads lines that follow head and calls each for every entry, and returns the new head. The error is ErrDamaged for a
// line that is not what was written.
func Read(r io.Reader, head Head, each func(Entry) error) (Head, error) {
	lines := bufio.NewReader(r)
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return head, nil // what is left has no end
		}
		if err != nil {
			return head, fmt.Errorf("ledger: %w", err)
		}
		entry, next, err := parse(text, head)
		if err != nil {
			return head, err
		}
		head = next
		if err := each(entry); err != nil {
			return head, err
		}
	}
}

func parse(text []byte, head Head) (Entry, Head, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Entry{}, head, fmt.Errorf("%w: line %d is none: %w", ErrDamaged, head.Line+1, err)
	}
	written := l.Sum
	next, err := l.sum(head)
	if err != nil {
		return Entry{}, head, err
	}
	if l.Line != head.Line+1 || l.Sum != written {
		return Entry{}, head, fmt.Errorf("%w: line %d is not what was written after line %d", ErrDamaged, l.Line, head.Line)
	}
	e := Entry{Erasure: l.Erasure, Project: l.Project, Item: l.Item}
	e.KeyHash, err = hex.DecodeString(l.KeyHash)
	if err == nil {
		e.At, err = time.Parse(time.RFC3339, l.At)
	}
	if err != nil {
		return Entry{}, head, fmt.Errorf("%w: line %d: %w", ErrDamaged, l.Line, err)
	}
	return e, next, nil
}

// headOf returns the head after a line, which is trusted.
func headOf(text []byte) (Head, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Head{}, fmt.Errorf("%w: its last line is none: %w", ErrDamaged, err)
	}
	sum, err := hex.DecodeString(l.Sum)
	if err != nil || len(sum) != sha256.Size {
		return Head{}, fmt.Errorf("%w: its last line has no sum", ErrDamaged)
	}
	return Head{Line: l.Line, Sum: sum}, nil
}

// Copy writes the lines of a ledger, which is checked on the way, and returns how many there are.
func Copy(ctx context.Context, w io.Writer, from interface {
	Read(ctx context.Context, each func(Entry) error) (Head, error)
},
) (int64, error) {
	var out Head
	head, err := from.Read(ctx, func(e Entry) (err error) {
		var b bytes.Buffer
		if out, err = write(&b, out, []Entry{e}); err != nil {
			return err
		}
		_, err = w.Write(b.Bytes())
		return err
	})
	return head.Line, err
}
