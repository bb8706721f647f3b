package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"fiducial/store"
	"fiducial/store/blob"
)

func (s *Server) addExample(w http.ResponseWriter, r *http.Request) error {
	e := store.Example{Shows: r.PostFormValue("shows"), Caption: r.PostFormValue("caption")}
	var err error
	if e.ItemID, err = strconv.ParseInt(r.PostFormValue("item"), 10, 64); err != nil {
		return badRequest("Say which item the crop is from.")
	}
	if e.X, e.Y, e.W, e.H, err = boxOf(r.PostForm); err != nil {
		return err
	}
	said := ""
	if r.PostFormValue("back") != "" {
		said = "It is in the draft of the definition, and in the book once that is published."
	}
	return s.changeBook(w, r, said, "/draft#examples", func(c store.Class) error {
		return s.Store.AddExample(r.Context(), actorOf(r), c.ID, e)
	})
}

func boxOf(values url.Values) (x, y, w, h float64, err error) {
	for name, to := range map[string]*float64{"x": &x, "y": &y, "w": &w, "h": &h} {
		if *to, err = strconv.ParseFloat(values.Get(name), 64); err != nil {
			return 0, 0, 0, 0, badRequest("The crop needs x, y, w and h in pixels.")
		}
	}
	return x, y, w, h, nil
}

func (s *Server) removeExample(w http.ResponseWriter, r *http.Request) error {
	example, err := pathID(r, "example")
	if err != nil {
		return err
	}
	return s.changeBook(w, r, "", "/draft#examples", func(c store.Class) error {
		return s.Store.RemoveExample(r.Context(), actorOf(r), c.ID, example)
	})
}

func (s *Server) exampleCrop(w http.ResponseWriter, r *http.Request) error {
	object, err := asked(r, "example", s.Store.ExampleCrop)
	if err != nil {
		return err
	}
	return serveCrop(w, r, object)
}

func (s *Server) candidateCrop(w http.ResponseWriter, r *http.Request) error {
	item, err := pathID(r, "item")
	if err != nil {
		return err
	}
	x, y, bw, bh, err := boxOf(r.URL.Query())
	if err != nil {
		return err
	}
	object, err := s.Store.CandidateCrop(r.Context(), actorOf(r), item, x, y, bw, bh)
	if err != nil {
		return err
	}
	return serveCrop(w, r, object)
}

// serveCrop streams a crop. Like all media it is never kept by the browser.
func serveCrop(w http.ResponseWriter, r *http.Request, object *blob.Object) error {
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", "no-store")
	http.ServeContent(w, r, "", time.Time{}, object)
	return object.Close()
}
