package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/agreement"
	"fiducial/internal/speech"
)

// Pair is two classes that are confused, with each other's figures.
type Pair struct {
	agreement.ConfusedPair

	// Before are the figures when the definition of one of the two was last published; nil if it never was since
	// answers were compared. Class and Version say which.
	Before  *agreement.ConfusedPair
	Class   int64
	Version int
	Since   time.Time
}

// Pairs returns the confused pairs of classes of a project, the most confused first, and when they were computed: nil
// if nothing was compared yet.
func (s *Store) Pairs(ctx context.Context, actor Actor, project int64) (pairs []Pair, computed *time.Time, err error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, nil, err
	}
	var confused []agreement.ConfusedPair
	err = s.pool.QueryRow(ctx, `
		SELECT coalesce(nullif(a.summary->'confused', 'null'), '[]'), a.computed_at FROM project_agreements a JOIN projects p ON p.id = a.project_id
		WHERE p.id = @project AND a.round_id IS NULL AND a.batch_id IS NULL AND `+sees, actor.args(pgx.NamedArgs{"project": project})).Scan(&confused, &computed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("pairs: %w", err)
	}
	former, err := s.formerPairs(ctx, project)
	if err != nil {
		return nil, nil, fmt.Errorf("pairs: %w", err)
	}
	for _, c := range confused {
		pair := Pair{ConfusedPair: c}
		if before, ok := former[[2]int64{c.A, c.B}]; ok {
			pair.Before = before.Before
			pair.Class, pair.Version, pair.Since = before.Class, before.Version, before.Since
		}
		pairs = append(pairs, pair)
	}
	return pairs, computed, nil
}

// Pair returns two classes of a project with their figures, also where they are never confused; the one with the lower
// id is A.
func (s *Store) Pair(ctx context.Context, actor Actor, project, a, b int64) (Pair, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return Pair{}, err
	}
	var summary agreement.Summary
	err := s.pool.QueryRow(ctx, `
		SELECT a.summary FROM project_agreements a JOIN projects p ON p.id = a.project_id
		WHERE p.id = @project AND a.round_id IS NULL AND a.batch_id IS NULL AND `+sees, actor.args(pgx.NamedArgs{"project": project})).Scan(&summary)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Pair{}, fmt.Errorf("pair: %w", err)
	}
	former, err := s.formerPairs(ctx, project)
	if err != nil {
		return Pair{}, fmt.Errorf("pair: %w", err)
	}
	pair := former[[2]int64{min(a, b), max(a, b)}]
	pair.ConfusedPair = summary.Pair(a, b)
	return pair, nil
}

