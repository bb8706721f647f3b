package store

import (
	"errors"
	"fmt"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
)

// audited has every item labeled by the first labeler and decided, freezes them all as test lines, and starts an audit of n of them.
func (b *bench) audited(t *testing.T, n int) (DatasetVersion, int64) {
	t.Helper()
	b.labelAll(t)
	recipe := manifest.Default()
	recipe.Projects, recipe.Shares = []string{b.project.Slug}, manifest.Shares{Test: 1000}
	return b.auditOf(t, recipe, n)
}

// labelAll has every item labeled by the first labeler, and decided.
func (b *bench) labelAll(t *testing.T) {
	t.Helper()
	for i, item := range b.items {
		b.exec(t, `INSERT INTO item_texts (item_id, external_key) VALUES ($1, $2)`, item, fmt.Sprintf("%s-%d.png", b.project.Slug, i))
		b.exec(t, `INSERT INTO item_salts (item_id, salt) VALUES ($1, sha256($2))`, item, fmt.Appendf(nil, "salt of %s %d", b.project.Slug, i))
	}
	for range b.items {
		b.mustSubmit(t, b.labelers[0], b.mustClaim(t, b.labelers[0]))
	}
	for _, item := range b.items {
		b.mustDecide(t, item, Approved)
	}
}

