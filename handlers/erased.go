package handlers

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"

	"fiducial/internal/access"
	"fiducial/store"
)

// erasedAddress finds the item, or the task, that an address is about.
var erasedAddress = regexp.MustCompile(`^(?:/api/v1)?/(items|media/items|media/crops|media/windows|review|discussion|label|tasks)/(\d+)(?:/|$)`)

// erasedOf answers for an item that was erased with that, wherever its address would have led: what was there is gone, and was not just never there.
func (s *Server) erasedOf(r *http.Request, err error) error {
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrGone) && !store.Vanished(err) {
		return err
	}
	at := erasedAddress.FindStringSubmatch(r.URL.Path)
	if at == nil || actorOf(r).Role == "" {
		return err
	}
	id, parsed := strconv.ParseInt(at[2], 10, 64)
	if parsed != nil {
		return err
	}
	if at[1] == "label" || at[1] == "tasks" {
		return s.Store.ErasedTask(r.Context(), actorOf(r), id, err)
	}
	return s.Store.ErasedItem(r.Context(), actorOf(r), id, err)
}

// keptOf is where the redaction of an item is that an expiry took, empty if there is none, or it is not for whoever asks.
func (s *Server) keptOf(r *http.Request) string {
	at := erasedAddress.FindStringSubmatch(r.URL.Path)
	if at == nil || at[1] == "label" || at[1] == "tasks" || !actorOf(r).Allowed(access.ReadItems) {
		return ""
	}
	id, err := strconv.ParseInt(at[2], 10, 64)
	if err != nil {
		return ""
	}
	redaction, err := s.Store.RedactionOf(r.Context(), actorOf(r), id)
	if err != nil {
		s.Log.ErrorContext(r.Context(), "redaction of an erased item", slog.String("request", requestIDOf(r)), slog.Any("error", err))
	}
	if redaction == 0 {
		return ""
	}
	return fmt.Sprintf("/items/%d", redaction)
}