// formerPairs returns for each pair the figures that the last definition of one of the two was published with.
func (s *Store) formerPairs(ctx context.Context, project int64) (map[[2]int64]Pair, error) {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT d.class_id, d.version, d.published_at, d.confused FROM definitions d JOIN classes c ON c.id = d.class_id
		WHERE c.project_id = $1 AND d.version IS NOT NULL AND d.version = (SELECT max(n.version) FROM definitions n WHERE n.class_id = d.class_id)
		ORDER BY d.published_at, d.id`, project)
	if err != nil {
		return nil, err
	}
	former := map[[2]int64]Pair{}
	var class int64
	var version int
	var at time.Time
	var confused []agreement.ConfusedPair
	_, err = pgx.ForEachRow(rows, []any{&class, &version, &at, &confused}, func() error {
		for _, c := range confused {
			former[[2]int64{c.A, c.B}] = Pair{Before: new(c), Class: class, Version: version, Since: at}
		}
		confused = nil
		return nil
	})
	return former, err
}

// notePairs keeps with a definition that is being published how much its class is confused at present.
func notePairs(ctx context.Context, tx pgx.Tx, class int64, version int) error {
	_, err := tx.Exec(ctx, `
		UPDATE definitions d SET confused = coalesce((
			SELECT jsonb_agg(pair) FROM classes c JOIN project_agreements a ON a.project_id = c.project_id AND a.round_id IS NULL AND a.batch_id IS NULL
			CROSS JOIN LATERAL jsonb_array_elements(coalesce(nullif(a.summary->'confused', 'null'), '[]')) pair
			WHERE c.id = d.class_id AND to_jsonb(d.class_id) IN (pair->'a', pair->'b')), '[]')
		WHERE d.class_id = $1 AND d.version = $2`, class, version)
	if err != nil {
		return fmt.Errorf("note pairs: %w", err)
	}
	return nil
}

// Confusion is an object that was given both classes of a pair. X to H are its proposed box, in pixels of the upright
// image.
type Confusion struct {
	ID         int64
	Item       int64
	Name       string
	Width      int
	Height     int
	Decided    bool
	X, Y, W, H float64
	// AnswersA and AnswersB say which answers called it the class with the lower id, and which the other, by their
	// place among the item's current answers, from 0.
	AnswersA, AnswersB []int32
	TruthClass         int64             // 0: the truth has neither here
	Words              speech.Transcript // of sound: what the truth says, or else the first answer
}

// someWords are the words of item i: of its truth, or else of its first answer that counts.
const someWords = `coalesce(
	(SELECT w.segments FROM truths u JOIN transcripts w ON w.item_id = u.item_id AND w.kind = 'truth' AND w.of_id = u.id WHERE u.item_id = i.id AND u.current),
	(SELECT w.segments FROM annotations an JOIN transcripts w ON w.item_id = an.item_id AND w.kind = 'annotation' AND w.of_id = an.id
	 WHERE an.item_id = i.id AND ` + counts + ` ORDER BY an.id LIMIT 1))`

// Confusions lists the objects that were given both classes, the newest first; before is the id of the last one that
// was seen, 0 for the start.
func (s *Store) Confusions(ctx context.Context, actor Actor, project, a, b, before int64, limit int) ([]Confusion, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	const places = `coalesce((SELECT array_agg(n.place - 1 ORDER BY n.place) FROM (
		SELECT an.id, (row_number() OVER (ORDER BY an.id))::int AS place FROM annotations an WHERE an.item_id = f.item_id AND ` + counts + `) n
		WHERE n.id = ANY(%s)), '{}')`
	rows, err := s.pool.Query(ctx, `
		SELECT f.id, f.item_id AS item, `+itemName+` AS name, coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height, f.decided,
			f.x, f.y, f.w, f.h, `+fmt.Sprintf(places, "f.annotations_a")+` AS answers_a, `+fmt.Sprintf(places, "f.annotations_b")+` AS answers_b,
			coalesce(f.truth_class, 0) AS truth_class, `+someWords+` AS words
		FROM confusions f JOIN items i ON i.id = f.item_id JOIN projects p ON p.id = f.project_id LEFT JOIN item_texts x ON x.item_id = i.id
		WHERE f.project_id = @project AND f.class_a = @a AND f.class_b = @b AND (@before::bigint = 0 OR f.id < @before) AND i.state = 'ready' AND `+sees+`
		ORDER BY f.id DESC LIMIT @limit`,
		actor.args(pgx.NamedArgs{"project": project, "a": min(a, b), "b": max(a, b), "before": before, "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("confusions: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Confusion])
	if err != nil {
		return nil, fmt.Errorf("confusions: %w", err)
	}
	return list, nil
}

// ClassBox is one label of a class. Owner is the truth or the answer that it stands in.
type ClassBox struct {
	Owner      int64
	Position   int
	Item       int64
	Width      int
	Height     int
	X, Y, W, H float64
	Version    int // of the definition that it was made under, 0 for none
	Decided    bool
	Words      speech.Transcript // of sound: what the truth says, or else the first answer
}

// ClassBoxFilter selects labels of a class, the newest first.
type ClassBoxFilter struct {
	Class   int64
	Answers bool // of answers that count, instead of the truth
	Below   int  // made under versions below this one; 0 for all
	// After is the last label that was seen, as its owner and position; 0, 0 for the start.
	Owner    int64
	Position int
	Limit    int
}

// ClassBoxes lists labels of a class of a project that the actor sees.
func (s *Store) ClassBoxes(ctx context.Context, actor Actor, f ClassBoxFilter) ([]ClassBox, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	owner := `truths o ON o.id = b.truth_id AND o.current`
	boxes, key, decided := `truth_boxes`, `b.truth_id`, `true`
	if f.Answers {
		owner = `annotations o ON o.id = b.annotation_id AND o.superseded_at IS NULL AND o.recalled_at IS NULL
			AND (SELECT t.state <> 'discarded' FROM tasks t WHERE t.id = o.task_id) AND (SELECT a.reason <> 'gold' FROM assignments a WHERE a.id = o.assignment_id)`
		boxes, key, decided = `annotation_boxes`, `b.annotation_id`, `(SELECT t.state = 'adjudicated' FROM tasks t WHERE t.id = o.task_id)`
	}
	after := ``
	if f.Owner != 0 {
		after = ` AND (` + key + `, b.position) < (@owner, @position)`
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+key+` AS owner, b.position, o.item_id AS item, coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height,
			b.x, b.y, b.w, b.h, coalesce(b.definition_version, 0) AS version, `+decided+` AS decided, `+someWords+` AS words
		FROM `+boxes+` b JOIN `+owner+` JOIN items i ON i.id = o.item_id AND i.state = 'ready' JOIN projects p ON p.id = i.project_id
		WHERE b.class_id = @class AND (@below = 0 OR coalesce(b.definition_version, 0) < @below) AND `+sees+after+`
		ORDER BY `+key+` DESC, b.position DESC LIMIT @limit`,
		actor.args(pgx.NamedArgs{"class": f.Class, "below": f.Below, "owner": f.Owner, "position": f.Position, "limit": f.Limit}))
	if err != nil {
		return nil, fmt.Errorf("labels of class %d: %w", f.Class, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[ClassBox])
	if err != nil {
		return nil, fmt.Errorf("labels of class %d: %w", f.Class, err)
	}
	return list, nil
}

// SetConfusable says in the class's draft, which it begins if there is none, whether it is easily confused with
// another class of its project.
func (s *Store) SetConfusable(ctx context.Context, actor Actor, class, other int64, confusable bool) error {
	return s.changeClass(ctx, actor, class, "definition.confusable", func(tx pgx.Tx, c Class) error {
		draft, err := anyDraft(ctx, tx, c)
		if err != nil {
			return err
		}
		change := `DELETE FROM definition_confusions f USING classes c WHERE f.definition_id = $1 AND f.class_id = c.id AND c.id = $2 AND c.project_id = $3`
		if confusable {
			change = `INSERT INTO definition_confusions (definition_id, class_id) SELECT $1, id FROM classes WHERE id = $2 AND project_id = $3 ON CONFLICT DO NOTHING`
		}
		if _, err := tx.Exec(ctx, change, draft, other, c.ProjectID); err != nil {
			return fmt.Errorf("confusable classes: %w", err)
		}
		return touchDraft(ctx, tx, draft)
	})
}

// windowSides are the sides of the parts of pictures that can be compared at one scale, in pixels of the picture.
var windowSides = []int{48, 72, 96, 128, 192, 256, 384, 512, 768, 1024, 2048}

// WindowSides lists them, the smallest first.
func WindowSides() []int { return slices.Clone(windowSides) }

// ConfusedWith is a class that another one is confused with, on so many objects.
type ConfusedWith struct {
	Class   int64
	Objects int
}

// ConfusedWith lists the classes that a class is confused with, the most confused first.
func (s *Store) ConfusedWith(ctx context.Context, actor Actor, class int64) ([]ConfusedWith, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT f.class, count(*)::int AS objects FROM classes c JOIN projects p ON p.id = c.project_id CROSS JOIN LATERAL (
			SELECT class_b AS class FROM confusions WHERE project_id = p.id AND class_a = c.id
			UNION ALL SELECT class_a FROM confusions WHERE project_id = p.id AND class_b = c.id) f
		WHERE c.id = @class AND `+sees+` GROUP BY f.class ORDER BY objects DESC, f.class`, actor.args(pgx.NamedArgs{"class": class}))
	if err != nil {
		return nil, fmt.Errorf("confused with class %d: %w", class, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[ConfusedWith])
	if err != nil {
		return nil, fmt.Errorf("confused with class %d: %w", class, err)
	}
	return list, nil
}
