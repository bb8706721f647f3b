package handlers

import (
	"fmt"
	"net/http"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
)

// searchPath is where everything is searched.
const searchPath = "/search"

func (s *Server) searchRoutes(r router) {
	r.get(searchPath, access.Account, s.search)
}

// searchSorts are what can be found, in the order in which it is shown.
var searchSorts = []struct {
	sort, title, icon string
	href              func(store.Hit) string
}{
	{"project", "Projects", "layers", func(h store.Hit) string { return "/projects/" + h.Slug }},
	{"class", "Classes", "book-open", func(h store.Hit) string { return classHref(h.Slug, h.ID) }},
	{"item", "Items", "file-text", func(h store.Hit) string { return fmt.Sprintf("/items/%d", h.ID) }},
	{"dataset", "Datasets", "database", func(h store.Hit) string { return "/datasets/" + h.Name }},
	{"person", "People", "user", func(h store.Hit) string { return fmt.Sprintf("/admin/people/%d", h.ID) }},
}

// search answers with a page, or with the list alone for the command palette.
func (s *Server) search(w http.ResponseWriter, r *http.Request) error {
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	hits, err := s.Store.Search(r.Context(), actorOf(r), query)
	if err != nil {
		return err
	}
	v := web.SearchView{Query: query}
	for _, sort := range searchSorts {
		group := web.SearchGroup{Title: sort.title, Icon: sort.icon}
		for _, h := range hits {
			if h.Sort == sort.sort {
				group.Hits = append(group.Hits, web.SearchHit{Label: h.Name, Detail: h.Place, Href: sort.href(h)})
			}
		}
		if len(group.Hits) > 0 {
			v.Groups = append(v.Groups, group)
		}
	}
	if r.Header.Get("HX-Request") != "" {
		return render(w, r, http.StatusOK, web.SearchHits(v))
	}
	return render(w, r, http.StatusOK, web.SearchPage(s.page(r, "Search"), v))
}
