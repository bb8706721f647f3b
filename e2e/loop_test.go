package e2e

import (
	"bytes"
	"crypto/rand"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// Pictures that come in with boxes to go on from, and ones whose boxes are true already.
var (
	toLabel = []string{"crazing_1", "inclusion_1", "patches_1", "pitted_surface_1", "rolled-in_scale_1", "scratches_1"}
	trueYet = []string{"crazing_2", "inclusion_2", "patches_2", "pitted_surface_2", "rolled-in_scale_2", "scratches_2"}
)

// loop is one way from photographs to a data set, and what has to be in that.
type loop struct {
	t                        *testing.T
	server                   *Server
	slug, project            string
	admin, labeler, reviewer *page
	want                     map[string][]drawn // by the picture's name
	returned                 string             // the picture that is sent back
}

// TestLoop goes from photographs of steel to an exported data set as people do: an admin makes a project
// and imports, a labeler draws, a reviewer sends back, amends and approves, the admin freezes and exports.
// What was drawn must come out, to a hundredth of a pixel.
func TestLoop(t *testing.T) {
	t.Parallel()
	steelFolder(t)
	tag := strings.ToLower(rand.Text()[:6])
	l := &loop{t: t, server: shared(t), slug: "steel-" + tag, project: "Hot strip " + tag, want: map[string][]drawn{}}
	l.admin = signIn(t, l.server, addAccount(t, l.server, "admin"))
	l.makeProject()
	l.importFiles()
	l.labeler = l.invite("labeler", "Lena Label")
	l.reviewer = l.invite("reviewer", "Rafal Review")
	l.label()
	l.review()
	l.mend()
	dataset := l.freeze()
	l.export(dataset)
}

func (l *loop) makeProject() {
	l.t.Helper()
	p := l.admin
	p.open("/projects")
	p.must(p.GetByRole("link", playwright.PageGetByRoleOptions{Name: "New project"}).First().Click())
	p.fill("Name", l.project)
	p.fill("Short name (optional)", l.slug)
	p.must(p.GetByLabel("Take imported labels as truth").Check())
	p.press("Make the project")
	p.must(p.WaitForURL("**/projects/" + l.slug))
}

// importFiles brings in a zip by the browser, as prefill, and a folder by the command line, as truth.
func (l *loop) importFiles() {
	l.t.Helper()
	p := l.admin
	p.open("/projects/" + l.slug + "/imports")
	p.choose("Pascal VOC")
	p.choose("Prefill")
	p.must(p.GetByLabel("Source").Fill("Mill 2"))
	p.must(p.GetByLabel("Add classes that the defect book lacks").Check())
	p.must(p.Locator("#files").SetInputFiles(writeZip(l.t, steel(l.t, toLabel...))))
	p.press("Import")
	p.must(p.Locator("#progress .st.ok").WaitFor(playwright.LocatorWaitForOptions{Timeout: playwright.Float(float64(patience.Milliseconds()))}))
	p.sees("images/" + toLabel[0] + ".jpg")
	truth := steel(l.t, trueYet...)
	out, err := l.server.Command(l.t.Context(), "", "import", l.slug, writeFolder(l.t, truth), "--format", "voc", "--as", "truth", "--add-classes")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Logf("%s", out)
	for _, name := range trueYet {
		l.want[name+".jpg"] = vocBoxes(l.t, truth["annotations/"+name+".xml"])
	}
}

// choose takes an option that is shown as a chip.
func (p *page) choose(label string) {
	p.t.Helper()
	p.must(p.GetByRole("radio", playwright.PageGetByRoleOptions{Name: label, Exact: playwright.Bool(true)}).Check(playwright.LocatorCheckOptions{Force: playwright.Bool(true)}))
}

// invite makes a link for a role in the project, and joins by it in a browser of its own.
func (l *loop) invite(role, name string) *page {
	l.t.Helper()
	p := l.admin
	p.open("/admin/people")
	_, err := p.Locator("#invite-role").SelectOption(playwright.SelectOptionValues{Values: &[]string{role}})
	p.must(err)
	p.must(p.GetByLabel(l.project).Check())
	p.press("Make a link")
	link, err := p.Locator(".secret code").TextContent()
	p.must(err)
	joining := newPage(l.t, l.server)
	joining.open(strings.TrimPrefix(strings.TrimSpace(link), l.server.URL))
	joining.fill("Your name", name)
	joining.fill("E-mail", role+"-"+l.slug+"@example.org")
	joining.fill("Password", "a few words in a row")
	joining.press("Join")
	joining.must(joining.WaitForURL(func(url string) bool { return !strings.Contains(url, "/invitation/") }))
	return joining
}

// label answers every task: the first with all that keys can do, the others by the mouse.
func (l *loop) label() {
	l.t.Helper()
	p := l.labeler
	p.label(l.slug)
	for n := range toLabel {
		name := path.Base(p.title())
		prefill := vocBoxes(l.t, steel(l.t, strings.TrimSuffix(name, ".jpg"))["annotations/"+strings.TrimSuffix(name, ".jpg")+".xml"])
		sameBoxes(l.t, name+" as it came", p.boxes(), prefill)
		if n == 0 {
			p.byKeys()
		} else {
			p.draw(point{20.5, 30 + float64(n)}, point{60, 70.25})
		}
		l.want[name] = p.boxes()
		p.submit()
	}
	if l.want[""] != nil || len(l.want) != len(toLabel)+len(trueYet) {
		l.t.Fatalf("%d pictures were worked on", len(l.want))
	}
	p.sees("You finished 6 tasks today")
}

// byKeys draws a box and adjusts it by keys, chooses another, and takes a step back.
func (p *page) byKeys() {
	p.t.Helper()
	had := len(p.boxes())
	p.keys("2")
	box := p.draw(point{40, 50}, point{90.5, 110})
	second := p.class(2)
	p.keys("ArrowRight", "ArrowRight", "Shift+ArrowDown", "Alt+ArrowRight", "Alt+ArrowUp")
	box = drawn{Class: second, X: box.X + 2, Y: box.Y + 10, W: box.W + 1, H: box.H - 1}
	sameBoxes(p.t, "moved and resized", p.boxes()[had:], []drawn{box})
	p.keys("]", "3") // the first box, of another class
	if got := p.box(0).Class; got != p.class(3) {
		p.t.Fatalf("3 made the first box %s", got)
	}
	p.keys("ArrowLeft", "Delete", "Control+z", "Control+z", "Control+z")
	p.saved()
}

// class is the name of the class with this place in the list.
func (p *page) class(place int) (name string) {
	p.t.Helper()
	p.evaluate(`[...document.querySelectorAll('[data-part="classes"] button')].find(b => b.querySelector("kbd").textContent === "`+string(rune('0'+place))+`").querySelector(".t").textContent`, &name)
	return name
}

// review sends one back with a remark at its last box, amends one by dragging, and approves the rest.
func (l *loop) review() {
	l.t.Helper()
	p := l.reviewer
	p.open("/review")
	p.must(p.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Start"}).Click())
	for n := range toLabel {
		p.reviewReady()
		name := path.Base(p.title())
		sameBoxes(l.t, name+" in review", p.boxes(), l.want[name])
		before := p.path()
		switch n {
		case 1:
			l.returned = name
			p.keys("[", "r", "Space") // the last box; a loose one
			p.must(p.Keyboard().Type("Closer to the dark edge."))
			p.keys("Enter", "Control+Enter")
		case 2:
			p.keys("[")
			last := p.box(-1)
			p.drag(point{last.X + last.W, last.Y + last.H}, point{last.X + last.W + 12.5, last.Y + last.H + 8})
			if p.box(-1).W <= last.W {
				l.t.Fatalf("dragging left the box at %+v", p.box(-1))
			}
			l.want[name] = p.boxes()
			p.keys("a")
		default:
			p.keys("a")
		}
		p.waits(`before => location.pathname !== before`, before)
	}
	p.sees("Nothing waits for review")
}

func (p *page) reviewReady() {
	p.t.Helper()
	p.benchReady()
	p.waits(`() => document.querySelector("box-workbench[data-review]").dataset.ready !== undefined`)
}

// mend draws anew what came back, which its reviewer then approves.
func (l *loop) mend() {
	l.t.Helper()
	p := l.labeler
	p.open("/queue")
	p.sees("Closer to the dark edge.")
	p.must(p.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Mend"}).Click())
	p.benchReady()
	if got := path.Base(p.title()); got != l.returned {
		l.t.Fatalf("%s came back instead of %s", got, l.returned)
	}
	p.shows("marks", "Closer to the dark edge.")
	var pin point
	p.evaluate(`(r => ({X: r.left + r.width / 2, Y: r.top + r.height / 2}))(document.querySelector("box-workbench .pins > *").getBoundingClientRect())`, &pin)
	loose, s := p.box(-1), p.sight()
	if at := s.at(loose.centre()); max(at.X-pin.X, pin.X-at.X) > loose.W*s.Scale || max(at.Y-pin.Y, pin.Y-at.Y) > loose.H*s.Scale {
		l.t.Errorf("the remark's pin is at %v, its box about %v", pin, at)
	}
	p.must(p.Locator(`[data-part="marks"] .remark`).Click())
	p.must(p.Locator(`[data-part="stage"]`).Focus())
	p.keys("Delete")
	p.draw(point{100.25, 110}, point{150, 160.5})
	l.want[l.returned] = p.boxes()
	p.submit()

	r := l.reviewer
	r.open("/review/next")
	r.reviewReady()
	sameBoxes(l.t, "mended", r.boxes(), l.want[l.returned])
	before := r.path()
	r.keys("a")
	r.waits(`before => location.pathname !== before`, before)
}

// freeze freezes the project's truth in the browser and returns the version's name.
func (l *loop) freeze() string {
	l.t.Helper()
	p := l.admin
	p.open("/datasets/new")
	p.fill("Dataset", l.slug)
	p.must(p.GetByLabel(l.project).Check())
	p.press("Freeze")
	p.must(p.WaitForURL("**/datasets/" + l.slug + "/1"))
	p.sees("SHA-256 over the sorted leaves")
	out, err := l.server.Command(l.t.Context(), "", "dataset", "verify", l.slug+"@1", "--media")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Logf("%s", out)
	return l.slug + "@1"
}

// export exports from the page, with media, and by the command line, without, and compares both to what was drawn.
func (l *loop) export(dataset string) {
	l.t.Helper()
	p := l.admin
	p.choose("COCO")
	p.must(p.GetByLabel("With images").Check())
	p.press("Export")
	p.must(p.WaitForURL("**/exports/*"))
	archive := filepath.Join(l.t.TempDir(), "page.zip")
	download, err := p.ExpectDownload(func() error {
		return p.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Download"}).Click()
	})
	p.must(err)
	p.must(download.SaveAs(archive))
	fromPage := readZip(l.t, archive)

	archive = filepath.Join(l.t.TempDir(), "command.zip")
	if _, err := l.server.Command(l.t.Context(), "", "export", dataset, "--format", "coco", "--out", archive); err != nil {
		l.t.Fatal(err)
	}
	for what, files := range map[string]map[string][]byte{"from the page": fromPage, "by the command": readZip(l.t, archive)} {
		got := cocoBoxes(l.t, files)
		if len(got) != len(l.want) {
			l.t.Errorf("%s: %d pictures of %d", what, len(got), len(l.want))
		}
		for name, boxes := range l.want {
			sameBoxes(l.t, name+" "+what, got[name], boxes)
		}
	}
	for _, name := range slices.Concat(toLabel, trueYet) {
		original := steel(l.t, name)["images/"+name+".jpg"]
		if !slices.ContainsFunc(values(fromPage), func(content []byte) bool { return bytes.Equal(content, original) }) {
			l.t.Errorf("%s is not in the archive as it came", name)
		}
	}
}

func values(files map[string][]byte) (contents [][]byte) {
	for _, content := range files {
		contents = append(contents, content)
	}
	return contents
}
