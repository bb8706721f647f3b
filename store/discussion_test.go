package store

import (
	"errors"
	"slices"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/discussion"
	"fiducial/store/storetest"
)

// talkers is a floor on which three labelers answered one item, beside a reviewer, an admin and a stranger.
type talkers struct {
	*floor

	item                      int64
	reviewer, admin, stranger Actor
}

func newTalkers(t *testing.T) *talkers {
	t.Helper()
	k := &talkers{floor: newFloor(t, storetest.Pool(t), 3, 1, 3)}
	k.item = k.items[0]
	for role, who := range map[access.Role]*Actor{access.Reviewer: &k.reviewer, access.Admin: &k.admin, access.Labeler: &k.stranger} {
		who.Role = role
		k.scan(t, &who.PersonID, `INSERT INTO people (role, pseudonym) VALUES ($1, gen_random_uuid()) RETURNING id`, role)
		if role != access.Admin {
			k.exec(t, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, k.project.ID, who.PersonID)
		}
	}
	k.exec(t, `INSERT INTO person_identities (person_id, email, name) SELECT id, id || '@example.org', 'Person ' || id FROM people`)
	for _, who := range []int{2, 0, 1} { // the second letter is the first labeler's
		k.mustSubmit(t, k.labelers[who], k.mustClaim(t, k.labelers[who]))
	}
	return k
}

func (k *talkers) thread(t *testing.T, who Actor) Thread {
	t.Helper()
	thread, err := k.Thread(t.Context(), who, k.item)
	if err != nil {
		t.Fatal(err)
	}
	return thread
}

