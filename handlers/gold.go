package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const goldAPage = 60

func (s *Server) goldRoutes(r router) {
	r.get("/projects/{slug}/gold", access.ReadQuality, s.listGold)
	r.post("/projects/{slug}/gold", access.ManageQuality, s.makeGold)
	r.post("/projects/{slug}/gold/settings", access.EditProjects, s.setGold)
	r.post("/items/{id}/gold", access.ManageQuality, s.addGold)
	r.post("/items/{id}/gold/remove", access.ManageQuality, s.removeGold)
}

// goldPanel says how a project uses its gold items, with what the actor may do about it.
func (s *Server) goldPanel(r *http.Request, project store.Project) (v web.GoldPanelView, err error) {
	settings, err := s.Store.GoldSettings(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return v, err
	}
	percent := strconv.FormatFloat(settings.Share*100, 'g', 4, 64)
	v = web.GoldPanelView{
		List: projectPath(project) + "/gold", Share: percent, Limit: strconv.FormatFloat(settings.Limit, 'g', 4, 64), Least: strconv.Itoa(settings.Least), On: settings.Share > 0,
	}
	if v.All, v.Ready, err = s.Store.CountGold(r.Context(), actorOf(r), project.ID); err != nil {
		return v, err
	}
	if actorOf(r).Allowed(access.ManageQuality) {
		v.Make = v.List
	}
	if actorOf(r).Allowed(access.EditProjects) {
		v.Settings = v.List + "/settings"
	}
	return v, nil
}

// goldForm says whether an item is a gold one; nil where it cannot be one, or is not for the actor to know.
func (s *Server) goldForm(r *http.Request, item int64, decided bool) (*web.GoldView, error) {
	if !actorOf(r).Allowed(access.ManageQuality) {
		return nil, nil
	}
	gold, err := s.Store.IsGold(r.Context(), actorOf(r), item)
	if err != nil || !gold && !decided {
		return nil, err
	}
	return &web.GoldView{Gold: gold, Add: fmt.Sprintf("/items/%d/gold", item), Remove: fmt.Sprintf("/items/%d/gold/remove", item)}, nil
}

func (s *Server) listGold(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64) // what is no number is the start
	items, err := s.Store.GoldItems(r.Context(), actorOf(r), project.ID, after, goldAPage+1)
	if err != nil {
		return err
	}
	v := web.GoldListView{Tabs: projectTabs(r, project, "quality", -1), Name: project.Name, Paused: project.Paused, Back: qualityPath(project)}
	if after != 0 {
		v.First = r.URL.Path
	}
	if len(items) > goldAPage {
		items = items[:goldAPage]
		v.Next = with(r.URL.Path, nil, "after", strconv.FormatInt(items[goldAPage-1].Item, 10))
	}
	waves := wavesOf(s, r, items, func(g store.GoldItem) int64 { return soundIf(project.Kind == "audio", g.Item) })
	for _, g := range items {
		row := web.GoldRow{
			Name: g.Name, Href: fmt.Sprintf("/items/%d", g.Item), Thumb: thumbHref(g.Item, project.Kind), Wave: waves[g.Item], Ready: g.Ready, Boxes: g.Boxes, Answered: g.Answered, Score: "–", At: g.AddedAt,
		}
		if g.Score != nil {
			row.Score = share(*g.Score)
		}
		if actorOf(r).Allowed(access.ManageQuality) {
			row.Remove = fmt.Sprintf("/items/%d/gold/remove", g.Item)
		}
		v.Items = append(v.Items, row)
	}
	page := s.projectPage(r, project, project.Name+" gold items", ui.Crumb{Label: "Quality", Href: qualityPath(project)}, ui.Crumb{Label: "Gold items"})
	return render(w, r, http.StatusOK, web.GoldPage(page, v))
}

func (s *Server) makeGold(w http.ResponseWriter, r *http.Request) error {
	n, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue("n")))
	if err != nil {
		n = 0
	}
	project, err := s.project(r)
	if err != nil {
		return err
	}
	added, err := s.Store.AddGoldFromTruth(r.Context(), actorOf(r), project.ID, n)
	if refused, ok := refusalOf(err); ok {
		return s.renderQuality(w, r, http.StatusUnprocessableEntity, refused)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("%d gold items more.", added))
	return seeOther(w, r, projectPath(project)+"/gold")
}

// setGold takes the settings as they were typed; what is no number is out of range.
func (s *Server) setGold(w http.ResponseWriter, r *http.Request) error {
	number := func(field string) float64 {
		v, err := strconv.ParseFloat(strings.TrimSpace(r.PostFormValue(field)), 64)
		if err != nil {
			return -1
		}
		return v
	}
	settings := store.GoldSettings{Share: number("gold_share") / 100, Limit: number("gold_limit"), Least: int(number("gold_least"))}
	return s.changeQuality(w, r, "The settings are saved.", func(p store.Project) error {
		return s.Store.SetGold(r.Context(), actorOf(r), p.ID, settings)
	})
}

func (s *Server) addGold(w http.ResponseWriter, r *http.Request) error {
	return s.changeItem(w, r, "It is a gold item from now on.", func(id int64) error {
		_, err := s.Store.AddGold(r.Context(), actorOf(r), id)
		return err
	})
}

func (s *Server) removeGold(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	slug, err := s.Store.RemoveGold(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	s.flash(r, "It is no gold item any more. What it measured stays.")
	if r.PostFormValue("back") == "list" {
		return seeOther(w, r, "/projects/"+slug+"/gold")
	}
	return seeOther(w, r, fmt.Sprintf("/items/%d", id))
}
