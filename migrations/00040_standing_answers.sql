-- +goose Up
-- An answer that stands is looked up by task and person at each submit. Before anything is known of the table's size,
-- the planner took annotations_current_key for it and read that index from end to end, in a plan that connections keep.
CREATE INDEX annotations_standing_idx ON annotations (task_id, person_id) WHERE superseded_at IS NULL AND recalled_at IS NULL;

-- +goose Down
DROP INDEX annotations_standing_idx;
