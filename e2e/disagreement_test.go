package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/playwright-community/playwright-go"
)

// The classes of the photographs, and the two of them that the labelers do not keep apart.
var (
	steelClasses = []string{"crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches"}
	confused     = [2]string{"inclusion", "scratches"}
)

// mill is three labelers at 30 photographs, and who looks after them. One labeler draws what the photographs' own
// labels say; the other two draw it less exactly, and take long inclusions for scratches, or the reverse, until the
// definition tells them apart better.
type mill struct {
	t         *testing.T
	server    *Server
	slug      string
	pictures  []string
	labelers  []account
	judge     account
	admin     *page
	reviewer  *page // the judge's
	sharpened bool  // the definition that tells the two classes apart is out
}

// TestDisagreementTeaches goes from 30 photographs that three labelers answer with real and with made-up noise to a batch that is
// approved after a sampled look by keys alone, another that is returned, a definition that is sharpened where it was
// confused, and labels that agree better for it: as computed from what was drawn.
func TestDisagreementTeaches(t *testing.T) {
	t.Parallel()
	steelFolder(t)
	b := newMill(t)
	first, second := b.makeBatches()
	b.vote()
	before := b.agreement(30)
	b.approve(first)
	b.undoAfterFreeze()
	b.sendBatchBack(second)
	b.sharpen(before)
	after := b.agreementSince(before)
	rate, now := before.confusion(t, confused), after.confusion(t, confused)
	t.Logf("%s and %s: %.3f of %d before, %.3f of %d after; alpha %.3f before, %.3f after",
		confused[0], confused[1], rate.Value, rate.N, now.Value, now.N, before.Summary.Alpha.Value, after.Summary.Alpha.Value)
	if now.Value >= rate.Value || after.Summary.Alpha.Value <= before.Summary.Alpha.Value {
		t.Errorf("the pair is confused at %.3f after %.3f, alpha is %.3f after %.3f", now.Value, rate.Value, after.Summary.Alpha.Value, before.Summary.Alpha.Value)
	}
}

func newMill(t *testing.T) *mill {
	t.Helper()
	tag := strings.ToLower(rand.Text()[:6])
	b := &mill{t: t, server: shared(t), slug: "mill-" + tag}
	b.server.do(t, "project", "add", b.slug, "--kind", "image", "--overlap", "3")
	b.admin = signIn(t, b.server, addAccount(t, b.server, "admin"))
	for i, class := range steelClasses {
		b.admin.addClass(b.slug, class, fmt.Sprint(i+1))
		for n := 3; n < 8; n++ {
			b.pictures = append(b.pictures, fmt.Sprintf("%s_%d", class, n))
		}
	}
	b.judge = addAccount(t, b.server, "reviewer")
	b.admin.addMember(b.slug, b.judge)
	for range 3 {
		who := addAccount(t, b.server, "labeler")
		b.admin.addMember(b.slug, who)
		b.labelers = append(b.labelers, who)
	}
	b.reviewer = signIn(t, b.server, b.judge)
	files := map[string][]byte{}
	for name, content := range steel(t, b.pictures...) {
		if strings.HasPrefix(name, "images/") {
			files[path.Base(name)] = content
		}
	}
	b.server.do(t, "import", b.slug, writeFolder(t, files), "--format", "images")
	eventually(t, b.server, 30, `SELECT count(*)::int FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.state = 'ready'`, b.slug)
	return b
}

// makeBatches makes two of 15 items each in the browser, and returns their pages.
func (b *mill) makeBatches() (first, second string) {
	b.t.Helper()
	made := [2]string{}
	for i, title := range []string{"Cold end", "Warm end"} {
		p := b.reviewer
		p.open("/projects/" + b.slug + "/batches")
		p.must(p.GetByRole("link", playwright.PageGetByRoleOptions{Name: "New batch"}).First().Click())
		p.fill("Title (optional)", title)
		p.fill("At most (optional)", "15")
		p.press("Make the batch")
		p.must(p.WaitForURL(regexp.MustCompile(`/batches/\d+$`)))
		p.sees(title)
		made[i] = p.path()
	}
	return made[0], made[1]
}

