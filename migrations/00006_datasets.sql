-- +goose Up

CREATE TABLE datasets (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    description text NOT NULL DEFAULT '',
    created_by bigint REFERENCES people,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- hash is SHA-256 over the sorted leaves; NULL while the freezing job is at work.
CREATE TABLE dataset_versions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id bigint NOT NULL REFERENCES datasets,
    number     integer NOT NULL CHECK (number > 0),
    recipe     jsonb NOT NULL,
    state      text NOT NULL DEFAULT 'freezing' CHECK (state IN ('freezing', 'frozen', 'failed')),
    error      text NOT NULL DEFAULT '',
    hash       bytea,
    lines      integer NOT NULL DEFAULT 0,
    boxes      bigint NOT NULL DEFAULT 0,
    created_by bigint REFERENCES people,
    created_at timestamptz NOT NULL DEFAULT now(),
    frozen_at  timestamptz,
    UNIQUE (dataset_id, number),
    CONSTRAINT dataset_versions_frozen CHECK ((state = 'frozen') = (hash IS NOT NULL))
);
CREATE TABLE dataset_version_projects (
    version_id bigint NOT NULL REFERENCES dataset_versions,
    project_id bigint NOT NULL REFERENCES projects,
    PRIMARY KEY (version_id, project_id)
);
CREATE INDEX dataset_version_projects_project_idx ON dataset_version_projects (project_id);

-- One line of a manifest. Erasing the item empties item_id and truth_id and keeps the leaf.
CREATE TABLE dataset_lines (
    version_id bigint NOT NULL REFERENCES dataset_versions,
    position   integer NOT NULL,
    leaf       bytea NOT NULL CHECK (length(leaf) = 32),
    split      text CHECK (split IN ('training', 'validation', 'test')),
    item_id    bigint REFERENCES items,
    truth_id   bigint REFERENCES truths,
    PRIMARY KEY (version_id, position),
    CONSTRAINT dataset_lines_whole_or_erased CHECK ((item_id IS NULL) = (truth_id IS NULL) AND (item_id IS NULL) = (split IS NULL))
);
CREATE INDEX dataset_lines_item_idx ON dataset_lines (item_id) WHERE item_id IS NOT NULL;
CREATE INDEX dataset_lines_truth_idx ON dataset_lines (truth_id) WHERE truth_id IS NOT NULL;

-- The archive's bytes are under exports/{id}.
CREATE TABLE exports (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id bigint NOT NULL REFERENCES dataset_versions,
    format     text NOT NULL CHECK (format IN ('coco', 'voc')),
    media      boolean NOT NULL DEFAULT false,
    state      text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'deleted')),
    error      text NOT NULL DEFAULT '',
    done_items integer NOT NULL DEFAULT 0,
    bytes      bigint,
    sha256     bytea,
    losses     integer NOT NULL DEFAULT 0,
    created_by bigint REFERENCES people,
    token_id   bigint REFERENCES api_tokens,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX exports_version_idx ON exports (version_id, id DESC);

-- +goose Down
DROP TABLE exports, dataset_lines, dataset_version_projects, dataset_versions, datasets;
