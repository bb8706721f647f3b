package e2e

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// TestQuality: a labeler who does not look answers gold items badly; a reviewer is asked, pauses them, and talks to
// them about one of their items, which rings the labeler's bell.
func TestQuality(t *testing.T) {
	t.Parallel()
	steelFolder(t)
	server, slug := shared(t), "quality-"+strings.ToLower(rand.Text()[:6])
	command := func(args ...string) string {
		t.Helper()
		out, err := server.Command(t.Context(), "", args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	command("project", "add", slug, "--kind", "image", "--accept", "truth")
	var known, open []string
	for _, class := range []string{"crazing", "inclusion", "patches", "pitted_surface", "scratches"} {
		known = append(known, class+"_1")
		for n := 2; n <= 9; n++ {
			open = append(open, fmt.Sprintf("%s_%d", class, n))
		}
	}
	command("import", slug, writeFolder(t, steel(t, known...)), "--format", "voc", "--as", "truth", "--add-classes")
	pictures := steel(t, open...)
	for name := range pictures {
		if strings.HasSuffix(name, ".xml") {
			delete(pictures, name)
		}
	}
	command("import", slug, writeFolder(t, pictures), "--format", "images")
	if out := command("gold", "add", slug, "--random", "5"); !strings.Contains(out, "5 gold items more") {
		t.Fatal(out)
	}
	people := map[string]*page{}
	for _, role := range []string{"admin", "reviewer", "labeler"} {
		a := addAccount(t, server, role)
		people[role] = signIn(t, server, a)
		if role != "admin" {
			p := people["admin"]
			p.open("/projects/" + slug + "/members")
			p.fill("Address", a.Email)
			p.press("Add to the project")
			p.sees("They are in the project from now on.")
		}
	}
	setGold(people["admin"], slug)
	answerWithoutLooking(people["labeler"], people["reviewer"], slug, len(open))
	pause(people["reviewer"], people["labeler"], slug)
	mention(people["reviewer"], people["labeler"], slug)
	people["reviewer"].eventually("the labeler's figures", func() bool {
		return strings.Contains(command("quality", slug), "(paused)")
	})
	people["reviewer"].open("/projects/" + slug + "/quality")
	people["reviewer"].accessible()
	people["labeler"].open("/quality/me")
	people["labeler"].accessible()
}

// setGold has almost every third item be a gold one, and asks after three.
func setGold(p *page, slug string) {
	p.t.Helper()
	p.open("/projects/" + slug + "/quality")
	for name, value := range map[string]string{"gold_share": "30", "gold_limit": "0.6", "gold_least": "3"} {
		p.must(p.Locator(`input[name="` + name + `"]`).Fill(value))
	}
	p.press("Save")
	p.sees("The settings are saved.")
}

// answerWithoutLooking submits empty answers until three of them were to gold items, which has the reviewer asked. Which item is a gold one is
// left to chance: so many are open that it comes to three before they are all answered.
func answerWithoutLooking(labeler, reviewer *page, slug string, most int) {
	labeler.t.Helper()
	const gold = `SELECT count(*)::int FROM annotations an JOIN tasks k ON k.id = an.task_id JOIN projects p ON p.id = k.project_id WHERE p.slug = $1 AND an.gold`
	labeler.label(slug)
	for n := 0; query[int](labeler.t, labeler.server, gold, slug)[0] < 3; n++ {
		if n == most {
			labeler.t.Fatalf("of %d items fewer than three were gold", most)
		}
		if labeler.submit(); strings.HasPrefix(labeler.path(), "/label/next") {
			labeler.label(slug) // they were faster than the pictures are made ready
		}
	}
	reviewer.eventually("a notice of the labeler", func() bool {
		reviewer.open("/notices")
		n, err := reviewer.GetByText("A labeler fell under the limit").Count()
		return err == nil && n > 0
	})
}

// pause answers the question that the reviewer is asked, and looks at what the labeler sees of it.
func pause(reviewer, labeler *page, slug string) {
	reviewer.t.Helper()
	labeler.open("/queue")
	labeler.sees("labeling") // the machine has done nothing
	reviewer.must(reviewer.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Look at it"}).First().Click())
	reviewer.sees("Under the limit")
	reviewer.must(reviewer.Locator(`#concerns input[name="reason"]`).Fill("Let us look at a few strips together first."))
	reviewer.press("Pause here")
	reviewer.sees("They get nothing new here until somebody lets them go on.")
	labeler.open("/queue")
	labeler.sees("Let us look at a few strips together first.")
	labeler.sees("paused for you")
	labeler.accessible()
	held, err := labeler.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Go on"}).Count()
	labeler.must(err)
	if held == 0 {
		labeler.t.Error("what the labeler has open cannot be finished")
	}
}

// mention lets the reviewer ask the labeler about an item, under the name that they have in review.
func mention(reviewer, labeler *page, slug string) {
	reviewer.t.Helper()
	reviewer.open("/review/next?project=" + slug)
	reviewer.reviewReady()
	text := reviewer.GetByLabel("Your comment")
	reviewer.must(text.Fill(""))
	reviewer.must(text.PressSequentially("Look again, @lab"))
	reviewer.must(reviewer.GetByRole("option", playwright.PageGetByRoleOptions{Name: "Labeler A"}).WaitFor())
	reviewer.must(text.Press("Enter"))
	reviewer.press("Comment")
	reviewer.must(reviewer.Locator(".talk .mention").GetByText("@Labeler A").WaitFor())
	labeler.open("/queue")
	labeler.must(labeler.Locator(".bell .dot").WaitFor())
	labeler.open("/notices")
	labeler.sees("Somebody mentioned you")
	labeler.must(labeler.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Read it"}).First().Click())
	labeler.sees("Look again,")
	labeler.fill("Your comment", "I see it now.")
	labeler.press("Comment")
	labeler.must(labeler.Locator(".talk .text").GetByText("I see it now.").WaitFor())
	labeler.accessible()
}
