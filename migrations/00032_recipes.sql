-- +goose Up

-- Where a version comes from, and which labels it saw.
ALTER TABLE dataset_versions
    ADD COLUMN parent_id      bigint REFERENCES dataset_versions, -- the one before it in its dataset
    ADD COLUMN rebuild_of     bigint REFERENCES dataset_versions, -- whose recipe it takes again, to replace what was lost
    ADD COLUMN labels_at      timestamptz, -- when its snapshot was taken; NULL: before snapshots were recorded
    ADD COLUMN label_snapshot text,        -- Postgres' own name of the snapshot: which transactions it saw
    ADD COLUMN last_truth_id  bigint;      -- the newest truth of its projects in the snapshot

-- The guideline of each project as it stood in the snapshot.
CREATE TABLE dataset_version_guidelines (
    version_id        bigint NOT NULL REFERENCES dataset_versions,
    project_id        bigint NOT NULL REFERENCES projects,
    guideline_version integer NOT NULL,
    PRIMARY KEY (version_id, project_id)
);

-- The cells of a version's balance, by split. A column is NULL where the recipe does not balance by it; a version whose
-- recipe names no strata has the one stratum 0. class '' is that of items without any box.
CREATE TABLE dataset_version_strata (
    version_id bigint NOT NULL REFERENCES dataset_versions,
    split      text NOT NULL CHECK (split IN ('training', 'validation', 'test')),
    stratum    integer NOT NULL, -- dataset_lines.stratum; the same cell has the same number in every split of a version
    class      text,
    source_id  bigint REFERENCES sources,
    project_id bigint REFERENCES projects,
    wanted     integer CHECK (wanted > 0), -- NULL: all that there are
    items      integer NOT NULL, -- frozen
    pool       integer NOT NULL, -- that the recipe lets in on this side; what is not frozen waits as the reserve
    refused    integer NOT NULL DEFAULT 0, -- kept out of this side because they are kept for a time only
    PRIMARY KEY (version_id, split, stratum)
);
CREATE INDEX dataset_version_strata_source_idx ON dataset_version_strata (source_id) WHERE source_id IS NOT NULL;

CREATE TRIGGER dataset_version_guidelines_frozen BEFORE UPDATE OR DELETE ON dataset_version_guidelines
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen();
CREATE TRIGGER dataset_version_strata_frozen BEFORE UPDATE OR DELETE ON dataset_version_strata
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen();

ALTER TABLE dataset_lines ADD COLUMN stratum integer; -- NULL: erased, or frozen before strata were recorded

-- Foreign keys look at each of a million lines one by one when they are written, which takes longer than all the rest of a
-- freeze. What they promise is kept from the other side instead: an item or a truth goes only once no line names it.
ALTER TABLE dataset_lines
    DROP CONSTRAINT dataset_lines_version_id_fkey,
    DROP CONSTRAINT dataset_lines_item_id_fkey,
    DROP CONSTRAINT dataset_lines_truth_id_fkey;
DROP INDEX dataset_lines_truth_idx; -- lines of a truth are found by its item

-- Both wait for the freezes under way, each of which holds a lock on dataset_version_strata from before its snapshot on:
-- otherwise one could yet freeze what is deleted here.
-- +goose StatementBegin
CREATE FUNCTION refuse_loss_of_frozen_items() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE dataset_version_strata IN SHARE MODE;
    IF EXISTS (SELECT FROM gone g JOIN dataset_lines l ON l.item_id = g.id) THEN
        RAISE EXCEPTION 'delete of items refused: a line of a dataset version names one'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'dataset_lines_item_id_fkey';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION refuse_loss_of_frozen_truths() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE dataset_version_strata IN SHARE MODE;
    IF EXISTS (SELECT FROM gone g JOIN dataset_lines l ON l.item_id = g.item_id AND l.truth_id = g.id) THEN
        RAISE EXCEPTION 'delete of truths refused: a line of a dataset version names one'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'dataset_lines_truth_id_fkey';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER items_frozen AFTER DELETE ON items
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION refuse_loss_of_frozen_items();
CREATE TRIGGER truths_frozen AFTER DELETE ON truths
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION refuse_loss_of_frozen_truths();

-- +goose Down
DROP TRIGGER truths_frozen ON truths;
DROP TRIGGER items_frozen ON items;
DROP FUNCTION refuse_loss_of_frozen_truths, refuse_loss_of_frozen_items;
CREATE INDEX dataset_lines_truth_idx ON dataset_lines (truth_id) WHERE truth_id IS NOT NULL;
ALTER TABLE dataset_lines
    DROP COLUMN stratum,
    ADD FOREIGN KEY (version_id) REFERENCES dataset_versions,
    ADD FOREIGN KEY (item_id) REFERENCES items,
    ADD FOREIGN KEY (truth_id) REFERENCES truths;
DROP TABLE dataset_version_strata, dataset_version_guidelines;
ALTER TABLE dataset_versions
    DROP COLUMN parent_id, DROP COLUMN rebuild_of, DROP COLUMN labels_at, DROP COLUMN label_snapshot, DROP COLUMN last_truth_id;
