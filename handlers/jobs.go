package handlers

import (
	"bytes"
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
	page := &jobsPage{ResponseWriter: w}
	s.JobsUI.ServeHTTP(page, r)
	page.finish()
	return nil
}

// jobsWayBack leads from River's pages, which know nothing of ours, to the admin's.
const jobsWayBack = `<a href="` + adminPath + `" style="position:fixed;inset-block-end:1rem;inset-inline-end:1rem;z-index:100;padding:.5rem .875rem;` +
	`border:1px solid #767a82;border-radius:4px;background:#17191d;color:#f4f5f7;font:500 .875rem/1.25rem system-ui,sans-serif;text-decoration:none">` +
	`Back to Fiducial</a>`

// jobsPage passes on what River writes, and keeps a page of HTML to put the way back on it.
type jobsPage struct {
	http.ResponseWriter

	began  bool
	status int // of the page; 0 for what is passed on
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (p *jobsPage) WriteHeader(status int) {
	if p.began {
		return
	}
	p.began = true
	if strings.HasPrefix(p.Header().Get("Content-Type"), "text/html") && p.Header().Get("Content-Encoding") == "" {
		p.status = status
		return
	}
	p.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (p *jobsPage) Write(b []byte) (int, error) {
	if !p.began {
		p.WriteHeader(http.StatusOK)
	}
	if p.status != 0 {
		return p.body.Write(b)
	}
	return p.ResponseWriter.Write(b)
}

func (p *jobsPage) finish() {
	if p.status == 0 {
		return
	}
	p.Header().Del("Content-Length")
	p.ResponseWriter.WriteHeader(p.status)
	page := bytes.Replace(p.body.Bytes(), []byte("</body>"), []byte(jobsWayBack+"</body>"), 1)
	_, _ = p.ResponseWriter.Write(page) // the client has gone; there is no one left to tell
}
