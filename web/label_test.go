package web_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fiducial/web"
)

var workbenchJSON = regexp.MustCompile(`(?s)<script id="workbench-state" type="application/json">(.*?)</script>`)

func TestLabelPageHoldsWhatTheWorkbenchNeeds(t *testing.T) {
	t.Parallel()
	box := "b1"
	state := web.WorkbenchState{
		Assignment: 34, Task: 12, Mode: "label", Title: "Item 14 of 60", Facts: []string{`</script><b>C-48213`},
		Image:   web.WorkbenchImage{Src: "/media/items/5/display", Width: 1600, Height: 1100, Alt: "Strip C-48213"},
		Classes: []web.WorkbenchClass{{ID: 1, Name: "Scratch", Key: "1", Definition: 3}},
		Boxes:   []web.WorkbenchBox{{ID: box, Class: 1, X: 0.5, Y: 2, W: 10.25, H: 3}},
		Marks:   []web.WorkbenchMark{{Box: &box, Reason: "loose_box", Note: "Too wide."}},
		URLs:    web.WorkbenchURLs{Draft: "/d", Classes: "/projects/hot-strip/classes.css"},
	}
	html := render(t, web.LabelPage(web.LabelView{State: state, Book: "v7, 1 class"}))
	if found := inline.FindString(workbenchJSON.ReplaceAllString(html, "")); found != "" {
		t.Errorf("the page holds %q, which its policy refuses", found)
	}
	for _, want := range []string{"<box-workbench>", `src="/media/items/5/display"`, `data-part="stage"`, `data-act="submit"`, `href="/projects/hot-strip/classes.css"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	found := workbenchJSON.FindStringSubmatch(html)
	if found == nil {
		t.Fatal("the page has no state for the workbench")
	}
	var got web.WorkbenchState
	if err := json.Unmarshal([]byte(found[1]), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(state, got); diff != "" {
		t.Errorf("the state changed on its way (-want +got):\n%s", diff)
	}
}

func TestLabelPageShowsTheDeepRenditionOf16Bits(t *testing.T) {
	t.Parallel()
	image := web.WorkbenchImage{Src: "/plain", Width: 10, Height: 10, Window: &web.WorkbenchWindow{Src: "/deep", Low: 1200, High: 53000}}
	html := render(t, web.Stage(image))
	if !strings.Contains(html, `src="/deep"`) || strings.Contains(html, `src="/plain"`) {
		t.Errorf("the stage shows the wrong rendition: %s", html)
	}
}

func TestLabelEmptyPageSaysWhatNext(t *testing.T) {
	t.Parallel()
	html := render(t, web.LabelEmptyPage(web.LabelEmptyView{Done: 14, Queue: "/queue"}))
	if !strings.Contains(html, "14 tasks today") || !strings.Contains(html, `href="/queue"`) {
		t.Errorf("the empty page lacks the count or the way out: %s", html)
	}
}
