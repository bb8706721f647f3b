package jobs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestQuietPassesWarningsOn(t *testing.T) {
	t.Parallel()
	for level, wanted := range map[slog.Level]string{slog.LevelInfo: "warned failed", slog.LevelDebug: "counted warned failed"} {
		var out bytes.Buffer
		log := Quiet(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))).With(slog.String("queue", "default")).WithGroup("g")
		log.Info("counted")
		log.Warn("warned")
		log.Error("failed")
		var said []string
		for line := range strings.Lines(out.String()) {
			for _, field := range strings.Fields(line) {
				if message, ok := strings.CutPrefix(field, "msg="); ok {
					said = append(said, message)
				}
			}
		}
		if got := strings.Join(said, " "); got != wanted {
			t.Errorf("at %v it said %q, want %q", level, got, wanted)
		}
	}
}
