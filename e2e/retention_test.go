package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// The customers of the test set: one shortens its retention, the others do not.
const (
	shortens = "Aurum Cars"
	stays    = "Borealis Rail"
	remains  = "Corvus Steel"
)

// testSet is a test set that loses one of its three customers.
type testSet struct {
	t      *testing.T
	server *Server
	slug   string
	admin  *page
}

// TestDatasetKeepsItsPromise builds a test set by a recipe. One customer shortens its retention: the calendar foretells the loss and
// leads to the work that makes it good, the daily run erases what is due, and the version still verifies.
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
	s := &testSet{t: t, server: server, slug: "strips-" + strings.ToLower(rand.Text()[:6])}
	s.admin = signIn(t, server, addAccount(t, server, "admin"))
	s.build()
	s.shorten()
	s.foretold()
	s.openBatch()
	s.expire()
	s.verify()
}

// items is how many photographs each customer has.
const items = 6

// build imports three customers' truth and freezes all of it as a test set, with sizes that the recipe asks for.
func (s *testSet) build() {
	s.t.Helper()
	s.server.do(s.t, "project", "add", s.slug, "--kind", "image", "--accept", "truth")
	for place, customer := range []string{shortens, stays, remains} {
		var names []string
		for _, class := range steelClasses {
			names = append(names, fmt.Sprintf("%s_%d", class, 10+place))
		}
		s.server.do(s.t, "import", s.slug, writeFolder(s.t, steel(s.t, names...)), "--format", "voc", "--as", "truth", "--add-classes", "--source", customer)
	}
	eventually(s.t, s.server, 3*items, `SELECT count(*)::int FROM items WHERE state = 'ready'`)
	recipe := filepath.Join(s.t.TempDir(), "recipe.yaml")
	text := "projects: [" + s.slug + "]\nseed: 7\nshares: {training: 0, validation: 0, test: 1}\n"
	if err := os.WriteFile(recipe, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.server.do(s.t, "dataset", "freeze", s.slug, "--recipe", recipe)
	s.server.do(s.t, "dataset", "verify", s.slug+"@1")
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

// verify finds the old version whole, but for what was erased.
func (s *testSet) verify() {
	s.t.Helper()
	out := s.server.do(s.t, "dataset", "verify", s.slug+"@1", "--json")
	var v struct {
		Holds                         bool
		Matching, Erased, Mismatching int
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.t.Fatal(err)
	}
	if !v.Holds || v.Matching != 2*items || v.Erased != items || v.Mismatching != 0 {
		s.t.Errorf("%s", out)
	}
}
