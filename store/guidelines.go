package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Class is one entry of a project's guideline.
type Class struct {
	ID        int64
	ProjectID int64
	Name      string
	Slot      int    // colour and order, for life
	Key       string // "0" to "9", or ""
	Retired   bool
	Version   *int // of the newest published definition; nil before the first
	HasDraft  bool
}

const classColumns = `c.id, c.project_id, c.name, c.slot, c.key, c.retired_at IS NOT NULL AS retired,
	(SELECT max(d.version) FROM definitions d WHERE d.class_id = c.id) AS version,
	EXISTS (SELECT FROM definitions d WHERE d.class_id = c.id AND d.version IS NULL) AS has_draft`

// Definition is a class's text and examples at one version, or its one draft.
type Definition struct {
	ID          int64
	ClassID     int64
	Version     *int   // nil: the draft
	Body        string // Markdown
	EditVersion int    // raised by every save of the draft
	EditedBy    string
	EditedAt    time.Time
	PublishedAt *time.Time
	Confusions  []int64   // classes that it is easily confused with
	Examples    []Example // what shows it first, then what does not
}

// Example is a crop of an item, in pixels of its upright image, that shows what a class is or is not.
type Example struct {
	ID           int64
	DefinitionID int64
	ItemID       int64
	Shows        string // "yes" or "no"
	X, Y, W, H   float64
	Caption      string
}

// Classes returns the classes of a project that the actor sees, in the order of their slots.
func (s *Store) Classes(ctx context.Context, actor Actor, project int64) ([]Class, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT `+classColumns+`
		FROM classes c JOIN projects p ON p.id = c.project_id
		WHERE c.project_id = @project AND `+sees+` ORDER BY c.slot`, actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("classes of project %d: %w", project, err)
	}
	classes, err := pgx.CollectRows(rows, pgx.RowToStructByName[Class])
	if err != nil {
		return nil, fmt.Errorf("classes of project %d: %w", project, err)
	}
	return classes, nil
}

// Class returns one class, or ErrNotFound if there is none that the actor sees.
func (s *Store) Class(ctx context.Context, actor Actor, id int64) (Class, error) {
	return classByID(ctx, s.pool, actor, id, "")
}

// classByID reads a class; suffix may lock it.
func classByID(ctx context.Context, q querier, actor Actor, id int64, suffix string) (Class, error) {
	rows, err := q.Query(ctx, `
		SELECT `+classColumns+`
		FROM classes c JOIN projects p ON p.id = c.project_id
		WHERE c.id = @id AND `+sees+` `+suffix, actor.args(pgx.NamedArgs{"id": id}))
	if err != nil {
		return Class{}, fmt.Errorf("class %d: %w", id, err)
	}
	class, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Class])
	if err != nil {
		return Class{}, fmt.Errorf("class %d: %w", id, notFound(err))
	}
	return class, nil
}

// PublishedDefinitions returns the newest published definition of each class of a project that the
// actor sees, by class.
func (s *Store) PublishedDefinitions(ctx context.Context, actor Actor, project int64) (map[int64]Definition, error) {
	list, err := s.definitions(ctx, actor, `
		c.project_id = @project AND d.version = (SELECT max(n.version) FROM definitions n WHERE n.class_id = d.class_id)`,
		pgx.NamedArgs{"project": project})
	if err != nil {
		return nil, err
	}
	byClass := make(map[int64]Definition, len(list))
	for _, d := range list {
		byClass[d.ClassID] = d
	}
	return byClass, nil
}

// Definitions returns every published definition of a class, the newest first, and the draft before
// them if there is one and the actor may edit it.
func (s *Store) Definitions(ctx context.Context, actor Actor, class int64) ([]Definition, error) {
	return s.definitions(ctx, actor, `c.id = @class AND (d.version IS NOT NULL OR @edits)`,
		pgx.NamedArgs{"class": class, "edits": access.Allows(actor.Role, access.EditGuideline)})
}

func (s *Store) definitions(ctx context.Context, actor Actor, where string, args pgx.NamedArgs) ([]Definition, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT d.id, d.class_id, d.version, d.body, d.edit_version, coalesce(i.name, e.pseudonym, '') AS edited_by, d.edited_at, d.published_at,
		       ARRAY(SELECT f.class_id FROM definition_confusions f WHERE f.definition_id = d.id ORDER BY f.class_id) AS confusions
		FROM definitions d
		JOIN classes c ON c.id = d.class_id
		JOIN projects p ON p.id = c.project_id
		LEFT JOIN people e ON e.id = d.edited_by
		LEFT JOIN person_identities i ON i.person_id = d.edited_by
		WHERE `+where+` AND `+sees+`
		ORDER BY d.class_id, d.version DESC NULLS FIRST`, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[Definition])
	if err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	return list, s.attachExamples(ctx, list)
}

