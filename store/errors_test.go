package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"fiducial/store/blob"
)

func TestAway(t *testing.T) {
	t.Parallel()
	_, refused := pgconn.Connect(t.Context(), "postgres://127.0.0.1:1/nobody")
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{refused, true},
		{fmt.Errorf("read: %w", blob.ErrAway), true},
		{&pgconn.PgError{Code: "57P01"}, true},
		{&pgconn.PgError{Code: "57014"}, false}, // cancelled by a timeout
		{&pgconn.PgError{Code: "23505"}, false},
		{ErrConflict, false},
		{errors.New("a bug"), false},
		{nil, false},
	} {
		if got := Away(tt.err); got != tt.want {
			t.Errorf("Away(%v) = %v", tt.err, got)
		}
	}
}
