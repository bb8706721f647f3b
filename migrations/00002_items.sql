-- +goose Up

CREATE TABLE projects (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug              text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name              text NOT NULL,
    description       text NOT NULL DEFAULT '',
    kind              text NOT NULL CHECK (kind IN ('image', 'audio')),
    overlap           integer NOT NULL DEFAULT 1 CHECK (overlap BETWEEN 1 AND 9),
    lease_minutes     integer NOT NULL DEFAULT 30 CHECK (lease_minutes BETWEEN 1 AND 1440),
    accepts_truth     boolean NOT NULL DEFAULT false,
    -- Keys of an item's metadata that this project keeps; every other one is dropped at import.
    metadata_keys     text[] NOT NULL DEFAULT '{}',
    guideline_version integer NOT NULL DEFAULT 0,
    paused            boolean NOT NULL DEFAULT false,
    key_secret        bytea NOT NULL CHECK (length(key_secret) = 32),
    version           integer NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    archived_at       timestamptz
);
ALTER TABLE api_tokens ADD FOREIGN KEY (project_id) REFERENCES projects;

CREATE TABLE members (
    project_id bigint NOT NULL REFERENCES projects,
    person_id  bigint NOT NULL REFERENCES people,
    added_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, person_id)
);
CREATE INDEX members_person_idx ON members (person_id);

CREATE TABLE sources (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    retention_days integer CHECK (retention_days > 0), -- NULL: no time limit
    created_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE groups (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id bigint NOT NULL REFERENCES sources,
    name      text NOT NULL,
    UNIQUE (source_id, name)
);

-- The narrow row that lists, queues and calendars scan. What may be personal (names of
-- files, metadata) lies in item_texts; what proves a frozen line lies in item_salts.
CREATE TABLE items (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id        bigint NOT NULL REFERENCES projects,
    source_id         bigint NOT NULL REFERENCES sources,
    group_id          bigint REFERENCES groups,
    key_hash          bytea NOT NULL, -- HMAC-SHA-256 of the external key under the project's secret
    state             text NOT NULL DEFAULT 'ready'
                      CHECK (state IN ('awaiting_media', 'processing', 'ready', 'broken')),
    width             integer,
    height            integer,
    imported_at       timestamptz NOT NULL DEFAULT now(),
    captured_at       timestamptz,
    own_retain_until  timestamptz,
    retain_until      timestamptz,
    UNIQUE (project_id, key_hash)
);
CREATE INDEX items_project_idx ON items (project_id, id);
CREATE INDEX items_source_idx ON items (source_id, id);
CREATE INDEX items_group_idx ON items (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX items_retain_until_idx ON items (retain_until) WHERE retain_until IS NOT NULL;

-- A partition is rewritten soon after an erasure; a whole table would take too long.
CREATE TABLE item_texts (
    item_id      bigint NOT NULL REFERENCES items,
    external_key text NOT NULL,
    file_name    text NOT NULL DEFAULT '',
    metadata     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (item_id)
) PARTITION BY HASH (item_id);
CREATE TABLE item_texts_0 PARTITION OF item_texts FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE item_texts_1 PARTITION OF item_texts FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE item_texts_2 PARTITION OF item_texts FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE item_texts_3 PARTITION OF item_texts FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE item_texts_4 PARTITION OF item_texts FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE item_texts_5 PARTITION OF item_texts FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE item_texts_6 PARTITION OF item_texts FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE item_texts_7 PARTITION OF item_texts FOR VALUES WITH (MODULUS 8, REMAINDER 7);

CREATE TABLE item_salts (
    item_id bigint NOT NULL REFERENCES items,
    salt    bytea NOT NULL CHECK (length(salt) = 32),
    PRIMARY KEY (item_id)
) PARTITION BY HASH (item_id);
CREATE TABLE item_salts_0 PARTITION OF item_salts FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE item_salts_1 PARTITION OF item_salts FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE item_salts_2 PARTITION OF item_salts FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE item_salts_3 PARTITION OF item_salts FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE item_salts_4 PARTITION OF item_salts FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE item_salts_5 PARTITION OF item_salts FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE item_salts_6 PARTITION OF item_salts FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE item_salts_7 PARTITION OF item_salts FOR VALUES WITH (MODULUS 8, REMAINDER 7);

-- Bytes in object storage. The object's key is items/{item_id}/{kind}: ids only.
CREATE TABLE assets (
    item_id      bigint NOT NULL REFERENCES items,
    kind         text NOT NULL CHECK (kind IN ('original', 'display', 'thumb', 'window')),
    content_type text NOT NULL,
    bytes        bigint NOT NULL,
    sha256       bytea NOT NULL,
    width        integer,
    height       integer,
    -- What a page must know of these bytes: {"orientation":6,"depth":16,"low":1200,"high":53000}.
    facts        jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (item_id, kind)
);

CREATE TABLE media_reads (
    at        timestamptz NOT NULL DEFAULT now(),
    person_id bigint,
    token_id  bigint,
    item_id   bigint NOT NULL,
    kind      text NOT NULL
);
CREATE INDEX media_reads_item_idx ON media_reads (item_id);
CREATE INDEX media_reads_at_idx ON media_reads USING brin (at);

CREATE TABLE models (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    kind       text NOT NULL CHECK (kind IN ('detector', 'asr', 'nlp')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE model_versions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id   bigint NOT NULL REFERENCES models,
    version    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_id, version)
);

CREATE TABLE imports (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects,
    person_id    bigint REFERENCES people,
    token_id     bigint REFERENCES api_tokens,
    format       text NOT NULL CHECK (format IN ('images', 'coco', 'voc')),
    purpose      text NOT NULL CHECK (purpose IN ('media', 'truth', 'prefill', 'prediction')),
    model_version_id bigint REFERENCES model_versions,
    source_id    bigint NOT NULL REFERENCES sources,
    options      jsonb NOT NULL DEFAULT '{}', -- {"voc_base":1,"dry_run":false,"add_classes":true}
    state        text NOT NULL DEFAULT 'uploading'
                 CHECK (state IN ('uploading', 'queued', 'running', 'done', 'failed', 'cancelled')),
    error        text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
);
CREATE INDEX imports_project_idx ON imports (project_id, id DESC);

-- One row a file that was uploaded. Its bytes wait under imports/{import_id}/{id}/{part}.
CREATE TABLE import_files (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_id bigint NOT NULL REFERENCES imports,
    name      text NOT NULL, -- relative path with forward slashes, NFC
    size      bigint NOT NULL,
    received  bigint NOT NULL DEFAULT 0,
    complete  boolean NOT NULL DEFAULT false,
    UNIQUE (import_id, name)
);

-- One row a result: what came in, what was already there, what was refused and why.
CREATE TABLE import_results (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_id bigint NOT NULL REFERENCES imports,
    name      text NOT NULL, -- file, or file and place inside it
    outcome   text NOT NULL CHECK (outcome IN ('added', 'changed', 'unchanged', 'refused')),
    reason    text NOT NULL DEFAULT '',
    item_id   bigint REFERENCES items,
    boxes     integer NOT NULL DEFAULT 0
);
CREATE INDEX import_results_import_idx ON import_results (import_id, outcome, id);

-- +goose Down
DROP TABLE import_results, import_files, imports, model_versions, models, media_reads, assets, item_salts, item_texts, items, groups, sources, members;
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_project_id_fkey;
DROP TABLE projects;