func (s *Store) attachExamples(ctx context.Context, list []Definition) error {
	place := make(map[int64]int, len(list))
	ids := make([]int64, len(list))
	for i, d := range list {
		place[d.ID], ids[i] = i, d.ID
	}
	rows, err := s.pool.Query(ctx, `
		SELECT id, definition_id, item_id, shows, x, y, w, h, caption FROM definition_examples
		WHERE definition_id = ANY($1) ORDER BY definition_id, shows DESC, position`, ids)
	if err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	examples, err := pgx.CollectRows(rows, pgx.RowToStructByName[Example])
	if err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	for _, e := range examples {
		d := &list[place[e.DefinitionID]]
		d.Examples = append(d.Examples, e)
	}
	return nil
}

// AddClass makes a class in the first free slot. key is "0" to "9" and must be free; "" takes the first that is, or
// none where all are taken.
func (s *Store) AddClass(ctx context.Context, actor Actor, project int64, name, key string) (id int64, err error) {
	if err := actor.may(access.EditGuideline); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, project); err != nil {
			return err
		}
		id, err = addClass(ctx, tx, project, name, key)
		if err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "class.add", ObjectType: "class", ObjectID: id, ProjectID: project})
	})
	return id, err
}

// freeKey is the first digit that no class of project $1 has, or nothing.
const freeKey = `coalesce((SELECT digit FROM unnest(string_to_array('1234567890', NULL)) WITH ORDINALITY AS d (digit, position)
	WHERE NOT EXISTS (SELECT FROM classes k WHERE k.project_id = $1 AND k.key = digit AND k.retired_at IS NULL) ORDER BY position LIMIT 1), '')`

// addClass holds the project's row, so that two classes never take one slot or one key. Rows that refer to the
// project do not wait for it.
func addClass(ctx context.Context, tx pgx.Tx, project int64, name, key string) (id int64, err error) {
	if name = strings.TrimSpace(name); name == "" {
		return 0, invalid("name", "Give the class a name.")
	}
	if _, err := tx.Exec(ctx, `SELECT FROM projects WHERE id = $1 FOR NO KEY UPDATE`, project); err != nil {
		return 0, fmt.Errorf("add class: %w", err)
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO classes (project_id, name, key, slot)
		SELECT $1, $2, coalesce(nullif($3, ''), `+freeKey+`), coalesce(max(slot) + 1, 0) FROM classes WHERE project_id = $1
		RETURNING id`, project, name, key).Scan(&id)
	return id, classError(err)
}

// classError says which of a class's rules was broken.
func classError(err error) error {
	switch {
	case violates(err, "classes_name_key"):
		return invalid("name", "There is a class of this name already.")
	case violates(err, "classes_key_key"):
		return invalid("key", "Another class has this key. Choose a free one, or none.")
	case violates(err, "classes_key_check"):
		return invalid("key", "A key is one digit.")
	case err != nil:
		return fmt.Errorf("class: %w", err)
	}
	return nil
}

// ClassEdit is what of a class can change; its slot, and so its colour, never does.
type ClassEdit struct {
	Name, Key string
	Retired   bool
}

// EditClass changes a class. A retired class takes no new labels; those that it has stay.
func (s *Store) EditClass(ctx context.Context, actor Actor, id int64, edit ClassEdit) error {
	if edit.Name = strings.TrimSpace(edit.Name); edit.Name == "" {
		return invalid("name", "Give the class a name.")
	}
	return s.changeClass(ctx, actor, id, "class.edit", func(tx pgx.Tx, _ Class) error {
		_, err := tx.Exec(ctx, `
			UPDATE classes SET name = $2, key = $3, retired_at = CASE WHEN $4 THEN coalesce(retired_at, now()) END WHERE id = $1`,
			id, edit.Name, edit.Key, edit.Retired)
		return classError(err)
	})
}

// changeClass runs change on a class that the actor sees and may edit, locked, and audits it as action.
func (s *Store) changeClass(ctx context.Context, actor Actor, id int64, action string, change func(pgx.Tx, Class) error) error {
	if err := actor.may(access.EditGuideline); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		class, err := classByID(ctx, tx, actor, id, "FOR UPDATE OF c")
		if err != nil {
			return err
		}
		if err := change(tx, class); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: action, ObjectType: "class", ObjectID: id, ProjectID: class.ProjectID})
	})
}

// SaveDefinition writes the text and the confusable classes of a class's draft, which begins as a copy of the
// newest definition. editVersion is the draft's that was read, 0 if there was none; ErrConflict if it has moved on.
func (s *Store) SaveDefinition(ctx context.Context, actor Actor, class int64, editVersion int, body string, confusions []int64) error {
	return s.changeClass(ctx, actor, class, "definition.draft", func(tx pgx.Tx, c Class) error {
		draft, err := draftAt(ctx, tx, c, editVersion)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE definitions SET body = $2, edited_by = $3, edited_at = now(), edit_version = edit_version + 1 WHERE id = $1`,
			draft, body, orNull(actor.PersonID))
		if err != nil {
			return fmt.Errorf("save draft: %w", err)
		}
		return setConfusions(ctx, tx, c, draft, confusions)
	})
}

