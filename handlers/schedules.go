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

const schedulesPath = "/schedules"

func (s *Server) scheduleRoutes(r router) {
	r.get(schedulesPath, access.ReadEvaluations, s.listSchedules)
	r.post(schedulesPath, access.EditChains, s.addSchedule)
	r.post(schedulesPath+"/{id}/pause", access.EditChains, s.acted("id", s.Store.PauseSchedule, "The schedule rests. It starts nothing until it is resumed.", schedulesPath))
	r.post(schedulesPath+"/{id}/resume", access.EditChains, s.acted("id", s.Store.ResumeSchedule, "The schedule goes on.", schedulesPath))
	r.post(schedulesPath+"/{id}/stop", access.EditChains, s.acted("id", s.Store.StopSchedule, "The schedule is stopped. What it started stays.", schedulesPath))
}

func scheduleRow(x store.Schedule) web.ScheduleRow {
	row := web.ScheduleRow{
		ID: x.ID, Name: x.Name, Chain: x.Chain, Versions: x.Request.Versions, Models: x.Request.Models, Every: x.Every, Hour: x.Hour, OnRelease: x.OnRelease,
		Next: orZero(x.NextAt), Paused: orZero(x.PausedAt), Fault: x.Fault, By: x.CreatedBy,
	}
	if x.LastRun != 0 {
		row.Run = fmt.Sprintf("/evaluations/%d", x.LastRun)
	}
	return row
}

func (s *Server) listSchedules(w http.ResponseWriter, r *http.Request) error {
	return s.renderSchedules(w, r, http.StatusOK, web.ScheduleForm{Every: "week", Hour: "3", OnRelease: true})
}

func (s *Server) renderSchedules(w http.ResponseWriter, r *http.Request, status int, form web.ScheduleForm) error {
	list, err := s.Store.Schedules(r.Context(), actorOf(r), 0)
	if err != nil {
		return err
	}
	var v web.SchedulesView
	for _, x := range list {
		v.Rows = append(v.Rows, scheduleRow(x))
	}
	if actorOf(r).Allowed(access.EditChains) {
		v.New = &form
		chains, err := s.Store.Chains(r.Context(), actorOf(r))
		if err != nil {
			return err
		}
		for _, c := range chains {
			v.Chains = append(v.Chains, ui.Option{Value: c.Name, Label: c.Name + ": " + slotsSay(c.Slots)})
		}
	}
	page := s.page(r, "Schedules", evaluationsCrumb, ui.Crumb{Label: "Schedules"})
	return render(w, r, status, web.SchedulesPage(page, v))
}

func (s *Server) addSchedule(w http.ResponseWriter, r *http.Request) error {
	form := web.ScheduleForm{
		Name: r.PostFormValue("name"), Chain: r.PostFormValue("chain"), Versions: r.PostFormValue("versions"), Models: r.PostFormValue("models"),
		Split: r.PostFormValue("split"), Every: r.PostFormValue("every"), Hour: r.PostFormValue("hour"), OnRelease: r.PostFormValue("on_release") != "",
	}
	hour, err := strconv.Atoi(form.Hour)
	if err != nil {
		hour = -1
	}
	n := store.NewSchedule{Name: form.Name, Every: form.Every, Hour: hour, OnRelease: form.OnRelease, Request: store.EvaluationRequest{
		Chain: form.Chain, Versions: words(form.Versions), Split: form.Split,
	}}
	for line := range strings.Lines(form.Models) {
		if names := words(line); len(names) > 0 {
			n.Request.Models = append(n.Request.Models, names)
		}
	}
	_, err = s.Store.AddSchedule(r.Context(), actorOf(r), n)
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		return s.renderSchedules(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The schedule is made.")
	return seeOther(w, r, schedulesPath)
}

// words are those of a text, which commas or spaces part.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}