// vote has every labeler answer all that waits for them: the second draws the first two pictures by hand.
func (b *mill) vote() {
	b.t.Helper()
	hand := signIn(b.t, b.server, b.labelers[1])
	hand.label(b.slug)
	for range 2 {
		seen := b.seen(1, path.Base(hand.title()))
		for _, d := range seen {
			hand.keys("Escape", fmt.Sprint(classPlace(d.Class)))
			hand.drag(point{d.X, d.Y}, point{d.X + d.W, d.Y + d.H}) // the picture's edge draws what is near it
		}
		if got := len(hand.boxes()); got != len(seen) {
			b.t.Fatalf("%d of %d boxes were drawn", got, len(seen))
		}
		hand.submit()
	}
	for labeler := range b.labelers {
		b.answerAll(labeler)
	}
}

func classPlace(name string) int {
	for i, class := range steelClasses {
		if class == name {
			return i + 1
		}
	}
	return 0
}

// answerAll answers whatever a labeler is handed, until there is nothing more, and says how much of it came back.
func (b *mill) answerAll(labeler int) (back int) {
	b.t.Helper()
	v := visit(b.t, b.server, b.labelers[labeler])
	for {
		t, ok, err := v.claim(b.slug, 0)
		if err != nil {
			b.t.Fatal(err)
		}
		if !ok {
			if b.waiting(labeler) == 0 {
				return back
			}
			continue // what is being scored this moment is passed over
		}
		if t.Reason != "initial" {
			back++
		}
		var boxes []box
		for i, d := range b.seen(labeler, path.Base(t.Title)) {
			boxes = append(boxes, box{ID: fmt.Sprintf("seen-%d", i), Class: t.class(d.Class), X: d.X, Y: d.Y, W: d.W, H: d.H})
		}
		if err := v.submit(&t, boxes); err != nil {
			b.t.Fatal(err)
		}
	}
}

// waiting is how many items have come back to a labeler who has not answered them again.
func (b *mill) waiting(labeler int) int {
	b.t.Helper()
	return query[int](b.t, b.server, `
		SELECT count(*)::int FROM assignments a JOIN projects p ON p.id = a.project_id JOIN person_identities i ON i.person_id = a.person_id
		WHERE p.slug = $1 AND i.email = $2 AND a.state IN ('returned', 'leased')`, b.slug, b.labelers[labeler].Email)[0]
}

// seen is what a labeler sees in a picture, the same whenever they look: the picture's own labels, drawn a little
// off by the second and more by the third, who each call one of the confused classes by the other's name: often while
// nothing tells them apart, seldom once something does.
func (b *mill) seen(labeler int, picture string) (boxes []drawn) {
	b.t.Helper()
	name := strings.TrimSuffix(picture, ".jpg")
	noise := mathrand.New(mathrand.NewPCG(uint64(crc32.ChecksumIEEE([]byte(name))), uint64(labeler))) // the same every time
	for _, d := range vocBoxes(b.t, steel(b.t, name)["annotations/"+name+".xml"]) {
		off := float64(labeler) * 0.03
		shift := func(size float64) float64 { return (noise.Float64()*2 - 1) * off * size }
		left, top := clip(d.X+shift(d.W)), clip(d.Y+shift(d.H))
		d.X, d.Y, d.W, d.H = left, top, clip(d.X+d.W+shift(d.W))-left, clip(d.Y+d.H+shift(d.H))-top
		mistaken := 0.3 * float64(labeler)
		if b.sharpened {
			mistaken /= 5
		}
		if noise.Float64() < mistaken && d.Class == confused[labeler%2] {
			d.Class = confused[1-labeler%2]
		}
		boxes = append(boxes, d)
	}
	return boxes
}

// clip keeps a coordinate within the photographs, which are 200 pixels wide and high, and to hundredths.
func clip(v float64) float64 { return math.Round(min(max(v, 0), 200)*100) / 100 }

// estimate and agreed are what the command line tells of a project's agreement.
type estimate struct {
	Value float64
	N     int
}

