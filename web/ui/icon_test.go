package ui_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// iconUse finds the names given to Icon, SmallIcon, Tag and the fields called
// Icon, and those that scripts draw.
var iconUse = regexp.MustCompile(`(?:\b(?:Small)?Icon\(|Icon: |\bicon\()"([a-z0-9-]+)"`)

func TestEveryIconIsInTheSprite(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../../assets/icons.txt")
	if err != nil {
		t.Fatal(err)
	}
	icons := strings.Fields(string(list))
	for _, root := range []string{"../../web", "../../handlers", "../../assets/src"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !slices.Contains([]string{".templ", ".go", ".ts"}, filepath.Ext(path)) {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, use := range iconUse.FindAllSubmatch(source, -1) {
				if !slices.Contains(icons, string(use[1])) {
					t.Errorf("%s draws icon %q, which assets/icons.txt does not list", path, use[1])
				}
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}
