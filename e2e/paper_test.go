package e2e

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// sheetWidth is what A4 leaves between its margins, in pixels of the page.
const sheetWidth = 688

// measuredCell is a cell of the demo that has a trend of several lines.
func measuredCell(t *testing.T, s *Server) (cell, chain int64) {
	t.Helper()
	found := query[[]int64](t, s, `
		SELECT array[c.id, e.chain_id] FROM cells c JOIN evaluations e ON e.id = c.evaluation_id JOIN cell_differences d ON d.cell_id = c.id
		WHERE cardinality(c.path) = 2 AND c.path[1] <> 0 ORDER BY c.computed_at DESC, c.id DESC LIMIT 1`)
	if len(found) == 0 {
		t.Fatal("the demo has no cell that was compared")
	}
	return found[0][0], found[0][1]
}

// On paper there is nothing to press and nothing to find the way by, and every figure that the page knows, also those that the screen shows behind a
// button; nothing is cut off at the edge of the sheet. In the dark it is printed as by day.
func TestPaperShowsFiguresAlone(t *testing.T) {
	t.Parallel()
	s, people := demo(t)
	cell, chain := measuredCell(t, s)
	p := signIn(t, s, people["admin"])
	for _, path := range []string{fmt.Sprintf("/cells/%d", cell), fmt.Sprintf("/overview/%d", chain), fmt.Sprintf("/matrix/%d", chain)} {
		p.window(desktop, playwright.ColorSchemeDark)
		p.open(path)
		if path[1] != 'm' {
			p.must(p.Locator("[data-chart][data-ready]").First().WaitFor())
		}
		p.window(playwright.Size{Width: sheetWidth, Height: 1000}, playwright.ColorSchemeDark)
		p.must(p.EmulateMedia(playwright.PageEmulateMediaOptions{Media: playwright.MediaPrint, ColorScheme: playwright.ColorSchemeDark}))
		var shown []string
		p.evaluate(`[...document.querySelectorAll("nav, header.top, .rail, .btn, button, input, select, audio, .skip")].filter(e => e.checkVisibility() && e.getClientRects().length > 0).map(e => e.outerHTML.slice(0, 120))`, &shown)
		if len(shown) > 0 {
			t.Errorf("%s: on paper there is %q", path, shown)
		}
		var figures, missing int
		p.evaluate(`document.querySelectorAll("main .num, main .matrix .v, main .matrix .dl, main .matrix .pm").length`, &figures)
		p.evaluate(`[...document.querySelectorAll("main .num, main .matrix .v, main .matrix .dl, main .matrix .pm")].filter(e => e.textContent.trim() !== "" && e.getClientRects().length === 0).length`, &missing)
		if figures < 12 || missing > 0 {
			t.Errorf("%s: of %d figures %d are not on paper", path, figures, missing)
		}
		var wide []string
		p.evaluate(fmt.Sprintf(`[...document.querySelectorAll("main *:not(.vh, .vh *)")].filter(e => e.getClientRects().length > 0 && e.getBoundingClientRect().right > %d).map(e => e.outerHTML.slice(0, 120))`, sheetWidth+1), &wide)
		if len(wide) > 0 {
			t.Errorf("%s: cut off at the edge of the sheet: %q", path, wide[:min(len(wide), 3)])
		}
		var ground string
		p.evaluate(`getComputedStyle(document.body).backgroundColor`, &ground)
		if ground != "rgb(255, 255, 255)" {
			t.Errorf("%s: is printed on %s", path, ground)
		}
		sheets, err := p.PDF(playwright.PagePdfOptions{Format: playwright.String("A4")})
		p.must(err)
		if !bytes.HasPrefix(sheets, []byte("%PDF-")) {
			t.Errorf("%s: is no PDF", path)
		}
		p.must(p.EmulateMedia(playwright.PageEmulateMediaOptions{Media: playwright.MediaScreen, ColorScheme: playwright.ColorSchemeLight}))
	}
}

