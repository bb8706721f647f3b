-- +goose Up

-- How many items and tasks of a project are in each state, as changes to add up. Adding a row never
-- waits for another transaction, as raising one counter would, and no page counts a million rows; a
-- job sums the rows up every minute. A project that is not there any more cannot be referred to, so
-- no foreign key is checked for each of them.
CREATE TABLE project_counts (
    project_id bigint NOT NULL,
    counted    text NOT NULL CHECK (counted IN ('items', 'tasks')),
    state      text NOT NULL,
    change     bigint NOT NULL
);
CREATE INDEX project_counts_project_idx ON project_counts (project_id);

-- +goose StatementBegin
CREATE FUNCTION count_states() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO project_counts VALUES (OLD.project_id, TG_TABLE_NAME, OLD.state, -1), (NEW.project_id, TG_TABLE_NAME, NEW.state, 1);
    ELSE
        INSERT INTO project_counts
        SELECT project_id, TG_TABLE_NAME, state, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
        FROM changed GROUP BY project_id, state;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER items_count_insert AFTER INSERT ON items REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_states();
CREATE TRIGGER items_count_delete AFTER DELETE ON items REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_states();
CREATE TRIGGER items_count_update AFTER UPDATE OF state ON items
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION count_states();
CREATE TRIGGER tasks_count_insert AFTER INSERT ON tasks REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_states();
CREATE TRIGGER tasks_count_delete AFTER DELETE ON tasks REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_states();
CREATE TRIGGER tasks_count_update AFTER UPDATE OF state ON tasks
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION count_states();

INSERT INTO project_counts SELECT project_id, 'items', state, count(*) FROM items GROUP BY project_id, state;
INSERT INTO project_counts SELECT project_id, 'tasks', state, count(*) FROM tasks GROUP BY project_id, state;

-- The list of items can be asked for any of these, and is read in the order of the index.
CREATE INDEX tasks_state_idx ON tasks (project_id, state, item_id);
CREATE INDEX items_unready_idx ON items (project_id, state, id) WHERE state <> 'ready';
CREATE INDEX groups_name_idx ON groups (name);
CREATE INDEX truth_boxes_class_idx ON truth_boxes (class_id, truth_id);
-- It stands in the partitions, and is rewritten with them.
CREATE INDEX item_texts_key_idx ON item_texts (external_key COLLATE "C", item_id);

-- Why an item's picture cannot be used, in a sentence for people; nothing of its content.
ALTER TABLE items ADD COLUMN fault text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE items DROP COLUMN fault;
DROP INDEX item_texts_key_idx, truth_boxes_class_idx, groups_name_idx, items_unready_idx, tasks_state_idx;
DROP TRIGGER tasks_count_update ON tasks;
DROP TRIGGER tasks_count_delete ON tasks;
DROP TRIGGER tasks_count_insert ON tasks;
DROP TRIGGER items_count_update ON items;
DROP TRIGGER items_count_delete ON items;
DROP TRIGGER items_count_insert ON items;
DROP FUNCTION count_states;
DROP TABLE project_counts;
