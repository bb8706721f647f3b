package handlers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/internal/erasure"
	papers "fiducial/internal/receipt"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	erasuresPath  = retentionPath + "/erasures"
	erasuresShown = 50
	// largestList bounds a list of items, in bytes.
	largestList = 32 << 20
	leasesShown = 50
)

func (s *Server) erasureRoutes(r router) {
	r.get(erasuresPath, access.ReadRetention, s.listErasures)
	r.get(erasuresPath+"/new", access.Erase, s.newErasure)
	r.post(erasuresPath, access.Erase, s.requestErasure)
	r.get(erasuresPath+"/{erasure}", access.ReadRetention, s.showErasure)
	r.post(erasuresPath+"/{erasure}/confirm", access.Erase, s.confirmErasure)
	r.post(erasuresPath+"/{erasure}/cancel", access.Erase, s.cancelErasure)
	r.get(erasuresPath+"/{erasure}/receipt.json", access.ReadRetention, s.downloadReceipt)
}

func erasurePath(id int64) string { return erasuresPath + "/" + strconv.FormatInt(id, 10) }

var erasuresCrumb = ui.Crumb{Label: "Erasures", Href: erasuresPath}

// erasureRow is an erasure as lists show it to who may know the names of groups, and to others.
func erasureRow(e store.Erasure, names bool) web.ErasureRow {
	return web.ErasureRow{
		ID: e.ID, Kind: e.Kind, What: erasureWhat(e, names), Open: e.Open(), State: e.State, Reason: e.Reason, Items: e.Items, Done: e.DoneItems, Due: e.DueAt,
		Overdue: e.Overdue, Requested: e.RequestedAt, Erased: orZero(e.ErasedAt), By: e.RequestedBy,
	}
}

// erasureWhat says what an erasure is about. A group has its name there as long as there is one, for those who ask for erasures.
func erasureWhat(e store.Erasure, names bool) string {
	switch {
	case e.Scope == store.ScopeSource:
		return "All of " + e.Source
	case e.Scope == store.ScopeGroup && names && e.Group != "":
		return "Group " + e.Group + " of " + e.Source
	case e.Scope == store.ScopeGroup:
		return fmt.Sprintf("Group %d of %s", e.GroupID, e.Source)
	case e.Scope == store.ScopeExpired && e.Source != "":
		return "Expired items of " + e.Source
	case e.Scope == store.ScopeExpired:
		return "Expired items"
	}
	return "A list of items"
}

func (s *Server) listErasures(w http.ResponseWriter, r *http.Request) error {
	before, err := cursorID(r.URL.Query().Get("before"))
	if err != nil {
		return err
	}
	open, err := s.Store.OpenErasures(r.Context(), actorOf(r), erasuresShown)
	if err != nil {
		return err
	}
	all, err := s.Store.Erasures(r.Context(), actorOf(r), before, erasuresShown+1)
	if err != nil {
		return err
	}
	v := web.ErasuresView{Tabs: retentionTabs(r, erasuresPath), CanAsk: actorOf(r).Allowed(access.Erase)}
	if len(all) > erasuresShown {
		all = all[:erasuresShown]
		v.Older = fmt.Sprintf("%s?before=%d", erasuresPath, all[erasuresShown-1].ID)
	}
	for _, e := range open {
		v.Open = append(v.Open, erasureRow(e, v.CanAsk))
	}
	for _, e := range all {
		v.All = append(v.All, erasureRow(e, v.CanAsk))
	}
	return render(w, r, http.StatusOK, web.ErasuresPage(s.page(r, "Erasures", retentionCrumb, ui.Crumb{Label: "Erasures"}), v))
}

func (s *Server) newErasure(w http.ResponseWriter, r *http.Request) error {
	return s.renderNewErasure(w, r, http.StatusOK, web.NewErasureView{Source: r.URL.Query().Get("source")})
}

