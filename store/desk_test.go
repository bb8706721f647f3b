package store

import (
	"testing"

	"fiducial/store/storetest"
)

func TestDesk(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 5, 1)
	anna, ben := f.labelers[0], f.labelers[1]
	done := f.mustClaim(t, anna)
	r := f.mustSubmit(t, anna, done)
	var review int64
	f.scan(t, &review, `INSERT INTO reviews (task_id, item_id, reviewer_id, decision) VALUES ($1, $2, $3, 'rejected') RETURNING id`, done.Task, f.items[0], ben.PersonID)
	f.exec(t, `
		WITH marks AS (INSERT INTO review_marks (review_id, annotation_id, position, reason) VALUES ($1, $2, 0, 'loose_box'), ($1, $2, NULL, 'other') RETURNING id)
		INSERT INTO item_notes (item_id, kind, of_id, body) SELECT $3, 'mark', min(id), 'too long' FROM marks`, review, r.Annotation, f.items[0])
	f.exec(t, `UPDATE annotations SET superseded_at = now()`)
	f.exec(t, `UPDATE tasks SET state = 'open', votes = 0, live = 1 WHERE id = $1`, done.Task)
	f.exec(t, `INSERT INTO assignments (task_id, project_id, person_id, pass, reason, state) VALUES ($1, $2, $3, 2, 'rework', 'returned')`,
		done.Task, f.project.ID, anna.PersonID)
	f.exec(t, `INSERT INTO assignments (task_id, project_id, person_id, state, lease_until) VALUES ($1, $2, $3, 'leased', now() + interval '10 minutes')`,
		f.tasks[1], f.project.ID, anna.PersonID)
	f.exec(t, `UPDATE tasks SET live = 1 WHERE id = $1`, f.tasks[1])
	his := f.mustClaim(t, ben)
	f.mustHold(t)

	d, err := f.Desk(t.Context(), anna)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Held) != 1 || d.Held[0].Task != f.tasks[1] || d.Held[0].LeaseUntil == nil {
		t.Errorf("held %+v", d.Held)
	}
	if len(d.Returned) != 1 || d.Returned[0].Reason != "loose_box" || d.Returned[0].Note != "too long" || d.Returned[0].Remarks != 2 {
		t.Errorf("returned %+v", d.Returned)
	}
	if len(d.Projects) != 1 || d.Projects[0].Left != 2 {
		t.Errorf("of 5 tasks two are hers and one (%v) is his: %+v", his, d.Projects)
	}
	if len(d.News) != 1 || d.News[0].Version != 2 {
		t.Errorf("news %+v", d.News)
	}
	if d.Work.Items != 1 || d.Work.Today != 1 || len(d.Hours) != 1 || d.Hours[0].Submitted != 1 {
		t.Errorf("work %+v, hours %+v", d.Work, d.Hours)
	}
	for _, days := range []int{0, 367} {
		if _, err := f.Hours(t.Context(), anna, days); err == nil {
			t.Errorf("hours of %d days", days)
		}
	}
}

// The next item is fetched beforehand; it must not come before the one that was begun.
func TestDeskBeginsWithWhatWasBegun(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 2, 1)
	anna := f.labelers[0]
	begun := f.mustClaim(t, anna)
	if _, err := f.SaveDraft(t.Context(), anna, begun.Task, begun.Assignment, 0, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Claim(t.Context(), anna, f.project.Slug, begun.Assignment); err != nil {
		t.Fatal(err)
	}
	d, err := f.Desk(t.Context(), anna)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Held) != 2 || d.Held[0].Task != begun.Task {
		t.Errorf("held %+v", d.Held)
	}
}
