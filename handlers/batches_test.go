package handlers_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// floor is a project of steel with pictures, a labeler and a reviewer.
type batchFloor struct {
	*site

	project  store.Project
	items    []int64
	labeler  store.Actor
	reviewer *browser
	who      int64 // the reviewer
}

func newBatchFloor(t *testing.T, pictures int) *batchFloor {
	t.Helper()
	f := &batchFloor{site: newSite(t)}
	f.project = f.steel()
	for i := range pictures {
		item, _ := f.picture(f.project.ID, fmt.Sprintf("coil-%d/strip-%d.png", i%2, i))
		f.items = append(f.items, item)
	}
	join := func(role access.Role) int64 {
		id, _ := f.person(role)
		if err := f.AddMember(t.Context(), store.System(), f.project.ID, id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	f.labeler = store.Actor{PersonID: join(access.Labeler), Role: access.Labeler}
	f.who = join(access.Reviewer)
	f.reviewer = f.browserOf(f.who)
	return f
}

// answerAll lets the labeler answer whatever is left.
func (f *batchFloor) answerAll() {
	f.t.Helper()
	for {
		c, err := f.Claim(f.t.Context(), f.labeler, f.project.Slug, 0)
		if err != nil {
			return
		}
		work, err := f.Work(f.t.Context(), f.labeler, c.Task)
		if err != nil {
			f.t.Fatal(err)
		}
		if _, err := f.Submit(f.t.Context(), f.labeler, store.NewAnnotation{Task: c.Task, Assignment: c.Assignment, Version: work.DraftVersion}); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *batchFloor) version(number int) string {
	f.t.Helper()
	b, err := f.Batch(f.t.Context(), store.System(), f.project.Slug, number)
	if err != nil {
		f.t.Fatal(err)
	}
	return strconv.Itoa(b.Version)
}

func TestMakeABatchOfAFilter(t *testing.T) {
	t.Parallel()
	f := newBatchFloor(t, 6)
	r := f.reviewer
	r.get("/projects/steel/batches").shows("No batch yet", "New batch")
	r.get("/projects/steel/batches/new?folder=coil-1/&size=2").shows("3 free items are like that; the batch would have 2 items", "coil-1/strip-1.png").lacks("coil-0/strip-0.png")
	r.get("/projects/steel/batches/new?size=two").want(http.StatusUnprocessableEntity).shows("whole number")
	r.get("/projects/steel/batches/new?from=soon").want(http.StatusUnprocessableEntity).shows("Write the date")
	r.get("/projects/steel/batches/new?keys=coil-9/none.png%0acoil-0/strip-0.png").shows("names are of no item here", "coil-9/none.png")
	random := r.get("/projects/steel/batches/new?random=yes&size=3").shows("Seed", "the batch would have 3 items")
	if seed := random.attribute("id", "seed"); seed != "seed" {
		t.Error("a draw shows its seed")
	}
	r.post("/projects/steel/batches", "folder", "coil-9/", "size", "2").want(http.StatusUnprocessableEntity).shows("No item is like that")
	r.post("/projects/steel/batches", "folder", "coil-1/", "size", "2", "title", "Edges", "due", "2020-01-31", "owner", strconv.FormatInt(f.who, 10)).to("/projects/steel/batches/1")
	r.get("/projects/steel/batches/1").shows("Batch 1: Edges", "overdue since", "coil-1/strip-1.png", "Nobody has begun", "Close the batch").lacks("Review as a whole")
	board := r.get("/projects/steel/batches").shows("Batch 1", "Edges", "overdue since", "0 of 2")
	board.attribute("href", "/projects/steel/batches/1")
	f.member(access.Labeler, f.project.ID).get("/projects/steel/batches").want(http.StatusForbidden)
	f.browser(access.Reviewer).get("/projects/steel/batches/1").want(http.StatusNotFound)
}

func TestChangeABatch(t *testing.T) {
	t.Parallel()
	f := newBatchFloor(t, 4)
	r := f.reviewer
	form := []string{}
	for _, item := range f.items[:3] {
		form = append(form, "item", strconv.FormatInt(item, 10))
	}
	r.get("/projects/steel/batches/new?item=" + strconv.FormatInt(f.items[0], 10)).shows("1 item chosen by hand")
	r.post("/projects/steel/batches", form...).to("/projects/steel/batches/1")
	const page = "/projects/steel/batches/1"
	r.post(page+"/edit", "version", "1", "title", "Sunday", "due", "soon").want(http.StatusUnprocessableEntity).shows("Write the date")
	r.post(page+"/edit", "version", "1", "title", "Sunday", "due", "2031-05-04").to(page)
	r.post(page+"/edit", "version", "1", "title", "Monday").want(http.StatusConflict).shows("Somebody else changed this batch first", "Sunday")
	r.post(page+"/edit", "title", "Monday").want(http.StatusBadRequest)
	r.post(page+"/remove", "version", f.version(1)).want(http.StatusUnprocessableEntity).shows("Choose the items")
	r.post(page+"/remove", "version", f.version(1), "item", strconv.FormatInt(f.items[0], 10)).to(page)
	r.post(page+"/add", "version", f.version(1), "item", strconv.FormatInt(f.items[3], 10)).to(page)
	r.get(page).shows("coil-1/strip-3.png", "Add items").lacks("coil-0/strip-0.png")
	r.post(page+"/add", "version", f.version(1)).want(http.StatusUnprocessableEntity).shows("Name items by their keys")
	r.post(page+"/add", "version", f.version(1), "keys", "nothing/like-it.png").want(http.StatusUnprocessableEntity).shows("No item is like that")
	r.post(page+"/add", "version", f.version(1), "size", "5").to(page)
	r.get(page).shows("coil-0/strip-0.png")
	r.post(page+"/remove", "version", f.version(1), "item", strconv.FormatInt(f.items[0], 10)).to(page)
	call := f.programs(access.Admin, 0)
	more := fmt.Sprintf(`{"items":[%d]}`, f.items[0])
	call("POST", "/projects/steel/batches/1/items", more).want(http.StatusOK).shows(`"items":4`)
	call("POST", "/projects/steel/batches/1/items", more).want(http.StatusUnprocessableEntity)
	r.post(page+"/close", "version", f.version(1)).to(page)
	r.get(page).shows("closed").lacks("Close the batch")
	r.get("/projects/steel/batches").shows("Closed")
}

// Choosing a plan, looking, approving: each step on its page.
func TestApproveABatchOnItsPage(t *testing.T) {
	t.Parallel()
	f := newBatchFloor(t, 12)
	r := f.reviewer
	const page = "/projects/steel/batches/1"
	r.post("/projects/steel/batches", "size", "12", "owner", strconv.FormatInt(f.who, 10)).to(page)
	f.answerAll()
	shown := r.get(page).shows("Review as a whole", "Choose a number", "Return the batch")
	shown.attribute("value", "0.1/0")
	r.post(page+"/sample", "version", f.version(1), "plan", "x").want(http.StatusUnprocessableEntity).shows("Choose one of the numbers")
	r.post(page+"/approve", "version", f.version(1)).want(http.StatusUnprocessableEntity).shows("Nobody has looked at a sample")
	r.post(page+"/sample", "version", f.version(1), "plan", "0.2/0").to(page)
	r.get(page).shows("if none is faulty, at most 20 % are, with 95 % confidence", "Look at the next")
	const after = page + "/look?after="
	looks := 0
	for ; looks < 12; looks++ {
		got := r.get(page + "/look").want(http.StatusSeeOther).Header().Get("Location")
		if got == page+"#review" {
			break
		}
		r.get(got).want(http.StatusOK).shows("at batch 1")
		item, err := f.ReviewItem(t.Context(), store.Actor{PersonID: f.who, Role: access.Reviewer}, f.items[f.at(got)])
		if err != nil {
			t.Fatal(err)
		}
		r.post(got, "version", strconv.Itoa(item.Version), "decision", "approved", "annotation", strconv.FormatInt(item.Answers[0].ID, 10)).to(after + strings.TrimPrefix(got, "/review/"))
	}
	if looks == 0 || looks == 12 {
		t.Fatalf("%d looks", looks)
	}
	r.get(page).shows("The plan is fulfilled", "Approve the batch")
	r.post(page+"/approve", "version", f.version(1)).to(page)
	r.get(page).shows("Approving").attribute("hx-get", page)
	if err := f.SettleBatch(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.get(page).shows("approved", "Approved").lacks("Review as a whole")
	var whole int64
	if err := f.pool.QueryRow(t.Context(), `SELECT item_id FROM reviews WHERE batch_id IS NOT NULL LIMIT 1`).Scan(&whole); err != nil {
		t.Fatal(err)
	}
	r.get(fmt.Sprintf("/review/%d", whole)).shows("with batch 1")
	r.get("/notices").shows("can be reviewed", "is approved")
	f.browserOf(f.labeler.PersonID).get("/notices").shows("Batch 1 in Hot strip is approved").attribute("href", "/queue")
	r.get("/batches/1").to(page)
	r.get(page + "?part=sample").shows("good").lacks("to look at")
	r.get(page + "?part=decided").shows("decided")
}

// at is the place of the item that a review page is about.
func (f *batchFloor) at(path string) int {
	for i, item := range f.items {
		if path == fmt.Sprintf("/review/%d", item) {
			return i
		}
	}
	f.t.Fatalf("%s reviews none of the batch's items", path)
	return 0
}

func TestReturnABatchOnItsPage(t *testing.T) {
	t.Parallel()
	f := newBatchFloor(t, 3)
	r := f.reviewer
	const page = "/projects/steel/batches/1"
	r.post("/projects/steel/batches", "size", "3").to(page)
	f.answerAll()
	r.post(page+"/return", "version", f.version(1), "fault", "other").want(http.StatusUnprocessableEntity).shows("Say in a word")
	r.post(page+"/return", "version", f.version(1), "fault", "loose_box", "note", "Closer to the edge.").to(page)
	if err := f.SettleBatch(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.get(page).shows("returned", "Sent back as a whole", "Loose box: Closer to the edge.")
	r.get("/projects/steel/batches").shows("returned")
	labeler := f.browserOf(f.labeler.PersonID)
	labeler.get("/queue").shows("Closer to the edge.")
	labeler.get("/notices").shows("Batch 1 in Hot strip was returned")
}

func TestOpenARound(t *testing.T) {
	t.Parallel()
	f := newBatchFloor(t, 10)
	r := f.reviewer
	r.get("/projects/steel/rounds").shows("No round yet", "Open round 1")
	r.post("/projects/steel/rounds", "share", "much", "size", "2").want(http.StatusUnprocessableEntity).shows("Choose a share")
	r.post("/projects/steel/rounds", "share", "30", "size", "0").want(http.StatusUnprocessableEntity).shows("Choose between 1 and 2000 items")
	r.post("/projects/steel/rounds", "share", "30", "size", "2").to("/projects/steel/rounds")
	r.get("/projects/steel/rounds").shows("being drawn").attribute("hx-get", "/projects/steel/rounds")
	r.post("/projects/steel/rounds", "share", "30", "size", "2").want(http.StatusUnprocessableEntity).shows("still being drawn")
	if err := f.DrawRound(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.get("/projects/steel/rounds").shows("Round 1", "0 of 2 done", "30 % of each class", "not known yet, by group")
	r.get("/projects/steel/batches?round=1").shows("Batches of round 1", "Batch 2")
	r.get("/projects/steel/batches?state=open").shows("Batches: open", "Batch 1")
	if text := r.get("/projects/steel/batches/2").text(); !strings.Contains(text, "Round 1") {
		t.Error(text)
	}
}

// A batch's whole life by programs alone.
func TestBatchesByTheAPI(t *testing.T) {
	t.Parallel()
	f := newBatchFloor(t, 9)
	api := apiSite{Store: f.Store, handler: f.handler}
	token := api.token(t, access.Admin, f.project.ID)
	const base = "/api/v1/projects/steel"
	var email string
	if err := f.pool.QueryRow(t.Context(), `SELECT email FROM person_identities WHERE person_id = $1`, f.who).Scan(&email); err != nil {
		t.Fatal(err)
	}
	type batch struct {
		Number, Items, Answered, Decided, Version int
		State, Due, Settling                      string
		Plan                                      *struct{ Size, Looked int }
	}
	want := func(what string, got, status int) {
		t.Helper()
		if got != status {
			t.Fatalf("%s: %d, want %d", what, got, status)
		}
	}
	dry := decoded[batch](t, api.call(t, token, "POST", base+"/batches", `{"folder":"coil-1/","dry_run":true}`))
	if dry.Number != 0 || dry.Items != 4 {
		t.Errorf("dry run: %+v", dry)
	}
	want("a class that is none", api.call(t, token, "POST", base+"/batches", `{"class":"Rust"}`).Code, http.StatusUnprocessableEntity)
	want("an owner who is none", api.call(t, token, "POST", base+"/batches", `{"owner":"nobody@example.org"}`).Code, http.StatusUnprocessableEntity)
	made := decoded[batch](t, api.call(t, token, "POST", base+"/batches", fmt.Sprintf(`{"folder":"coil-1/","owner":%q,"due":"2031-02-03","title":"Edges"}`, email)))
	if made.Number != 1 || made.Items != 4 {
		t.Fatalf("made %+v", made)
	}
	f.answerAll()
	want("approved without a sample", api.call(t, token, "POST", base+"/batches/1/approve", `{}`).Code, http.StatusUnprocessableEntity)
	sampled := decoded[batch](t, api.call(t, token, "POST", base+"/batches/1/sample", `{"limit":0.3}`))
	if sampled.State != "in_review" || sampled.Due != "2031-02-03" || sampled.Plan == nil || sampled.Plan.Size == 0 {
		t.Fatalf("sampled %+v", sampled)
	}
	items := decoded[struct {
		Data []struct {
			ID       int64
			Position int
			Look     int
		}
		Next string
	}](t, api.call(t, token, "GET", base+"/batches/1/items?limit=3", ""))
	if len(items.Data) != 3 || items.Next == "" {
		t.Fatalf("items %+v", items)
	}
	rest := decoded[struct{ Data []struct{ Position int } }](t, api.call(t, token, "GET", items.Next, ""))
	if len(rest.Data) != 1 || rest.Data[0].Position != 4 {
		t.Errorf("the next page holds %+v", rest)
	}
	want("returned in nobody's name", api.call(t, token, "POST", base+"/batches/1/return", `{"fault":"loose_box"}`).Code, http.StatusUnprocessableEntity)
	back := decoded[batch](t, api.call(t, token, "POST", base+"/batches/1/return", fmt.Sprintf(`{"fault":"loose_box","reviewer":%q}`, strings.ToUpper(email))))
	if back.Settling != "return" {
		t.Errorf("returned %+v", back)
	}
	if err := f.SettleBatch(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	now := decoded[batch](t, api.call(t, token, "GET", base+"/batches/1", ""))
	edited := decoded[batch](t, api.call(t, token, "PATCH", base+"/batches/1", fmt.Sprintf(`{"version":%d,"due":""}`, now.Version)))
	if now.State != "returned" || edited.Due != "" {
		t.Errorf("%+v, edited %+v", now, edited)
	}
	want("edited twice", api.call(t, token, "PATCH", base+"/batches/1", fmt.Sprintf(`{"version":%d,"due":""}`, now.Version)).Code, http.StatusConflict)
	if closed := decoded[batch](t, api.call(t, token, "POST", base+"/batches/1/close", "")); closed.State != "closed" {
		t.Errorf("closed %+v", closed)
	}
	if round := decoded[batch](t, api.call(t, token, "POST", base+"/rounds", `{"share":0.5,"size":2}`)); round.Number != 1 {
		t.Errorf("round %+v", round)
	}
	if err := f.DrawRound(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	round := decoded[struct {
		State          string
		Items, Batches int
		Share          float64
	}](t, api.call(t, token, "GET", base+"/rounds/1", ""))
	if round.State != "failed" && round.State != "open" {
		t.Errorf("%+v", round)
	}
	list := decoded[struct{ Data []batch }](t, api.call(t, token, "GET", base+"/batches?state=closed", ""))
	if len(list.Data) != 1 || list.Data[0].Number != 1 {
		t.Errorf("%+v", list)
	}
}

// A labeler is told where in a batch they are.
func TestLabelersSeeTheirBatch(t *testing.T) {
	t.Parallel()
	f := newBatchFloor(t, 4)
	f.reviewer.post("/projects/steel/batches", "folder", "coil-1/", "size", "2").to("/projects/steel/batches/1")
	labeler := f.browserOf(f.labeler.PersonID)
	for _, want := range []string{"item 1 of batch 1", "item 2 of batch 1"} {
		c, err := f.Claim(t.Context(), f.labeler, f.project.Slug, 0)
		if err != nil {
			t.Fatal(err)
		}
		labeler.get(fmt.Sprintf("/label/%d", c.Task)).shows(want)
		labeler.get("/queue").shows("Hot strip, batch 1")
		if _, err := f.Submit(t.Context(), f.labeler, store.NewAnnotation{Task: c.Task, Assignment: c.Assignment}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := f.Claim(t.Context(), f.labeler, f.project.Slug, 0)
	if err != nil {
		t.Fatal(err)
	}
	labeler.get(fmt.Sprintf("/label/%d", c.Task)).lacks("of batch")
}
