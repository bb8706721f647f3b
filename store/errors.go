package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"fiducial/store/blob"
)

// Sentinel errors returned, possibly wrapped, by every method of Store.
var (
	// ErrNotFound: it is not there, or the actor may not know that it is.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict: it has moved on since the version that the caller read.
	ErrConflict = errors.New("store: changed by someone else")
	// ErrDenied: the actor's role does not allow it.
	ErrDenied = errors.New("store: not allowed")
	// ErrGone: it was there and has been erased or withdrawn.
	ErrGone = errors.New("store: gone")
	// ErrErased: it was there and has been erased. It is an ErrGone.
	ErrErased = fmt.Errorf("store: erased: %w", ErrGone)
	// ErrLost: the database knows of a file that the object store does not have, and nobody erased it.
	ErrLost = errors.New("store: file is missing from the object store")
	// ErrQueueEmpty: nothing is left that the labeler could claim.
	ErrQueueEmpty = errors.New("store: queue is empty")
	// ErrPaused: the project hands out no work at the moment.
	ErrPaused = errors.New("store: project is paused")
	// ErrResting: the project hands out nothing new to this labeler at the moment.
	ErrResting = errors.New("store: labeler is paused in the project")
)

// InvalidError is a refusal that the person can mend. Its text is shown to them: it says what
// is wrong and what to do.
type InvalidError struct {
	Field  string // the form's field it is about, or ""
	Reason string
}

func (e *InvalidError) Error() string { return e.Reason }

func invalid(field, reason string) error { return &InvalidError{Field: field, Reason: reason} }

// notFound maps pgx.ErrNoRows to ErrNotFound and leaves every other error alone.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// Away reports whether err is that the database or the object store does not answer: what was asked can be asked again
// once they do.
func Away(err error) bool {
	if errors.Is(err, blob.ErrAway) {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	// Of class 57: the server is being shut down, has crashed, or is starting.
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains([]string{"57P01", "57P02", "57P03"}, pgErr.Code)
}

// Malformed reports whether err is that Postgres cannot keep a text or a number that came from outside: a text with a NUL
// or with bytes that are not UTF-8, a number that is too large for its column.
func Malformed(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains([]string{"22021", "22P05", "22003"}, pgErr.Code)
}

// violates reports whether err is the violation of the named constraint or unique index.
func violates(err error, constraint string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.ConstraintName == constraint
}

// timedOut reports whether err is a lock that was waited for longer than lock_timeout allows.
func timedOut(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == "55P03" // lock_not_available
}

// hasCode reports whether err is Postgres' error of this code.
func hasCode(err error, code string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == code
}
