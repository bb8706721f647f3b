-- +goose Up

-- The workflow of a model server in a cluster, '' of a program: noted before it is submitted, so that it is found and ended also when the process that
-- submits it is killed.
ALTER TABLE model_launches ADD COLUMN workflow text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE model_launches DROP COLUMN workflow;
