package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestBatches makes two batches in the browser and has them labeled: one is approved after a look at a sample by keys, the
// other is returned, mended, and listed by the command line. Then the truth is frozen, one approval is undone, and the
// version is still what was frozen.
func TestBatches(t *testing.T) {
	t.Parallel()
	server := shared(t)
	slug, people := labeling(t, server, 16, 1)
	who := addAccount(t, server, "reviewer")
	server.execute(t, `INSERT INTO members (project_id, person_id)
		SELECT p.id, i.person_id FROM projects p, person_identities i WHERE p.slug = $1 AND i.email = $2`, slug, who.Email)
	eventually(t, server, 16, `SELECT count(*)::int FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.state = 'ready'`, slug)
	b := batches{t: t, server: server, slug: slug, labeler: people[0], p: signIn(t, server, who)}
	b.make("The first ten", "10")
	b.make("The rest", "10")
	b.p.open(b.path())
	b.p.accessible()
	b.answer(16)
	b.approve()
	b.back(who)
	b.freezeAndUndo()
}

type batches struct {
	t       *testing.T
	server  *Server
	slug    string
	labeler *visitor
	p       *page
}

func (b *batches) path() string { return "/projects/" + b.slug + "/batches" }

// make fills in the form, looks at its preview, and makes the batch.
func (b *batches) make(title, size string) {
	b.t.Helper()
	p := b.p
	p.open(b.path() + "/new")
	p.must(p.Locator("#size").Fill(size))
	p.must(p.Locator("#title").Fill(title))
	p.press("Preview")
	p.sees("like that; the batch would have")
	p.press("Make the batch")
	p.sees(title)
}

// answer lets the labeler answer items: those of the first batch come first.
func (b *batches) answer(items int) {
	b.t.Helper()
	for n := range items {
		next, ok, err := b.labeler.claim(b.slug, 0)
		if err != nil || !ok {
			b.t.Fatalf("claim %d: %v, %v", n, ok, err)
		}
		batch := query[int](b.t, b.server, `SELECT b.number FROM tasks t JOIN batches b ON b.id = t.batch_id WHERE t.id = $1`, next.Task)
		if want := 1 + n/10; len(batch) != 1 || items == 16 && batch[0] != want {
			b.t.Fatalf("claim %d is of batch %v, want %d", n, batch, want)
		}
		if err := b.labeler.submit(&next, []box{{ID: "a", Class: b.class(), X: 2, Y: 3, W: 20, H: 10}}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *batches) class() int64 {
	b.t.Helper()
	return query[int64](b.t, b.server, `SELECT c.id FROM classes c JOIN projects p ON p.id = c.project_id WHERE p.slug = $1`, b.slug)[0]
}

// approve chooses a plan, looks at its sample by keys alone, and approves the batch.
func (b *batches) approve() {
	b.t.Helper()
	p := b.p
	p.open(b.path() + "/1")
	p.sees("Review as a whole")
	p.accessible()
	p.must(p.Locator(`button[name="plan"][value="0.2/0"]`).Click())
	p.sees("Look at 6 of 10: if none is faulty, at most 20 % are, with 95 % confidence.")
	p.must(p.Locator(".page-head a.btn").Click())
	for n := range 6 {
		p.reviewReady()
		p.sees(fmt.Sprintf("look %d of 6 at batch 1", n+1))
		p.decide("a")
	}
	p.sees("The plan is fulfilled")
	p.accessible()
	p.press("Approve the batch")
	p.eventually("the approval", func() bool {
		p.open(b.path() + "/1")
		state, err := p.Locator(".page-head .st").First().TextContent()
		p.must(err)
		return strings.TrimSpace(state) == "approved"
	})
	decided := query[int](b.t, b.server, `SELECT count(*)::int FROM reviews r JOIN batches b ON b.id = r.batch_id JOIN projects p ON p.id = b.project_id WHERE p.slug = $1`, b.slug)
	if decided[0] != 4 {
		b.t.Errorf("the batch decided on %d items, want 4", decided[0])
	}
}

// back returns the second batch, whose labeler mends it.
func (b *batches) back(who account) {
	b.t.Helper()
	p := b.p
	p.open(b.path() + "/2")
	p.must(p.Locator("#review details summary").Last().Click())
	p.choose("Loose box")
	p.must(p.Locator("#note").Fill("Closer to the edge."))
	p.press("Return the batch")
	p.eventually("the return", func() bool {
		list := b.server.do(b.t, "batch", "list", b.slug, "--state", "returned")
		return strings.Contains(list, "The rest")
	})
	p.open(b.path() + "/2")
	p.sees("Loose box: Closer to the edge.")
	b.answer(6)
	shown := b.server.do(b.t, "batch", "show", b.slug, "2")
	if !strings.Contains(shown, "in_review") || !strings.Contains(shown, "6 of 6") {
		b.t.Errorf("the mended batch is shown as\n%s", shown)
	}
	if _, err := b.server.Command(b.t.Context(), "", "batch", "approve", b.slug, "2", "--reviewer", who.Email); err == nil {
		b.t.Error("approved without a look")
	}
}

// freezeAndUndo freezes what is true by now, and takes back one approval: the version stays as it was.
func (b *batches) freezeAndUndo() {
	b.t.Helper()
	b.server.do(b.t, "dataset", "freeze", b.slug, "--project", b.slug)
	before := b.server.do(b.t, "dataset", "list", "--json")
	last := query[int64](b.t, b.server, `SELECT max(r.item_id) FROM reviews r JOIN batches b ON b.id = r.batch_id JOIN projects p ON p.id = b.project_id
		WHERE p.slug = $1 AND b.number = 1`, b.slug)
	p := b.p
	p.open(fmt.Sprintf("/review/%d", last[0]))
	p.must(p.Locator(`form[action*="/undo"] button`).First().Click())
	p.sees("The decision was taken back")
	if out := b.server.do(b.t, "dataset", "verify", b.slug+"@1"); !strings.Contains(out, "holds: 10 lines hold") {
		b.t.Errorf("after the undo: %s", out)
	}
	line := func(list string) string {
		for l := range strings.Lines(list) {
			if strings.Contains(l, `"`+b.slug+`"`) {
				return l
			}
		}
		return ""
	}
	if after := b.server.do(b.t, "dataset", "list", "--json"); line(after) != line(before) || line(after) == "" {
		b.t.Errorf("the version was %s, and is %s", line(before), line(after))
	}
	p.open(b.path() + "/1")
	p.sees("9 of 10")
}
