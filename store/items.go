package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"fiducial/internal/jobargs"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"golang.org/x/text/unicode/norm"
)

// Box is one box of an answer, a truth or a prediction, in pixels of the upright image with the
// origin at its top-left corner; Rotation is in degrees clockwise about the centre.
type Box struct {
	ClassID           int64    `json:"class"`
	DefinitionVersion *int     `json:"definition,omitempty"` // what the label was made under; set by the store
	X                 float64  `json:"x"`
	Y                 float64  `json:"y"`
	W                 float64  `json:"w"`
	H                 float64  `json:"h"`
	Rotation          float64  `json:"rotation,omitempty"`
	Crowd             bool     `json:"crowd,omitempty"`
	Score             *float64 `json:"score,omitempty"` // predictions only
}

// NewItem is what bringing in one item needs. ExternalKey is the relative path or name under which
// the outside world knows it; importing the same key again finds the same item.
type NewItem struct {
	ExternalKey string
	FileName    string
	Source      int64
	Group       string // "" for none
	CapturedAt  *time.Time
	RetainUntil *time.Time
	Metadata    map[string]string // only what the project allow-lists is kept
	Width       int               // 0 until its media has been looked at
	Height      int
}

// keyHash is what finds an item by its external key without the key's text standing in an index.
func keyHash(secret []byte, externalKey string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(norm.NFC.AppendString(nil, externalKey))
	return mac.Sum(nil)
}

// addItem inserts one item with its texts and its salt, awaiting its media, and returns its id.
func addItem(ctx context.Context, tx pgx.Tx, project Project, secret []byte, n NewItem) (id int64, err error) {
	group, err := groupID(ctx, tx, n.Source, n.Group)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO items (project_id, source_id, group_id, key_hash, state, width, height, captured_at, own_retain_until, retain_until)
		SELECT $1, s.id, $3, $4, 'awaiting_media', nullif($5, 0), nullif($6, 0), $7, $8, item_retain_until($8, $7, now(), s.retention_days)
		FROM sources s WHERE s.id = $2
		FOR SHARE -- a change of the source's policy waits, and then sees this item
		RETURNING id`,
		project.ID, n.Source, group, keyHash(secret, n.ExternalKey), n.Width, n.Height, n.CapturedAt, n.RetainUntil).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add item: %w", notFound(err))
	}
	salt := make([]byte, 32)
	_, _ = rand.Read(salt) // documented never to fail
	metadata, err := json.Marshal(allowed(n.Metadata, project.MetadataKeys))
	if err != nil {
		return 0, fmt.Errorf("add item: metadata: %w", err)
	}
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO item_texts (item_id, external_key, file_name, metadata) VALUES ($1, $2, $3, $4)`,
		id, norm.NFC.String(n.ExternalKey), n.FileName, metadata)
	batch.Queue(`INSERT INTO item_salts (item_id, salt) VALUES ($1, $2)`, id, salt)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return 0, fmt.Errorf("add item: %w", err)
	}
	return id, nil
}

func groupID(ctx context.Context, tx pgx.Tx, source int64, name string) (*int64, error) {
	if name == "" {
		return nil, nil
	}
	var id int64
	err := tx.QueryRow(ctx, `
		INSERT INTO groups (source_id, name) VALUES ($1, $2)
		ON CONFLICT (source_id, name) DO UPDATE SET name = EXCLUDED.name RETURNING id`, source, name).Scan(&id)
	if err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	return &id, nil
}

// allowed keeps of metadata what is on the project's list.
func allowed(metadata map[string]string, keys []string) map[string]string {
	kept := map[string]string{}
	for k, v := range metadata {
		if slices.Contains(keys, k) {
			kept[k] = v
		}
	}
	return kept
}

// renderLater lets everything else go before thousands of renderings.
func renderLater() *river.InsertOpts { return &river.InsertOpts{Priority: 3} }

// enqueueRender asks for an item's renditions to be made from its original.
func (s *Store) enqueueRender(ctx context.Context, tx pgx.Tx, item int64) error {
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.RenderItem{ItemID: item}, renderLater()); err != nil {
		return fmt.Errorf("enqueue rendering of item %d: %w", item, err)
	}
	return nil
}

// insertBoxes writes boxes under owner into table, whose first column is ownerColumn. Each box gets
// the definition version that its class has now, unless it brings one.
func insertBoxes(ctx context.Context, tx pgx.Tx, table, ownerColumn string, owner int64, boxes []Box, definitions map[int64]*int) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{table},
		[]string{ownerColumn, "position", "class_id", "definition_version", "x", "y", "w", "h", "rotation", "crowd"},
		pgx.CopyFromSlice(len(boxes), func(i int) ([]any, error) {
			b := boxes[i]
			version := b.DefinitionVersion
			if version == nil {
				version = definitions[b.ClassID]
			}
			return []any{owner, i, b.ClassID, version, b.X, b.Y, b.W, b.H, b.Rotation, b.Crowd}, nil
		}))
	if err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	return nil
}

// boxesOf reads the boxes of one owner from table in their order.
func boxesOf(ctx context.Context, q querier, table, ownerColumn string, owner int64) ([]Box, error) {
	rows, err := q.Query(ctx, `
		SELECT class_id, definition_version, x, y, w, h, rotation, crowd, NULL::float8 AS score
		FROM `+pgx.Identifier{table}.Sanitize()+` WHERE `+pgx.Identifier{ownerColumn}.Sanitize()+` = $1 ORDER BY position`, owner)
	if err != nil {
		return nil, fmt.Errorf("%s of %d: %w", table, owner, err)
	}
	boxes, err := pgx.CollectRows(rows, pgx.RowToStructByName[Box])
	if err != nil {
		return nil, fmt.Errorf("%s of %d: %w", table, owner, err)
	}
	return boxes, nil
}

// definitionVersions returns the newest published definition version of each class of a project.
func definitionVersions(ctx context.Context, q querier, project int64) (map[int64]*int, error) {
	rows, err := q.Query(ctx, `
		SELECT c.id, max(d.version) FROM classes c LEFT JOIN definitions d ON d.class_id = c.id
		WHERE c.project_id = $1 GROUP BY c.id`, project) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return nil, fmt.Errorf("definitions of project %d: %w", project, err)
	}
	versions := map[int64]*int{}
	var class int64
	var version *int
	_, err = pgx.ForEachRow(rows, []any{&class, &version}, func() error {
		versions[class] = version
		return nil
	})
	return versions, err
}
