package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()
	in := strings.Join([]string{
		"cpu: A machine",
		"BenchmarkClaim/tasks=1000000/answered=100000-2 1 1.62 p50/p50-of-10000 3.20 p50-ms 21.5 p99-ms",
		"BenchmarkWorkbench/drag-2 \t 1\t 180.3 moves\t 16.70 p50-ms",
		"BenchmarkReadCOCO-2 1 1512345678 ns/op 12 heap-MB",
		"ok  	fiducial/e2e	1.0s",
	}, "\n")
	var out bytes.Buffer
	if err := run(strings.NewReader(in), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	table := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"A machine, ", "1.62 × at most 1.5 × missed", "21.5 ms at most 20 ms missed",
		"180.3 at least 175", "Reading the same COCO file 1.51 s", "not measured",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Count(out.String(), "missed") != 2 {
		t.Errorf("two limits are missed, not as in\n%s", out.String())
	}
}
