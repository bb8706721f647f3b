package handlers

import (
	"net/http"
	"strconv"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) tokenRoutes(r router) {
	r.get("/admin/tokens", access.ManageTokens, s.listTokens)
	r.post("/admin/tokens", access.ManageTokens, s.addToken)
	r.post("/admin/tokens/{token}/revoke", access.ManageTokens, s.acted("token", s.Store.RevokeToken, "The token is revoked. Whatever used it is refused from now on.", "/admin/tokens"))
}

func (s *Server) listTokens(w http.ResponseWriter, r *http.Request) error {
	return s.renderTokens(w, r, http.StatusOK, web.TokensView{New: web.NewTokenView{Role: string(access.Viewer)}})
}

// renderTokens completes v, which holds what the last request left to say, with a page of tokens.
func (s *Server) renderTokens(w http.ResponseWriter, r *http.Request, status int, v web.TokensView) error {
	filter := store.TokenFilter{Limit: rowsAPage + 1}
	filter.Before, _ = strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // nonsense asks for the first page
	tokens, err := s.Store.Tokens(r.Context(), actorOf(r), filter)
	if err != nil {
		return err
	}
	if len(tokens) > rowsAPage {
		tokens = tokens[:rowsAPage]
		v.More = with(r.URL.Path, nil, "before", strconv.FormatInt(tokens[rowsAPage-1].ID, 10))
	}
	v.Tokens, v.New.Roles = tokenRows(tokens), roleOptions()
	if v.New.Projects, err = s.projectOptions(r, "All projects"); err != nil {
		return err
	}
	return render(w, r, status, web.TokensPage(s.page(r, "API tokens", adminCrumb, ui.Crumb{Label: "API tokens"}), v))
}

// projectOptions offers every project that the actor sees, by id; the empty value stands for any.
func (s *Server) projectOptions(r *http.Request, anyOf string) ([]ui.Option, error) {
	projects, err := s.Store.Projects(r.Context(), actorOf(r))
	if err != nil {
		return nil, err
	}
	options := []ui.Option{{Label: anyOf}}
	for _, p := range projects {
		options = append(options, ui.Option{Value: strconv.FormatInt(p.ID, 10), Label: p.Name})
	}
	return options, nil
}

func tokenRows(tokens []store.Token) []web.TokenRow {
	var rows []web.TokenRow
	for _, t := range tokens {
		rows = append(rows, web.TokenRow{
			ID: t.ID, Name: t.Name, Role: string(t.Role), Project: t.Project, CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt,
			ExpiresAt: orZero(t.ExpiresAt), UsedAt: orZero(t.LastUsedAt), RevokedAt: orZero(t.RevokedAt), Expired: t.Expired,
		})
	}
	return rows
}

// addToken answers with the secret itself, which is kept nowhere: no redirect could carry it.
func (s *Server) addToken(w http.ResponseWriter, r *http.Request) error {
	form := web.NewTokenView{
		Name: r.PostFormValue("name"), Role: r.PostFormValue("role"), Project: r.PostFormValue("project"), Expires: r.PostFormValue("expires"),
	}
	n, err := newToken(form)
	if err == nil {
		_, secret, addErr := s.Store.AddToken(r.Context(), actorOf(r), n)
		if err = addErr; err == nil {
			return s.renderTokens(w, r, http.StatusCreated, web.TokensView{Secret: secret, New: web.NewTokenView{Role: form.Role}})
		}
	}
	refused, ok := refusalOf(err)
	if !ok {
		return err
	}
	form.Refused = refused
	return s.renderTokens(w, r, http.StatusUnprocessableEntity, web.TokensView{New: form})
}

// newToken reads the form; the last day counts whole, in UTC.
func newToken(form web.NewTokenView) (store.NewToken, error) {
	n := store.NewToken{Name: form.Name, Role: access.Role(form.Role)}
	if form.Project != "" {
		id, err := strconv.ParseInt(form.Project, 10, 64)
		if err != nil {
			return n, &store.InvalidError{Field: "project", Reason: "Choose a project."}
		}
		n.Project = id
	}
	if form.Expires != "" {
		day, err := time.Parse(time.DateOnly, form.Expires)
		if err != nil {
			return n, &store.InvalidError{Field: "expires", Reason: "Write the day like 2027-01-31."}
		}
		n.ExpiresAt = day.AddDate(0, 0, 1)
	}
	return n, nil
}
