-- +goose Up

CREATE TABLE classes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects,
    name       text NOT NULL CHECK (name <> ''),
    slot       integer NOT NULL CHECK (slot >= 0), -- colour and order; stable for the class's life
    key        text NOT NULL DEFAULT '' CHECK (key ~ '^[0-9]?$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    UNIQUE (project_id, slot)
);
CREATE UNIQUE INDEX classes_name_key ON classes (project_id, lower(name));
CREATE UNIQUE INDEX classes_key_key ON classes (project_id, key) WHERE key <> '' AND retired_at IS NULL;

-- version NULL is the class's one draft; a published definition never changes.
CREATE TABLE definitions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id     bigint NOT NULL REFERENCES classes,
    version      integer CHECK (version > 0),
    body         text NOT NULL DEFAULT '', -- Markdown
    edited_by    bigint REFERENCES people,
    edited_at    timestamptz NOT NULL DEFAULT now(),
    edit_version integer NOT NULL DEFAULT 1,
    published_at timestamptz,
    UNIQUE (class_id, version),
    CONSTRAINT definitions_published CHECK ((version IS NULL) = (published_at IS NULL))
);
CREATE UNIQUE INDEX definitions_draft_key ON definitions (class_id) WHERE version IS NULL;

CREATE TABLE definition_confusions (
    definition_id bigint NOT NULL REFERENCES definitions ON DELETE CASCADE,
    class_id      bigint NOT NULL REFERENCES classes,
    PRIMARY KEY (definition_id, class_id)
);

-- A crop of an item that shows what the class is, or what it is not.
CREATE TABLE definition_examples (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    definition_id bigint NOT NULL REFERENCES definitions ON DELETE CASCADE,
    item_id       bigint NOT NULL REFERENCES items,
    shows         text NOT NULL CHECK (shows IN ('yes', 'no')),
    x             double precision NOT NULL,
    y             double precision NOT NULL,
    w             double precision NOT NULL CHECK (w > 0),
    h             double precision NOT NULL CHECK (h > 0),
    caption       text NOT NULL DEFAULT '',
    position      integer NOT NULL
);
CREATE INDEX definition_examples_definition_idx ON definition_examples (definition_id, shows, position);
CREATE INDEX definition_examples_item_idx ON definition_examples (item_id);

-- +goose Down
DROP TABLE definition_examples, definition_confusions, definitions, classes;
