-- +goose Up

-- A person's answers, the newest first: the last one can be recalled.
CREATE INDEX annotations_person_idx ON annotations (person_id, id DESC);

-- +goose Down
DROP INDEX annotations_person_idx;
