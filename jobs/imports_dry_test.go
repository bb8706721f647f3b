package jobs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/store"
)

// rows digests every table but those that tell of imports themselves.
func (im *importing) rows() map[string]string {
	im.Helper()
	rows, err := im.pool.Query(im.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'public'
		AND tablename NOT IN ('imports', 'import_files', 'audit_events', 'goose_db_version') AND tablename NOT LIKE 'river%' AND tablename NOT LIKE 'import\_results%'`)
	im.must(err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	im.must(err)
	digests := map[string]string{}
	for _, table := range tables {
		var digest string
		sql := `SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '') FROM ` + pgx.Identifier{table}.Sanitize() + ` t`
		im.must(im.pool.QueryRow(im.Context(), sql).Scan(&digest))
		digests[table] = digest
	}
	return digests
}

// strip is an import of so many pictures with Pascal VOC labels beside them, of several batches, and all that can go wrong.
func strip(t *testing.T, pictures int) map[string][]byte {
	t.Helper()
	label := func(name, class, box string) []byte {
		return fmt.Appendf(nil, `<annotation><filename>%s</filename><size><width>20</width><height>10</height></size>
			<object><name>%s</name><difficult>1</difficult><bndbox>%s</bndbox></object></annotation>`, name, class, box)
	}
	const box = "<xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax>"
	files := map[string][]byte{}
	for i := range pictures {
		name := fmt.Sprintf("%03d", i)
		files["JPEGImages/"+name+".png"] = picture(t, 20, 10, uint8(i)) // from 256 on the same again
		files["Annotations/"+name+".xml"] = label(name+".png", fmt.Sprintf("class %d", i%5), box)
	}
	files["Annotations/001.xml"] = label("001.png", "gone", box)
	files["Annotations/002.xml"] = label("002.png", "class 2", "<xmin>2</xmin><ymin>2</ymin><xmax>90</xmax><ymax>9</ymax>")
	files["Annotations/003.xml"] = []byte("<annotation>")
	files["JPEGImages/004.png"] = []byte("no picture")
	files["JPEGImages/005.png"] = picture(t, 30, 10, 5) // of another size than its labels say
	files["twin.png"] = picture(t, 20, 10, 200)
	files["unlabeled.png"] = picture(t, 20, 10, 201)
	files["Annotations/alone.xml"] = label("alone.png", "class 3", box)
	return files
}

// A dry run says, record by record, what the import would then do, and leaves everything as it is.
func TestADryRunSaysWhatWouldHappen(t *testing.T) {
	t.Parallel()
	files := strip(t, 300)
	im := newImporting(t)
	im.run(truthIn(store.FormatVOC), map[string][]byte{
		"JPEGImages/000.png": files["JPEGImages/000.png"], "Annotations/000.xml": files["Annotations/000.xml"],
		"JPEGImages/006.png": picture(t, 20, 10, 77), // another picture
		"JPEGImages/007.png": files["JPEGImages/007.png"], "Annotations/007.xml": []byte(strings.ReplaceAll(string(files["Annotations/000.xml"]), "000", "007")),
	})
	_, err := im.pool.Exec(im.Context(), `INSERT INTO classes (project_id, name, slot, retired_at) SELECT id, 'gone', 40, now() FROM projects`)
	im.must(err)
	before := im.rows()
	wanted := truthIn(store.FormatVOC)
	wanted.Source = "Line 9"
	dry := wanted
	dry.Options.DryRun = true
	told, foretold := im.run(dry, files)
	if after := im.rows(); !maps.Equal(before, after) {
		t.Errorf("a dry run left\n%v\nwhere there was\n%v", after, before)
	}
	was, results := im.run(wanted, files)
	if told != was || was.Added == 0 || was.Changed == 0 || was.Unchanged == 0 || was.Refused == 0 || was.Lost == 0 {
		t.Errorf("foretold were %+v, what happened is %+v", told, was)
	}
	for i := range foretold {
		foretold[i].ID, foretold[i].ItemID, foretold[i].Thumb = 0, 0, false
	}
	for i := range results {
		results[i].ID, results[i].ItemID, results[i].Thumb = 0, 0, false
	}
	for _, list := range [][]store.ImportResult{foretold, results} {
		slices.SortFunc(list, func(a, b store.ImportResult) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Reason, b.Reason))
		})
	}
	for i := range min(len(results), len(foretold)) {
		if foretold[i] != results[i] {
			t.Errorf("foretold was %+v, what happened is %+v", foretold[i], results[i])
		}
	}
	imports, err := im.store.Imports(im.Context(), store.System(), im.slug, 0, 2)
	im.must(err)
	if real, dry := imports[0], imports[1]; !slices.Equal(dry.NewClasses, real.NewClasses) || len(dry.NewClasses) != 4 || dry.Source != "Line 9" || dry.SourceID != 0 {
		t.Errorf("the dry run: %+v\nthe other: %+v", dry, real)
	}
}
