package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/internal/discussion"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) discussionRoutes(r router) {
	r.get("/discussion/{item}", access.Discuss, s.showDiscussion)
	r.post("/discussion/{item}", access.Discuss, s.addComment)
	r.post("/discussion/{item}/resolve", access.Review, s.settleDiscussion(true))
	r.post("/discussion/{item}/reopen", access.Review, s.settleDiscussion(false))
	r.get("/comments/{comment}", access.Discuss, s.showComment)
	r.post("/comments/{comment}", access.Discuss, s.editComment)
	r.post("/comments/{comment}/delete", access.Discuss, s.deleteComment)
}

func discussionHref(item int64) string { return fmt.Sprintf("/discussion/%d", item) }

func (s *Server) showDiscussion(w http.ResponseWriter, r *http.Request) error {
	item, err := pathID(r, "item")
	if err != nil {
		return err
	}
	return s.renderDiscussion(w, r, http.StatusOK, item, web.CommentDraft{})
}

// renderDiscussion shows a discussion: the panel alone where a page asks for it, else a page of its own.
func (s *Server) renderDiscussion(w http.ResponseWriter, r *http.Request, status int, item int64, draft web.CommentDraft) error {
	thread, err := s.Store.Thread(r.Context(), actorOf(r), item)
	if err != nil {
		return err
	}
	v := discussionView(thread, r)
	v.Draft = draft
	if r.Header.Get("HX-Request") != "" {
		v.Back = r.FormValue("back")
		return render(w, r, status, web.DiscussionPanel(v))
	}
	home := ui.Crumb{Label: thread.ProjectName, Href: "/projects/" + thread.Slug}
	page := web.DiscussionPageView{
		Page: s.page(r, thread.Name, projectsCrumb, home, ui.Crumb{Label: thread.Name}), Name: thread.Name,
		Picture: itemMediaHref(item, "display"), Discussion: v,
	}
	if v.Sound {
		page.Picture, page.Sound = "", soundPath(item)
	}
	if actorOf(r).Allowed(access.Review) {
		page.Review = reviewHref(item)
	} else if thread.Task != 0 {
		page.Label = taskPath(thread.Task)
	}
	return render(w, r, status, web.DiscussionPage(page))
}

// discussionPanel is the discussion of an item as a part of another page, whose address is back.
func (s *Server) discussionPanel(r *http.Request, item int64, back string) (web.DiscussionView, error) {
	thread, err := s.Store.Thread(r.Context(), actorOf(r), item)
	if err != nil {
		return web.DiscussionView{}, err
	}
	v := discussionView(thread, r)
	v.Back = back
	return v, nil
}

// threadNames is what a reader calls the people of a thread.
func threadNames(t store.Thread) func(person int64) string {
	names := make(map[int64]string, len(t.People))
	for _, p := range t.People {
		names[p.ID] = p.Name
		if p.Letter >= 0 {
			names[p.ID] = "Labeler " + letter(p.Letter)
		}
	}
	return func(person int64) string {
		if name := names[person]; name != "" {
			return name
		}
		return "somebody"
	}
}

// mentionable are the people whom the actor can mention, under the names that they know them by.
func mentionable(t store.Thread, actor int64) (people []discussion.Person) {
	name := threadNames(t)
	for _, p := range t.People {
		if p.Sees && p.ID != actor {
			people = append(people, discussion.Person{ID: p.ID, Name: name(p.ID)})
		}
	}
	slices.SortFunc(people, func(a, b discussion.Person) int { return strings.Compare(a.Name, b.Name) })
	return people
}

