package e2e

import (
	"encoding/json"
	"fmt"
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
	if back := decide("undo", fmt.Sprint(decided.Decisions[0].ID)); back.State != "in_review" {
		t.Errorf("undone: %+v", back)
	}
}
