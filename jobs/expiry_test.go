package jobs

import (
	"testing"
	"time"
)

func TestDaily(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		hour      int
		now, want string
	}{
		{2, "2026-11-26T01:59:59Z", "2026-11-26T02:00:00Z"},
		{2, "2026-11-26T02:00:00Z", "2026-11-27T02:00:00Z"},
		{23, "2026-12-31T23:30:00Z", "2027-01-01T23:00:00Z"},
		{0, "2026-11-26T00:30:00+01:00", "2026-11-26T00:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := daily(tt.hour).Next(now).Format(time.RFC3339); got != tt.want {
			t.Errorf("at %d after %s: %s, want %s", tt.hour, tt.now, got, tt.want)
		}
	}
}
