// Command benchtable reads what 'go test -bench' prints and writes one table of it: what was measured,
// its value, and the limit that it should keep. A limit that is missed is marked and fails nothing: how
// fast a machine is at this moment is not for a test to say.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
)

// figure is a row of the table: one metric of one benchmark. A limit of 0 is none; with atLeast the value
// should not be below it.
type figure struct {
	what, benchmark, metric, unit string
	limit                         float64
	atLeast                       bool
}

// figures are all rows, in their order.
var figures = []figure{
	{what: "Claim, 10,000 open tasks, 200 a second: median", benchmark: "Claim/tasks=10000", metric: "p50-ms", unit: "ms"},
	{what: "  99th percentile", benchmark: "Claim/tasks=10000", metric: "p99-ms", unit: "ms", limit: 20},
	{what: "Claim, 1,000,000 open tasks: median", benchmark: "Claim/tasks=1000000", metric: "p50-ms", unit: "ms"},
	{what: "  median, against that on 10,000", benchmark: "Claim/tasks=1000000", metric: "p50/p50-of-10000", unit: "×", limit: 1.5},
	{what: "  99th percentile", benchmark: "Claim/tasks=1000000", metric: "p99-ms", unit: "ms", limit: 20},
	{what: "  by who has answered the first 100,000: median, against that on 10,000", benchmark: "Claim/tasks=1000000/answered=100000", metric: "p50/p50-of-10000", unit: "×", limit: 1.5},
	{what: "  99th percentile", benchmark: "Claim/tasks=1000000/answered=100000", metric: "p99-ms", unit: "ms", limit: 20},
	{what: "Submit of 50 boxes, 100 a second: median", benchmark: "Submit", metric: "p50-ms", unit: "ms"},
	{what: "  99th percentile", benchmark: "Submit", metric: "p99-ms", unit: "ms", limit: 30},
	{what: "Submit until the next image is on screen: median", benchmark: "NextImage", metric: "median-ms", unit: "ms", limit: 150},
	{what: "Workbench, 2,000 boxes on 4000×3000: navigation until they are visible", benchmark: "Workbench/load", metric: "median-ms", unit: "ms", limit: 500},
	{what: "  panning: frame, median", benchmark: "Workbench/pan", metric: "p50-ms", unit: "ms"},
	{what: "  against an empty canvas", benchmark: "Workbench/pan", metric: "p50/empty", unit: "×", limit: 1.1},
	{what: "  95th percentile, against an empty canvas", benchmark: "Workbench/pan", metric: "p95/empty", unit: "×", limit: 1.1},
	{what: "  zooming: frame, median", benchmark: "Workbench/zoom", metric: "p50-ms", unit: "ms"},
	{what: "  against an empty canvas", benchmark: "Workbench/zoom", metric: "p50/empty", unit: "×", limit: 1.1},
	{what: "  95th percentile, against an empty canvas", benchmark: "Workbench/zoom", metric: "p95/empty", unit: "×", limit: 1.1},
	{what: "  dragging a box: frame, median", benchmark: "Workbench/drag", metric: "p50-ms", unit: "ms"},
	{what: "  against an empty canvas", benchmark: "Workbench/drag", metric: "p50/empty", unit: "×", limit: 1.1},
	{what: "  95th percentile, against an empty canvas", benchmark: "Workbench/drag", metric: "p95/empty", unit: "×", limit: 1.1},
	{what: "  moves handled of 181 in a drag of three seconds", benchmark: "Workbench/drag", metric: "moves", limit: 175, atLeast: true},
	{what: "  memory of the script", benchmark: "Workbench/heap", metric: "MB", unit: "MB", limit: 8},
	{what: "  script and style, gzip", benchmark: "Workbench/size", metric: "kB", unit: "kB", limit: 80},
	{what: "Review page of nine answers with 200 boxes each, the server's time: median", benchmark: "ReviewPage", metric: "median-ms", unit: "ms", limit: 50},
	{what: "Import of COCO labels, 36,000 images, 860,000 boxes", benchmark: "ImportCOCO", metric: "s/first", unit: "s", limit: 20},
	{what: "  again, all of it unchanged", benchmark: "ImportCOCO", metric: "s/again", unit: "s"},
	{what: "  peak memory of the process", benchmark: "ImportCOCO", metric: "MB", unit: "MB", limit: 400},
	{what: "  the same as CVAT, unchanged", benchmark: "ImportFormats", metric: "s/cvat", unit: "s"},
	{what: "  peak memory of the process", benchmark: "ImportFormats", metric: "MB/cvat", unit: "MB", limit: 400},
	{what: "  the same as Label Studio, unchanged", benchmark: "ImportFormats", metric: "s/labelstudio", unit: "s"},
	{what: "  peak memory of the process", benchmark: "ImportFormats", metric: "MB/labelstudio", unit: "MB", limit: 400},
	{what: "  the same as YOLO, unchanged", benchmark: "ImportFormats", metric: "s/yolo", unit: "s"},
	{what: "  peak memory of the process", benchmark: "ImportFormats", metric: "MB/yolo", unit: "MB", limit: 400},
	{what: "Reading the same COCO file", benchmark: "ReadCOCO", metric: "ns/op", unit: "ns"},
	{what: "Freezing 100,000 items", benchmark: "Version/items=100000/freeze", metric: "ns/op", unit: "ns"},
	{what: "Verifying them", benchmark: "Version/items=100000/verify", metric: "ns/op", unit: "ns"},
	{what: "Agreement on 18,000 images, three answers of five boxes: matching", benchmark: "Agreement/match", metric: "ms", unit: "ms"},
	{what: "  and all measures", benchmark: "Agreement/measures", metric: "ms", unit: "ms", limit: 500},
	{what: "  and their intervals, from 1,000 samples of the images", benchmark: "Agreement/intervals", metric: "ms", unit: "ms", limit: 3000},
	{what: "  matching of a page of nine answers with 200 boxes each", benchmark: "Agreement/page", metric: "ms", unit: "ms"},
	{what: "Krippendorff's alpha of 18,000 units, three raters, 38 classes", benchmark: "Alpha/nominal", metric: "ms", unit: "ms", limit: 20},
	{what: "Word errors of 1,000,000 pairs of 12 words, the processor's time", benchmark: "WER", metric: "cpu-s", unit: "s", limit: 1.5},
	{what: "  memory of the process", benchmark: "WER", metric: "MB", unit: "MB", limit: 100},
	{what: "COCO's figures of 180,000 detections in 5,000 images, 80 classes, the processor's time", benchmark: "Detection", metric: "cpu-s", unit: "s", limit: 1},
	{what: "  memory of the process", benchmark: "Detection", metric: "MB", unit: "MB", limit: 300},
	{what: "  with intervals from 1,000 draws of the images and those of 14 slices, from their kept scores, the processor's time", benchmark: "Detection/drawn", metric: "cpu-s", unit: "s", limit: 60},
	{what: "  memory of the process", benchmark: "Detection/drawn", metric: "MB", unit: "MB", limit: 300},
	{what: "  the difference to a baseline with its interval, the processor's time", benchmark: "Detection/compared", metric: "cpu-s", unit: "s", limit: 60},
	{what: "the figures of a million utterances in 10,000 groups with 1,000 draws, from their kept scores, the processor's time", benchmark: "Cell", metric: "cpu-s", unit: "s", limit: 5},
	{what: "An evaluation of 1,024 utterances by a model that takes 50 ms: four workers against one", benchmark: "Evaluation", metric: "times-as-fast", unit: "×", limit: 3.6, atLeast: true},
	{what: "Outlines of three hours of sound at 16 kHz, the processor's time", benchmark: "Peaks", metric: "cpu-s", unit: "s", limit: 2},
	{what: "  memory of the process", benchmark: "Peaks", metric: "MB", unit: "MB", limit: 100},
	{what: "First sound of ten seconds at the end of three hours: median", benchmark: "FirstSound", metric: "ms", unit: "ms", limit: 100},
	{what: "  against a recording of ten seconds", benchmark: "FirstSound", metric: "ratio", unit: "×", limit: 1.5},
}

