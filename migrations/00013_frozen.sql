-- +goose Up

-- What a line was frozen with, apart from its truth: media that arrives later, or is replaced, must not change what the
-- version says of itself.
ALTER TABLE dataset_lines
    ADD COLUMN media  bytea CHECK (length(media) = 32), -- SHA-256 of the original; NULL where there was none
    ADD COLUMN width  integer,
    ADD COLUMN height integer,
    ADD CONSTRAINT dataset_lines_erased_whole CHECK (item_id IS NOT NULL OR (media IS NULL AND width IS NULL AND height IS NULL));
CREATE INDEX dataset_lines_erased_idx ON dataset_lines (version_id) WHERE item_id IS NULL;

-- The classes of a version as they were called then: a class may be renamed later.
CREATE TABLE dataset_version_classes (
    version_id  bigint NOT NULL REFERENCES dataset_versions,
    class_id    bigint NOT NULL REFERENCES classes,
    name        text NOT NULL,
    slot        integer NOT NULL,
    definitions integer[] NOT NULL, -- versions of its definition that its boxes were made under
    PRIMARY KEY (version_id, class_id)
);

-- What pages show of a version without reading its lines. class_id NULL: of the whole split.
CREATE TABLE dataset_version_counts (
    version_id bigint NOT NULL REFERENCES dataset_versions,
    split      text NOT NULL CHECK (split IN ('training', 'validation', 'test')),
    class_id   bigint REFERENCES classes,
    items      integer NOT NULL,
    boxes      bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (version_id, split, class_id)
);

-- Findings are [{"position":3,"item":17,"reason":"boxes"}]: positions and ids, never content.
CREATE TABLE dataset_verifications (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id  bigint NOT NULL REFERENCES dataset_versions,
    media       boolean NOT NULL DEFAULT false, -- the bytes of the images were read too
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'failed')),
    matching    integer NOT NULL DEFAULT 0,
    erased      integer NOT NULL DEFAULT 0,
    mismatching integer NOT NULL DEFAULT 0,
    hash_holds  boolean NOT NULL DEFAULT false,
    findings    jsonb NOT NULL DEFAULT '[]',
    done_items  integer NOT NULL DEFAULT 0,
    created_by  bigint REFERENCES people,
    token_id    bigint REFERENCES api_tokens,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX dataset_verifications_version_idx ON dataset_verifications (version_id, id DESC);

ALTER TABLE exports ADD COLUMN report jsonb; -- the loss report; NULL until the archive is written

-- +goose StatementBegin
CREATE FUNCTION refuse_change_of_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: what is frozen never changes', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'frozen';
END $$;
-- +goose StatementEnd

CREATE TRIGGER dataset_versions_frozen_delete BEFORE DELETE ON dataset_versions
    FOR EACH ROW WHEN (OLD.state = 'frozen') EXECUTE FUNCTION refuse_change_of_frozen();
CREATE TRIGGER dataset_versions_frozen_update BEFORE UPDATE ON dataset_versions
    FOR EACH ROW WHEN (OLD.state = 'frozen' AND NEW IS DISTINCT FROM OLD) EXECUTE FUNCTION refuse_change_of_frozen();

-- Lines are written once, in the transaction that freezes their version. Of all changes only the emptying by an erasure is let through.
CREATE TRIGGER dataset_lines_frozen_delete BEFORE DELETE ON dataset_lines
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen();
CREATE TRIGGER dataset_lines_frozen_update BEFORE UPDATE ON dataset_lines
    FOR EACH ROW WHEN (NOT (NEW.version_id = OLD.version_id AND NEW.position = OLD.position AND NEW.leaf = OLD.leaf AND NEW.item_id IS NULL))
    EXECUTE FUNCTION refuse_change_of_frozen();

CREATE TRIGGER dataset_version_classes_frozen BEFORE UPDATE OR DELETE ON dataset_version_classes
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen();
CREATE TRIGGER dataset_version_counts_frozen BEFORE UPDATE OR DELETE ON dataset_version_counts
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen();
CREATE TRIGGER dataset_version_projects_frozen BEFORE UPDATE OR DELETE ON dataset_version_projects
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen();

-- +goose Down
DROP TABLE dataset_verifications, dataset_version_counts, dataset_version_classes;
DROP TRIGGER dataset_version_projects_frozen ON dataset_version_projects;
DROP TRIGGER dataset_lines_frozen_update ON dataset_lines;
DROP TRIGGER dataset_lines_frozen_delete ON dataset_lines;
DROP TRIGGER dataset_versions_frozen_update ON dataset_versions;
DROP TRIGGER dataset_versions_frozen_delete ON dataset_versions;
DROP FUNCTION refuse_change_of_frozen;
ALTER TABLE exports DROP COLUMN report;
ALTER TABLE dataset_lines DROP COLUMN media, DROP COLUMN width, DROP COLUMN height;