func discussionView(t store.Thread, r *http.Request) web.DiscussionView {
	actor := actorOf(r).PersonID
	v := web.DiscussionView{Action: discussionHref(t.Item), Resolved: t.Resolved, Speaks: actor != 0}
	if t.Settles {
		v.Resolve, v.Reopen = v.Action+"/resolve", v.Action+"/reopen"
	}
	name := threadNames(t)
	for _, p := range mentionable(t, actor) {
		v.People = append(v.People, p.Name)
	}
	v.People = slices.Compact(v.People)
	for _, c := range t.Comments {
		v.Comments = append(v.Comments, commentView(c, actor, name, t.Kind))
	}
	v.Sound = t.Kind == "audio"
	v.Boxes = []ui.Option{{Label: "the whole item"}}
	for _, b := range t.Boxes {
		of := "the truth"
		switch b.Person {
		case 0:
		case actor:
			of = "your answer"
		default:
			of = name(b.Person)
		}
		v.Boxes = append(v.Boxes, ui.Option{
			Value: fmt.Sprintf("%d.%d.%d", b.Annotation, b.Truth, b.Position), Label: fmt.Sprintf("%s %d, %s, of %s", thingWord(t.Kind), b.Position+1, b.ClassName, of),
		})
	}
	return v
}

func commentView(c store.Comment, actor int64, name func(int64) string, kind string) web.CommentView {
	v := web.CommentView{ID: c.ID, Kind: c.Kind, Author: name(c.PersonID), About: commentAbout(c, actor, name, kind), At: c.At, Deleted: c.DeletedAt != nil}
	if c.Mine {
		v.Author = "You"
	}
	for i, text := range c.Texts {
		parts := commentParts(text, actor, name)
		if i < len(c.Texts)-1 {
			v.Earlier = append(v.Earlier, parts)
		} else {
			v.Parts = parts
		}
	}
	if c.EditedAt != nil {
		v.Edited = *c.EditedAt
	}
	href := fmt.Sprintf("/comments/%d", c.ID)
	if c.Editable && len(c.Texts) > 0 {
		v.Edit, v.Typed = href, discussion.Typed(c.Texts[len(c.Texts)-1], name)
	}
	if c.Mine && c.Kind == "said" && !v.Deleted {
		v.Delete = href + "/delete"
	}
	return v
}

func commentAbout(c store.Comment, actor int64, name func(int64) string, kind string) string {
	switch {
	case c.Foreign:
		return "about another answer"
	case c.X != nil && kind == "audio":
		return "at " + soundClock(*c.X)
	case c.X != nil:
		return fmt.Sprintf("at %.0f, %.0f", *c.X, *c.Y)
	case c.Position == nil:
		return ""
	case c.BoxTruth != 0:
		return fmt.Sprintf("%s %d, %s, of the truth", thingWord(kind), *c.Position+1, c.ClassName)
	case c.BoxPerson == actor:
		return fmt.Sprintf("%s %d, %s, of your answer", thingWord(kind), *c.Position+1, c.ClassName)
	}
	return fmt.Sprintf("%s %d, %s, of %s", thingWord(kind), *c.Position+1, c.ClassName, name(c.BoxPerson))
}

func commentParts(text string, actor int64, name func(int64) string) (parts []web.CommentPart) {
	for _, p := range discussion.Parts(text) {
		part := web.CommentPart{Text: p.Text, Href: p.Href}
		switch p.Person {
		case 0:
		case actor:
			part.Text, part.Mention, part.Me = "@You", true, true
		default:
			part.Text, part.Mention = "@"+name(p.Person), true
		}
		parts = append(parts, part)
	}
	return parts
}

