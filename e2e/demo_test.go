package e2e

import (
	"strings"
	"testing"
)

// In the demo, too, an item came before anything was done with it: what its history tells of first is its import.
func TestDemoItemsCameFirst(t *testing.T) {
	t.Parallel()
	server, people := demo(t)
	p := signIn(t, server, people["admin"])
	for _, project := range []string{"hot-strip", "calibration", "care-line", "whole-calls"} {
		p.open("/projects/" + project + "/items")
		var items []string
		p.evaluate(`[...document.querySelectorAll(".thumbs a.thumb")].slice(0, 3).map(a => a.getAttribute("href"))`, &items)
		if len(items) == 0 {
			t.Errorf("%s has no items", project)
		}
		for _, item := range items {
			p.open(item)
			var first string
			p.evaluate(`document.querySelector("[aria-label=History] tbody tr:last-child").innerText`, &first)
			if !strings.Contains(strings.ToLower(first), "imported") {
				t.Errorf("%s of %s begins with %q", item, project, first)
			}
		}
	}
}
