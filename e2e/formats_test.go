package e2e

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// exchange takes labels from one tool's format to another's in a browser.
type exchange struct {
	*page

	slug string
}

// TestFormats imports pictures with YOLO's labels in a zip: the page recognizes the format, a dry run says what would happen,
// and the import does it. The version that is frozen of them goes out as Pascal VOC, whose losses the page lists, and as CVAT,
// which comes back without a change.
func TestFormats(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := exchange{signIn(t, server, addAccount(t, server, "admin")), "yolo-" + strings.ToLower(rand.Text()[:6])}
	server.do(t, "project", "add", x.slug, "--kind", "image", "--accept", "truth")
	zip := writeZip(t, yolo(t))

	x.bringIn(zip, "YOLO", true)
	x.sees("Dry run: nothing was changed")
	x.sees("Classes that would be added to the defect book: pit, scratch.")
	x.figures("3", "0", "0", "1", "1", "2")
	x.shoot("import-dry-run")
	x.open("/projects/" + x.slug + "/items")
	x.sees("No items yet")

	x.bringIn(zip, "YOLO", false)
	x.figures("3", "0", "0", "1", "1", "2")
	x.sees("class 7 has no name")
	x.must(x.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Losses"}).Click())
	x.sees("clipped: the box left the image and was cut off at its border")
	x.accessible()

	server.do(t, "dataset", "freeze", x.slug, "--project", x.slug)
	x.open("/datasets/" + x.slug + "/1")
	x.shoot("export-formats")
	voc := x.takeAway(t, "Pascal VOC")
	x.sees("rotated box written as the upright rectangle around it")
	x.accessible()
	x.shoot("export")
	var report struct{ Losses []struct{ Reason string } }
	x.must(json.Unmarshal(voc["report.json"], &report))
	if len(report.Losses) == 0 || !strings.Contains(string(voc["Annotations/set/train/b.xml"]), "<name>scratch</name>") {
		t.Errorf("the archive reports %v and holds %s", report, voc["Annotations/set/train/b.xml"])
	}

	x.open("/datasets/" + x.slug + "/1")
	cvat := x.takeAway(t, "CVAT")
	x.sees("Nothing was lost")
	x.bringIn(writeZip(t, cvat), "CVAT", false)
	x.figures("0", "0", "2", "0", "0", "2")
}

// yolo are files of YOLO: a picture with an upright box over the border, a rotated one and a box of a class without a name, a
// negative, and a picture that nobody labeled.
func yolo(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{
		"set/data.yaml":          []byte("train: images/train\nnames: [scratch, pit]\n"),
		"set/labels/train/a.txt": nil,
		"set/labels/train/b.txt": []byte("0 0.05 0.5 0.2 0.2\n1 0.5 0.3 0.6 0.46 0.5 0.62 0.4 0.46\n7 0.5 0.5 0.1 0.1\n"),
	}
	folder := pictureFolder(t, 3)
	for i, picture := range slices.Sorted(slices.Values([]string{"strip-0000.png", "strip-0001.png", "strip-0002.png"})) {
		content, err := os.ReadFile(filepath.Join(folder, picture))
		if err != nil {
			t.Fatal(err)
		}
		files["set/images/train/"+string(rune('a'+i))+".png"] = content
	}
	return files
}

// bringIn drops an archive, which is to be recognized, and imports it as truth.
func (x exchange) bringIn(zip, format string, dry bool) {
	x.t.Helper()
	x.open("/projects/" + x.slug + "/imports")
	x.must(x.Locator("#files").SetInputFiles(zip))
	x.sees("Format: " + format + ".")
	x.choose("Truth")
	x.must(x.GetByLabel("Add classes that the defect book lacks").Check())
	if dry {
		x.must(x.GetByLabel("Only try it").Check())
	}
	if dry {
		x.accessible()
		x.shoot("imports")
	}
	x.press("Import")
	x.must(x.Locator("#progress .st.ok").WaitFor(playwright.LocatorWaitForOptions{Timeout: playwright.Float(float64(patience.Milliseconds()))}))
}

// figures checks what was added, changed, unchanged, refused and lost, and the boxes.
func (x exchange) figures(want ...string) {
	x.t.Helper()
	got, err := x.Locator("#progress .figures dd").AllInnerTexts()
	x.must(err)
	if !slices.Equal(got, want) {
		x.t.Errorf("%s: figures %q, want %q", x.path(), got, want)
	}
}

// takeAway exports the version that is shown and returns the files of the archive.
func (x exchange) takeAway(t *testing.T, format string) map[string][]byte {
	t.Helper()
	x.choose(format)
	x.press("Export")
	x.must(x.WaitForURL("**/exports/*"))
	archive := filepath.Join(t.TempDir(), "export.zip")
	download, err := x.ExpectDownload(func() error {
		return x.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Download"}).Click()
	})
	x.must(err)
	x.must(download.SaveAs(archive))
	return readZip(t, archive)
}
