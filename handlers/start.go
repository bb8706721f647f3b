package handlers

import (
	"net/http"

	"fiducial/internal/access"
)

func (s *Server) startRoutes(r router) {
	r.get("/", access.Account, s.start)
}

// start sends each role to the page that its day begins on.
func (s *Server) start(w http.ResponseWriter, r *http.Request) error {
	if actorOf(r).Role == access.Labeler {
		return seeOther(w, r, "/queue")
	}
	return seeOther(w, r, "/projects")
}
