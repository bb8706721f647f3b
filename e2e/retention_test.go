package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// The customers of the test set: one shortens its retention, one asks for its erasure, one does neither.
const (
	shortens = "Aurum Cars"
	leaves   = "Borealis Rail"
	stays    = "Corvus Steel"
)

// testSet is a test set that loses two of its three customers.
type testSet struct {
	t      *testing.T
	server *Server
	slug   string
	person account
	admin  *page
	recipe string
	backup string // made before anything goes
	doomed []int64
	left   []int64
}

// TestDatasetKeepsItsPromise builds a test set by a recipe. One customer shortens its retention, another asks for its erasure: the
// calendar had foretold the loss, the erasure is previewed, done, proved and receipted, the version still verifies, and a backup of before brings nobody back.
func TestDatasetKeepsItsPromise(t *testing.T) {
	t.Parallel()
	steelFolder(t)
	server, err := StartServer(dataFolder(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := &testSet{t: t, server: server, slug: "strips-" + strings.ToLower(rand.Text()[:6]), person: addAccount(t, server, "admin")}
	s.admin = signIn(t, server, s.person)
	s.build()
	s.shorten()
	s.foretold()
	s.openBatch()
	s.expire()
	s.erase()
	s.verify()
	s.rebuild()
	s.restore()
}

// items is how many photographs each customer has.
const items = 6

// build imports three customers' truth and freezes all of it as a test set, with sizes that the recipe asks for.
func (s *testSet) build() {
	s.t.Helper()
	s.server.do(s.t, "project", "add", s.slug, "--kind", "image", "--accept", "truth")
	for place, customer := range []string{shortens, leaves, stays} {
		var names []string
		for _, class := range steelClasses {
			names = append(names, fmt.Sprintf("%s_%d", class, 10+place))
		}
		s.server.do(s.t, "import", s.slug, writeFolder(s.t, steel(s.t, names...)), "--format", "voc", "--as", "truth", "--add-classes", "--source", customer)
	}
	eventually(s.t, s.server, 3*items, `SELECT count(*)::int FROM items WHERE state = 'ready'`)
	s.recipe = filepath.Join(s.t.TempDir(), "recipe.yaml")
	text := "projects: [" + s.slug + "]\nseed: 7\nshares: {training: 0, validation: 0, test: 1}\n"
	if err := os.WriteFile(s.recipe, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.server.do(s.t, "dataset", "freeze", s.slug, "--recipe", s.recipe)
	s.server.do(s.t, "dataset", "verify", s.slug+"@1")
	const of = `SELECT i.id FROM items i JOIN sources s ON s.id = i.source_id WHERE (s.name = $1) = $2 ORDER BY 1`
	s.doomed, s.left = query[int64](s.t, s.server, of, stays, false), query[int64](s.t, s.server, of, stays, true)
	s.backup = filepath.Join(s.t.TempDir(), "before.tar")
	s.server.do(s.t, "backup", s.backup)
}

// shorten lets one customer's data go after 60 days, half of which have passed.
func (s *testSet) shorten() {
	s.t.Helper()
	query[int64](s.t, s.server, `UPDATE items SET captured_at = now() - interval '30 days' RETURNING id`)
	p := s.admin
	p.open("/retention/sources")
	p.must(p.GetByRole("link", playwright.PageGetByRoleOptions{Name: shortens}).First().Click())
	p.fill("Retention in days (optional)", "60")
	p.press("Save the policy")
	p.sees("Keep " + shortens + " for 60 days instead of")
	p.accessible()
	p.press("Keep it for 60 days")
	eventually(s.t, s.server, items, `SELECT count(*)::int FROM items WHERE retain_until IS NOT NULL`)
}

// foretold finds the week of the loss in the calendar, on the page and on the command line.
func (s *testSet) foretold() {
	s.t.Helper()
	p := s.admin
	eventually(s.t, s.server, items, `SELECT coalesce(max(expiring), 0) FROM version_forecasts WHERE split = 'test' AND stratum IS NULL`)
	p.open("/retention")
	p.must(p.Locator(".weeks th", playwright.PageLocatorOptions{HasText: shortens}).WaitFor())
	p.sees("falls below")
	p.accessible()
	p.shoot("calendar")
	var part struct {
		Items, Then, Wanted int
		Size                struct{ State, Week string }
	}
	if err := json.Unmarshal([]byte(s.server.do(s.t, "expiring", "--parts", "--json")), &part); err != nil {
		s.t.Fatal(err)
	}
	week := query[string](s.t, s.server, `SELECT min(date_trunc('week', retain_until AT TIME ZONE 'UTC')::date)::text FROM items`)[0]
	if part.Items != 3*items || part.Then != 2*items || part.Size.State != "falls" || part.Size.Week != week {
		s.t.Errorf("foretold: %+v, want the week of %s", part, week)
	}
	if list := s.server.do(s.t, "expiring", "--source", shortens); !strings.Contains(list, week) {
		s.t.Errorf("the command line lacks the week of %s:\n%s", week, list)
	}
}

// openBatch follows the calendar to the form of a batch.
func (s *testSet) openBatch() {
	s.t.Helper()
	p := s.admin
	p.must(p.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Open a batch of labeling work"}).First().Click())
	p.must(p.WaitForURL(regexp.MustCompile(`/batches/new\?`)))
	title, err := p.GetByLabel("Title (optional)").InputValue()
	p.must(err)
	if title != "Refill test of "+s.slug {
		s.t.Errorf("the form's title is %q", title)
	}
	if checked, err := p.GetByLabel("Only items that do not expire").IsChecked(); err != nil || !checked {
		s.t.Errorf("items that expire would be in the batch: %v", err)
	}
}

// expire lets the days pass, and has the daily run come, which it also does at a start.
func (s *testSet) expire() {
	s.t.Helper()
	query[int64](s.t, s.server, `UPDATE items SET captured_at = captured_at - interval '31 days', retain_until = retain_until - interval '31 days'
		WHERE retain_until IS NOT NULL RETURNING id`)
	s.admin.must(s.server.Stop())
	s.admin.must(s.server.Restart())
	eventually(s.t, s.server, 2*items, `SELECT count(*)::int FROM items`)
	eventually(s.t, s.server, 1, `SELECT count(*)::int FROM erasures WHERE kind = 'expiry' AND erased_at IS NOT NULL`)
	s.admin.open("/retention#expiries")
	s.admin.sees("Erasure 1")
	s.admin.sees("gone")
}

// erase takes the other customer away on its request, as an admin does on the pages.
func (s *testSet) erase() {
	s.t.Helper()
	p := s.admin
	p.open("/retention/erasures/new")
	form := p.Locator("form", playwright.PageLocatorOptions{HasText: "A whole source"})
	_, err := form.GetByLabel("Source", playwright.LocatorGetByLabelOptions{Exact: playwright.Bool(true)}).SelectOption(playwright.SelectOptionValues{Labels: &[]string{leaves}})
	p.must(err)
	p.must(form.GetByLabel("Asked by, or ticket").Fill("Ticket 4711"))
	p.must(form.GetByRole("button", playwright.LocatorGetByRoleOptions{Name: "Show what would go"}).Click())
	word := p.Locator(`input[name="word"]`)
	p.must(word.WaitFor(playwright.LocatorWaitForOptions{Timeout: playwright.Float(float64(patience.Milliseconds()))}))
	p.sees(s.slug)
	p.accessible()
	p.shoot("erasure-preview")
	label, err := p.Locator(`label[for="word"]`).TextContent()
	p.must(err)
	asked := regexp.MustCompile(`Type “(.+)” to confirm`).FindStringSubmatch(label)
	if asked == nil {
		s.t.Fatalf("the form asks for %q", label)
	}
	p.must(word.Fill(asked[1]))
	p.press("Erase it")
	eventually(s.t, s.server, items, `SELECT count(*)::int FROM items`)
	eventually(s.t, s.server, 2, `SELECT count(*)::int FROM erasures WHERE rewritten_at IS NOT NULL`)
	p.open(p.path())
	p.sees("Nothing was found")
	p.sees("Gone from the disk")
	p.accessible()
	p.shoot("receipt")
	s.receipt()
}

// receipt checks the signature without the server, and that nothing of the customer's content is in it.
func (s *testSet) receipt() {
	s.t.Helper()
	p := s.admin
	download, err := p.ExpectDownload(func() error {
		return p.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Download the receipt"}).Click()
	})
	p.must(err)
	file := filepath.Join(s.t.TempDir(), "receipt.json")
	p.must(download.SaveAs(file))
	text, err := os.ReadFile(file)
	p.must(err)
	for _, content := range append(steelClasses, leaves) {
		if strings.Contains(string(text), content) {
			s.t.Errorf("the receipt names %s", content)
		}
	}
	var verdict struct {
		Holds   bool
		Receipt struct {
			Items     int
			Proof     struct{ Found int }
			Rewritten *struct{ Tables int }
		}
	}
	p.must(json.Unmarshal([]byte(s.server.do(s.t, "receipt", "verify", file, "--json")), &verdict))
	if r := verdict.Receipt; !verdict.Holds || r.Items != items || r.Proof.Found != 0 || r.Rewritten == nil || r.Rewritten.Tables == 0 {
		s.t.Errorf("the receipt says %+v", verdict)
	}
}

// verify finds the old version whole, but for what was erased.
func (s *testSet) verify() {
	s.t.Helper()
	s.verified(s.server.do(s.t, "dataset", "verify", s.slug+"@1", "--json"))
}

// verified reads what was found of the version that lost two customers.
func (s *testSet) verified(out string) {
	s.t.Helper()
	var v struct {
		Holds                         bool
		Matching, Erased, Mismatching int
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.t.Fatal(err)
	}
	if !v.Holds || v.Matching != items || v.Erased != 2*items || v.Mismatching != 0 {
		s.t.Errorf("%s", out)
	}
}

// rebuild freezes again; the difference to the old version says which lines expired and which were erased.
func (s *testSet) rebuild() {
	s.t.Helper()
	s.server.do(s.t, "dataset", "freeze", s.slug, "--recipe", s.recipe)
	out := s.server.do(s.t, "dataset", "diff", s.slug+"@1", s.slug+"@2", "--json")
	var d struct {
		Same   int
		Counts []struct {
			Reason              string
			Came, Gone, Changed int
		}
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		s.t.Fatal(err)
	}
	gone := map[string]int{}
	for _, c := range d.Counts {
		gone[c.Reason] += c.Gone
	}
	if gone["expired"] != items || gone["erased"] != items || len(gone) != 2 || d.Same != items {
		s.t.Errorf("the two versions differ by %s", out)
	}
	p := s.admin
	p.open("/datasets/" + s.slug + "/diff?from=1&to=2")
	p.sees("its retention ended")
	p.sees("its erasure was asked for")
	p.accessible()
	p.shoot("diff-after-erasure")
}

// restore brings the backup of before back elsewhere, with the ledger that was kept apart. Neither customer comes back with it.
func (s *testSet) restore() {
	s.t.Helper()
	book := filepath.Join(s.t.TempDir(), "erasures.ledger")
	s.server.do(s.t, "ledger", book)
	data := dataFolder(s.t)
	out, err := RunCommand(s.t.Context(), []string{"FIDUCIAL_DATA=" + data}, "", "restore", s.backup, "--ledger", book, "--json")
	s.admin.must(err)
	var report struct{ Erased int }
	s.admin.must(json.Unmarshal([]byte(out), &report))
	if report.Erased != 2*items {
		s.t.Errorf("the restore erased again %s", out)
	}
	again, err := StartServer(data, nil)
	s.admin.must(err)
	s.t.Cleanup(func() {
		if err := again.Stop(); err != nil {
			s.t.Error(err)
		}
	})
	s.gone(again)
	s.verified(again.do(s.t, "dataset", "verify", s.slug+"@1", "--json"))
}

// gone looks for everything of the two customers as the admin of before.
func (s *testSet) gone(again *Server) {
	s.t.Helper()
	who := visit(s.t, again, s.person)
	for want, ids := range map[int][]int64{http.StatusGone: s.doomed, http.StatusOK: s.left} {
		for _, id := range ids {
			for _, path := range []string{fmt.Sprintf("/items/%d", id), fmt.Sprintf("/media/items/%d/thumb", id)} {
				if status, _ := who.call(http.MethodGet, path, nil, nil); status != want {
					s.t.Errorf("%s answers %d after the restore, and not %d", path, status, want)
				}
			}
		}
	}
	if left := query[int64](s.t, again, `SELECT id FROM items ORDER BY 1`); !slices.Equal(left, s.left) {
		s.t.Errorf("items %v are there after the restore, and not %v", left, s.left)
	}
	p := signIn(s.t, again, s.person)
	p.expect("status of 410")
	_, err := p.Goto(fmt.Sprintf("/items/%d", s.doomed[0]))
	p.must(err)
	p.sees("This item was erased")
	p.open(fmt.Sprintf("/items/%d", s.left[0]))
}
