package e2e

import (
	"strings"
	"testing"
)

// TestAgreement has three labelers answer a strip: their agreement is shown, a rule accepts it in a reviewer's stead,
// and the reviewer takes that back.
func TestAgreement(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newPanel(t, server, 1)
	project := "/projects/" + f.slug
	reviewer := signIn(t, server, f.reviewers[0])
	reviewer.open(project + "/agreement")
	reviewer.sees("No item has two answers yet")
	reviewer.accessible()

	f.answer(t, server, 1)
	says := func(p *page, path, text string) func() bool {
		return func() bool {
			p.open(path)
			said, err := p.Locator("main").InnerText()
			p.must(err)
			return strings.Contains(said, text)
		}
	}
	reviewer.eventually("the figures", says(reviewer, project+"/agreement", "1 item with several answers"))
	reviewer.sees("Krippendorff’s alpha")
	reviewer.accessible()
	reviewer.must(reviewer.GetByText("The items, the worst first").Click())
	reviewer.sees("missed by some")
	reviewer.must(reviewer.Locator("tbody th a").First().Click())
	reviewer.reviewReady()
	review := reviewer.path()

	admin := signIn(t, server, addAccount(t, server, "admin"))
	admin.open(project + "/settings")
	admin.must(admin.Locator("#accept_above").Fill("0.1"))
	admin.must(admin.Locator("#look_share").Fill("0"))
	admin.press("Save the settings")
	admin.sees("The settings are saved.")
	reviewer.eventually("the acceptance", says(reviewer, review, "Accepted by rule"))
	reviewer.must(reviewer.Locator(`form[action$="/undo"] button`).Click())
	reviewer.sees("taken back")
	reviewer.sees("Waits for review")
}
