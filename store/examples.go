package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/crop"
	"fiducial/store/blob"
)

// AddExample puts a crop of an item into the class's draft, which it begins if there is none.
func (s *Store) AddExample(ctx context.Context, actor Actor, class int64, e Example) error {
	if e.Shows != "yes" && e.Shows != "no" {
		return invalid("shows", "Say whether the crop shows the class or something else.")
	}
	if !(e.W > 0 && e.H > 0) || math.IsInf(e.W+e.H+e.X+e.Y, 0) {
		return invalid("box", "The crop needs a width and a height.")
	}
	return s.changeClass(ctx, actor, class, "example.add", func(tx pgx.Tx, c Class) error {
		draft, err := anyDraft(ctx, tx, c)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO definition_examples (definition_id, item_id, shows, x, y, w, h, caption, position)
			SELECT $1, i.id, $3, $4, $5, $6, $7, $8, (SELECT coalesce(max(position) + 1, 0) FROM definition_examples WHERE definition_id = $1)
			FROM items i WHERE i.id = $2 AND i.project_id = $9`,
			draft, e.ItemID, e.Shows, e.X, e.Y, e.W, e.H, e.Caption, c.ProjectID)
		if err != nil {
			return fmt.Errorf("add example: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return invalid("item", "There is no such item in this project.")
		}
		return touchDraft(ctx, tx, draft)
	})
}

// RemoveExample takes a crop out of the class's draft, which it begins if there is none. The example is
// the draft's own, or one of the newest definition that the draft would begin with.
func (s *Store) RemoveExample(ctx context.Context, actor Actor, class, example int64) error {
	return s.changeClass(ctx, actor, class, "example.remove", func(tx pgx.Tx, c Class) error {
		draft, err := anyDraft(ctx, tx, c)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			DELETE FROM definition_examples d USING definition_examples e
			WHERE e.id = $2 AND d.definition_id = $1
			  AND (d.item_id, d.shows, d.x, d.y, d.w, d.h) = (e.item_id, e.shows, e.x, e.y, e.w, e.h)`, draft, example)
		if err != nil {
			return fmt.Errorf("remove example: %w", err)
		}
		return touchDraft(ctx, tx, draft)
	})
}

func anyDraft(ctx context.Context, tx pgx.Tx, c Class) (id int64, err error) {
	if !c.HasDraft {
		return beginDraft(ctx, tx, c.ID)
	}
	err = tx.QueryRow(ctx, `SELECT id FROM definitions WHERE class_id = $1 AND version IS NULL`, c.ID).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("draft of class %d: %w", c.ID, err)
	}
	return id, nil
}

func touchDraft(ctx context.Context, tx pgx.Tx, draft int64) error {
	_, err := tx.Exec(ctx, `UPDATE definitions SET edit_version = edit_version + 1, edited_at = now() WHERE id = $1`, draft)
	if err != nil {
		return fmt.Errorf("touch draft: %w", err)
	}
	return nil
}

// ExampleCandidates returns boxes of the current truth of a class, the newest first, as examples that
// could be added.
func (s *Store) ExampleCandidates(ctx context.Context, actor Actor, class int64, limit int) ([]Example, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT t.id, 0::bigint AS definition_id, t.item_id, 'yes' AS shows, b.x, b.y, b.w, b.h, '' AS caption
		FROM truths t
		JOIN truth_boxes b ON b.truth_id = t.id AND b.class_id = @class
		JOIN items i ON i.id = t.item_id
		JOIN projects p ON p.id = i.project_id
		JOIN classes c ON c.id = @class AND c.project_id = i.project_id
		WHERE t.current AND i.state = 'ready' AND i.recording_id IS NULL AND `+sees+`
		ORDER BY t.id DESC, b.position LIMIT @limit`, actor.args(pgx.NamedArgs{"class": class, "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("example candidates: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Example])
	if err != nil {
		return nil, fmt.Errorf("example candidates: %w", err)
	}
	return list, nil
}

// cropSide is the longer side of a crop's picture, in pixels.
const cropSide = 240

// cropping lets one picture at a time be decoded for a crop: the largest takes hundreds of megabytes.
var cropping = make(chan struct{}, 1)

// ExampleCrop returns the JPEG of an example that the actor may see: one of a published definition, or of
// a draft for whoever edits. The reader must be closed.
func (s *Store) ExampleCrop(ctx context.Context, actor Actor, example int64) (*blob.Object, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT e.id, e.definition_id, e.item_id, e.shows, e.x, e.y, e.w, e.h, e.caption
		FROM definition_examples e
		JOIN definitions d ON d.id = e.definition_id AND (d.version IS NOT NULL OR @edits)
		JOIN classes c ON c.id = d.class_id
		JOIN projects p ON p.id = c.project_id
		WHERE e.id = @id AND `+sees, actor.args(pgx.NamedArgs{"id": example, "edits": access.Allows(actor.Role, access.EditGuideline)}))
	if err != nil {
		return nil, fmt.Errorf("example %d: %w", example, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Example])
	if err != nil {
		return nil, fmt.Errorf("example %d: %w", example, notFound(err))
	}
	return s.itemCrop(ctx, e)
}

