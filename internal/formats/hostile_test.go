package formats_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"fiducial/internal/formats"
)

func TestHostileCOCO(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, document, want string }{
		{"deep arrays", `{"info":` + strings.Repeat("[", 1_000_000), "deep"},
		{"deep objects", strings.Repeat(`{"a":`, 1_000_000), "deep"},
		{"endless name", `{"images":[{"file_name":"` + strings.Repeat("a", 2<<20), "a string of more than"},
		{"endless number", `{"images":[{"id":` + strings.Repeat("1", 2<<20), "a number of more than"},
		{"zero bytes", strings.Repeat("\x00", 1000), "not JSON"},
		{"empty", "", "in the middle"},
		{"two documents", `{} {}`, "after the end"},
		{"no value", `{"info":}`, "expected a value"},
		{"half a character", `{"\ud800\x`, "surrogate"},
		{"odd escape", `{"\x":1}`, "escape"},
		{"no key", `{1:2}`, "key"},
	}
	for _, tt := range tests {
		_, err := formats.ReadCOCO(strings.NewReader(tt.document), func(formats.Image) error { return nil })
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestCOCOEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	document := "\uFEFF" + `{"images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "b"}]}`
	n := 0
	_, err := formats.ReadCOCO(strings.NewReader(document), func(formats.Image) error {
		n++
		return io.ErrClosedPipe
	})
	if !errors.Is(err, io.ErrClosedPipe) || n != 1 {
		t.Errorf("got %v after %d images", err, n)
	}
}

