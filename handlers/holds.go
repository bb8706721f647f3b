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

const (
	holdsPath   = retentionPath + "/holds"
	holdsShown  = 200
	liftedShown = 50
)

func (s *Server) holdRoutes(r router) {
	r.get(holdsPath, access.Erase, s.listHolds)
	r.post(holdsPath, access.Erase, s.placeHold)
	r.post(holdsPath+"/{hold}/lift", access.Erase, s.liftHold)
}

func holdRow(h store.LegalHold) web.HoldRow {
	row := web.HoldRow{
		ID: h.ID, Reason: h.Reason, By: h.PlacedBy, At: h.PlacedAt, LiftedBy: h.LiftedBy, LiftedAt: orZero(h.LiftedAt), LiftReason: h.LiftReason,
	}
	switch {
	case h.ItemID != 0:
		row.On, row.Where = fmt.Sprintf("Item %d", h.ItemID), h.Project
	case h.GroupID != 0:
		row.On, row.Where = "Group "+h.Group, h.Source
	default:
		row.On = "All of " + h.Source
	}
	for _, id := range h.Erasures {
		row.Erasures = append(row.Erasures, web.ErasureRow{ID: id})
	}
	return row
}

func (s *Server) listHolds(w http.ResponseWriter, r *http.Request) error {
	return s.renderHolds(w, r, http.StatusOK, web.HoldsView{On: "source", Source: r.URL.Query().Get("source"), Item: r.URL.Query().Get("item")})
}

// renderHolds shows the holds; v has what was typed into a form that was refused.
func (s *Server) renderHolds(w http.ResponseWriter, r *http.Request, status int, v web.HoldsView) error {
	holds, err := s.Store.LegalHolds(r.Context(), actorOf(r), false, holdsShown)
	if err != nil {
		return err
	}
	lifted, err := s.Store.LegalHolds(r.Context(), actorOf(r), true, liftedShown)
	if err != nil {
		return err
	}
	if v.Sources, err = s.sourceOptions(r); err != nil {
		return err
	}
	v.Tabs = retentionTabs(r, holdsPath)
	for _, h := range holds {
		v.Holds = append(v.Holds, holdRow(h))
	}
	for _, h := range lifted {
		v.Lifted = append(v.Lifted, holdRow(h))
	}
	return render(w, r, status, web.HoldsPage(s.page(r, "Legal holds", retentionCrumb, ui.Crumb{Label: "Holds"}), v))
}

func (s *Server) placeHold(w http.ResponseWriter, r *http.Request) error {
	v := web.HoldsView{
		On: r.PostFormValue("on"), Source: r.PostFormValue("source"), Group: strings.TrimSpace(r.PostFormValue("group")),
		Item: strings.TrimSpace(r.PostFormValue("item")), Reason: r.PostFormValue("reason"),
	}
	hold := store.NewHold{Reason: v.Reason}
	source, _ := strconv.ParseInt(v.Source, 10, 64) // what is no id is none
	var err error
	switch v.On {
	case "group":
		hold.Group, err = s.Store.GroupNamed(r.Context(), actorOf(r), source, v.Group)
	case "item":
		hold.Item, _ = strconv.ParseInt(strings.TrimPrefix(v.Item, "#"), 10, 64)
	default:
		hold.Source = source
	}
	if err == nil {
		_, err = s.Store.PlaceHold(r.Context(), actorOf(r), hold)
	}
	if refused, ok := refusalOf(err); ok {
		v.Refused = refused
		return s.renderHolds(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The hold is in force.")
	return seeOther(w, r, holdsPath)
}

func (s *Server) liftHold(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "hold")
	if err != nil {
		return err
	}
	err = s.Store.LiftHold(r.Context(), actorOf(r), id, r.PostFormValue("reason"))
	if refused, ok := refusalOf(err); ok {
		return s.renderHolds(w, r, http.StatusUnprocessableEntity, web.HoldsView{On: "source", RefusedLift: id, LiftRefused: refused})
	}
	if err != nil {
		return err
	}
	s.flash(r, "The hold is lifted. What waited for it goes on.")
	return seeOther(w, r, holdsPath)
}