// A chart's picture is as large as the chart with its title, measure and keys round it; every one of these is drawn, on a ground that hides what
// lies behind, by day and by night.
func TestPictureOfAChart(t *testing.T) {
	t.Parallel()
	s, people := demo(t)
	cell, _ := measuredCell(t, s)
	p := signIn(t, s, people["viewer"])
	for _, scheme := range []*playwright.ColorScheme{playwright.ColorSchemeLight, playwright.ColorSchemeDark} {
		p.window(desktop, scheme)
		p.open(fmt.Sprintf("/cells/%d?line=same", cell))
		p.must(p.Locator("#trend[data-ready]").WaitFor())
		var drawn struct{ Width, Height, Keys int }
		p.evaluate(`(c => ({width: c.width, height: c.height, keys: document.querySelectorAll("#trend [data-part=keys] li").length}))(document.querySelector("#trend canvas"))`, &drawn)
		download, err := p.ExpectDownload(func() error { return p.Locator(`[data-chart-png="trend"]`).Click() })
		p.must(err)
		path, err := download.Path()
		p.must(err)
		file, err := os.Open(path)
		p.must(err)
		shown, err := png.Decode(file)
		p.must(err)
		p.must(file.Close())
		head := 12 + 44
		want := image.Pt(drawn.Width+24, drawn.Height+head+12+20*drawn.Keys)
		if shown.Bounds().Size() != want {
			t.Errorf("the picture is %v large, want %v", shown.Bounds().Size(), want)
		}
		ground := shown.At(0, 0)
		if _, _, _, alpha := ground.RGBA(); alpha != 0xffff {
			t.Errorf("what lies behind the picture shines through: %v", ground)
		}
		for part, area := range map[string]image.Rectangle{
			"title": image.Rect(0, 12, want.X, 30), "measure": image.Rect(0, 32, want.X, 48), "chart": image.Rect(12, head, want.X-12, head+drawn.Height),
			"keys": image.Rect(0, head+drawn.Height, want.X, want.Y-12),
		} {
			if n := inked(shown, area, ground); n < 60 {
				t.Errorf("the %s of the picture is empty: %d points differ from its ground", part, n)
			}
		}
	}
}

// inked is how many points of an area differ from the ground.
func inked(picture image.Image, area image.Rectangle, ground color.Color) (n int) {
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			if picture.At(x, y) != ground {
				n++
			}
		}
	}
	return n
}

// A trend shows the measure that is asked for, a point says what it is when it is pointed at and leads to its cell, the table holds the same for whoever
// goes by keys, and a change beside it leads to the change. Beside the trend of a cell stands what its last step comes from.
func TestTrendIsAskedAndRead(t *testing.T) {
	t.Parallel()
	s, people := demo(t)
	cell, _ := measuredCell(t, s)
	p := signIn(t, s, people["viewer"])
	p.open(fmt.Sprintf("/cells/%d/trend", cell))
	p.must(p.Locator("#trend[data-ready]").WaitFor())
	p.accessible()
	measure := p.Locator("select[name=measure]")
	other, err := measure.Locator("option").Nth(1).TextContent()
	p.must(err)
	_, err = measure.SelectOption(playwright.SelectOptionValues{Indexes: &[]int{1}})
	p.must(err)
	p.press("Show")
	other = strings.TrimSpace(other)
	p.must(p.GetByRole("heading", playwright.PageGetByRoleOptions{Name: other + " over time", Level: playwright.Int(2)}).WaitFor())
	p.must(p.Locator("#trend[data-ready]").WaitFor())

	p.must(p.Locator(`[data-chart-table="trend"]`).Press("Enter"))
	row := p.Locator("#trend-table tr[aria-current=true]")
	shown, err := row.Locator("td.num").First().TextContent()
	p.must(err)
	if shown == "" {
		t.Errorf("the table does not say what %s is", other)
	}
	p.accessible()
	p.must(p.Locator("#trend .u-over").Hover())
	p.must(p.Locator("#trend .chart-tip:not([hidden])").WaitFor())
	tick := p.Locator("#trend [data-ticks] ol a").First()
	title, err := tick.TextContent()
	p.must(err)
	if open, err := p.Locator("#trend [data-ticks][open]").Count(); err != nil || open == 0 { // many changes are folded
		p.must(p.Locator("#trend [data-ticks] summary").Press("Enter"))
	}
	p.must(tick.Press("Enter"))
	p.must(p.GetByRole("heading", playwright.PageGetByRoleOptions{Name: strings.TrimSpace(title), Level: playwright.Int(1)}).WaitFor())

	p.open(fmt.Sprintf("/cells/%d", cell))
	step := p.Locator("section[aria-labelledby=attribution-title]")
	p.must(step.Locator("tbody tr").First().WaitFor())
	p.accessible()
	earlier, err := step.Locator(".head a").GetAttribute("href")
	p.must(err)
	p.must(step.Locator(".head a").Press("Enter"))
	p.must(p.WaitForURL(s.URL + earlier))
}
