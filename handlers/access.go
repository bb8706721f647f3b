package handlers

import (
	"cmp"
	"encoding/hex"
	"mime"
	"net/http"
	"strconv"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const accessPath = retentionPath + "/access"

func (s *Server) accessRoutes(r router) {
	r.get(accessPath, access.ManageSources, s.listAccess)
	r.get(sourcesPath+"/{source}/access", access.ManageSources, s.showSourceAccess)
	r.post(sourcesPath+"/{source}/access", access.ManageSources, s.askForSource)
	r.post("/admin/people/{person}/access", access.ManagePeople, s.askForPerson)
	r.post("/account/access", access.Account, s.askForMyself)
	r.get("/access/{id}", access.SignedIn, s.showAccess)
	r.get("/access/{id}/download", access.SignedIn, s.downloadAccess)
}

func accessRow(a store.AccessRequest) web.AccessRow {
	return web.AccessRow{
		ID: a.ID, Overdue: a.Overdue, Subject: a.Subject, Person: a.PersonID != 0, Media: a.Media, Due: a.DueOn, State: a.State, Error: a.Error, Records: int(a.Records),
		Bytes: a.Bytes, SHA256: hex.EncodeToString(a.SHA256), By: a.CreatedBy, At: a.CreatedAt, Until: a.KeptUntil(), Fetched: orZero(a.FetchedAt), Mine: a.Mine,
	}
}

// accessRows are at most limit requests of a source, of a person, or of all for 0; more is where the next page begins, 0 on the last.
func (s *Server) accessRows(r *http.Request, source, person, before int64, limit int) (rows []web.AccessRow, more int64, err error) {
	requests, err := s.Store.AccessRequests(r.Context(), actorOf(r), source, person, before, limit+1)
	if err != nil {
		return nil, 0, err
	}
	if len(requests) > limit {
		requests = requests[:limit]
		more = requests[limit-1].ID
	}
	for _, request := range requests {
		rows = append(rows, accessRow(request))
	}
	return rows, more, nil
}

// heldShown is how many archives of what is held on a person their page lists.
const heldShown = 5

// newestFirst is above every id.
const newestFirst = 1<<63 - 1

func (s *Server) listAccess(w http.ResponseWriter, r *http.Request) error {
	before, err := strconv.ParseInt(cmp.Or(r.URL.Query().Get("before"), strconv.FormatInt(newestFirst, 10)), 10, 64)
	if err != nil {
		return badRequest("This page of the list does not exist. Open the list from its start.")
	}
	v := web.AccessListView{Tabs: retentionTabs(r, accessPath)}
	var more int64
	if v.Rows, more, err = s.accessRows(r, 0, 0, before, rowsAPage); err != nil {
		return err
	}
	if more > 0 {
		v.More = accessPath + "?before=" + strconv.FormatInt(more, 10)
	}
	return render(w, r, http.StatusOK, web.AccessListPage(s.page(r, "Access requests", retentionCrumb, ui.Crumb{Label: "Access requests"}), v))
}

func (s *Server) showSourceAccess(w http.ResponseWriter, r *http.Request) error {
	return s.renderSourceAccess(w, r, http.StatusOK, web.SourceAccessView{})
}

func (s *Server) renderSourceAccess(w http.ResponseWriter, r *http.Request, status int, v web.SourceAccessView) error {
	source, err := s.source(r)
	if err != nil {
		return err
	}
	v.Source, v.Tabs = sourceRow(source), retentionTabs(r, sourcesPath)
	if v.Rows, _, err = s.accessRows(r, source.ID, 0, newestFirst, rowsAPage); err != nil {
		return err
	}
	crumbs := []ui.Crumb{retentionCrumb, {Label: "Sources", Href: sourcesPath}, {Label: source.Name, Href: sourcePath(source.ID)}, {Label: "What is held"}}
	return render(w, r, status, web.SourceAccessPage(s.page(r, "What is held on "+source.Name, crumbs...), v))
}

func (s *Server) askForSource(w http.ResponseWriter, r *http.Request) error {
	source, err := s.source(r)
	if err != nil {
		return err
	}
	typed := r.PostFormValue("due_on")
	due, err := typedDay(typed)
	if refused, ok := refusalOf(err); ok {
		return s.renderSourceAccess(w, r, http.StatusUnprocessableEntity, web.SourceAccessView{Due: typed, Refused: refused})
	}
	return s.askFor(w, r, store.NewAccess{SourceID: source.ID, Media: r.PostFormValue("media") != "", DueOn: due})
}

// typedDay reads the day on which an answer is due; none is the zero time.
func typedDay(typed string) (due time.Time, err error) {
	if typed == "" {
		return due, nil
	}
	if due, err = time.Parse(time.DateOnly, typed); err != nil {
		return due, &store.InvalidError{Field: "due_on", Reason: "Write the day on which an answer is due like 2026-12-24, or leave it empty."}
	}
	return due, nil
}

func (s *Server) askForPerson(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "person")
	if err != nil {
		return err
	}
	return s.askFor(w, r, store.NewAccess{PersonID: id})
}

func (s *Server) askForMyself(w http.ResponseWriter, r *http.Request) error {
	return s.askFor(w, r, store.NewAccess{PersonID: personOf(r).ID})
}

func (s *Server) askFor(w http.ResponseWriter, r *http.Request, n store.NewAccess) error {
	request, err := s.Store.AddAccess(r.Context(), actorOf(r), n)
	if err != nil {
		return err
	}
	row := web.AccessRow{ID: request.ID}
	return seeOther(w, r, row.Href())
}

func (s *Server) showAccess(w http.ResponseWriter, r *http.Request) error {
	request, err := asked(r, "id", s.Store.AccessRequest)
	if err != nil {
		return err
	}
	v := web.AccessView{AccessRow: accessRow(request)}
	v.Whose = "What is held on a person goes to that person, and to the admin who asked for it: " + cmp.Or(request.CreatedBy, "nobody here") + "."
	crumbs := []ui.Crumb{{Label: "Your account", Href: "/account"}, {Label: "What is held"}}
	if actorOf(r).Allowed(access.ManageSources) {
		crumbs = []ui.Crumb{retentionCrumb, {Label: "Access requests", Href: accessPath}, {Label: request.Subject}}
	}
	return render(w, r, http.StatusOK, web.AccessPage(s.page(r, "What is held on "+request.Subject, crumbs...), v))
}

func (s *Server) downloadAccess(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	return s.serveAccess(w, r, id)
}

// serveAccess streams the archive, or the range of it that a broken download asks for.
func (s *Server) serveAccess(w http.ResponseWriter, r *http.Request, id int64) error {
	request, archive, err := s.Store.TakeAccess(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	row := web.AccessRow{ID: request.ID}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": row.FileName()}))
	h.Set("Cache-Control", "no-store")
	h.Set("Etag", `"`+hex.EncodeToString(request.SHA256)+`"`)
	http.ServeContent(w, r, "", orZero(request.FinishedAt), archive)
	return archive.Close()
}
