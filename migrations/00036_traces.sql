-- +goose Up

-- What an import says of files of which no item came, or of which one came later: an erasure looks through these by name.
CREATE INDEX import_results_nameless_idx ON import_results (import_id) WHERE item_id IS NULL;

-- +goose Down
DROP INDEX import_results_nameless_idx;
