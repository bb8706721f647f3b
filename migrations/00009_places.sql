-- +goose Up

-- In the queue's order as one ascending key, a claim can start at its labeler's cursor with a single
-- comparison of rows: (-priority, id) >= (-cursor.priority, cursor.task_id).
DROP INDEX tasks_claimable_idx;
CREATE INDEX tasks_claimable_idx ON tasks (project_id, (-priority), id)
    WHERE state = 'open' AND live + votes < overlap;

-- Negated, the lowest integer has no place in that order.
ALTER TABLE tasks ADD CONSTRAINT tasks_priority CHECK (priority > -2147483648);

-- What a labeler added to the reason of a skip, in their own words.
ALTER TABLE assignments ADD COLUMN skip_note text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE assignments DROP COLUMN skip_note;
ALTER TABLE tasks DROP CONSTRAINT tasks_priority;
DROP INDEX tasks_claimable_idx;
CREATE INDEX tasks_claimable_idx ON tasks (project_id, priority DESC, id)
    WHERE state = 'open' AND live + votes < overlap;