// auditOf freezes what a recipe selects, and starts an audit of n lines of it.
func (b *bench) auditOf(t *testing.T, recipe manifest.Recipe, n int) (DatasetVersion, int64) {
	t.Helper()
	version, err := b.Freeze(t.Context(), System(), "strips", recipe)
	if err == nil {
		err = b.FillVersion(t.Context(), version.ID)
	}
	if err == nil {
		version, err = b.DatasetVersion(t.Context(), System(), "strips", 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	id, err := b.StartAudit(t.Context(), System(), version, n, 7)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a job may run twice
		if err := b.FillAudit(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	return version, id
}

// elsewhere is another project of the same store, with people of its own.
func (b *bench) elsewhere(t *testing.T, slug string, labelers, items int) *bench {
	t.Helper()
	o := &bench{floor: &floor{Store: b.Store}}
	var err error
	if o.project, err = b.AddProject(t.Context(), System(), NewProject{Slug: slug, Kind: "image", Overlap: 1}); err != nil {
		t.Fatal(err)
	}
	o.scan(t, &o.class, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'scratch', 0) RETURNING id`, o.project.ID)
	o.exec(t, `INSERT INTO definitions (class_id, version, published_at) VALUES ($1, 1, now())`, o.class)
	for range labelers {
		o.hire(t)
	}
	o.addItems(t, items, 0)
	o.reviewer = o.engage(t, access.Reviewer)
	return o
}

func (b *bench) audit(t *testing.T, id int64) BlindAudit {
	t.Helper()
	if err := b.ReportAudit(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	a, err := b.Audit(t.Context(), System(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuditFindsWrongLabels(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, 6, 1)
	b.exec(t, `INSERT INTO predictions (item_id, purpose) SELECT id, 'prefill' FROM items`)
	b.exec(t, `INSERT INTO prediction_boxes (prediction_id, position, class_id, x, y, w, h) SELECT id, 0, $1, 0, 0, 9, 9 FROM predictions`, b.class)
	version, id := b.audited(t, 4)
	if a := b.audit(t, id); a.State != AuditOpen || a.Items != 4 || len(a.Batches) != 1 || a.Batches[0].Number != 1 || a.Report.Answered != 0 || a.Report.Differ.High != 1 {
		t.Fatalf("begun: %+v %+v", a, a.Report)
	}
	if _, err := b.StartAudit(t.Context(), b.reviewer, version, 1, 0); !isInvalid(err) {
		t.Errorf("a second audit at the same time: %v", err)
	}
	if _, err := b.Claim(t.Context(), b.labelers[0], b.project.Slug, 0); !errors.Is(err, ErrQueueEmpty) {
		t.Errorf("whoever labeled it first is asked again: %v", err)
	}
	var items []int64
	for i := range 4 {
		c := b.mustClaim(t, b.labelers[1])
		work, err := b.Work(t.Context(), b.labelers[1], c.Task)
		if err != nil || len(work.Boxes) != 0 {
			t.Fatalf("the second look begins from %+v (%v)", work.Boxes, err)
		}
		answer := b.answer(c)
		if i == 0 {
			answer.Boxes = append(answer.Boxes, DraftBox{ID: "b", ClassID: b.class, X: 60, Y: 40, W: 20, H: 20})
		}
		if _, err := b.Submit(t.Context(), b.labelers[1], answer); err != nil {
			t.Fatal(err)
		}
		items = append(items, work.Item)
	}
	var begun bool
	if b.scan(t, &begun, `SELECT bool_or(prefilled) FROM annotations WHERE person_id = $1`, b.labelers[1].PersonID); begun {
		t.Error("a blind answer is said to be begun from a prefill")
	}
	a := b.audit(t, id)
	if r := a.Report; r.Answered != 4 || r.Differ.Count != 1 || r.Differ.Of != 4 || r.Differ.Share != 0.25 || r.Wrong.Of != 0 || r.Findings["missed"] != 1 {
		t.Fatalf("labeled: %+v", r)
	}
	// The reviewer takes the new answer of the first, and the old one of the others.
	for i, item := range items {
		decision := b.adjudication(t, item, Approved)
		if answers := b.look(t, item).Answers; i == 0 {
			decision.Annotation = answers[len(answers)-1].ID
		}
		if _, err := b.Adjudicate(t.Context(), b.reviewer, decision); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.RefreshBatches(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `UPDATE batches SET state = 'approved', approved_at = now()`)
	a = b.audit(t, id)
	if r := a.Report; a.State != AuditClosed || r.Wrong.Count != 1 || r.Wrong.Of != 4 || r.Wrong.Low <= 0.04 || r.Wrong.High >= 0.71 {
		t.Fatalf("decided: %+v %+v", a, r)
	}
	b.mustHold(t)
}

func TestAuditsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 2, 1)
	version, id := b.audited(t, 2)
	b.exec(t, `UPDATE batches SET state = 'closed'`)
	if a := b.audit(t, id); a.State != AuditClosed {
		t.Fatalf("its batch was closed, and the audit is %s", a.State)
	}
	for name, try := range map[string]func() error{
		"no lines": func() error { return errorOf(b.StartAudit(t.Context(), b.reviewer, version, 0, 0)) },
		"not frozen yet": func() error {
			return errorOf(b.StartAudit(t.Context(), b.reviewer, DatasetVersion{ID: version.ID, State: "freezing"}, 1, 0))
		},
	} {
		if err := try(); !isInvalid(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.StartAudit(t.Context(), Actor{PersonID: b.labelers[0].PersonID, Role: access.Viewer}, version, 1, 0); !errors.Is(err, ErrDenied) {
		t.Errorf("a viewer: %v", err)
	}
	// Both lines wait for an answer that nobody gave: they cannot be drawn again.
	again, err := b.StartAudit(t.Context(), b.reviewer, version, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.FillAudit(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if a, err := b.Audit(t.Context(), b.reviewer, again); err != nil || a.State != AuditFailed || a.Error == "" {
		t.Errorf("%+v, %v", a, err)
	}
}

// A version of several projects is audited in a batch of each, by the people of each.
func TestAuditsReachSeveralProjects(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, 4, 1)
	other := b.elsewhere(t, "coil", 2, 3)
	for _, bench := range []*bench{b, other} {
		bench.labelAll(t)
	}
	recipe := manifest.Default()
	recipe.Projects, recipe.Shares = []string{b.project.Slug, other.project.Slug}, manifest.Shares{Test: 1000}
	version, id := b.auditOf(t, recipe, 7)
	if a := b.audit(t, id); a.State != AuditOpen || a.Items != 7 || len(a.Batches) != 2 ||
		a.Batches[0] != (AuditBatch{Project: "coil", Number: 1, Items: 3}) || a.Batches[1] != (AuditBatch{Project: "strip", Number: 1, Items: 4}) {
		t.Fatalf("begun: %+v", a)
	}
	for _, bench := range []*bench{b, other} {
		for range bench.items {
			bench.mustSubmit(t, bench.labelers[1], bench.mustClaim(t, bench.labelers[1]))
		}
		if _, err := bench.Claim(t.Context(), bench.labelers[1], bench.project.Slug, 0); !errors.Is(err, ErrQueueEmpty) {
			t.Errorf("%s: %v", bench.project.Slug, err)
		}
	}
	if _, err := b.RefreshBatches(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `UPDATE batches SET state = 'approved', approved_at = now() WHERE project_id = $1`, b.project.ID)
	if a := b.audit(t, id); a.State != AuditOpen || a.Answered != 7 || a.Report.Answered != 7 || a.Report.Differ.Of != 7 || a.Report.Differ.Count != 0 {
		t.Fatalf("one of two batches is approved: %+v %+v", a, a.Report)
	}
	b.exec(t, `UPDATE batches SET state = 'approved', approved_at = now()`)
	if a := b.audit(t, id); a.State != AuditClosed {
		t.Fatalf("both are approved: %+v", a)
	}
	if list, err := b.Audits(t.Context(), b.reviewer, version); err != nil || len(list) != 0 {
		t.Errorf("a member of one of the projects sees the audit of both: %+v, %v", list, err)
	}
}
