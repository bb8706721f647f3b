package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"
)

// importClass is a class that labels may name.
type importClass struct {
	ID      int64
	Retired bool
}

// className is how the name of a class is compared.
func className(name string) string { return strings.ToLower(norm.NFC.String(strings.TrimSpace(name))) }

func importClasses(ctx context.Context, tx pgx.Tx, project int64) (map[string]importClass, error) {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `SELECT name, id, retired_at IS NOT NULL FROM classes WHERE project_id = $1`, project)
	if err != nil {
		return nil, fmt.Errorf("classes: %w", err)
	}
	classes := map[string]importClass{}
	var name string
	var class importClass
	_, err = pgx.ForEachRow(rows, []any{&name, &class.ID, &class.Retired}, func() error {
		classes[className(name)] = class
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("classes: %w", err)
	}
	return classes, nil
}

// class returns the class of this name, added if it is missing and the import may do that; else why the
// labels are refused.
func (b *importBatch) class(ctx context.Context, name string) (id int64, refusal string, err error) {
	class, known := b.classes[className(name)]
	switch {
	case class.Retired:
		return 0, fmt.Sprintf("The class %q is retired.", name), nil
	case known:
		return class.ID, "", nil
	case !b.run.Options.AddClasses:
		return 0, fmt.Sprintf("The defect book has no class %q. Add it, or let the import add classes.", name), nil
	case b.run.Options.DryRun:
		class.ID = -1 - int64(len(b.classes)) // stands for the class that would be added
	default:
		if class.ID, err = b.addClass(ctx, name); err != nil {
			return 0, "", err
		}
	}
	b.classes[className(name)] = class
	b.newClasses = append(b.newClasses, norm.NFC.String(name))
	return class.ID, "", nil
}

// noteClasses keeps the names of the classes that the batch added, or would have.
func (b *importBatch) noteClasses(ctx context.Context) error {
	if len(b.newClasses) == 0 {
		return nil
	}
	_, err := b.tx.Exec(ctx, `
		UPDATE imports SET new_classes = (SELECT array_agg(DISTINCT c ORDER BY c) FROM unnest(new_classes || $2::text[]) c) WHERE id = $1`,
		b.run.ID, b.newClasses)
	if err != nil {
		return fmt.Errorf("note classes: %w", err)
	}
	return nil
}

// addClass adds a class to the defect book.
func (b *importBatch) addClass(ctx context.Context, name string) (id int64, err error) {
	if id, err = addClass(ctx, b.tx, b.run.ProjectID, norm.NFC.String(name), ""); err != nil {
		return 0, err
	}
	return id, audit(ctx, b.tx, System(), auditEvent{
		Action: "class.add", ObjectType: "class", ObjectID: id, ProjectID: b.run.ProjectID, Detail: map[string]any{"import": b.run.ID},
	})
}
