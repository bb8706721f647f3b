package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// PersonalSpan is a stretch of a truth's transcript that is personal: runes of a segment's text, and the seconds of the utterance in
// which they are said.
type PersonalSpan struct {
	Segment int     `json:"segment"`
	First   int     `json:"first"`
	Last    int     `json:"last"`
	Begins  float64 `json:"begins"`
	Ends    float64 `json:"ends"`
	Kind    string  `json:"kind"`
	Open    bool    `json:"open"` // nobody has decided it yet
}

// personalSpans are those of the truth t that nobody has dismissed, as JSON.
const personalSpans = `(
	SELECT jsonb_agg(jsonb_build_object('segment', f.segment, 'first', f.first, 'last', f.last, 'begins', coalesce(f.begins, 0), 'ends', coalesce(f.ends, 0),
		'kind', f.kind, 'open', f.state = 'found') ORDER BY f.segment, f.first, f.last DESC, f.kind)
	FROM personal_findings f WHERE f.truth_id = t.id AND f.state <> 'dismissed')`

// ExportSecrets are the secrets of the projects of a version, by short name, under which an archive writes the same token for the same
// personal data. They are for jobs, and never leave them.
func (s *Store) ExportSecrets(ctx context.Context, version DatasetVersion) (map[string][]byte, error) {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT p.slug, p.key_secret FROM dataset_version_projects vp JOIN projects p ON p.id = vp.project_id WHERE vp.version_id = $1`, version.ID)
	if err != nil {
		return nil, fmt.Errorf("secrets of version %d: %w", version.ID, err)
	}
	secrets := map[string][]byte{}
	var slug string
	var secret []byte
	_, err = pgx.ForEachRow(rows, []any{&slug, &secret}, func() error {
		secrets[slug] = bytes.Clone(secret)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("secrets of version %d: %w", version.ID, err)
	}
	return secrets, nil
}
