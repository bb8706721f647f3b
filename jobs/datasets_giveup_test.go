package jobs

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// A job is given up once that is noted, and not before.
func TestAJobIsGivenUpOnceThatIsNoted(t *testing.T) {
	t.Parallel()
	d := deps{log: slog.New(slog.DiscardHandler)}
	broken, away := errors.New("broken"), errors.New("the database is away")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, c := range map[string]struct {
		ctx     context.Context
		attempt int
		err     error
		failed  error
		noted   bool
		ended   bool
	}{
		"it went well":            {t.Context(), datasetAttempts, nil, nil, false, false},
		"there are tries left":    {t.Context(), datasetAttempts - 1, broken, nil, false, false},
		"the process stops":       {stopped, datasetAttempts, broken, nil, false, false},
		"the last try":            {t.Context(), datasetAttempts, broken, nil, true, true},
		"it could not be noted":   {t.Context(), datasetAttempts, broken, away, true, false},
		"and is noted afterwards": {t.Context(), datasetAttempts + 1, broken, nil, true, true},
	} {
		noted := false
		err := d.orGiveUp(c.ctx, &rivertype.JobRow{Attempt: c.attempt}, c.err, func() error {
			noted = true
			return c.failed
		}, slog.Int64("thing", 1))
		_, ended := errors.AsType[*river.JobCancelError](err)
		if noted != c.noted || ended != c.ended || !errors.Is(err, c.err) && c.err != nil || c.err == nil && err != nil {
			t.Errorf("%s: noted %v, ended %v, %v", name, noted, ended, err)
		}
	}
}