type agreed struct {
	ComputedAt time.Time `json:"computed_at"`
	Classes    []struct {
		ID   int64
		Name string
	} `json:"class_names"`
	Summary struct {
		Compared int
		Alpha    estimate
		Confused []struct {
			A, B  int64
			Votes estimate
		}
	}
}

// confusion is how far labelers confuse two classes with each other.
func (a *agreed) confusion(t *testing.T, classes [2]string) estimate {
	t.Helper()
	ids := map[string]int64{}
	for _, c := range a.Classes {
		ids[c.Name] = c.ID
	}
	for _, pair := range a.Summary.Confused {
		if min(ids[classes[0]], ids[classes[1]]) == pair.A && max(ids[classes[0]], ids[classes[1]]) == pair.B {
			return pair.Votes
		}
	}
	return estimate{}
}

// agreement waits until so many items have been compared.
func (b *mill) agreement(items int) (a agreed) {
	b.t.Helper()
	b.summedUp() // an item counts as compared from its second answer on
	b.reviewer.eventually("the agreement of all items", func() bool {
		return b.readAgreement(&a) && a.Summary.Compared == items
	})
	return a
}

// summedUp waits until nothing that was answered is still to be scored or summed up.
func (b *mill) summedUp() {
	b.t.Helper()
	eventually(b.t, b.server, 0, `SELECT count(*)::int FROM river_job WHERE state IN ('available', 'scheduled', 'running', 'retryable', 'pending') AND kind IN ('score_item', 'summarize_project')`)
}

// agreementSince waits until every item was scored after the last answer, and all of that is summed up.
func (b *mill) agreementSince(before agreed) (a agreed) {
	b.t.Helper()
	b.summedUp()
	b.reviewer.eventually("a newer summary", func() bool {
		return b.readAgreement(&a) && a.ComputedAt.After(before.ComputedAt)
	})
	return a
}

func (b *mill) readAgreement(a *agreed) bool {
	out, err := b.server.Command(b.t.Context(), "", "agreement", b.slug, "--json")
	if err != nil {
		return false // nothing is summed up yet
	}
	*a = agreed{}
	if err := json.Unmarshal([]byte(out), a); err != nil {
		b.t.Fatal(err)
	}
	return true
}

// approve looks at a sample of a batch by keys, and approves the rest.
func (b *mill) approve(batch string) {
	b.t.Helper()
	p := b.reviewer
	p.open(batch)
	p.must(p.Locator(`tr:has(button[name="plan"])`).Last().Locator("button").First().Click()) // the loosest limit, no faulty item
	p.must(p.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Look at the next"}).First().Click())
	looks := 0
	for p.reviewReady(); strings.HasPrefix(p.path(), "/review/"); looks++ {
		if looks == 0 { // object by object
			for range p.objects() {
				p.keys("j", "m")
			}
		} else {
			p.keys("m")
		}
		before := p.path()
		p.keys("a")
		p.waits(`before => location.pathname !== before`, before)
		if strings.HasPrefix(p.path(), "/review/") {
			p.reviewReady()
		}
	}
	if looks == 0 {
		b.t.Fatal("nothing was looked at")
	}
	p.eventually("the batch's verdict", func() bool {
		p.open(batch)
		n, err := p.GetByRole("button", approveBatch).Count()
		p.must(err)
		return n == 1
	})
	p.shoot("batch-looked-at")
	p.must(p.GetByRole("button", approveBatch).Click())
	eventually(b.t, b.server, 15, `
		SELECT count(*)::int FROM batch_items i JOIN tasks t ON t.id = i.task_id JOIN batches b ON b.id = i.batch_id JOIN projects p ON p.id = b.project_id
		WHERE p.slug = $1 AND b.number = $2::int AND b.state = 'approved' AND t.state = 'adjudicated'`, b.slug, path.Base(batch))
	b.t.Logf("%d of 15 were looked at", looks)
}

var approveBatch = playwright.PageGetByRoleOptions{Name: "Approve the batch"}

// undoAfterFreeze freezes what is approved, takes one decision back, and finds the frozen version as it was.
func (b *mill) undoAfterFreeze() {
	b.t.Helper()
	b.server.do(b.t, "dataset", "freeze", b.slug, "--project", b.slug)
	frozen := b.server.do(b.t, "dataset", "list", "--json")
	decision := query[int64](b.t, b.server, `
		SELECT max(r.id) FROM reviews r JOIN tasks t ON t.id = r.task_id JOIN projects p ON p.id = t.project_id WHERE p.slug = $1`, b.slug)[0]
	if _, err := visit(b.t, b.server, b.judge).call(http.MethodPost, fmt.Sprintf("/review/decisions/%d/undo", decision), nil, nil); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, b.server, 14, `SELECT count(*)::int FROM truths u JOIN items i ON i.id = u.item_id JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND u.current`, b.slug)
	if now := b.server.do(b.t, "dataset", "list", "--json"); now != frozen {
		b.t.Errorf("the version was %s, and is %s after an undo", frozen, now)
	}
	b.t.Logf("%s", b.server.do(b.t, "dataset", "verify", b.slug+"@1"))
}

