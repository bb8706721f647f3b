-- +goose Up

-- A reviewer may decide on what the answers make together. origins says where the boxes of an approved, amended or merged
-- decision came from: how many were merged, taken from which answer, or the reviewer's own. Ids and counts, nothing else.
ALTER TABLE reviews
    ADD COLUMN origins jsonb,
    DROP CONSTRAINT reviews_decision_check,
    ADD CONSTRAINT reviews_decision_check CHECK (decision IN ('approved', 'amended', 'merged', 'rejected', 'discarded', 'undone', 'accepted'));

-- +goose Down
ALTER TABLE reviews
    DROP CONSTRAINT reviews_decision_check,
    ADD CONSTRAINT reviews_decision_check CHECK (decision IN ('approved', 'amended', 'rejected', 'discarded', 'undone', 'accepted')),
    DROP COLUMN origins;
