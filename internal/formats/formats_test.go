package formats_test

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"fiducial/internal/formats"
)

func TestCleanKey(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, want, fault string }{
		{"a.jpg", "a.jpg", ""},
		{"./a//b/./c.jpg", "a/b/c.jpg", ""},
		{`a\b\c.jpg`, "a/b/c.jpg", ""},
		{"Stra\u0308hne.jpg", "Str\u00e4hne.jpg", ""},
		{"a..b/..c", "a..b/..c", ""},
		{"", "", "empty"},
		{".", "", "empty"},
		{"/etc/passwd", "", "absolute"},
		{`\\host\share`, "", "absolute"},
		{`C:\a.jpg`, "", "absolute"},
		{"../a.jpg", "", "climbs"},
		{"a/../b.jpg", "", "climbs"},
		{`a\..\..\b.jpg`, "", "climbs"},
		{"a\x00.jpg", "", "control"},
		{"a\nb.jpg", "", "control"},
		{"a\xff.jpg", "", "UTF-8"},
	}
	for _, tt := range tests {
		got, err := formats.CleanKey(tt.name)
		if got != tt.want || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("CleanKey(%q) = %q, %v; want %q, %q", tt.name, got, err, tt.want, tt.fault)
		}
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	box := func(x, y, w, h float64) formats.Box { return formats.Box{X: x, Y: y, W: w, H: h} }
	turned := box(-10, 40, 40, 4)
	turned.Rotation = 90
	tests := []struct {
		name          string
		in, want      formats.Box
		width, height int
		clipped, ok   bool
	}{
		{"whole image", box(0, 0, 100, 50), box(0, 0, 100, 50), 100, 50, false, true},
		{"left by half a pixel", box(-0.5, 0, 10, 10), box(0, 0, 9.5, 10), 100, 50, true, true},
		{"below by half a pixel", box(0, 40, 10, 10.5), box(0, 40, 10, 10), 100, 50, true, true},
		{"arithmetic noise is no news", box(90, 0, 10.00000001, 10), box(90, 0, 10, 10), 100, 50, false, true},
		{"a pixel over", box(90, 0, 11, 10), box(90, 0, 11, 10), 100, 50, false, false},
		{"on the border, without inside", box(100, 0, 0.5, 10), box(100, 0, 0.5, 10), 100, 50, false, false},
		{"no area", box(1, 1, 0, 10), box(1, 1, 0, 10), 100, 50, false, false},
		{"not a number", box(math.Inf(1), 1, 1, 10), box(math.Inf(1), 1, 1, 10), 100, 50, false, false},
		{"size unknown", box(-5, 1000, 1, 10), box(-5, 1000, 1, 10), 0, 0, false, true},
		{"rotated over the border", turned, turned, 100, 50, false, true},
	}
	for _, tt := range tests {
		got, clipped, err := formats.Fit(tt.in, tt.width, tt.height)
		if got != tt.want || clipped != tt.clipped || (err == nil) != tt.ok {
			t.Errorf("%s: got %+v, %v, %v", tt.name, got, clipped, err)
		}
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in, want formats.Box
		ok       bool
	}{
		{formats.Box{X: -20, Y: 10, W: 500, H: 10}, formats.Box{Y: 10, W: 100, H: 10}, true},
		{formats.Box{X: 20, Y: -10, W: 5, H: 11}, formats.Box{X: 20, W: 5, H: 1}, true},
		{formats.Box{X: 120, Y: 10, W: 5, H: 10}, formats.Box{X: 120, Y: 10, W: -20, H: 10}, false},
		{formats.Box{X: -20, Y: 10, W: 20, H: 10}, formats.Box{Y: 10, H: 10}, false},
		{formats.Box{X: math.NaN(), W: 20, H: 10}, formats.Box{X: math.NaN(), W: 20, H: 10}, false},
	}
	for _, tt := range tests {
		if got, ok := formats.Clip(tt.in, 100, 50); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%+v: got %+v, %v", tt.in, got, ok)
		}
	}
}