// sendBatchBack returns a batch as a whole; every labeler finds its items again, with the reason, and answers anew.
func (b *mill) sendBatchBack(batch string) {
	b.t.Helper()
	p := b.reviewer
	p.open(batch)
	p.must(p.Locator("summary", playwright.PageLocatorOptions{HasText: "Return"}).First().Click())
	p.choose("Loose box")
	p.fill("Note (optional)", "Tighter, along the edge.")
	p.press("Return the batch")
	eventually(b.t, b.server, 45, `SELECT count(*)::int FROM assignments a JOIN projects p ON p.id = a.project_id WHERE p.slug = $1 AND a.reason = 'rework'`, b.slug)
	mine := signIn(b.t, b.server, b.labelers[2])
	mine.open("/queue")
	mine.sees("Tighter, along the edge.")
	for labeler := range b.labelers {
		if back := b.answerAll(labeler); back != 15 {
			b.t.Fatalf("%d items came back to labeler %d", back, labeler)
		}
	}
}

// sharpen finds the most confused pair, writes down what tells them apart, and sends back the labels that it touches.
func (b *mill) sharpen(before agreed) {
	b.t.Helper()
	p := b.reviewer
	p.open("/projects/" + b.slug + "/pairs")
	first := p.Locator("tbody tr").First()
	text, err := first.TextContent()
	p.must(err)
	if !strings.Contains(text, confused[0]) || !strings.Contains(text, confused[1]) {
		b.t.Fatalf("the most confused pair is %q", strings.Join(strings.Fields(text), " "))
	}
	p.must(first.GetByRole("link").First().Click())
	p.sees("Confused")
	p.waits(`() => [...document.querySelectorAll(".confusions img")].some(i => i.complete && i.naturalWidth > 0)`)
	p.shoot("pair")
	p.must(p.Locator("summary", playwright.PageLocatorOptions{HasText: "Sharpen the definition of " + confused[1]}).Click())
	p.must(p.GetByRole("textbox", playwright.PageGetByRoleOptions{Name: "Definition of " + confused[1]}).
		Fill("A thin bright line with a burr, always straight. A dark streak without a burr is an inclusion."))
	p.must(p.Locator("form", playwright.PageLocatorOptions{HasText: "Definition of " + confused[1]}).GetByRole("button", playwright.LocatorGetByRoleOptions{Name: "Save and publish"}).Click())
	p.must(p.Locator(`input[name="scope"][value="pairs"]`).Check(playwright.LocatorCheckOptions{Force: playwright.Bool(true)}))
	p.fill("What has changed (optional)", "Look for the burr.")
	p.press("Publish version 1")
	b.sharpened = true
	eventually(b.t, b.server, "done", `SELECT r.state FROM relabels r JOIN projects p ON p.id = r.project_id WHERE p.slug = $1`, b.slug)
	back := 0
	for labeler := range b.labelers {
		back += b.answerAll(labeler)
	}
	if back == 0 {
		b.t.Fatal("no label came back")
	}
	b.t.Logf("%d answers came back under the new definition", back)
}
