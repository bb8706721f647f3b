package handlers

import (
	"errors"
	"net/http"

	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// claimNext hands out the next task of a project and goes there.
func (s *Server) claimNext(w http.ResponseWriter, r *http.Request) error {
	claimed, err := s.Store.Claim(r.Context(), actorOf(r), r.URL.Query().Get("project"), 0)
	if errors.Is(err, store.ErrQueueEmpty) {
		done, err := s.Store.DoneToday(r.Context(), actorOf(r))
		if err != nil {
			return err
		}
		v := web.LabelEmptyView{Page: s.page(r, "Nothing waits for you", ui.Crumb{Label: "My queue", Href: queuePath}), Done: done, Queue: queuePath}
		return render(w, r, http.StatusOK, web.LabelEmptyPage(v))
	}
	if errors.Is(err, store.ErrResting) {
		// The queue says who paused them, and why.
		return seeOther(w, r, queuePath)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, taskPath(claimed.Task))
}

// fetchNext hands out the next task beside the one that is being worked on; 204 if there is none. One that is fetched ahead counts as seen and
// heard once its page says that it is shown.
func (s *Server) fetchNext(w http.ResponseWriter, r *http.Request) error {
	var ask struct {
		After   int64  `json:"after"`
		Project string `json:"project"`
		Ahead   bool   `json:"ahead"`
	}
	if err := readJSON(w, r, largestRequest, &ask); err != nil {
		return err
	}
	if ask.Project == "" {
		ask.Project = r.URL.Query().Get("project")
	}
	claimed, err := s.Store.Claim(r.Context(), actorOf(r), ask.Project, ask.After)
	if errors.Is(err, store.ErrQueueEmpty) || errors.Is(err, store.ErrPaused) || errors.Is(err, store.ErrResting) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	if !ask.Ahead {
		return s.renderTask(w, r, claimed.Task)
	}
	work, err := s.Store.WorkAhead(r.Context(), actorOf(r), claimed.Task)
	if err != nil {
		return err
	}
	state := s.workbenchState(r, work)
	if state.Sound != nil {
		state.Sound.Src += "?" + fetchedAhead + "=1"
		state.URLs.Shown = taskPath(work.Task) + "/shown"
	}
	return renderJSON(w, http.StatusOK, state)
}

// taskShown is told by a page that an utterance, which it had fetched ahead, is on the screen.
func (s *Server) taskShown(w http.ResponseWriter, r *http.Request) error {
	task, err := pathID(r, "task")
	if err != nil {
		return err
	}
	if err := s.Store.Shown(r.Context(), actorOf(r), task); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