func (k *talkers) say(t *testing.T, who Actor, text string, mention ...Actor) int64 {
	t.Helper()
	var people []discussion.Person
	for _, m := range mention {
		people = append(people, discussion.Person{ID: m.PersonID, Name: "them"})
		text += " @them"
	}
	body, _ := discussion.Encode(text, people)
	id, err := k.AddComment(t.Context(), who, NewComment{Item: k.item, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (k *talkers) told(t *testing.T, who Actor) (kinds []NoticeKind) {
	t.Helper()
	notices, err := k.Notices(t.Context(), who, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notices {
		if n.Kind == CommentMention || n.Kind == CommentReply {
			kinds = append(kinds, n.Kind)
		}
	}
	return kinds
}

func (t Thread) person(id int64) (ThreadPerson, bool) {
	at := slices.IndexFunc(t.People, func(p ThreadPerson) bool { return p.ID == id })
	if at < 0 {
		return ThreadPerson{}, false
	}
	return t.People[at], true
}

// No labeler bears a name in a thread before the decision, to anybody; the letters are those of the review page.
func TestThreadNamesNoLabelerUntilItIsDecided(t *testing.T) {
	t.Parallel()
	k := newTalkers(t)
	for _, who := range []Actor{k.labelers[0], k.reviewer, k.admin} {
		thread := k.thread(t, who)
		for i, letter := range []int{1, 2, 0} {
			p, ok := thread.person(k.labelers[i].PersonID)
			if !ok || p.Name != "" || p.Letter != letter || !p.Sees {
				t.Errorf("labeler %d is %+v to %s", i, p, who.Role)
			}
		}
		if p, _ := thread.person(k.reviewer.PersonID); p.Name == "" || p.Letter != -1 || !p.Sees {
			t.Errorf("the reviewer is %+v to %s", p, who.Role)
		}
		if p, _ := thread.person(k.stranger.PersonID); p.Sees {
			t.Error("a labeler who does not have the item may be mentioned")
		}
	}
	if _, err := k.Thread(t.Context(), k.stranger, k.item); !errors.Is(err, ErrNotFound) {
		t.Errorf("a labeler who does not have the item sees its thread: %v", err)
	}
	k.exec(t, `UPDATE tasks SET state = 'adjudicated'`)
	if p, _ := k.thread(t, k.labelers[0]).person(k.labelers[1].PersonID); p.Name == "" || p.Letter != -1 {
		t.Errorf("after the decision: %+v", p)
	}
}

// Whoever is mentioned is told, once, if they may see the thread; whoever took part is told that it goes on.
func TestCommentsTellThoseTheyConcern(t *testing.T) {
	t.Parallel()
	k := newTalkers(t)
	k.say(t, k.labelers[0], "What is this?", k.reviewer, k.stranger, k.labelers[0])
	for who, want := range map[*Actor][]NoticeKind{&k.reviewer: {CommentMention}, &k.stranger: nil, &k.labelers[0]: nil, &k.admin: nil} {
		if got := k.told(t, *who); !slices.Equal(got, want) {
			t.Errorf("%s was told %v, want %v", who.Role, got, want)
		}
	}
	k.say(t, k.reviewer, "A scratch.")
	k.say(t, k.reviewer, "Or glare.") // until it is read, one notice says as much as two
	if got := k.told(t, k.labelers[0]); !slices.Equal(got, []NoticeKind{CommentReply}) {
		t.Errorf("the first to speak was told %v", got)
	}
	var answer int64
	k.scan(t, &answer, `SELECT id FROM annotations WHERE person_id = $1`, k.labelers[1].PersonID)
	about := NewComment{Item: k.item, Body: "Too wide.", Annotation: answer}
	if _, err := k.AddComment(t.Context(), k.reviewer, about); err != nil {
		t.Fatal(err)
	}
	if got := k.told(t, k.labelers[1]); !slices.Equal(got, []NoticeKind{CommentReply}) {
		t.Errorf("the one whose answer it is about was told %v", got)
	}
	if got := k.told(t, k.labelers[2]); got != nil {
		t.Errorf("who has no part in it was told %v", got)
	}
}

// A labeler can speak about their own boxes, and learns nothing of others' from what is said about those.
func TestCommentsShowNobodyAnothersBoxes(t *testing.T) {
	t.Parallel()
	k := newTalkers(t)
	var others int64
	k.scan(t, &others, `SELECT id FROM annotations WHERE person_id = $1`, k.labelers[1].PersonID)
	about := NewComment{Item: k.item, Body: "Too wide.", Annotation: others}
	var refused *InvalidError
	if _, err := k.AddComment(t.Context(), k.labelers[0], about); !errors.As(err, &refused) {
		t.Errorf("a labeler spoke about another's box: %v", err)
	}
	if _, err := k.AddComment(t.Context(), k.reviewer, about); err != nil {
		t.Fatal(err)
	}
	seen := k.thread(t, k.labelers[0])
	if c := seen.Comments[0]; !c.Foreign || c.BoxAnnotation != 0 || c.BoxPerson != 0 || c.Position != nil || c.ClassName != "" {
		t.Errorf("a labeler learns of another's box: %+v", c)
	}
	for _, b := range seen.Boxes {
		if b.Person != k.labelers[0].PersonID {
			t.Errorf("a labeler is offered another's box: %+v", b)
		}
	}
	if c := k.thread(t, k.reviewer).Comments[0]; c.Foreign || c.ClassName != "scratch" || c.BoxPerson != k.labelers[1].PersonID {
		t.Errorf("the reviewer sees %+v", c)
	}
	for _, place := range [][2]float64{{-1, 5}, {5, 81}} {
		wrong := NewComment{Item: k.item, Body: "Here.", X: &place[0], Y: &place[1]}
		if _, err := k.AddComment(t.Context(), k.reviewer, wrong); !errors.As(err, &refused) {
			t.Errorf("a place outside the image: %v", err)
		}
	}
}

// An edit hides nothing, and is over after a while; what is taken back leaves a mark and no text.
func TestCommentsCanBeMendedAndTakenBack(t *testing.T) {
	t.Parallel()
	k := newTalkers(t)
	id := k.say(t, k.labelers[0], "First.")
	if _, err := k.EditComment(t.Context(), k.reviewer, id, "Not mine."); !errors.Is(err, ErrNotFound) {
		t.Errorf("another's comment was changed: %v", err)
	}
	if _, err := k.EditComment(t.Context(), k.labelers[0], id, "Second."); err != nil {
		t.Fatal(err)
	}
	if got := k.thread(t, k.reviewer).Comments[0]; !slices.Equal(got.Texts, []string{"First.", "Second."}) || got.EditedAt == nil || got.Editable {
		t.Errorf("after an edit: %+v", got)
	}
	k.exec(t, `UPDATE comments SET at = now() - interval '16 minutes'`)
	var refused *InvalidError
	if _, err := k.EditComment(t.Context(), k.labelers[0], id, "Third."); !errors.As(err, &refused) {
		t.Errorf("changed after 16 minutes: %v", err)
	}
	for range 2 {
		if _, err := k.DeleteComment(t.Context(), k.labelers[0], id); err != nil {
			t.Fatal(err)
		}
	}
	if got := k.thread(t, k.reviewer).Comments; len(got) != 1 || got[0].DeletedAt == nil || len(got[0].Texts) != 0 {
		t.Errorf("after it was taken back: %+v", got)
	}
}

func TestThreadsAreSettledAndOpenedAgain(t *testing.T) {
	t.Parallel()
	k := newTalkers(t)
	if err := k.SettleThread(t.Context(), k.labelers[0], k.item, true); !errors.Is(err, ErrDenied) {
		t.Errorf("a labeler settled it: %v", err)
	}
	k.say(t, k.labelers[0], "What is this?")
	for range 2 {
		if err := k.SettleThread(t.Context(), k.reviewer, k.item, true); err != nil {
			t.Fatal(err)
		}
	}
	if open, err := k.OpenThreads(t.Context(), k.reviewer, k.project.ID, 10); err != nil || len(open) != 0 {
		t.Errorf("open: %v, %v", open, err)
	}
	k.say(t, k.labelers[1], "Still not clear.")
	var kinds []string
	for _, c := range k.thread(t, k.reviewer).Comments {
		kinds = append(kinds, c.Kind)
	}
	if want := []string{"said", "resolved", "reopened", "said"}; !slices.Equal(kinds, want) {
		t.Errorf("the thread holds %v, want %v", kinds, want)
	}
	if open, err := k.OpenThreads(t.Context(), k.reviewer, k.project.ID, 10); err != nil || len(open) != 1 || open[0].Comments != 2 {
		t.Errorf("open: %+v, %v", open, err)
	}
}

// Whoever has an item as a gold one sees what they said and what was said to them, and nothing else.
func TestAThreadKeepsGoldApart(t *testing.T) {
	t.Parallel()
	k := newTalkers(t)
	k.say(t, k.labelers[0], "This one is hard.")
	k.exec(t, `UPDATE tasks SET state = 'adjudicated'`)
	k.exec(t, `UPDATE discussions SET resolved_at = now()`)
	k.exec(t, `INSERT INTO assignments (task_id, project_id, person_id, reason, state, lease_until) VALUES ($1, $2, $3, 'gold', 'leased', now() + interval '1 hour')`,
		k.tasks[0], k.project.ID, k.stranger.PersonID)
	apart := k.thread(t, k.stranger)
	if len(apart.Comments) != 0 || apart.Resolved || len(apart.Boxes) != 0 {
		t.Errorf("a labeler sees of a gold item: %+v", apart)
	}
	for _, who := range k.labelers {
		if p, ok := apart.person(who.PersonID); ok {
			t.Errorf("a labeler sees who had a gold item: %+v", p)
		}
	}
	k.say(t, k.stranger, "Is this glare?")
	k.say(t, k.reviewer, "No.", k.stranger)
	k.say(t, k.reviewer, "The truth has two boxes.")
	if got := k.thread(t, k.stranger).Comments; len(got) != 2 || got[0].Kind != "said" || !got[0].Mine {
		t.Errorf("a labeler sees of a gold item: %+v", got)
	}
	if got := k.told(t, k.stranger); !slices.Equal(got, []NoticeKind{CommentMention}) {
		t.Errorf("was told %v", got)
	}
}