func TestHostileVOC(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, document, want string }{
		{"deep", "<annotation>" + strings.Repeat("<a>", 1_000_000), "deep"},
		{"deep in an object", "<annotation><object>" + strings.Repeat("<a>", 1_000_000), "deep"},
		{"too large", "<annotation>" + strings.Repeat("<a/>", 3_000_000) + "</annotation>", "larger than 8 MB"},
		{"cut off", "<annotation><object><name>a</name>", "EOF"},
		{"cut off between objects", "<annotation><object/>", "EOF"},
		{"empty", "", "in the middle"},
		{"crossed", "<annotation></a></annotation>", "syntax"},
		{"unknown character set", `<?xml version="1.0" encoding="klingon"?><annotation/>`, "klingon"},
	}
	for _, tt := range tests {
		_, _, err := formats.ReadVOC(strings.NewReader(tt.document), 1)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestHostileCVAT(t *testing.T) {
	t.Parallel()
	image := `<annotations><image name="a.jpg" width="9" height="9">`
	tests := []struct{ name, document, want string }{
		{"deep", "<annotations>" + strings.Repeat("<a>", 1_000_000), "deep"},
		{"deep in a shape", image + "<box>" + strings.Repeat("<a>", 1_000_000), "deep"},
		{"endless attribute", `<annotations><image name="` + strings.Repeat("a", 20<<20), "a piece of markup of more than 16 MB"},
		{"endless text", "<annotations>" + strings.Repeat("a", 20<<20), "a piece of markup of more than 16 MB"},
		{"endless value", image + `<box label="a"><attribute name="b">` + strings.Repeat("c<!-- -->", 2<<20), "a text of more than"},
		{"endless comment", "<annotations><!--" + strings.Repeat("a", 20<<20), "a piece of markup of more than 16 MB"},
		{"entities", `<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;">]><annotations><version>&y;</version>`, "entity"},
		{"cut off", image + `<box label="a"/>`, "in the middle"},
		{"empty", "", "in the middle"},
		{"crossed", "<annotations></a></annotations>", "should end"},
		{"unknown character set", `<?xml version="1.0" encoding="klingon"?><annotations/>`, "klingon"},
		{"VOC", "<annotation/>", "not a CVAT document"},
	}
	for _, tt := range tests {
		_, err := formats.ReadCVAT(strings.NewReader(tt.document), false, func(formats.Image) error { return nil })
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestHostileYOLO(t *testing.T) {
	t.Parallel()
	set := &formats.YOLOSet{Names: map[int]string{0: "a"}}
	tests := []struct{ name, document, want string }{
		{"endless line", "0 " + strings.Repeat("0.5 ", 3<<20), "longer than 4 MB"},
		{"too large", strings.Repeat("\n", 65<<20), "larger than 64 MB"},
		{"too many", strings.Repeat("0 .5 .5 .1 .1\n", 3<<20), "more than 1048576 boxes"},
		{"zero bytes", "0 0.5 0.5 0.1 0.1\x00", "not a text file"},
	}
	for _, tt := range tests {
		if _, _, err := formats.ReadYOLO(strings.NewReader(tt.document), set); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	wide := "0 " + strings.Repeat("1e300 ", 100) + "\n0 1e308 1e308 1e308 1e308\n"
	if fractions, report, err := formats.ReadYOLO(strings.NewReader(wide), set); err != nil || fractions.Len() != 0 || report.Counts[formats.Refused] != 2 {
		t.Errorf("huge numbers: %v %+v", err, report)
	}
}

func TestHostileYOLOSet(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, document, want string }{
		{"bomb", "a: &a [x,x]\nb: &b [*a,*a]\nnames: [*b,*b]", "references"},
		{"merge", "<<: {a: b}\nnames: [a]", "references"},
		{"deep lists", "names: " + strings.Repeat("[", 200_000), "deeply"},
		{"deep mappings", "names: " + strings.Repeat("{a: ", 200_000), "deeply"},
		{"deep entries", "names:\n " + strings.Repeat("- ", 100_000) + "a", "deeply"},
		{"deep keys", "names:\n " + strings.Repeat("? ", 100_000) + "a", "deeply"},
		{"too large", "names: [a]\n#" + strings.Repeat("a", 2<<20), "larger than 1 MB"},
		{"no names", "train: images/train", "no names"},
		{"names elsewhere", "names: names.txt", "no names"},
		{"odd numbers", "names: {one: a}", "number"},
		{"no YAML", "names: [a", "not a data.yaml"},
		{"empty", "", "no names"},
	}
	for _, tt := range tests {
		if _, err := formats.ReadYOLOSet(strings.NewReader(tt.document)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestHostileLabelStudio(t *testing.T) {
	t.Parallel()
	task := `[{"data":{"image":"a.jpg"},"annotations":[{"result":[`
	region := `{"type":"rectanglelabels","value":{"x":1,"y":1,"width":1,"height":1,"rectanglelabels":["a"]}},`
	tests := []struct{ name, document, want string }{
		{"deep arrays", strings.Repeat("[", 1_000_000), "deep"},
		{"deep objects", strings.Repeat(`{"task":`, 1_000_000), "deep"},
		{"deep values", task + strings.Repeat(`{"value":`, 1_000_000), "deep"},
		{"endless number", `[{"id":` + strings.Repeat("1", 2<<20), "a number of more than"},
		{"cut off", task, "in the middle"},
		{"endless", task + strings.Repeat(region, 1<<17), "in the middle"},
		{"zero bytes", strings.Repeat("\x00", 1000), "not JSON"},
		{"no list", `7 `, "no JSON of Label Studio"},
		{"empty", "", "in the middle"},
	}
	for _, tt := range tests {
		_, err := formats.ReadLabelStudio(strings.NewReader(tt.document), false, func(formats.Image) error { return nil })
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, long := range []string{"a", `\n`, `\u00e9`} {
		document := `[{"id":1,"data":{"image":"data:image/png;base64,` + strings.Repeat(long, 4<<20) + `"}},{"id":2,"data":{"image":"b.jpg"}}]`
		n := 0
		report, err := formats.ReadLabelStudio(strings.NewReader(document), false, func(formats.Image) error { n++; return nil })
		if err != nil || n != 1 || report.Counts[formats.Refused] != 1 {
			t.Errorf("a picture in the file stopped the others: %d, %v, %+v", n, err, report)
		}
	}
}

func TestVOCCharacterSets(t *testing.T) {
	t.Parallel()
	const body = "<annotation><filename>黑线.jpg</filename></annotation>"
	chinese, err := simplifiedchinese.GBK.NewEncoder().String(`<?xml version="1.0" encoding="GB2312"?>` + body)
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{body, "\uFEFF" + `<?xml version="1.0" encoding="utf-8"?>` + body, chinese} {
		im, _, err := formats.ReadVOC(strings.NewReader(document), 1)
		if err != nil || im.Key != "黑线.jpg" {
			t.Errorf("%q: got %q, %v", document, im.Key, err)
		}
	}
}
