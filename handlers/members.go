package handlers

import (
	"net/http"
	"strings"

	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// peopleOffered is how many people the form for a new member suggests; others can be typed.
const peopleOffered = 200

func (s *Server) listMembers(w http.ResponseWriter, r *http.Request) error {
	return s.renderMembers(w, r, http.StatusOK, "", web.Refusal{})
}

func (s *Server) renderMembers(w http.ResponseWriter, r *http.Request, status int, email string, refused web.Refusal) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	members, err := s.Store.Members(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	people, err := s.Store.People(r.Context(), actorOf(r), store.PeopleFilter{Limit: peopleOffered})
	if err != nil {
		return err
	}
	v := web.MembersView{Tabs: projectTabs(r, project, "members", -1), Name: project.Name, Paused: project.Paused, Email: email, Refused: refused}
	in := map[int64]bool{}
	for _, m := range members {
		in[m.PersonID] = true
		v.Members = append(v.Members, web.MemberRow{ID: m.PersonID, Name: m.Name, Email: m.Email, Role: string(m.Role), Since: m.AddedAt, Held: m.Held})
	}
	for _, p := range people {
		if !in[p.ID] {
			v.People = append(v.People, ui.Option{Value: p.Email, Label: p.Name + ", " + string(p.Role)})
		}
	}
	return render(w, r, status, web.MembersPage(s.projectPage(r, project, project.Name+" members", ui.Crumb{Label: "Members"}), v))
}

func (s *Server) addMember(w http.ResponseWriter, r *http.Request) error {
	email := strings.TrimSpace(r.PostFormValue("email"))
	person, err := s.personByEmail(r, email)
	if err != nil {
		return err
	}
	if person == 0 {
		return s.renderMembers(w, r, http.StatusUnprocessableEntity, email,
			web.Refusal{Field: "email", Reason: "Nobody here has this address. Invite them first, under Admin, People."})
	}
	return s.changeProject(w, r, "/members", "They are in the project from now on.", func(p store.Project) error {
		return s.Store.AddMember(r.Context(), actorOf(r), p.ID, person)
	})
}

// personByEmail returns who has this address, or 0.
func (s *Server) personByEmail(r *http.Request, email string) (int64, error) {
	if email == "" {
		return 0, nil
	}
	people, err := s.Store.People(r.Context(), actorOf(r), store.PeopleFilter{Query: email, Limit: peopleOffered})
	if err != nil {
		return 0, err
	}
	for _, p := range people {
		if strings.EqualFold(p.Email, email) {
			return p.ID, nil
		}
	}
	return 0, nil
}

func (s *Server) removeMember(w http.ResponseWriter, r *http.Request) error {
	person, err := pathID(r, "person")
	if err != nil {
		return err
	}
	return s.changeProject(w, r, "/members", "They are out of the project; what they had in hand is back in the queue.", func(p store.Project) error {
		return s.Store.RemoveMember(r.Context(), actorOf(r), p.ID, person)
	})
}
