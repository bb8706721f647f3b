package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
)

func discussionPage(item int64) string { return fmt.Sprintf("/discussion/%d", item) }

// A reviewer and a labeler talk by plain forms; each is told, and neither sees the other's name too early.
func TestDiscussionByForms(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 1)
	s.rename(s.reviewer.PersonID, "Rosa Review")
	s.rename(s.labeler.PersonID, "Lena Label")
	page := discussionPage(s.items[0])
	reviewer, labeler := s.browserOf(s.reviewer.PersonID), s.browserOf(s.labeler.PersonID)
	reviewer.get(reviewPage(s.items[0])).want(http.StatusOK).shows("Discussion", "box 1, Scratch, of Labeler A").lacks("Lena Label")
	answer := s.look(s.items[0]).Answers[0].ID
	reviewer.post(page, "body", "Is this *one*, @labeler a?\nSee https://example.org/book.", "about", fmt.Sprintf("%d.0.0", answer),
		"back", reviewPage(s.items[0])).to(reviewPage(s.items[0]) + "#discussion")
	labeler.get("/notices").shows("Somebody mentioned you in Hot strip", "Read it").lacks("Rosa")
	labeler.get("/comments/1").to(page + "#comment-1")
	seen := labeler.get(page).want(http.StatusOK).shows("Rosa Review", "box 1, Scratch, of your answer", "Is this *one*,", "@You", "https://example.org/book").lacks("Take back")
	if seen.attribute("href", "https://example.org/book") == "" {
		t.Error("the address is no link")
	}
	panel := labeler.do(http.MethodPost, page, map[string][]string{"body": {"Two, I think @Rosa Review."}}, "HX-Request", "true")
	panel.want(http.StatusOK).shows("You", "Two, I think", "@Rosa Review", "Edit", "Take back")
	if strings.Contains(panel.Body.String(), "<html") {
		t.Error("a panel comes with a whole page")
	}
	labeler.post("/comments/2", "body", "Three, @Rosa Review.").to(page + "#discussion")
	reviewer.get(page).shows("Labeler A", "Three,", "@You", "edited, said before", "Two, I think").lacks("Lena Label")
	reviewer.post("/comments/2", "body", "Mine now").want(http.StatusNotFound)
	labeler.post("/comments/2/delete").to(page + "#discussion")
	reviewer.get(page).shows("Taken back by its author").lacks("Three", "Two, I think")
	reviewer.post(page + "/resolve").to(page + "#discussion")
	reviewer.get(page).shows("settled", "settled it", "Reopen")
	labeler.post(page, "body", "   ").want(http.StatusUnprocessableEntity).shows("Write what you want to say.")
	labeler.post(page, "body", "Again.", "x", "5", "y", "far").want(http.StatusUnprocessableEntity).shows("two numbers")
	labeler.post(page, "body", "Again.", "x", "5", "y", "6.5").to(page + "#discussion")
	reviewer.get(page).shows("opened it again", "at 5, 6").lacks("Reopen")
	labeler.post(page + "/resolve").want(http.StatusForbidden)
}

func TestDiscussionIsForThoseWhoHaveTheItem(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 1)
	page := discussionPage(s.items[0])
	s.browserOf(s.labeler.PersonID).post(page, "body", "What is this?").want(http.StatusSeeOther)
	for _, role := range []access.Role{access.Labeler, access.Reviewer} {
		b := s.browser(role)
		b.get(page).want(http.StatusNotFound)
		b.post(page, "body", "Hello.").want(http.StatusNotFound)
		b.get("/comments/1").want(http.StatusNotFound)
	}
	s.browser(access.Viewer).get(page).want(http.StatusForbidden)
	s.browser(access.Admin).get(page).shows("What is this?", "Labeler A")
}

// rename gives a person a name of their own.
func (s *site) rename(person int64, name string) {
	s.t.Helper()
	if _, err := s.pool.Exec(s.t.Context(), `UPDATE person_identities SET name = $2 WHERE person_id = $1`, person, name); err != nil {
		s.t.Fatal(err)
	}
}
