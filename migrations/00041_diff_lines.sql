-- +goose Up
-- A diff and its lines are written in one transaction and deleted together. Looking for the diff of each of hundreds of thousands
-- of lines took longer than sorting them.
ALTER TABLE dataset_diff_lines DROP CONSTRAINT dataset_diff_lines_diff_id_fkey;

-- +goose Down
ALTER TABLE dataset_diff_lines ADD CONSTRAINT dataset_diff_lines_diff_id_fkey FOREIGN KEY (diff_id) REFERENCES dataset_diffs ON DELETE CASCADE;
