package handlers

import (
	"net/http"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) sourceRoutes(r router) {
	r.get(sourcesPath, access.ReadRetention, s.listSources)
	r.post(sourcesPath, access.ManageSources, s.addSource)
	r.post(sourcesPath+"/{source}", access.ManageSources, s.updateSource)
}

func (s *Server) listSources(w http.ResponseWriter, r *http.Request) error {
	return s.renderSources(w, r, http.StatusOK, web.SourceRow{})
}

// renderSources shows every source; typed is a form that was refused, of the source with its id, or of
// a new one.
func (s *Server) renderSources(w http.ResponseWriter, r *http.Request, status int, typed web.SourceRow) error {
	sources, err := s.Store.Sources(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	v := web.SourcesView{Tabs: retentionTabs(r, sourcesPath), CanEdit: actorOf(r).Allowed(access.ManageSources)}
	if typed.ID == 0 {
		v.New = typed
	}
	for _, source := range sources {
		row := web.SourceRow{ID: source.ID, Name: source.Name, Since: source.CreatedAt}
		if source.RetentionDays != nil {
			row.Days = strconv.Itoa(*source.RetentionDays)
		}
		if source.ID == typed.ID {
			row.Name, row.Days, row.Refused = typed.Name, typed.Days, typed.Refused
		}
		v.Sources = append(v.Sources, row)
	}
	return render(w, r, status, web.SourcesPage(s.page(r, "Sources", retentionCrumb, ui.Crumb{Label: "Sources"}), v))
}

// typedSource reads the form; days that are no number are out of range.
func typedSource(r *http.Request) (typed web.SourceRow, source store.Source) {
	typed.Name, typed.Days = r.PostFormValue("name"), strings.TrimSpace(r.PostFormValue("retention_days"))
	source.Name = typed.Name
	if typed.Days != "" {
		days, err := strconv.Atoi(typed.Days)
		if err != nil {
			days = -1
		}
		source.RetentionDays = &days
	}
	return typed, source
}

func (s *Server) addSource(w http.ResponseWriter, r *http.Request) error {
	typed, source := typedSource(r)
	_, err := s.Store.AddSource(r.Context(), actorOf(r), source.Name, source.RetentionDays)
	return s.answerSource(w, r, typed, err, "The source is there.")
}

func (s *Server) updateSource(w http.ResponseWriter, r *http.Request) error {
	typed, source := typedSource(r)
	var err error
	if source.ID, err = pathID(r, "source"); err != nil {
		return err
	}
	typed.ID = source.ID
	items, err := s.Store.UpdateSource(r.Context(), actorOf(r), source)
	said := "The source is saved."
	if items > 0 {
		said += " " + ui.Number(int(items)) + " items have another date now."
	}
	return s.answerSource(w, r, typed, err, said)
}

func (s *Server) answerSource(w http.ResponseWriter, r *http.Request, typed web.SourceRow, err error, said string) error {
	if refused, ok := refusalOf(err); ok {
		typed.Refused = refused
		return s.renderSources(w, r, http.StatusUnprocessableEntity, typed)
	}
	if err != nil {
		return err
	}
	s.flash(r, said)
	return seeOther(w, r, sourcesPath)
}
