package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"fiducial/internal/formats"
	"fiducial/internal/metrics"
)

type scoreDetectionCommand struct {
	Truth       string    `help:"COCO data set." required:"" type:"existingfile" placeholder:"T.json"`
	Predictions string    `help:"COCO results: [{image_id, category_id, bbox, score}, …]." required:"" type:"existingfile" placeholder:"P.json"`
	IOU         []float64 `name:"iou" help:"Overlaps to average over, instead of COCO's 0.5, 0.55, … 0.95; at most 16." placeholder:"0.5,0.75"`
	JSON        bool      `help:"Print JSON for programs instead of a table for people."`
}

// detectionScores are COCO's twelve figures under its names, and those of each class. One that is not defined, since there is no
// object, is null.
type detectionScores struct {
	Images     int                  `json:"images"`
	Objects    int                  `json:"objects"`
	Detections int                  `json:"detections"`
	Summary    map[string]*float64  `json:"summary"`
	Classes    []detectionClassLine `json:"classes"`
}

type detectionClassLine struct {
	Class   string   `json:"class"`
	AP      *float64 `json:"AP"`
	AP50    *float64 `json:"AP50"`
	AR100   *float64 `json:"AR100"`
	Objects int      `json:"objects"`
	Found   int      `json:"detections"`
}

func (c *scoreDetectionCommand) Run(std *streams) error {
	for _, t := range c.IOU {
		if !(t > 0 && t <= 1) {
			return misuseError(fmt.Sprintf("--iou is above 0 and at most 1, not %v", t))
		}
	}
	if len(c.IOU) > 16 {
		return misuseError("--iou takes at most 16 overlaps")
	}
	if len(c.IOU) == 0 {
		c.IOU = metrics.COCOThresholds()
	}
	truth, err := readInput(c.Truth, std)
	if err != nil {
		return err
	}
	predictions, err := readInput(c.Predictions, std)
	if err != nil {
		return err
	}
	boxes := detectionBoxes{class: map[string]int{}, image: map[string]int{}}
	if err := boxes.read(truth, predictions, std.err); err != nil {
		return misuseError(err.Error())
	}
	scores := boxes.score(c.IOU)
	if c.JSON {
		return json.NewEncoder(std.out).Encode(scores)
	}
	return scores.print(std.out)
}

// detectionBoxes are those of both files, image by image in the order of their ids.
type detectionBoxes struct {
	class, image map[string]int
	classes      []string
	truth        [][]metrics.TruthBox
	found        [][]metrics.Detection
}

func (b *detectionBoxes) read(truth, predictions []byte, messages io.Writer) error {
	report, err := formats.ReadCOCOAsWritten(bytes.NewReader(truth), func(im formats.Image) error {
		b.image[im.Key] = len(b.truth)
		boxes := make([]metrics.TruthBox, 0, len(im.Boxes))
		for _, box := range im.Boxes {
			x, y, w, h := box.Hull()
			area := box.Area
			if area == 0 {
				area = box.W * box.H
			}
			boxes = append(boxes, metrics.TruthBox{Class: b.number(box.Class), X: x, Y: y, W: w, H: h, Area: area, Crowd: box.Crowd})
		}
		b.truth = append(b.truth, boxes)
		return nil
	})
	if err != nil {
		return fmt.Errorf("truth: %w", err)
	}
	tellRefused(messages, "truth", report)
	b.found = make([][]metrics.Detection, len(b.truth))
	report, err = formats.ReadCOCOResults(bytes.NewReader(truth), bytes.NewReader(predictions), func(im formats.Image) error {
		at := b.image[im.Key]
		for _, box := range im.Boxes {
			b.found[at] = append(b.found[at], metrics.Detection{Class: b.number(box.Class), X: box.X, Y: box.Y, W: box.W, H: box.H, Score: box.Score})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("predictions: %w", err)
	}
	tellRefused(messages, "predictions", report)
	return nil
}

// number is a class's place, a new one for one that is new.
func (b *detectionBoxes) number(class string) int {
	n, known := b.class[class]
	if !known {
		n = len(b.classes)
		b.class[class], b.classes = n, append(b.classes, class)
	}
	return n
}

// tellRefused says what was not scored.
func tellRefused(messages io.Writer, file string, report formats.Report) {
	for _, loss := range report.Losses {
		if loss.Kind == formats.Refused {
			fmt.Fprintf(messages, "%s: %s: not scored: %s\n", file, loss.ID, loss.Reason)
		}
	}
	if report.Unlisted > 0 {
		fmt.Fprintf(messages, "%s: and %d more\n", file, report.Unlisted)
	}
}

func (b *detectionBoxes) score(thresholds []float64) detectionScores {
	compared := metrics.NewDetections(len(b.classes), thresholds)
	scores := detectionScores{Images: len(b.truth)}
	for i := range b.truth {
		compared.Add(b.truth[i], b.found[i])
		scores.Objects += len(b.truth[i])
		scores.Detections += len(b.found[i])
	}
	s := compared.Scores()
	scores.Summary = map[string]*float64{
		"AP": defined(s.AP), "AP50": defined(s.AP50), "AP75": defined(s.AP75),
		"APs": defined(s.APSmall), "APm": defined(s.APMedium), "APl": defined(s.APLarge),
		"AR1": defined(s.AR1), "AR10": defined(s.AR10), "AR100": defined(s.AR100),
		"ARs": defined(s.ARSmall), "ARm": defined(s.ARMedium), "ARl": defined(s.ARLarge),
	}
	for i, class := range b.classes {
		k := s.Classes[i]
		scores.Classes = append(scores.Classes, detectionClassLine{class, defined(k.AP), defined(k.AP50), defined(k.AR100), k.Objects, k.Found})
	}
	slices.SortFunc(scores.Classes, func(a, b detectionClassLine) int { return cmp.Compare(a.Class, b.Class) })
	return scores
}

// detectionFigures are COCO's twelve, in its order.
var detectionFigures = [...][2]string{
	{"AP", "average precision"},
	{"AP50", "  at an overlap of 0.5"},
	{"AP75", "  at an overlap of 0.75"},
	{"APs", "  of small objects, up to 32² pixels"},
	{"APm", "  of medium ones, up to 96²"},
	{"APl", "  of large ones"},
	{"AR1", "average recall of the surest 1 of an image"},
	{"AR10", "  of the surest 10"},
	{"AR100", "  of the surest 100"},
	{"ARs", "  of small objects"},
	{"ARm", "  of medium ones"},
	{"ARl", "  of large ones"},
}

func (s *detectionScores) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURE\t\tVALUE")
	for _, figure := range detectionFigures {
		fmt.Fprintf(table, "%s\t%s\t%s\n", figure[0], figure[1], shownRate(s.Summary[figure[0]]))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(table, "\nCLASS\tAP\tAP50\tAR100\tOBJECTS\tDETECTIONS")
	for _, c := range s.Classes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\n", c.Class, shownRate(c.AP), shownRate(c.AP50), shownRate(c.AR100), c.Objects, c.Found)
	}
	fmt.Fprintf(table, "\n%d images, %d objects, %d detections\n", s.Images, s.Objects, s.Detections)
	return table.Flush()
}
