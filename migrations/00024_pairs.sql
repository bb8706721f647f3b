-- +goose Up

-- How much the class was confused with others when this definition was published, as internal/agreement's
-- ConfusedPair: what a sharper definition is measured against.
ALTER TABLE definitions ADD COLUMN confused jsonb NOT NULL DEFAULT '[]';

-- +goose Down
ALTER TABLE definitions DROP COLUMN confused;
