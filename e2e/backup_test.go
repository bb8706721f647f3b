package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A backup made while people work, restored elsewhere, serves the same datasets to the same people.
func TestBackupServesTheSame(t *testing.T) {
	t.Parallel()
	server, people := demo(t)
	file := filepath.Join(t.TempDir(), "backup.tar")
	server.do(t, "backup", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup holds secrets and is readable as %v, %v", info.Mode(), err)
	}
	if _, err := server.Command(t.Context(), "", "backup", file); err == nil {
		t.Error("a backup replaced a file")
	}
	if _, err := server.Command(t.Context(), "", "restore", file); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("restored under a running server: %v", err)
	}
	data := dataFolder(t)
	report, err := RunCommand(t.Context(), []string{"FIDUCIAL_DATA=" + data}, "", "restore", file)
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	t.Log(report)
	if strings.Contains(report, "NO") || strings.Count(report, "yes") == 0 {
		t.Error("not every version is what it was, or there was none")
	}
	restored, err := StartServer(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := restored.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, sql := range []string{
		`SELECT d.name || '@' || v.number || ' ' || encode(v.hash, 'hex') FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id WHERE v.state = 'frozen' ORDER BY 1`,
		`SELECT item_id || ' ' || kind || ' ' || encode(sha256, 'hex') FROM assets ORDER BY 1`,
		`SELECT truth_id || ' ' || position || ' ' || x || ' ' || y || ' ' || w || ' ' || h FROM truth_boxes ORDER BY 1`,
	} {
		before, after := query[string](t, server, sql), query[string](t, restored, sql)
		if strings.Join(before, "\n") != strings.Join(after, "\n") {
			t.Errorf("%s: %d rows before, %d after, not the same", sql, len(before), len(after))
		}
	}
	if status, err := visit(t, restored, people["admin"]).call(http.MethodGet, "/account", nil, nil); status != http.StatusOK {
		t.Errorf("the admin of before: %d, %v", status, err)
	}
}
