-- +goose Up

-- A list of one project's items must not go through another's, however many of those have the same source,
-- or begin with the same words.
CREATE INDEX items_project_source_idx ON items (project_id, source_id, id);
DROP INDEX items_group_idx;
CREATE INDEX items_group_idx ON items (group_id, id) WHERE group_id IS NOT NULL;

-- The item's project, so that an index can tell them apart.
ALTER TABLE item_texts ADD COLUMN project_id bigint;
UPDATE item_texts x SET project_id = i.project_id FROM items i WHERE i.id = x.item_id;
ALTER TABLE item_texts ALTER COLUMN project_id SET NOT NULL;

-- +goose StatementBegin
CREATE FUNCTION item_texts_of_project() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT i.project_id INTO NEW.project_id FROM items i WHERE i.id = NEW.item_id;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER item_texts_project BEFORE INSERT ON item_texts
    FOR EACH ROW WHEN (NEW.project_id IS NULL) EXECUTE FUNCTION item_texts_of_project();

DROP INDEX item_texts_key_idx;
CREATE INDEX item_texts_key_idx ON item_texts (project_id, external_key COLLATE "C", item_id);

-- +goose Down
DROP INDEX item_texts_key_idx;
CREATE INDEX item_texts_key_idx ON item_texts (external_key COLLATE "C", item_id);
DROP TRIGGER item_texts_project ON item_texts;
DROP FUNCTION item_texts_of_project;
ALTER TABLE item_texts DROP COLUMN project_id;
DROP INDEX items_group_idx;
CREATE INDEX items_group_idx ON items (group_id) WHERE group_id IS NOT NULL;
DROP INDEX items_project_source_idx;