func setConfusions(ctx context.Context, tx pgx.Tx, c Class, draft int64, classes []int64) error {
	classes = slices.DeleteFunc(slices.Clone(classes), func(id int64) bool { return id == c.ID })
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM definition_confusions WHERE definition_id = $1`, draft)
	batch.Queue(`
		INSERT INTO definition_confusions (definition_id, class_id)
		SELECT $1, id FROM classes WHERE project_id = $2 AND id = ANY($3)`, draft, c.ProjectID, classes)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("confusable classes: %w", err)
	}
	return nil
}

// draftAt returns the id of the class's draft as read at editVersion, making it if there was none.
func draftAt(ctx context.Context, tx pgx.Tx, c Class, editVersion int) (id int64, err error) {
	if !c.HasDraft && editVersion == 0 {
		return beginDraft(ctx, tx, c.ID)
	}
	err = tx.QueryRow(ctx, `SELECT id FROM definitions WHERE class_id = $1 AND version IS NULL AND edit_version = $2`, c.ID, editVersion).Scan(&id)
	if err = notFound(err); err != nil {
		return 0, fmt.Errorf("draft of class %d at %d: %w", c.ID, editVersion, ErrConflict)
	}
	return id, nil
}

// beginDraft copies the newest definition, with its examples and confusable classes, into a new draft.
func beginDraft(ctx context.Context, tx pgx.Tx, class int64) (id int64, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO definitions (class_id, body)
		VALUES ($1, coalesce((SELECT body FROM definitions WHERE class_id = $1 ORDER BY version DESC LIMIT 1), ''))
		RETURNING id`, class).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("begin draft: %w", err)
	}
	const newest = `(SELECT d.id FROM definitions d WHERE d.class_id = $2 AND d.version IS NOT NULL ORDER BY d.version DESC LIMIT 1)`
	batch := &pgx.Batch{}
	batch.Queue(`
		INSERT INTO definition_examples (definition_id, item_id, shows, x, y, w, h, caption, position)
		SELECT $1, item_id, shows, x, y, w, h, caption, position FROM definition_examples WHERE definition_id = `+newest, id, class)
	batch.Queue(`
		INSERT INTO definition_confusions (definition_id, class_id)
		SELECT $1, class_id FROM definition_confusions WHERE definition_id = `+newest, id, class)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return 0, fmt.Errorf("begin draft: %w", err)
	}
	return id, nil
}

// PublishDefinition makes the class's draft, as read at editVersion, its next definition and returns the version.
func (s *Store) PublishDefinition(ctx context.Context, actor Actor, class int64, editVersion int) (version int, err error) {
	version, _, err = s.PublishAndSendBack(ctx, actor, class, editVersion, SendBack{})
	return version, err
}

// publishDraft makes the class's draft, as read at editVersion, its next definition.
func publishDraft(ctx context.Context, tx pgx.Tx, c Class, editVersion int) (version int, err error) {
	var body string
	err = tx.QueryRow(ctx, `
		UPDATE definitions SET published_at = now(),
			version = (SELECT coalesce(max(n.version), 0) + 1 FROM definitions n WHERE n.class_id = $1)
		WHERE class_id = $1 AND version IS NULL AND edit_version = $2
		RETURNING version, body`, c.ID, editVersion).Scan(&version, &body)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, fmt.Errorf("publish class %d at %d: %w", c.ID, editVersion, ErrConflict)
	case err == nil && strings.TrimSpace(body) == "":
		return 0, invalid("body", "Write down what belongs to the class before publishing it.")
	case err == nil:
		if _, err = tx.Exec(ctx, `UPDATE projects SET guideline_version = guideline_version + 1 WHERE id = $1`, c.ProjectID); err == nil {
			err = notePairs(ctx, tx, c.ID, version)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	return version, nil
}

// DiscardDefinition throws a class's draft away; what is published stays.
func (s *Store) DiscardDefinition(ctx context.Context, actor Actor, class int64) error {
	return s.changeClass(ctx, actor, class, "definition.discard", func(tx pgx.Tx, _ Class) error {
		if _, err := tx.Exec(ctx, `DELETE FROM definitions WHERE class_id = $1 AND version IS NULL`, class); err != nil {
			return fmt.Errorf("discard draft: %w", err)
		}
		return nil
	})
}
