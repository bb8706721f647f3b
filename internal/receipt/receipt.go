// Package receipt is the proof of an erasure that is handed out: what kinds of things were erased, how many, and when they
// were gone from where, signed by the installation. It holds ids, counts, days and fixed words, never content, so that it
// may be kept for ever.
//
// The signature is Ed25519 (RFC 8032) over the receipt's canonical form, to the byte: one JSON object in UTF-8 without
// spaces between its tokens, its members in the order of the fields of Receipt, members that are empty left out where
// the field says so, the kinds sorted by their bytes, times in UTC to the second as 2006-01-02T15:04:05Z, days as
// 2006-01-02. That is what "jq -cj .receipt" prints of a receipt's document.
package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Format is the number of the canonical form that this package writes.
const Format = 1

// Title is how a receipt says what it is, so that nothing else that the same key signed can pass for one.
const Title = "fiducial erasure receipt"

const day = "2006-01-02"

// Receipt says what one erasure did. The order of its fields is that of the canonical form.
type Receipt struct {
	Title   string `json:"title"` // always Title
	Format  int    `json:"format"`
	Erasure int64  `json:"erasure"`
	Kind    string `json:"kind"`  // request or expiry
	Scope   string `json:"scope"` // source, group, items or expired
	Source  int64  `json:"source,omitempty"`
	Items   int64  `json:"items"`
	// Counts is how many things of each kind were erased, in the words of the inventory.
	Counts map[string]int64 `json:"counts"`
	// Redactions is how many masked transcripts without sound an expiry left, as the source's policy says; a request leaves none.
	Redactions int64 `json:"redactions,omitempty"`
	Requested  Time  `json:"requested_at"`
	// Erased is since when nobody can reach any of it any more.
	Erased Time   `json:"erased_at"`
	Proof  *Proof `json:"proof,omitempty"`
	// Rewritten is nil until the files of the database were rewritten.
	Rewritten *Rewritten `json:"rewritten,omitempty"`
	// Backups is nil until then, too.
	Backups *Backups `json:"backups,omitempty"`
}

// Proof is what came of looking for what should be gone, in every place that the inventory lists.
type Proof struct {
	At       Time  `json:"at"`
	Columns  int64 `json:"columns"`  // of tables that were looked through
	Prefixes int64 `json:"prefixes"` // of object storage
	Found    int64 `json:"found"`    // what was still there; 0
}

// Rewritten says when the bytes were gone from the files.
type Rewritten struct {
	At Time `json:"at"`
	// Tables is how many tables and partitions were rewritten together with their indexes.
	Tables int64 `json:"tables"`
	// Log says what became of the segments of the write-ahead log that knew the erased rows.
	Log LogState `json:"log"`
	// Objects says whether deleting an object frees its bytes in the object store.
	Objects ObjectState `json:"objects"`
}

// LogState says what became of the write-ahead log.
type LogState string

// What can become of the log. Whoever runs an external server decides over its archive and its replicas.
const (
	LogRemoved    LogState = "removed"           // no segment is left that knew
	LogSwitched   LogState = "switched"          // a new one began; the server of the operator removes or recycles the old ones
	LogArchived   LogState = "operators_archive" // the operator's server keeps an archive, which knows until it is deleted
	LogUntouched  LogState = "operators"         // this account may not switch it
	LogReplicated LogState = "held_by_replicas"  // a replication slot holds old segments back
)

// ObjectState says what deleting an object does.
type ObjectState string

// Who frees the bytes of deleted objects.
const (
	ObjectsDeleted   ObjectState = "deleted"   // our own store unlinks their files at once
	ObjectsOperators ObjectState = "operators" // the operator's store does by its own rules; every version was deleted
)

// Backups says until when backups know what was erased.
type Backups struct {
	Known int64 `json:"known"` // backups that this installation made before, and that are still to be kept
	// Until is the day on which the last of them is to be deleted, nil if there is none.
	Until *Day `json:"until,omitempty"`
}

// Time is a moment, kept to the second.
type Time struct{ time.Time }

// At returns t to the second in UTC.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(time.RFC3339) + `"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(raw []byte) (err error) {
	t.Time, err = time.Parse(`"`+time.RFC3339+`"`, string(raw))
	return err
}

// Day is a day in UTC.
type Day struct{ time.Time }

// OnDay returns the day of t in UTC.
func OnDay(t time.Time) *Day { return &Day{t.UTC().Truncate(24 * time.Hour)} }

// MarshalJSON implements json.Marshaler.
func (d Day) MarshalJSON() ([]byte, error) { return []byte(`"` + d.UTC().Format(day) + `"`), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Day) UnmarshalJSON(raw []byte) (err error) {
	d.Time, err = time.Parse(`"`+day+`"`, string(raw))
	return err
}

// String returns the day as 2006-01-02.
func (d Day) String() string { return d.UTC().Format(day) }

// Canonical returns the bytes that are signed.
func (r *Receipt) Canonical() ([]byte, error) {
	own := *r
	own.Title, own.Format = Title, Format
	if own.Counts == nil {
		own.Counts = map[string]int64{}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(&own); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Parse reads a canonical form.
func Parse(canonical []byte) (*Receipt, error) {
	var r Receipt
	decoder := json.NewDecoder(bytes.NewReader(canonical))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	if r.Title != Title || r.Format != Format {
		return nil, errors.New("receipt: this is not a receipt of an erasure that this version can read")
	}
	return &r, nil
}

// Words says it to people.
func (s LogState) Words() string {
	switch s {
	case LogRemoved:
		return "no segment is left that knew it"
	case LogSwitched:
		return "a new segment was begun; the operator's server removes or reuses the old ones"
	case LogArchived:
		return "a new segment was begun; the operator's archive of old ones knows until it is deleted"
	case LogReplicated:
		return "a new segment was begun; a replication slot holds old ones back until its replica has them"
	case LogUntouched:
		return "the operator's: this account may not begin a new segment"
	}
	return string(s)
}

// Words says it to people.
func (s ObjectState) Words() string {
	switch s {
	case ObjectsDeleted:
		return "files of deleted objects are gone"
	case ObjectsOperators:
		return "every version was deleted; the operator's store frees the bytes by its own rules"
	}
	return string(s)
}
