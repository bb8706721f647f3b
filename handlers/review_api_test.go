package handlers_test

import (
	"fmt"
	"net/http"
	"testing"

	"fiducial/internal/access"
)

// reviewed is an item as the API shows it.
type reviewed struct {
	State   string
	Version int
	Answers []struct {
		ID      int64
		Labeler string
		Boxes   []struct {
			Class      string
			X, Y, W, H float64
		}
	}
	Truth []struct {
		Class string
		W     float64
	}
	Decisions []struct {
		ID       int64
		Decision string
		Standing bool
	}
}

// A program decides in a reviewer's name, on what it has read, and takes decisions back.
func TestProgramsDecide(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 2)
	who := ""
	if err := s.pool.QueryRow(t.Context(), `SELECT email FROM person_identities WHERE person_id = $1`, s.reviewer.PersonID).Scan(&who); err != nil {
		t.Fatal(err)
	}
	call := s.programs(access.Reviewer, 0)
	item := fmt.Sprintf("/items/%d", s.items[0])
	call("GET", "/projects/strips/reviews", "").want(http.StatusOK).shows("strip-1", "strip-2", `"classes":["Scratch"]`)
	before := read[reviewed](call("GET", item+"/review", ""), http.StatusOK)
	if before.State != "in_review" || len(before.Answers) != 1 || before.Answers[0].Labeler != "" || before.Answers[0].Boxes[0].Class != "Scratch" || before.Answers[0].Boxes[0].W != 30 {
		t.Fatalf("%+v", before)
	}
	decide := func(decision, more string) answer {
		return call("POST", item+"/decisions", fmt.Sprintf(`{"version":%d,"decision":%q,"answer":%d%s}`, before.Version, decision, before.Answers[0].ID, more))
	}
	named := fmt.Sprintf(`,"reviewer":%q`, who)
	decide("approved", "").want(http.StatusUnprocessableEntity).shows("Say which reviewer answers for it")
	decide("approved", `,"reviewer":"nobody@example.org"`).want(http.StatusUnprocessableEntity)
	decide("amended", named+`,"boxes":[{"class":"Dent","x":1,"y":2,"w":3,"h":4}]`).want(http.StatusUnprocessableEntity).shows("Dent")

	after := read[reviewed](decide("amended", named+`,"boxes":[{"class":"scratch","x":1,"y":2,"w":33,"h":4}]`), http.StatusCreated)
	if after.State != "adjudicated" || len(after.Truth) != 1 || after.Truth[0].W != 33 || after.Answers[0].Labeler == "" || !after.Decisions[0].Standing {
		t.Fatalf("%+v", after)
	}
	decide("approved", named).want(http.StatusConflict)

	undo := fmt.Sprintf("/decisions/%d/undo", after.Decisions[0].ID)
	call("POST", undo, `{}`).want(http.StatusUnprocessableEntity)
	back := read[reviewed](call("POST", undo, `{`+named[1:]+`}`), http.StatusOK)
	if back.State != "in_review" || back.Truth != nil || back.Decisions[0].Decision != "undone" {
		t.Fatalf("%+v", back)
	}
	call("POST", undo, `{`+named[1:]+`}`).want(http.StatusConflict)
	call("POST", "/decisions/999999/undo", `{`+named[1:]+`}`).want(http.StatusNotFound)

	before.Version = back.Version
	decide("rejected", named).want(http.StatusUnprocessableEntity).shows("Choose a reason")
	sent := read[reviewed](decide("rejected", named+`,"marks":[{"box":0,"fault":"loose_box"}]`), http.StatusCreated)
	if sent.State != "open" || len(sent.Answers) != 0 {
		t.Fatalf("%+v", sent)
	}
	var by, token int64
	err := s.pool.QueryRow(t.Context(), `SELECT person_id, token_id FROM audit_events WHERE action = 'review.rejected'`).Scan(&by, &token)
	if err != nil || by != s.reviewer.PersonID || token == 0 {
		t.Fatalf("audited for person %d, token %d, %v", by, token, err)
	}
}

// A token of another project sees nothing of it, and nobody decides for whom the project does not know.
func TestProgramsOfAnotherProjectDecideNothing(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 1)
	other := s.steel()
	call := s.programs(access.Reviewer, other.ID)
	item := fmt.Sprintf("/items/%d", s.items[0])
	call("GET", "/projects/strips/reviews", "").want(http.StatusNotFound)
	call("GET", item+"/review", "").want(http.StatusNotFound)
	call("POST", item+"/decisions", `{"version":1,"decision":"discarded","note":"x"}`).want(http.StatusNotFound)
}
