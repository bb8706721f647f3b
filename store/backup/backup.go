// Package backup writes everything that an installation knows into one file, as of one moment, and
// reads it back into an empty one. Sessions, idempotency keys and the queue of background jobs are
// left out: they are worth nothing at another time.
//
// The file is a tar archive, written and read from front to end:
//
//	header.json          what is in here, and under which version of the schema
//	tables/NAME/000001   the table's rows as COPY's text, compressed, in pieces
//	objects/KEY          the bytes of one object
//	checksums/000001     SHA-256 of each entry since the one before
//	end.json             how much was written; without it the file is cut off
//
// Whoever erases items must keep a ledger of that outside of backups, with the keys' hashes and the
// time, for a backup that is older still holds them: the ledger is applied again before a restored
// server answers.
package backup

import (
	"errors"
	"time"
)

const (
	format       = 1
	headerName   = "header.json"
	endName      = "end.json"
	tablePrefix  = "tables/"
	objectPrefix = "objects/"
	sumPrefix    = "checksums/"

	contentTypeRecord = "FIDUCIAL.content-type" // of an object, among the PAX records of its entry
)

var (
	// ErrNotBackup means that the file was not made by this package, or by a later one.
	ErrNotBackup = errors.New("this is not a backup that this version can read")

	// ErrDamaged means that the file is not what was written: cut off, or changed.
	ErrDamaged = errors.New("the backup is damaged")

	// ErrNotEmpty means that there are people or projects where the backup was to go.
	ErrNotEmpty = errors.New("there are people or projects already: restore into an empty place, such as a new data folder or a new database")

	// ErrServed means that a server or a worker is at work on the database.
	ErrServed = errors.New("a server or a worker is at work on this database: stop it first")
)

// Header says what a backup holds.
type Header struct {
	Format    int        `json:"format"`
	Program   string     `json:"program"` // version that wrote it
	Schema    int64      `json:"schema"`  // number of the newest migration then
	At        time.Time  `json:"at"`
	Tables    []Table    `json:"tables"`
	Sequences []Sequence `json:"sequences"`
}

// Table is one table and its columns, in the order of the rows' fields.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// Sequence is a counter of ids and the last one that it gave.
type Sequence struct {
	Name string `json:"name"`
	Last int64  `json:"last"`
}

// Summary counts what was written or read.
type Summary struct {
	Tables  int   `json:"tables"`
	Rows    int64 `json:"rows"`
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`   // of the objects
	Missing int64 `json:"missing"` // objects that were gone when their turn came
}

// sum is one line of a list of checksums.
type sum struct {
	Name   string `json:"name"`
	SHA256 []byte `json:"sha256"`
}
