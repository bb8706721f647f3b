-- +goose Up

-- open_to lists the kinds of destination that a source's data may reach whatever their name; of the other kinds only those
-- that source_destinations names. version counts its changes, so that of two people who change it at once one is told.
ALTER TABLE sources
    ADD COLUMN expiry_action text NOT NULL DEFAULT 'delete' CHECK (expiry_action IN ('delete', 'redaction')),
    ADD COLUMN open_to       text[] NOT NULL DEFAULT '{exports,consumers,models}' CHECK (open_to <@ '{exports,consumers,models}'::text[]),
    ADD COLUMN version       integer NOT NULL DEFAULT 1;

CREATE TABLE source_destinations (
    source_id bigint NOT NULL REFERENCES sources,
    kind      text NOT NULL CHECK (kind IN ('consumers', 'models')),
    name      text NOT NULL CHECK (name <> ''),
    PRIMARY KEY (source_id, kind, name)
);

-- Who changed a source, from what to what. before is NULL where the source was made. A changed retention moves the dates of
-- the items that are there: a job does, after last_item, and done_items says how far it is.
CREATE TABLE source_changes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id   bigint NOT NULL REFERENCES sources,
    version     integer NOT NULL,
    before      jsonb,
    after       jsonb NOT NULL,
    state       text NOT NULL DEFAULT 'done' CHECK (state IN ('moving', 'done', 'superseded')),
    items       bigint, -- of the source when the job began; NULL until then
    done_items  bigint NOT NULL DEFAULT 0,
    moved       bigint NOT NULL DEFAULT 0, -- of these, how many have another date now
    last_item   bigint NOT NULL DEFAULT 0,
    changed_by  bigint REFERENCES people,
    token_id    bigint REFERENCES api_tokens,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (source_id, version)
);
CREATE UNIQUE INDEX source_changes_moving_key ON source_changes (source_id) WHERE state = 'moving';

-- What a source's page and its calendar read of what is due next.
CREATE INDEX items_source_until_idx ON items (source_id, retain_until) WHERE retain_until IS NOT NULL;

-- How many lines of a version came from which source, and how many of these have been erased since.
CREATE TABLE dataset_version_sources (
    version_id bigint NOT NULL REFERENCES dataset_versions,
    source_id  bigint NOT NULL REFERENCES sources,
    split      text NOT NULL CHECK (split IN ('training', 'validation', 'test')),
    items      integer NOT NULL,
    erased     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (version_id, source_id, split)
);
CREATE INDEX dataset_version_sources_source_idx ON dataset_version_sources (source_id, version_id);

INSERT INTO dataset_version_sources (version_id, source_id, split, items)
SELECT l.version_id, i.source_id, l.split, count(*) FROM dataset_lines l JOIN items i ON i.id = l.item_id GROUP BY 1, 2, 3;

CREATE TRIGGER dataset_version_sources_frozen_delete BEFORE DELETE ON dataset_version_sources
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_frozen();
CREATE TRIGGER dataset_version_sources_frozen_update BEFORE UPDATE ON dataset_version_sources
    FOR EACH ROW WHEN (NOT (NEW.version_id = OLD.version_id AND NEW.source_id = OLD.source_id AND NEW.split = OLD.split AND NEW.items = OLD.items))
    EXECUTE FUNCTION refuse_change_of_frozen();

-- Whoever empties lines does so while their items are still there.
-- +goose StatementBegin
CREATE FUNCTION count_erased_of_sources() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dataset_version_sources s SET erased = s.erased + gone.n
    FROM (
        SELECT l.version_id, i.source_id, l.split, count(*)::integer AS n FROM emptied l JOIN items i ON i.id = l.item_id GROUP BY 1, 2, 3
    ) gone
    WHERE s.version_id = gone.version_id AND s.source_id = gone.source_id AND s.split = gone.split;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER dataset_lines_erased_of_sources AFTER UPDATE ON dataset_lines
    REFERENCING OLD TABLE AS emptied FOR EACH STATEMENT EXECUTE FUNCTION count_erased_of_sources();

-- What is held on a source, or on a person, asked for to be handed to them. The archive's bytes are under access/{id} and
-- are deleted a week after they were written.
CREATE TABLE access_requests (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id   bigint REFERENCES sources,
    person_id   bigint REFERENCES people,
    media       boolean NOT NULL DEFAULT false,
    due_on      date NOT NULL,
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'deleted')),
    error       text NOT NULL DEFAULT '',
    records     bigint NOT NULL DEFAULT 0, -- written so far
    bytes       bigint,
    sha256      bytea,
    created_by  bigint REFERENCES people,
    token_id    bigint REFERENCES api_tokens,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    fetched_at  timestamptz, -- first taken away
    deleted_at  timestamptz, -- the bytes are gone
    CONSTRAINT access_requests_of_source_or_person CHECK ((source_id IS NULL) <> (person_id IS NULL))
);
CREATE INDEX access_requests_source_idx ON access_requests (source_id, id DESC) WHERE source_id IS NOT NULL;
CREATE INDEX access_requests_person_idx ON access_requests (person_id, id DESC) WHERE person_id IS NOT NULL;
CREATE INDEX access_requests_kept_idx ON access_requests (finished_at) WHERE deleted_at IS NULL;

-- +goose Down
DROP TABLE access_requests;
DROP TRIGGER dataset_lines_erased_of_sources ON dataset_lines;
DROP FUNCTION count_erased_of_sources;
DROP TABLE dataset_version_sources;
DROP INDEX items_source_until_idx;
DROP TABLE source_changes, source_destinations;
ALTER TABLE sources DROP COLUMN version, DROP COLUMN open_to, DROP COLUMN expiry_action;
