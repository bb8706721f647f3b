-- +goose Up

CREATE INDEX dataset_versions_parent_idx ON dataset_versions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX dataset_versions_rebuild_idx ON dataset_versions (rebuild_of) WHERE rebuild_of IS NOT NULL;

-- What two versions differ in, the older one first. It is kept without content: its lines are positions in the two manifests, so
-- that an erasure, which empties these, leaves nothing here. from_erased and to_erased say how much was erased when it was worked
-- out: once more is, it is worked out again.
CREATE TABLE dataset_diffs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_version bigint NOT NULL REFERENCES dataset_versions,
    to_version   bigint NOT NULL REFERENCES dataset_versions,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'failed')),
    same         integer NOT NULL DEFAULT 0,
    from_erased  integer NOT NULL DEFAULT 0,
    to_erased    integer NOT NULL DEFAULT 0,
    created_by   bigint REFERENCES people,
    token_id     bigint REFERENCES api_tokens,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    CONSTRAINT dataset_diffs_two CHECK (from_version <> to_version)
);
CREATE INDEX dataset_diffs_versions_idx ON dataset_diffs (from_version, to_version, id DESC);
CREATE INDEX dataset_diffs_to_idx ON dataset_diffs (to_version);

-- split is the side on which a difference is counted: where the item is in the newer version, else where it was; '' once that is erased.
CREATE TABLE dataset_diff_counts (
    diff_id    bigint NOT NULL REFERENCES dataset_diffs ON DELETE CASCADE,
    reason     text NOT NULL,
    detail     text NOT NULL,
    from_split text NOT NULL, -- '' for what is not there, or not any more
    to_split   text NOT NULL,
    came       integer NOT NULL, -- of them, lines of the newer version alone
    gone       integer NOT NULL, -- lines of the older version alone
    changed    integer NOT NULL, -- lines of both
    PRIMARY KEY (diff_id, reason, detail, from_split, to_split)
);
CREATE TABLE dataset_diff_lines (
    diff_id       bigint NOT NULL REFERENCES dataset_diffs ON DELETE CASCADE,
    reason        text NOT NULL,
    split         text NOT NULL,
    ordinal       integer NOT NULL,
    detail        text NOT NULL,
    from_position integer, -- NULL for a line of the newer version alone
    to_position   integer, -- NULL for a line of the older version alone
    PRIMARY KEY (diff_id, reason, split, ordinal),
    CONSTRAINT dataset_diff_lines_somewhere CHECK (from_position IS NOT NULL OR to_position IS NOT NULL)
);

-- Who uses versions: a team, a training job, a system, or whoever took an export away. Of the last there is no name: it is that of
-- the person or the token. The secret signs what is sent to url, and is sealed under the installation's key.
CREATE TABLE consumers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    person_id  bigint REFERENCES people, -- who answers for it, and is told
    token_id   bigint REFERENCES api_tokens,
    url        text NOT NULL DEFAULT '',
    secret     bytea,
    created_by bigint REFERENCES people,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT consumers_somebody CHECK (name IS NOT NULL OR (person_id IS NULL) <> (token_id IS NULL)),
    CONSTRAINT consumers_signed CHECK ((url = '') = (secret IS NULL))
);
CREATE UNIQUE INDEX consumers_person_key ON consumers (person_id) WHERE name IS NULL;
CREATE UNIQUE INDEX consumers_token_key ON consumers (token_id) WHERE name IS NULL;
CREATE INDEX consumers_owner_idx ON consumers (person_id);

CREATE TABLE version_consumers (
    version_id  bigint NOT NULL REFERENCES dataset_versions,
    consumer_id bigint NOT NULL REFERENCES consumers,
    how         text NOT NULL CHECK (how IN ('recorded', 'download')),
    export_id   bigint, -- the number of the last export that was taken away, which may be gone
    since       timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz, -- it does not use the version any more
    PRIMARY KEY (version_id, consumer_id)
);
CREATE INDEX version_consumers_consumer_idx ON version_consumers (consumer_id, version_id);

-- Told to a consumer: lines of a version that it uses were erased. Confirmed once its copy is deleted.
CREATE TABLE consumer_notices (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer_id  bigint NOT NULL REFERENCES consumers,
    version_id   bigint NOT NULL REFERENCES dataset_versions,
    erasure_id   bigint NOT NULL REFERENCES erasures,
    lines        integer NOT NULL CHECK (lines > 0),
    state        text NOT NULL DEFAULT 'noted' CHECK (state IN ('noted', 'waiting', 'told', 'dead')), -- noted: there is no address to send to
    attempts     integer NOT NULL DEFAULT 0,
    fault        text NOT NULL DEFAULT '', -- of the last attempt, as a word
    status       integer, -- of the last answer
    created_at   timestamptz NOT NULL DEFAULT now(),
    told_at      timestamptz,
    confirmed_at timestamptz,
    confirmed_by bigint REFERENCES people,
    confirmed_token bigint REFERENCES api_tokens,
    UNIQUE (consumer_id, version_id, erasure_id)
);
CREATE INDEX consumer_notices_version_idx ON consumer_notices (version_id);
CREATE INDEX consumer_notices_erasure_idx ON consumer_notices (erasure_id);
CREATE INDEX consumer_notices_open_idx ON consumer_notices (consumer_id) WHERE confirmed_at IS NULL;

-- +goose Down
DROP TABLE consumer_notices, version_consumers, consumers, dataset_diff_lines, dataset_diff_counts, dataset_diffs;
DROP INDEX dataset_versions_rebuild_idx, dataset_versions_parent_idx;
