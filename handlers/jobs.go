package handlers

import (
	"net/http"
	"strings"

	"fiducial/internal/access"
)

// JobsPath is where River's own pages are; whoever makes Config.JobsUI tells it so.
const JobsPath = "/admin/jobs"

// jobsPolicy is looser than the site's, on these pages alone: River's components set styles inline.
const jobsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"

func (s *Server) jobRoutes(r router) {
	if s.JobsUI == nil {
		return
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		r.on(method, JobsPath, access.ManageJobs, s.serveJobs)
		r.on(method, JobsPath+"/*", access.ManageJobs, s.serveJobs)
	}
}

// serveJobs hands the request to River's pages. What it changes is on record before it happens.
func (s *Server) serveJobs(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		if err := s.Store.NoteJobsChange(r.Context(), actorOf(r), strings.TrimPrefix(r.URL.Path, JobsPath)); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Security-Policy", jobsPolicy)
	s.JobsUI.ServeHTTP(w, r)
	return nil
}