func TestHull(t *testing.T) {
	t.Parallel()
	x, y, w, h := formats.Box{X: 10, Y: 20, W: 40, H: 20, Rotation: -90}.Hull()
	for i, pair := range [][2]float64{{x, 20}, {y, 10}, {w, 20}, {h, 40}} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("value %d is %v, want %v", i, pair[0], pair[1])
		}
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	keys := []string{"set/b/c/a.gif", "set/c/a.gif", "set/train/a.jpg", "set/val/a.jpg", "set/val/b.png", "set/val/b.jpg", "set/val/sub/c.JPG"}
	tests := []struct {
		name, want string
		stem       bool
		err        error
	}{
		{"set/train/a.jpg", "set/train/a.jpg", false, nil},
		{"train/a.jpg", "set/train/a.jpg", false, nil},
		{"a.jpg", "", false, formats.ErrManyMedia},
		{"ain/a.jpg", "", false, formats.ErrNoMedia},
		{"home/me/val/a.jpg", "set/val/a.jpg", false, nil},
		{"test/a.jpg", "", false, formats.ErrNoMedia},
		{"home/b/c/a.gif", "set/b/c/a.gif", false, nil},
		{"val/b", "", true, formats.ErrManyMedia},
		{"c", "set/val/sub/c.JPG", true, nil},
		{"sub/c", "set/val/sub/c.JPG", true, nil},
		{"nothing", "", true, formats.ErrNoMedia},
	}
	media := formats.NewMedia(keys)
	for _, tt := range tests {
		find := media.Find
		if tt.stem {
			find = media.FindStem
		}
		if got, err := find(tt.name); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestVOCMedia(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		keys          []string
		xml, filename string
		want          string
		err           error
	}{
		{"VOC's own folders", []string{"V/2007/JPEGImages/a.jpg", "V/2012/JPEGImages/a.jpg"}, "V/2012/Annotations/a.xml", "a.jpg", "V/2012/JPEGImages/a.jpg", nil},
		{"sub-folders", []string{"JPEGImages/x/a.jpg", "JPEGImages/y/a.png"}, "Annotations/y/a.xml", "a.jpg", "JPEGImages/y/a.png", nil},
		{"other folders", []string{"images/a.jpg"}, "annotations/a.xml", "a", "images/a.jpg", nil},
		{"side by side", []string{"t/a.jpg", "v/a.jpg"}, "v/a.xml", "a.jpg", "v/a.jpg", nil},
		{"labels apart", []string{"img/a.jpg", "img/b.jpg"}, "lab/1.xml", "b.jpg", "img/b.jpg", nil},
		{"filename of another life", []string{"img/a.jpg", "img/b.jpg"}, "lab/b.xml", "old.jpg", "img/b.jpg", nil},
		{"ambiguous", []string{"t/a.jpg", "v/a.jpg"}, "lab/a.xml", "a.jpg", "", formats.ErrManyMedia},
		{"absent", []string{"t/a.jpg"}, "Annotations/b.xml", "b.jpg", "", formats.ErrNoMedia},
	}
	for _, tt := range tests {
		got, err := formats.VOCMedia(formats.NewMedia(tt.keys), tt.xml, tt.filename)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %q, %v", tt.name, got, err)
		}
	}
	if got := formats.VOCKey("JPEGImages/images/a.jpg"); got != "images/a.jpg" {
		t.Errorf("VOCKey = %q", got)
	}
	if got := formats.VOCKey("images/a.jpg"); got != "images/a.jpg" {
		t.Errorf("VOCKey = %q", got)
	}
}

func TestVOCPlaces(t *testing.T) {
	t.Parallel()
	var places formats.VOCPlaces
	var ids []string
	for _, key := range []string{"a/1.jpg", "a/1.png", "1.jpg", "a/1_png.jpg"} {
		ids = append(ids, places.Place(key).ID)
	}
	var out strings.Builder
	if err := formats.WriteVOCSet(&out, ids); err != nil || out.String() != "a/1\na/1_png\n1\na/1_png_jpg\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	var inner, all formats.Report
	if text, err := json.Marshal(&all); err != nil || string(text) != "{}" || !all.Empty() {
		t.Errorf("an empty report is %s, %v", text, err)
	}
	for i := range 1500 {
		inner.Add(formats.LeftOut, strconv.Itoa(i/2), "polygon")
		inner.Add(formats.LeftOut, strconv.Itoa(i), "mask")
	}
	inner.Add(formats.Refused, "7", "box outside the image")
	inner.Add(formats.Refused, "7", "box outside the image")
	all.Merge("a.json", inner)
	all.Merge("b.json", inner)
	if all.Counts[formats.LeftOut] != 6000 || all.Counts[formats.Refused] != 4 {
		t.Errorf("counts are %v", all.Counts)
	}
	listed, refused := 0, map[string]int{}
	for _, loss := range all.Losses {
		listed += loss.Count
		if loss.Kind == formats.Refused {
			refused[loss.File] = loss.Count
		}
	}
	if listed+all.Unlisted != 6004 || len(all.Losses) != 1002 || refused["a.json"] != 2 || refused["b.json"] != 2 {
		t.Errorf("%d listed in %d places, %d unlisted, refused %v", listed, len(all.Losses), all.Unlisted, refused)
	}
}