// newComment reads a comment from the form of the panel.
func newComment(r *http.Request, thread store.Thread) (c store.NewComment, err error) {
	c = store.NewComment{Item: thread.Item}
	c.Body, _ = discussion.Encode(r.PostFormValue("body"), mentionable(thread, actorOf(r).PersonID))
	if about := r.PostFormValue("about"); about != "" {
		if _, err := fmt.Sscanf(about, "%d.%d.%d", &c.Annotation, &c.Truth, &c.Position); err != nil {
			return c, badRequest("The form is incomplete. Load the page again.")
		}
	}
	for name, to := range map[string]**float64{"x": &c.X, "y": &c.Y} {
		text := strings.TrimSpace(r.PostFormValue(name))
		if text == "" {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			if thread.Kind == "audio" {
				return c, &store.InvalidError{Field: "about", Reason: "Write the time as a number of seconds from the beginning, such as 2.5."}
			}
			return c, &store.InvalidError{Field: "about", Reason: "Write the place as two numbers, in pixels from the top-left corner."}
		}
		*to = &value
	}
	if thread.Kind == "audio" && c.X != nil {
		c.Y = new(0.0) // all channels
	}
	return c, nil
}

func (s *Server) addComment(w http.ResponseWriter, r *http.Request) error {
	item, err := pathID(r, "item")
	if err != nil {
		return err
	}
	thread, err := s.Store.Thread(r.Context(), actorOf(r), item)
	if err != nil {
		return err
	}
	c, err := newComment(r, thread)
	if err == nil {
		_, err = s.Store.AddComment(r.Context(), actorOf(r), c)
	}
	return s.discussed(w, r, item, err)
}

// discussed shows a discussion after something was done to it: as the panel, or on the page that it was done from.
func (s *Server) discussed(w http.ResponseWriter, r *http.Request, item int64, err error) error {
	if refused, ok := errors.AsType[*store.InvalidError](err); ok {
		draft := web.CommentDraft{Body: r.PostFormValue("body"), About: r.PostFormValue("about"), X: r.PostFormValue("x"), Y: r.PostFormValue("y"), Error: refused.Reason}
		return s.renderDiscussion(w, r, http.StatusUnprocessableEntity, item, draft)
	}
	if err != nil {
		return err
	}
	if r.Header.Get("HX-Request") != "" {
		return s.renderDiscussion(w, r, http.StatusOK, item, web.CommentDraft{})
	}
	back := discussionHref(item)
	if to := r.PostFormValue("back"); to != "" {
		back = localPath(to)
	}
	return seeOther(w, r, back+"#discussion")
}

func (s *Server) settleDiscussion(settled bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		item, err := pathID(r, "item")
		if err != nil {
			return err
		}
		return s.discussed(w, r, item, s.Store.SettleThread(r.Context(), actorOf(r), item, settled))
	}
}

// showComment goes to a comment in its discussion.
func (s *Server) showComment(w http.ResponseWriter, r *http.Request) error {
	comment, err := pathID(r, "comment")
	if err != nil {
		return err
	}
	item, err := s.Store.CommentItem(r.Context(), actorOf(r), comment)
	if err != nil {
		return err
	}
	return seeOther(w, r, fmt.Sprintf("%s#comment-%d", discussionHref(item), comment))
}

func (s *Server) editComment(w http.ResponseWriter, r *http.Request) error {
	return s.changeComment(w, r, func(comment int64, thread store.Thread) error {
		body, _ := discussion.Encode(r.PostFormValue("body"), mentionable(thread, actorOf(r).PersonID))
		_, err := s.Store.EditComment(r.Context(), actorOf(r), comment, body)
		return err
	})
}

func (s *Server) deleteComment(w http.ResponseWriter, r *http.Request) error {
	return s.changeComment(w, r, func(comment int64, _ store.Thread) error {
		_, err := s.Store.DeleteComment(r.Context(), actorOf(r), comment)
		return err
	})
}

// changeComment changes the comment of the path.
func (s *Server) changeComment(w http.ResponseWriter, r *http.Request, change func(int64, store.Thread) error) error {
	comment, err := pathID(r, "comment")
	if err != nil {
		return err
	}
	item, err := s.Store.CommentItem(r.Context(), actorOf(r), comment)
	if err != nil {
		return err
	}
	thread, err := s.Store.Thread(r.Context(), actorOf(r), item)
	if err != nil {
		return err
	}
	return s.discussed(w, r, item, change(comment, thread))
}
