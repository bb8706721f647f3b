package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
)

func (s *Server) invitationRoutes(r router) {
	r.post("/admin/invitations", access.ManagePeople, s.invite)
	r.post("/admin/invitations/{invitation}/revoke", access.ManagePeople, s.acted("invitation", s.Store.RevokeInvitation, "The link is withdrawn.", "/admin/people"))
	limited := router{r.With(small, s.clientIP(), s.limit("invitation", 20, keyByIP)), s}
	limited.get("/invitation/{secret}", public, s.showInvitation)
	limited.post("/invitation/{secret}", public, s.acceptInvitation)
}

// completeInvite gives the form its choices.
func (s *Server) completeInvite(r *http.Request, v *web.InviteView) error {
	projects, err := s.Store.Projects(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	chosen := r.PostForm["project"]
	for _, p := range projects {
		v.Projects = append(v.Projects, web.ProjectTick{
			ID: p.ID, Name: p.Name, Checked: slices.Contains(chosen, strconv.FormatInt(p.ID, 10)),
		})
	}
	v.Roles, v.Days = roleOptions(), store.InvitationDays
	return nil
}

// invite answers with the link itself, which is kept nowhere: no redirect could carry it.
func (s *Server) invite(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read.")
	}
	var projects []int64
	for _, text := range r.PostForm["project"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return badRequest("One of the projects has no number.")
		}
		projects = append(projects, id)
	}
	role := r.PostForm.Get("role")
	secret, err := s.Store.Invite(r.Context(), actorOf(r), access.Role(role), projects)
	if refused, ok := refusalOf(err); ok {
		return s.renderPeople(w, r, http.StatusUnprocessableEntity, web.InviteView{Role: role, Refused: refused})
	}
	if err != nil {
		return err
	}
	return s.renderPeople(w, r, http.StatusCreated, web.InviteView{Role: role, Link: s.invitationLink(r, secret)})
}

func (s *Server) invitationLink(r *http.Request, secret string) string {
	return s.publicURL(r) + "/invitation/" + secret
}

// publicURL is the address of this site as people write it, without a slash at its end.
func (s *Server) publicURL(r *http.Request) string {
	if s.PublicURL != "" {
		return strings.TrimSuffix(s.PublicURL, "/")
	}
	if r.TLS != nil || s.Sessions.Cookie.Secure {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func invitationRows(invitations []store.Invitation) []web.InvitationRow {
	var rows []web.InvitationRow
	for _, v := range invitations {
		row := web.InvitationRow{
			ID: v.ID, For: "A new " + string(v.Role), Projects: strings.Join(v.Projects, ", "), CreatedBy: v.CreatedBy, Expires: v.ExpiresAt,
		}
		if v.PersonID != 0 {
			row.For = "New password for " + v.Person
		}
		rows = append(rows, row)
	}
	return rows
}

// linkEnded says why a link no longer works, and what to do.
var linkEnded = map[store.InvitationState]string{
	store.InvitationUsed:    "It was used already. If that was you, sign in; if not, ask an admin for a new one at once.",
	store.InvitationExpired: "It was valid for " + strconv.Itoa(store.InvitationDays) + " days. Ask an admin for a new one.",
	store.InvitationRevoked: "An admin withdrew it, or made a newer one. Use the newest link, or ask an admin for one.",
}

const linkUnknown = "There is no such link. Copy it whole, or ask an admin for a new one."

func (s *Server) showInvitation(w http.ResponseWriter, r *http.Request) error {
	return s.renderInvitation(w, r, http.StatusOK, web.InvitationView{})
}

// renderInvitation shows the form behind a link, with what was written and refused of it in v, or why
// the link has ended.
func (s *Server) renderInvitation(w http.ResponseWriter, r *http.Request, status int, v web.InvitationView) error {
	page := s.page(r, "Invitation")
	invitation, err := s.Store.InvitationBySecret(r.Context(), chi.URLParam(r, "secret"))
	if errors.Is(err, store.ErrNotFound) {
		return render(w, r, http.StatusNotFound, web.InvitationGonePage(page, linkUnknown))
	}
	if err != nil {
		return err
	}
	if invitation.State != store.InvitationOpen {
		return render(w, r, http.StatusGone, web.InvitationGonePage(page, linkEnded[invitation.State]))
	}
	v.Action, v.MinLength = r.URL.Path, store.MinPasswordLength
	v.Role, v.Projects = string(invitation.Role), strings.Join(invitation.Projects, ", ")
	if v.Reset = invitation.PersonID != 0; v.Reset {
		v.Name, v.Email = invitation.Person, invitation.Email
	}
	return render(w, r, status, web.InvitationPage(page, v))
}

func (s *Server) acceptInvitation(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	n := store.NewPerson{Email: r.PostForm.Get("email"), Name: r.PostForm.Get("name"), Password: r.PostForm.Get("password")}
	person, err := s.Store.AcceptInvitation(r.Context(), chi.URLParam(r, "secret"), n)
	refused, ok := refusalOf(err)
	switch {
	case ok:
		return s.renderInvitation(w, r, http.StatusUnprocessableEntity, web.InvitationView{Name: n.Name, Email: n.Email, Refused: refused})
	case errors.Is(err, store.ErrGone), errors.Is(err, store.ErrNotFound):
		return s.renderInvitation(w, r, http.StatusGone, web.InvitationView{})
	case err != nil:
		return err
	}
	return s.beginSession(w, r, person, "/")
}
