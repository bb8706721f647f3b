package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// adminPath is where the pages for admins of the installation begin.
const adminPath = "/admin"

// rowsAPage is how many rows the lists of these pages show at once.
const rowsAPage = 50

var adminCrumb = ui.Crumb{Label: "Admin", Href: adminPath}

func (s *Server) peopleRoutes(r router) {
	r.get(adminPath, access.ManagePeople, s.startAdmin)
	r.get("/admin/people", access.ManagePeople, s.listPeople)
	r.get("/admin/people/{person}", access.ManagePeople, s.showPerson)
	r.post("/admin/people/{person}/role", access.ManagePeople, s.setRole)
	r.post("/admin/people/{person}/reset", access.ManagePeople, s.resetPerson)
	r.post("/admin/people/{person}/leave", access.ManagePeople, s.leave)
}

func (s *Server) startAdmin(w http.ResponseWriter, r *http.Request) error {
	return seeOther(w, r, "/admin/people")
}

func (s *Server) listPeople(w http.ResponseWriter, r *http.Request) error {
	return s.renderPeople(w, r, http.StatusOK, web.InviteView{})
}

// renderPeople shows a page of people beside the form that invites more.
func (s *Server) renderPeople(w http.ResponseWriter, r *http.Request, status int, invite web.InviteView) error {
	query := r.URL.Query()
	filter := peopleFilter(query)
	people, err := s.Store.People(r.Context(), actorOf(r), filter)
	if err != nil {
		return err
	}
	invitations, err := s.Store.OpenInvitations(r.Context(), actorOf(r), rowsAPage)
	if err != nil {
		return err
	}
	if err := s.completeInvite(r, &invite); err != nil {
		return err
	}
	v := web.PeopleView{Query: filter.Query, Role: string(filter.Role), Left: filter.Left, Invitations: invitationRows(invitations), Invite: invite}
	if len(people) > rowsAPage {
		people = people[:rowsAPage]
		last := people[rowsAPage-1].Place()
		v.More = with(r.URL.Path, query, "after", strconv.FormatInt(last.ID, 10), "after_name", last.Name)
	}
	for _, p := range people {
		v.People = append(v.People, web.PersonRow{
			ID: p.ID, Name: p.Name, Email: p.Email, Role: string(p.Role), Projects: p.Projects,
			NoPassword: !p.CanSignIn && p.LeftAt == nil, Since: p.CreatedAt, Left: orZero(p.LeftAt),
		})
	}
	return render(w, r, status, web.PeoplePage(s.page(r, "People", adminCrumb, ui.Crumb{Label: "People"}), v))
}

// peopleFilter asks for one row more than a page, to see whether any follow.
func peopleFilter(query url.Values) store.PeopleFilter {
	f := store.PeopleFilter{
		Query: strings.TrimSpace(query.Get("q")), Left: query.Get("left") == "yes", Limit: rowsAPage + 1,
		After: store.PersonPlace{Name: query.Get("after_name")},
	}
	f.Role, _ = access.ParseRole(query.Get("role")) // an unknown role asks for any
	f.After.ID, _ = strconv.ParseInt(query.Get("after"), 10, 64)
	return f
}

// with is path with query, in which the named values are replaced.
func with(path string, query url.Values, pairs ...string) string {
	next := url.Values{}
	for name, values := range query {
		next[name] = values
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		next.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + next.Encode()
}

// orZero is how an absent time is given to a page.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func roleOptions() []ui.Option {
	var options []ui.Option
	for _, role := range access.Roles() {
		options = append(options, ui.Option{Value: string(role), Label: string(role)})
	}
	return options
}

func (s *Server) showPerson(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "person")
	if err != nil {
		return err
	}
	return s.renderPerson(w, r, http.StatusOK, id, web.PersonView{})
}

// renderPerson completes v, which holds what the last request left to say, with the person id.
func (s *Server) renderPerson(w http.ResponseWriter, r *http.Request, status int, id int64, v web.PersonView) error {
	ctx, actor := r.Context(), actorOf(r)
	person, err := s.Store.PersonByID(ctx, actor, id)
	if err != nil {
		return err
	}
	projects, err := s.Store.ProjectsOf(ctx, actor, id)
	if err != nil {
		return err
	}
	tokens, err := s.Store.Tokens(ctx, actor, store.TokenFilter{CreatedBy: id, Limit: rowsAPage})
	if err != nil {
		return err
	}
	v.ID, v.Name, v.Email, v.Role = person.ID, person.Name, person.Email, string(person.Role)
	v.Since, v.Left, v.Self = person.CreatedAt, orZero(person.LeftAt), person.ID == actor.PersonID
	v.Tokens, v.Roles, v.Days = tokenRows(tokens), roleOptions(), store.InvitationDays
	if v.Held, _, err = s.accessRows(r, 0, id, newestFirst, heldShown); err != nil {
		return err
	}
	for _, p := range projects {
		v.Projects = append(v.Projects, web.LinkView{Label: p.Name, Href: "/projects/" + p.Slug})
	}
	crumbs := []ui.Crumb{adminCrumb, {Label: "People", Href: "/admin/people"}, {Label: person.Name}}
	return render(w, r, status, web.PersonPage(s.page(r, person.Name, crumbs...), v))
}

// personChanged tells what was done to a person, or why it was refused.
func (s *Server) personChanged(w http.ResponseWriter, r *http.Request, id int64, err error, done string) error {
	if refused, ok := refusalOf(err); ok {
		return s.renderPerson(w, r, http.StatusUnprocessableEntity, id, web.PersonView{Refused: refused})
	}
	if err != nil {
		return err
	}
	s.flash(r, done)
	return seeOther(w, r, "/admin/people/"+strconv.FormatInt(id, 10))
}

func (s *Server) setRole(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "person")
	if err != nil {
		return err
	}
	err = s.Store.SetRole(r.Context(), actorOf(r), id, access.Role(r.PostFormValue("role")))
	return s.personChanged(w, r, id, err, "The role is changed. They sign in again under it.")
}

// resetPerson answers with the link itself, which is kept nowhere: no redirect could carry it.
func (s *Server) resetPerson(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "person")
	if err != nil {
		return err
	}
	secret, err := s.Store.InviteToReset(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	return s.renderPerson(w, r, http.StatusCreated, id, web.PersonView{Link: s.invitationLink(r, secret)})
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "person")
	if err != nil {
		return err
	}
	if r.PostFormValue("sure") != "yes" {
		refused := web.Refusal{Field: "sure", Reason: "Tick this to say that you are sure."}
		return s.renderPerson(w, r, http.StatusUnprocessableEntity, id, web.PersonView{Refused: refused})
	}
	err = s.Store.Leave(r.Context(), actorOf(r), id)
	return s.personChanged(w, r, id, err, "The account is deleted. The work stays under a pseudonym.")
}