// CandidateCrop returns the JPEG of a part of an item of a project that the actor sees, for whoever may
// read its items.
func (s *Store) CandidateCrop(ctx context.Context, actor Actor, item int64, x, y, w, h float64) (*blob.Object, error) {
	if err := s.mayReadItem(ctx, actor, item); err != nil {
		return nil, fmt.Errorf("crop of item %d: %w", item, err)
	}
	return s.itemCrop(ctx, Example{ItemID: item, X: x, Y: y, W: w, H: h})
}

// WindowCrop returns the JPEG of the square of span pixels round a point of an item, for whoever may read it: all of one
// span have one scale. span is one of WindowSides.
func (s *Store) WindowCrop(ctx context.Context, actor Actor, item int64, x, y float64, span int) (*blob.Object, error) {
	if !slices.Contains(windowSides, span) {
		return nil, invalid("span", "There is no picture at this scale.")
	}
	if err := s.mayReadItem(ctx, actor, item); err != nil {
		return nil, fmt.Errorf("crop of item %d: %w", item, err)
	}
	return s.cut(ctx, item, fmt.Sprintf("window-%.0f-%.0f-%d", x, y, span), func(picture io.Reader) ([]byte, error) {
		return crop.Window(picture, math.Round(x), math.Round(y), span, cropSide)
	})
}

// mayReadItem returns ErrNotFound unless the item is of a project that the actor sees, and they may read its items.
func (s *Store) mayReadItem(ctx context.Context, actor Actor, item int64) error {
	if err := actor.may(access.ReadItems); err != nil {
		return err
	}
	var found bool
	err := s.pool.QueryRow(ctx, `SELECT true FROM items i JOIN projects p ON p.id = i.project_id WHERE i.id = @item AND `+sees,
		actor.args(pgx.NamedArgs{"item": item})).Scan(&found)
	return notFound(err)
}

func (s *Store) itemCrop(ctx context.Context, e Example) (*blob.Object, error) {
	return s.cut(ctx, e.ItemID, fmt.Sprintf("crop-%.0f-%.0f-%.0f-%.0f", e.X, e.Y, e.W, e.H), func(picture io.Reader) ([]byte, error) {
		return crop.JPEG(picture, e.X, e.Y, e.W, e.H, cropSide)
	})
}

// cut makes a part of an item's picture when it is first asked for, and keeps it beside the item's other objects, where
// an erasure of the item finds it.
func (s *Store) cut(ctx context.Context, item int64, name string, make func(io.Reader) ([]byte, error)) (*blob.Object, error) {
	key := AssetKey(item, name)
	object, err := s.blobs.Get(ctx, key)
	if !errors.Is(err, blob.ErrNotFound) {
		return object, err
	}
	select {
	case cropping <- struct{}{}:
		defer func() { <-cropping }()
	case <-ctx.Done(): // whoever asked has gone on
		return nil, ctx.Err()
	}
	picture, err := s.shown(ctx, item)
	if err != nil {
		return nil, err
	}
	part, err := make(picture)
	if err = errors.Join(err, picture.Close()); err != nil {
		return nil, fmt.Errorf("crop of item %d: %w", item, err)
	}
	if err := s.keepPart(context.WithoutCancel(ctx), item, key, part); err != nil {
		return nil, fmt.Errorf("crop of item %d: %w", item, err)
	}
	return s.blobs.Get(ctx, key)
}

// keepPart stores a part of an item's picture. An erasure that took the item meanwhile has been through its objects, and knows no name of
// this one: it is deleted again.
func (s *Store) keepPart(ctx context.Context, item int64, key string, part []byte) error {
	_, err := s.blobs.Put(ctx, key, bytes.NewReader(part), int64(len(part)), "image/jpeg")
	if err == nil {
		err = s.standing(ctx, item)
	}
	if err != nil {
		err = errors.Join(err, s.blobs.Delete(ctx, key))
	}
	return err
}

// shown opens the picture that people see of an item: its display rendition, or the original where that
// needs none.
func (s *Store) shown(ctx context.Context, item int64) (*blob.Object, error) {
	object, err := s.blobs.Get(ctx, fmt.Sprintf("items/%d/display", item))
	if errors.Is(err, blob.ErrNotFound) {
		object, err = s.blobs.Get(ctx, fmt.Sprintf("items/%d/original", item))
	}
	if errors.Is(err, blob.ErrNotFound) {
		return nil, fmt.Errorf("picture of item %d: %w", item, ErrNotFound)
	}
	return object, err
}
