package ui_test

import (
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"fiducial/web/ui"
)

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var html strings.Builder
	if err := c.Render(t.Context(), &html); err != nil {
		t.Fatal(err)
	}
	return html.String()
}

func TestComponents(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 12, 13, 5, 9, 0, time.FixedZone("CET", 3600))
	tests := []struct {
		name string
		html string
		want []string
		not  []string
	}{
		{"an icon button is named", render(t, ui.Button(ui.Act{Label: "Undo", Icon: "undo-2", IconOnly: true, Key: "Ctrl Z", NoSubmit: true})), []string{`aria-label="Undo"`, `type="button"`, `title="Undo  Ctrl Z"`}, []string{"<kbd>"}},
		{"a key is one cap each", render(t, ui.Kbd("Ctrl Enter")), []string{"<kbd>Ctrl</kbd><kbd>Enter</kbd>"}, nil},
		{"a link cannot be a script", render(t, ui.LinkButton("javascript:alert(1)", ui.Act{Label: "x"})), nil, []string{`href="javascript:alert(1)"`}},
		{"an error is tied to its field", render(t, ui.Field(ui.FieldView{Name: "n", Label: "N", Help: "h", Error: "e"})), []string{`aria-describedby="n-help n-error"`, `aria-invalid="true"`, `id="n-error"`}, nil},
		{"the chosen option is selected", render(t, ui.Select(ui.FieldView{Name: "s", Value: "b"}, []ui.Option{{Value: "a"}, {Value: "b"}})), []string{`<option value="b" selected`}, []string{`<option value="a" selected`}},
		{"a time is told in UTC", render(t, ui.Time(noon)), []string{`datetime="2026-03-12T12:05:09Z"`, "12 Mar 2026, 12:05"}, nil},
		{"no time is a dash", render(t, ui.Time(time.Time{})), []string{"–"}, []string{"<time"}},
		{"an unknown total has no value", render(t, ui.Progress("Counting", 3, 0)), []string{"<progress"}, []string{"max="}},
		{"a figure carries margin and sample", render(t, ui.Figure("0.873", "0.021", 4120, false)), []string{"0.873", "±0.021", "(n 4\u00a0120)"}, nil},
		{"the last crumb is no link", render(t, ui.Crumbs([]ui.Crumb{{Label: "A", Href: "/a"}, {Label: "B", Href: "/b"}})), []string{`<a href="/a">`, `aria-current="page">B`}, []string{`href="/b"`}},
		{"one page needs no pages", render(t, ui.Pagination("", "", "")), []string{""}, []string{"<nav"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, want := range tt.want {
				if !strings.Contains(tt.html, want) {
					t.Errorf("lacks %s:\n%s", want, tt.html)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(tt.html, not) {
					t.Errorf("holds %s:\n%s", not, tt.html)
				}
			}
		})
	}
}

// What was done on one day is one mark with one number, and all of it is listed.
func TestTicksOfADay(t *testing.T) {
	t.Parallel()
	at := func(day, hour int) time.Time { return time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC) }
	html := render(t, ui.Ticks([]ui.Tick{
		{At: at(1, 9), Title: "First"}, {At: at(1, 23), Title: "Second", Intervention: true}, {At: at(2, 0), Title: "Third"},
	}))
	for want, times := range map[string]int{"data-at=": 2, `data-kind="intervention"`: 1, `class="n"`: 2, "First": 1, "Second": 1, "Third": 1, "3 changes in this time": 1} {
		if got := strings.Count(html, want); got != times {
			t.Errorf("%s: %d times, want %d:\n%s", want, got, times, html)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1204: "1\u00a0204", -1234567: "−1\u00a0234\u00a0567"} {
		if got := ui.Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
}
