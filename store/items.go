package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"

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

// keyHash is what finds an item by its external key without the key's text standing in an index.
func keyHash(secret []byte, externalKey string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(norm.NFC.AppendString(nil, externalKey))
	return mac.Sum(nil)
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
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `
		SELECT c.id, max(d.version) FROM classes c LEFT JOIN definitions d ON d.class_id = c.id
		WHERE c.project_id = $1 GROUP BY c.id`, project)
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
