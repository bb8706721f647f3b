-- +goose Up

-- A labeler's answers that were sent back, or replaced by another of theirs, the newest first.
CREATE INDEX annotations_former_idx ON annotations (person_id, id DESC) WHERE superseded_at IS NOT NULL AND NOT gold;

-- +goose Down
DROP INDEX annotations_former_idx;
