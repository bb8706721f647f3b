-- +goose Up

-- active_at is when bytes last arrived: an upload that stood still for a day is swept. expected is
-- how many records a running import has found so far; 0 while that is not known.
ALTER TABLE imports
    ADD COLUMN active_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN expected  integer NOT NULL DEFAULT 0;

CREATE INDEX imports_open_idx ON imports (state, active_at) WHERE state IN ('uploading', 'queued', 'running');
CREATE INDEX import_results_item_idx ON import_results (item_id) WHERE item_id IS NOT NULL;

-- Ids under which an import stores originals before their items exist. A row goes in the transaction
-- that makes its item; what a crash leaves is deleted together with its objects.
CREATE TABLE import_reservations (
    item_id   bigint PRIMARY KEY,
    import_id bigint NOT NULL REFERENCES imports
);
CREATE INDEX import_reservations_import_idx ON import_reservations (import_id);

CREATE INDEX assets_original_sha256_idx ON assets (sha256) WHERE kind = 'original';

-- +goose Down
DROP INDEX assets_original_sha256_idx, import_results_item_idx, imports_open_idx;
DROP TABLE import_reservations;
ALTER TABLE imports DROP COLUMN active_at, DROP COLUMN expected;
