package handlers

import (
	"log/slog"
	"net/http"
)

// wavesOf returns how loud the sounds of a list are, by item, as far as who asks may hear them. sound is the item of an entry, 0 where that is no
// sound. A list is as good without waves: what goes wrong is noted alone.
func wavesOf[T any](s *Server, r *http.Request, list []T, sound func(T) int64) map[int64][]byte {
	var items []int64
	for _, entry := range list {
		if item := sound(entry); item != 0 {
			items = append(items, item)
		}
	}
	waves, err := s.Store.Waves(r.Context(), actorOf(r), items)
	if err != nil && r.Context().Err() == nil {
		s.Log.WarnContext(r.Context(), "no waves drawn", slog.String("request", requestIDOf(r)), slog.Any("error", err))
	}
	return waves
}

// soundIf is an item that is sound if it is, else 0.
func soundIf(sound bool, item int64) int64 {
	if sound {
		return item
	}
	return 0
}
