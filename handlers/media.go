package handlers

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
)

func (s *Server) mediaRoutes(r router) {
	r.get("/media/items/{id}/sound", access.Label, s.itemSound)
	r.get("/media/items/{id}/peaks", access.Label, s.itemPeaks)
	r.get("/media/items/{id}/{kind}", access.Label, s.itemMedia)
	r.post("/label/{task}/context", access.Label, s.widenContext)
}

// itemMedia streams a picture of an item to whoever may see it. No browser keeps it: what is erased
// must be gone.
func (s *Server) itemMedia(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	kind := chi.URLParam(r, "kind")
	media, err := s.Store.OpenMedia(r.Context(), actorOf(r), id, kind)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", media.ContentType)
	h.Set("Content-Disposition", fmt.Sprintf("inline; filename=%q", fmt.Sprintf("item-%d-%s", id, kind)))
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, media.Content)
	// What is on its way cannot be taken back any more, so an error is only logged.
	if err := media.Content.Close(); err != nil && !errors.Is(err, r.Context().Err()) {
		s.Log.WarnContext(r.Context(), "media not closed", slog.String("request", requestIDOf(r)), slog.Any("error", err))
	}
	return nil
}
