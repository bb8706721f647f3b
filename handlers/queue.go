package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
)

const queuePath = "/queue"

func (s *Server) queueRoutes(r router) {
	r.get(queuePath, access.Label, s.showQueue)
	r.get(queuePath+"/hours.csv", access.Label, s.hoursCSV)
}

func (s *Server) showQueue(w http.ResponseWriter, r *http.Request) error {
	desk, err := s.Store.Desk(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	page := s.page(r, "My queue")
	for _, p := range desk.Projects {
		page.StyleURLs = append(page.StyleURLs, "/projects/"+p.Slug+"/classes.css")
	}
	waves := wavesOf(s, r, slices.Concat(desk.Held, desk.Returned), func(i store.DeskItem) int64 { return soundIf(i.Sound, i.Item) })
	return render(w, r, http.StatusOK, web.QueuePage(page, queueView(desk, waves)))
}

func queueView(desk store.Desk, waves map[int64][]byte) web.QueueView {
	v := web.QueueView{
		Today: desk.Work.Today, Items: desk.Work.Items, Reworks: desk.Work.Reworks,
		Median: time.Duration(desk.Work.MedianMS) * time.Millisecond, HoursCSV: queuePath + "/hours.csv",
	}
	for _, item := range desk.Held {
		v.Held = append(v.Held, queueItem(item, waves))
	}
	for _, item := range desk.Returned {
		v.Returned = append(v.Returned, queueItem(item, waves))
	}
	for _, p := range desk.Projects {
		v.Projects = append(v.Projects, web.QueueProject{
			Name: p.Name, Href: "/projects/" + p.Slug, Next: nextPath(p.Slug), Paused: p.Paused,
			Left: min(p.Left, store.LeftLimit), More: p.Left > store.LeftLimit, Rough: p.Rough && p.Left <= store.LeftLimit,
			Resting: p.PausedAt != nil, PausedBy: p.PausedBy, PauseReason: p.PauseReason, PausedAt: orZero(p.PausedAt),
		})
	}
	for _, n := range desk.News {
		v.News = append(v.News, web.QueueNews{
			Class: n.Name, Slot: n.Slot, Version: n.Version, Project: n.Project, Href: classHref(n.Slug, n.Class), At: n.At,
		})
	}
	for _, h := range desk.Hours {
		v.Hours = append(v.Hours, web.QueueHours{
			Day: h.Day, Project: h.Project, Submitted: h.Submitted, Skipped: h.Skipped, Active: time.Duration(h.ActiveMS) * time.Millisecond,
		})
	}
	return v
}

func queueItem(item store.DeskItem, waves map[int64][]byte) web.QueueItem {
	thumb := itemMediaHref(item.Item, "thumb")
	if item.Sound {
		thumb = ""
	}
	return web.QueueItem{
		Href: taskPath(item.Task), Thumb: thumb, Wave: waves[item.Item], Name: item.Name, Project: item.Project,
		LeaseUntil: item.LeaseUntil, Drafted: item.Drafted, Reason: item.Reason, Note: item.Note, Remarks: item.Remarks, Since: item.Since, Batch: item.Batch,
	}
}

// hoursCSV is the person's own hours by day and project: of 14 days, or as many as ?days= says.
func (s *Server) hoursCSV(w http.ResponseWriter, r *http.Request) error {
	days := 14
	if asked := r.URL.Query().Get("days"); asked != "" {
		var err error
		if days, err = strconv.Atoi(asked); err != nil {
			return badRequest("Give the number of days as a whole number.")
		}
	}
	hours, err := s.Store.Hours(r.Context(), actorOf(r), days)
	if err != nil {
		return err
	}
	rows := [][]string{{"day_utc", "project", "submitted", "skipped", "active_hours"}}
	for _, h := range hours {
		rows = append(rows, []string{
			h.Day.Format(time.DateOnly), h.Project, strconv.Itoa(h.Submitted), strconv.Itoa(h.Skipped),
			fmt.Sprintf("%.2f", (time.Duration(h.ActiveMS) * time.Millisecond).Hours()),
		})
	}
	writeCSV(w, "hours", rows)
	return nil
}