// renderNewErasure shows the form; v has what was typed into one that was refused.
func (s *Server) renderNewErasure(w http.ResponseWriter, r *http.Request, status int, v web.NewErasureView) error {
	var err error
	if v.Sources, err = s.sourceOptions(r); err != nil {
		return err
	}
	projects, err := s.Store.Projects(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	v.Projects = []ui.Option{{Value: "", Label: "any project"}}
	for _, p := range projects {
		v.Projects = append(v.Projects, ui.Option{Value: p.Slug, Label: p.Name})
	}
	if v.DueDays == "" {
		v.DueDays = "30"
	}
	return render(w, r, status, web.NewErasurePage(s.page(r, "Erase something", retentionCrumb, erasuresCrumb, ui.Crumb{Label: "New"}), v))
}

func (s *Server) sourceOptions(r *http.Request) ([]ui.Option, error) {
	sources, err := s.Store.Sources(r.Context(), actorOf(r))
	if err != nil {
		return nil, err
	}
	options := []ui.Option{{Value: "", Label: "choose one"}}
	for _, source := range sources {
		options = append(options, ui.Option{Value: strconv.FormatInt(source.ID, 10), Label: source.Name})
	}
	return options, nil
}

func (s *Server) requestErasure(w http.ResponseWriter, r *http.Request) error {
	ask, typed, err := s.typedErasure(w, r)
	var e store.Erasure
	if err == nil {
		e, err = s.Store.PreviewErasure(r.Context(), actorOf(r), ask)
	}
	if refused, ok := refusalOf(err); ok {
		typed.Refused = refused
		return s.renderNewErasure(w, r, http.StatusUnprocessableEntity, typed)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, erasurePath(e.ID))
}

// typedErasure reads the form of a new request, and what was typed for showing it again.
func (s *Server) typedErasure(w http.ResponseWriter, r *http.Request) (ask store.ErasureRequest, typed web.NewErasureView, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, largestList)
	if err := r.ParseMultipartForm(plainMemory); err != nil && !errors.Is(err, http.ErrNotMultipart) { //nolint:gosec // bounded above
		return ask, typed, err
	}
	typed = web.NewErasureView{
		Scope: r.PostFormValue("scope"), Source: r.PostFormValue("source"), Group: strings.TrimSpace(r.PostFormValue("group")), GroupSource: r.PostFormValue("group_source"),
		Project: r.PostFormValue("project"), List: r.PostFormValue("list"), Reason: r.PostFormValue("reason"), DueDays: r.PostFormValue("due_days"),
	}
	ask = store.ErasureRequest{Scope: typed.Scope, Project: typed.Project, Reason: typed.Reason}
	ask.Source, _ = strconv.ParseInt(typed.Source, 10, 64) // what is no id is none
	if ask.DueDays, err = strconv.Atoi(strings.TrimSpace(typed.DueDays)); err != nil && strings.TrimSpace(typed.DueDays) != "" {
		ask.DueDays = -1
	}
	err = nil
	switch ask.Scope {
	case store.ScopeGroup:
		source, _ := strconv.ParseInt(typed.GroupSource, 10, 64)
		ask.Group, err = s.Store.GroupNamed(r.Context(), actorOf(r), source, typed.Group)
	case store.ScopeItems:
		ask.Items, err = typedList(r)
	}
	return ask, typed, err
}

// typedList reads the items that a form names, in its text and in its file.
func typedList(r *http.Request) ([]erasure.Named, error) {
	text := r.PostFormValue("list")
	file, _, err := r.FormFile("file")
	if err == nil {
		raw, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("list of items: %w", err)
		}
		if strings.TrimSpace(text) == "" {
			text = string(raw)
		} else if len(raw) > 0 {
			return nil, &store.InvalidError{Field: "items", Reason: "Name the items in the field or in a file, not in both."}
		}
	}
	named, err := erasure.ParseList(text)
	if err != nil {
		return nil, &store.InvalidError{Field: "items", Reason: "This list cannot be read: " + err.Error() + "."}
	}
	return named, nil
}

func (s *Server) erasureIn(r *http.Request) (store.Erasure, error) {
	return asked(r, "erasure", s.Store.Erasure)
}

func (s *Server) showErasure(w http.ResponseWriter, r *http.Request) error {
	e, err := s.erasureIn(r)
	if err != nil {
		return err
	}
	return s.renderErasure(w, r, http.StatusOK, e, web.Refusal{}, "")
}

// confirmWord is what has to be typed before anything is erased.
func confirmWord(e store.Erasure) string {
	if e.Scope == store.ScopeSource {
		return e.Source
	}
	return "erase"
}

func (s *Server) confirmErasure(w http.ResponseWriter, r *http.Request) error {
	e, err := s.erasureIn(r)
	if err != nil {
		return err
	}
	typed := strings.TrimSpace(r.PostFormValue("word"))
	if typed != confirmWord(e) {
		refused := web.Refusal{Field: "word", Reason: "Type “" + confirmWord(e) + "”, to the letter."}
		return s.renderErasure(w, r, http.StatusUnprocessableEntity, e, refused, typed)
	}
	err = s.Store.ConfirmErasure(r.Context(), actorOf(r), e.ID)
	if refused, ok := refusalOf(err); ok {
		return s.renderErasure(w, r, http.StatusUnprocessableEntity, e, refused, typed)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, erasurePath(e.ID))
}

func (s *Server) cancelErasure(w http.ResponseWriter, r *http.Request) error {
	e, err := s.erasureIn(r)
	if err != nil {
		return err
	}
	err = s.Store.CancelErasure(r.Context(), actorOf(r), e.ID)
	if refused, ok := refusalOf(err); ok {
		return s.renderErasure(w, r, http.StatusUnprocessableEntity, e, refused, "")
	}
	if err != nil {
		return err
	}
	s.flash(r, "The request is withdrawn. Nothing was erased.")
	return seeOther(w, r, erasuresPath)
}

// downloadReceipt hands the receipt out: it holds nothing of what was erased.
func (s *Server) downloadReceipt(w http.ResponseWriter, r *http.Request) error {
	e, err := s.erasureIn(r)
	if err != nil {
		return err
	}
	document, err := receiptDocument(e, s.Store.PublicKey())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="erasure-%d.json"`, e.ID))
	_, _ = w.Write(document) //nolint:gosec // JSON of ids and counts, as a download; the client may have gone
	return nil
}

// receiptDocument is the file of an erasure's receipt, or ErrNotFound until there is one.
func receiptDocument(e store.Erasure, public papers.Public) ([]byte, error) {
	if len(e.Receipt) == 0 {
		return nil, fmt.Errorf("receipt of erasure %d: %w", e.ID, store.ErrNotFound)
	}
	return papers.Document(e.Receipt, e.Signature, public)
}
