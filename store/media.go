package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/store/blob"
)

// Asset is one stored picture of an item.
type Asset struct {
	Kind        string // original, display, thumb or window
	ContentType string
	Bytes       int64
	SHA256      []byte
	Width       int
	Height      int
	Facts       json.RawMessage // what a page must know of these bytes
}

// Media is an open picture of an item. It must be closed.
type Media struct {
	ContentType string // as it was found to be, whatever the upload said
	Content     io.ReadSeekCloser
}

// mediaKinds are the pictures that can be asked for.
var mediaKinds = []string{"original", "display", "thumb", "window"}

// maySeeItem is the condition that the actor may see the media of item i of project p: whoever reads
// the project's items may, and whoever was handed its task and has not passed it on.
const maySeeItem = `(@reads OR EXISTS (
	SELECT FROM assignments a JOIN tasks t ON t.id = a.task_id
	WHERE t.item_id = i.id AND a.person_id = @person AND @labels AND a.state IN ('leased', 'expired', 'returned', 'submitted')))`

// OpenMedia opens a picture of an item, if the actor may see it, and records that they did. display is
// the original where that can be shown as it is. The original itself, with all that the camera wrote
// into it, is for those who read items. Everything else is ErrNotFound.
func (s *Store) OpenMedia(ctx context.Context, actor Actor, item int64, kind string) (*Media, error) {
	reads := access.Allows(actor.Role, access.ReadItems)
	labels := access.Allows(actor.Role, access.Label)
	if !slices.Contains(mediaKinds, kind) || (kind == "original" && !reads) {
		return nil, fmt.Errorf("media %s of item %d: %w", kind, item, ErrNotFound)
	}
	var found, contentType string
	err := s.pool.QueryRow(ctx, `
		WITH asked AS (
			SELECT s.kind, s.content_type
			FROM items i JOIN projects p ON p.id = i.project_id AND p.archived_at IS NULL JOIN assets s ON s.item_id = i.id
			WHERE i.id = @item AND (s.kind = @kind OR @kind = 'display' AND s.kind = 'original' AND i.state = 'ready')
			  AND `+sees+` AND `+maySeeItem+`
			ORDER BY s.kind = @kind DESC LIMIT 1
		), logged AS (
			INSERT INTO media_reads (person_id, token_id, item_id, kind) SELECT @person, @token, @item, kind FROM asked
		)
		SELECT kind, content_type FROM asked`,
		actor.args(pgx.NamedArgs{"item": item, "kind": kind, "reads": reads, "labels": labels})).Scan(&found, &contentType)
	if err != nil {
		return nil, fmt.Errorf("media %s of item %d: %w", kind, item, s.ErasedItem(ctx, actor, item, notFound(err)))
	}
	object, err := s.blobs.Get(ctx, AssetKey(item, found))
	if errors.Is(err, blob.ErrNotFound) {
		err = s.lost(ctx, item)
	}
	if err != nil {
		return nil, fmt.Errorf("media %s of item %d: %w", kind, item, err)
	}
	return &Media{ContentType: contentType, Content: object}, nil
}

// standing returns ErrErased for an item that an erasure has taken, or is taking at this moment.
func (s *Store) standing(ctx context.Context, item int64) error {
	var stands bool
	err := s.pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM items WHERE id = $1) AND NOT EXISTS (SELECT FROM erasure_lists WHERE item_id = $1 AND state <> 'waiting')`, item).Scan(&stands)
	if err == nil && !stands {
		err = ErrErased
	}
	return err
}

// lost is what is said of an object of an item that is not there: nothing that nobody erased looks erased.
func (s *Store) lost(ctx context.Context, item int64) error {
	if err := s.standing(ctx, item); err != nil {
		return err
	}
	return ErrLost
}

// AssetKey is the object under which a picture of an item is stored.
func AssetKey(item int64, kind string) string { return fmt.Sprintf("items/%d/%s", item, kind) }

// ItemToRender returns the item's state, or ErrNotFound when it or its original is not there (any more).
func (s *Store) ItemToRender(ctx context.Context, item int64) (state string, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT i.state FROM items i JOIN assets s ON s.item_id = i.id AND s.kind = 'original' WHERE i.id = $1`, item).Scan(&state)
	if err != nil {
		return "", fmt.Errorf("item %d to render: %w", item, notFound(err))
	}
	return state, nil
}

// Rendered is what looking at an item's original came to. Assets are all its pictures, the original among them;
// their bytes are stored already.
type Rendered struct {
	Width, Height int // of the upright image
	Assets        []Asset
}

// SetRendered records an item's pictures and makes it ready: if it waits in the queue, it can be claimed from now on.
// It returns ErrNotFound if the item has been erased meanwhile. Doing it again changes nothing.
func (s *Store) SetRendered(ctx context.Context, item int64, r Rendered) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		task, err := lockTaskOf(ctx, tx, item)
		if err != nil {
			return err
		}
		project, err := settleItem(ctx, tx, item, `state = 'ready', fault = '', width = $2, height = $3`, r.Width, r.Height)
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		kinds := make([]string, len(r.Assets))
		for i, a := range r.Assets {
			kinds[i] = a.Kind
			batch.Queue(`
				INSERT INTO assets AS s (item_id, kind, content_type, bytes, sha256, width, height, facts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
				ON CONFLICT (item_id, kind) DO UPDATE SET content_type = EXCLUDED.content_type, bytes = EXCLUDED.bytes, sha256 = EXCLUDED.sha256,
					width = EXCLUDED.width, height = EXCLUDED.height, facts = s.facts || EXCLUDED.facts`,
				item, a.Kind, a.ContentType, a.Bytes, a.SHA256, a.Width, a.Height, a.Facts)
		}
		batch.Queue(`DELETE FROM assets WHERE item_id = $1 AND kind <> ALL ($2)`, item, kinds)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("assets of item %d: %w", item, err)
		}
		return reopen(ctx, tx, project, task...) // whoever went past it in the queue finds it now
	})
}

// settleItem ends the processing of an item and returns its project.
func settleItem(ctx context.Context, tx pgx.Tx, item int64, set string, args ...any) (project int64, err error) {
	err = tx.QueryRow(ctx, `UPDATE items SET `+set+` WHERE id = $1 RETURNING project_id`, append([]any{item}, args...)...).Scan(&project)
	if err != nil {
		return 0, fmt.Errorf("item %d: %w", item, notFound(err))
	}
	return project, nil
}

// lockTaskOf locks the task of an item, if it has one, as everybody does before they change the item.
func lockTaskOf(ctx context.Context, tx pgx.Tx, item int64) ([]int64, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM tasks WHERE item_id = $1 FOR NO KEY UPDATE`, item)
	if err != nil {
		return nil, fmt.Errorf("task of item %d: %w", item, err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("task of item %d: %w", item, err)
	}
	return tasks, nil
}

// SetBroken records that an item's picture cannot be used, and why, in a sentence for people. The
// import that brought it says so too.
func (s *Store) SetBroken(ctx context.Context, item int64, fault string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := settleItem(ctx, tx, item, `state = 'broken', fault = $2`, fault); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			UPDATE import_results SET outcome = 'refused', reason = $2
			WHERE id = (SELECT max(id) FROM import_results WHERE item_id = $1 AND outcome NOT IN ('refused', 'lost'))`, item, fault)
		if err != nil {
			return fmt.Errorf("result of item %d: %w", item, err)
		}
		return nil
	})
}
