package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// What a reviewer does on the pages can be done from a shell: what is confused, what is older, and every decision, with a
// version check and undoable.
func TestReviewFromAShell(t *testing.T) {
	t.Parallel()
	server, people := demo(t)
	reviewer := people["reviewer"].Email
	if pairs := server.do(t, "pairs", "calibration"); !strings.HasPrefix(pairs, "PAIR") {
		t.Errorf("pairs:\n%s", pairs)
	}
	if back := server.do(t, "relabel", "calibration", "--class", "Black line", "--dry-run"); !strings.Contains(back, "labels in") {
		t.Errorf("relabel:\n%s", back)
	}
	waiting := strings.Fields(server.do(t, "review", "list", "calibration", "--limit", "50", "--json"))
	if len(waiting) == 0 {
		t.Fatal("nothing waits in the demo")
	}
	var last struct{ Item int64 }
	lines := strings.Split(strings.TrimSpace(server.do(t, "review", "list", "calibration", "--json")), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	type item struct {
		State     string
		Version   int
		Answers   []struct{ ID int64 }
		Decisions []struct{ ID int64 }
	}
	decide := func(args ...string) (now item) {
		t.Helper()
		if err := json.Unmarshal([]byte(server.do(t, append([]string{"review"}, append(args, "--reviewer", reviewer, "--json")...)...)), &now); err != nil {
			t.Fatal(err)
		}
		return now
	}
	name := fmt.Sprint(last.Item)
	if shown := server.do(t, "review", "show", name); !strings.Contains(shown, "in review, version") {
		t.Errorf("shown:\n%s", shown)
	}
	decided := decide("discard", name, "--note", "The strip left the table.")
	if decided.State != "discarded" {
		t.Errorf("discarded: %+v", decided)
	}
	_, err := server.Command(t.Context(), "", "review", "discard", name, "--note", "Again.", "--revision", fmt.Sprint(decided.Version-1), "--reviewer", reviewer)
	if err == nil {
		t.Error("decided on what had changed meanwhile")
	}
	undo := func(decided item) {
		t.Helper()
		if back := decide("undo", fmt.Sprint(decided.Decisions[0].ID)); back.State != "in_review" {
			t.Errorf("undone: %+v", back)
		}
	}
	undo(decided)
	dir := t.TempDir()
	writeFile(t, dir, "boxes.json", []byte(`[{"class": "Black line", "x": 10, "y": 20, "w": 300, "h": 8}]`))
	boxes := filepath.Join(dir, "boxes.json")
	answer := fmt.Sprint(decided.Answers[0].ID)
	for _, decision := range [][]string{
		{"merge", name},
		{"approve", name, "--answer", answer},
		{"amend", name, "--answer", answer, "--boxes", boxes},
		{"reject", name, "--answer", answer, "--fault", "other", "--reason", "Look at the other end."},
	} {
		decided := decide(decision...)
		if decided.State == "in_review" && decision[0] != "reject" {
			t.Errorf("%v: %+v", decision, decided)
		}
		undo(decided)
	}
}

// What the pages of a project show can be read from a shell.
func TestProjectFromAShell(t *testing.T) {
	t.Parallel()
	server, _ := demo(t)
	for _, command := range []struct{ args, says string }{
		{"project list", "hot-strip"},
		{"agreement calibration", "Black line"},
		{"quality hot-strip --classes", "Scratch"},
		{"gold list hot-strip", "ITEM"},
		{"round list hot-strip", "ROUND"},
		{"batch list hot-strip", "BATCH"},
		{"batch show hot-strip 1", "1"},
		{"source list", "Mill 2"},
		{"consumer list", "strip-grader"},
		{"dataset list", "hot-strip-test"},
		{"expiring --within 365d", "Aurum Cars"},
	} {
		if said := server.do(t, strings.Fields(command.args)...); !strings.Contains(said, command.says) {
			t.Errorf("%s says no %q:\n%s", command.args, command.says, said)
		}
	}
}
