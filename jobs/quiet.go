package jobs

import (
	"context"
	"log/slog"
)

// Quiet returns a logger for River that passes on warnings and errors alone, since River counts its jobs aloud
// every few seconds; a logger at debug level passes on everything.
func Quiet(log *slog.Logger) *slog.Logger { return slog.New(quiet{log.Handler()}) }

type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	if level >= slog.LevelWarn {
		return q.Handler.Enabled(ctx, level)
	}
	return q.Handler.Enabled(ctx, slog.LevelDebug)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
