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
	switch actorOf(r).Role {
	case access.Labeler:
		return seeOther(w, r, "/queue")
	case access.Reviewer:
		return seeOther(w, r, reviewPath)
	default:
	}
	return seeOther(w, r, "/projects")
}
