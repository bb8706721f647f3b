package formats_test

import (
	"strings"
	"testing"

	"fiducial/internal/formats"
)

// An image all of whose boxes are refused is no negative: as truth it would say that there is nothing on it.
func TestRefusedBoxesMakeNoNegative(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(boxes int) (formats.Image, error){
		"COCO": readCOCOBoxes, "COCO without corners": readCOCODrafts, "VOC": readVOCBoxes, "CVAT": readCVATBoxes, "YOLO": readYOLOBoxes,
		"Label Studio": readLabelStudioBoxes,
	} {
		for boxes, labeled := range map[int]bool{0: true, 1: false, 2: true} {
			im, err := read(boxes)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if im.Labeled != labeled || len(im.Boxes) != boxes/2 {
				t.Errorf("%s: labeled = %t with %d boxes of %d, the first of them faulty", name, im.Labeled, len(im.Boxes), boxes)
			}
		}
	}
}

// firstOf are the first n of two texts, the first of which is that of a faulty box.
func firstOf(n int, between string, boxes ...string) string { return strings.Join(boxes[:n], between) }

func readCOCOBoxes(n int) (formats.Image, error) {
	return readCOCOImage(firstOf(n, ",", `{"id":1,"image_id":7,"category_id":1,"bbox":[90,70,20,20]}`, `{"id":2,"image_id":7,"category_id":1,"bbox":[1,1,9,9]}`))
}

func readCOCODrafts(n int) (formats.Image, error) {
	return readCOCOImage(firstOf(n, ",", `{"id":1,"image_id":7,"category_id":1,"bbox":[90]}`, `{"id":2,"image_id":7,"category_id":1,"bbox":[1,1,9,9]}`))
}

func readCOCOImage(annotations string) (im formats.Image, err error) {
	file := `{"annotations":[` + annotations + `],"images":[{"id":7,"file_name":"a.png","width":100,"height":80}],"categories":[{"id":1,"name":"scratch"}]}`
	_, err = formats.ReadCOCO(strings.NewReader(file), only(&im))
	return im, err
}

func readVOCBoxes(n int) (formats.Image, error) {
	object := func(corners ...string) string {
		text := `<object><name>scratch</name><bndbox>`
		for i, name := range []string{"xmin", "ymin", "xmax", "ymax"} {
			text += "<" + name + ">" + corners[i] + "</" + name + ">"
		}
		return text + `</bndbox></object>`
	}
	im, _, err := formats.ReadVOC(strings.NewReader(`<annotation><filename>a.png</filename><size><width>100</width><height>80</height></size>`+
		firstOf(n, "", object("90", "70", "190", "190"), object("1", "1", "9", "9"))+`</annotation>`), 1)
	return im, err
}

func readCVATBoxes(n int) (im formats.Image, err error) {
	file := `<annotations><image id="0" name="a.png" width="100" height="80">` + firstOf(n, "",
		`<box label="scratch" xtl="90" ytl="70" xbr="190" ybr="190"></box>`, `<box label="scratch" xtl="1" ytl="1" xbr="9" ybr="9"></box>`) + `</image></annotations>`
	_, err = formats.ReadCVAT(strings.NewReader(file), false, only(&im))
	return im, err
}

func readYOLOBoxes(n int) (formats.Image, error) {
	found, _, err := formats.ReadYOLO(strings.NewReader(firstOf(n, "\n", "5 0.5 0.5 0.1 0.1", "0 0.5 0.5 0.1 0.1")), &formats.YOLOSet{Names: map[int]string{0: "scratch"}})
	if err != nil {
		return formats.Image{}, err
	}
	im, _ := found.Pixels("a.png", 100, 80, false)
	return im, nil
}

func readLabelStudioBoxes(n int) (im formats.Image, err error) {
	region := func(x string) string {
		return `{"id":"r","type":"rectanglelabels","original_width":100,"original_height":80,"value":{"x":` + x + `,"y":10,"width":10,"height":10,"rotation":0,"rectanglelabels":["scratch"]}}`
	}
	file := `[{"id":1,"data":{"image":"a.png"},"annotations":[{"id":1,"result":[` + firstOf(n, ",", region(`"far"`), region("10")) + `]}]}]`
	_, err = formats.ReadLabelStudio(strings.NewReader(file), false, only(&im))
	return im, err
}

// only keeps the one image of a file.
func only(im *formats.Image) func(formats.Image) error {
	return func(read formats.Image) error {
		*im = read
		return nil
	}
}