// measurements are values by benchmark and metric.
type measurements map[[2]string]float64

var cores = regexp.MustCompile(`-\d+$`)

// take reads one line that a benchmark printed: its name, the number of runs, then values with their units.
func (m measurements) take(line string) {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
		return
	}
	name := cores.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
	for i := 2; i+1 < len(fields); i += 2 {
		if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
			m[[2]string{name, fields[i+1]}] = value
		}
	}
}

func (f figure) shown(value float64) string {
	unit := f.unit
	if unit == "ns" {
		value, unit = value/1e9, "s"
	}
	digits := 1
	if value < 10 && !f.atLeast {
		digits = 2
	}
	return strings.TrimSpace(strconv.FormatFloat(value, 'f', digits, 64) + " " + unit)
}

func (f figure) bound() string {
	switch {
	case f.limit == 0:
		return ""
	case f.atLeast:
		return "at least " + strings.TrimSpace(fmt.Sprintf("%g %s", f.limit, f.unit))
	}
	return "at most " + strings.TrimSpace(fmt.Sprintf("%g %s", f.limit, f.unit))
}

func (f figure) missed(value float64) bool {
	return f.limit != 0 && (f.atLeast && value < f.limit || !f.atLeast && value > f.limit)
}

func (m measurements) table(w io.Writer) error {
	var rows strings.Builder
	rows.WriteString("WHAT\tVALUE\tLIMIT\t\n")
	for _, f := range figures {
		shown, verdict := "not measured", ""
		if value, ok := m[[2]string{f.benchmark, f.metric}]; ok {
			shown = f.shown(value)
			if f.missed(value) {
				verdict = "missed"
			}
		}
		fmt.Fprintf(&rows, "%s\t%s\t%s\t%s\n", f.what, shown, f.bound(), verdict)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(t, rows.String()); err != nil {
		return err
	}
	return t.Flush()
}

// run copies what the benchmarks print to progress and writes the table to out at the end.
func run(in io.Reader, out, progress io.Writer) error {
	m, machine := measurements{}, ""
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		m.take(lines.Text())
		if cpu, ok := strings.CutPrefix(lines.Text(), "cpu: "); ok {
			machine = cpu
		}
		if _, err := fmt.Fprintln(progress, lines.Text()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "\n%s, %d cores\n\n", machine, runtime.NumCPU()); err != nil {
		return err
	}
	return m.table(out)
}

func main() {
	if err := run(os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}
