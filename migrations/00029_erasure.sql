-- +goose Up

-- One taking away of items for good: asked for by somebody, or due by a policy (internal word: expiry). reason is the
-- number of a ticket or an admin's words, never anything of the items. counts is what the preview found by kind,
-- erased what has gone so far, touched which versions and exports held something of it (ids and numbers), proof what
-- was looked at afterwards. error says why it failed, or what it waits for.
CREATE TABLE erasures (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('request', 'expiry')),
    scope         text NOT NULL CHECK (scope IN ('source', 'group', 'items', 'expired')),
    source_id     bigint REFERENCES sources,
    group_id      bigint, -- goes with its last item
    state         text NOT NULL DEFAULT 'collecting' CHECK (state IN (
                      'collecting', 'previewed', 'queued', 'erasing', 'held', 'erased', 'rewritten', 'failed', 'cancelled')),
    reason        text NOT NULL DEFAULT '',
    due_at        timestamptz NOT NULL,
    requested_by  bigint REFERENCES people,
    token_id      bigint REFERENCES api_tokens,
    requested_at  timestamptz NOT NULL DEFAULT now(),
    confirmed_by  bigint REFERENCES people,
    confirmed_at  timestamptz,
    started_at    timestamptz,
    erased_at     timestamptz, -- logically gone: no query finds it
    rewritten_at  timestamptz, -- gone from the files of the database and its log
    backups_until date,        -- the day after which no known backup holds it
    items         integer NOT NULL DEFAULT 0, -- that were found, with those that came in after the preview
    done_items    integer NOT NULL DEFAULT 0,
    late          integer NOT NULL DEFAULT 0, -- came in between the preview and the erasure
    listed_to     bigint NOT NULL DEFAULT 0,  -- items up to this id have been looked at for the list
    unmatched     integer[] NOT NULL DEFAULT '{}', -- lines of what was sent that name no item, the first of them
    counts        jsonb NOT NULL DEFAULT '{}',
    erased        jsonb NOT NULL DEFAULT '{}',
    touched       jsonb NOT NULL DEFAULT '{}',
    proof         jsonb,
    receipt       text,
    signature     bytea,
    hold_id       bigint,
    told_at       timestamptz, -- the admins were told that it is overdue
    error         text NOT NULL DEFAULT '',
    CONSTRAINT erasures_scope_names CHECK (CASE scope WHEN 'source' THEN source_id IS NOT NULL WHEN 'group' THEN group_id IS NOT NULL ELSE true END),
    CONSTRAINT erasures_gone CHECK ((state IN ('erased', 'rewritten')) = (erased_at IS NOT NULL) AND (rewritten_at IS NULL OR erased_at IS NOT NULL))
);
CREATE INDEX erasures_open_idx ON erasures (due_at, id) WHERE state NOT IN ('erased', 'rewritten', 'cancelled');
CREATE INDEX erasures_source_idx ON erasures (source_id, id DESC) WHERE source_id IS NOT NULL;

-- What an erasure is still to take. What is taken goes, whatever hold comes after: its objects may be gone already. What
-- is cleared has no rows any more, and stays here until its objects have been looked for once again.
CREATE TABLE erasure_lists (
    erasure_id bigint NOT NULL REFERENCES erasures,
    item_id    bigint NOT NULL,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'taken', 'cleared')),
    PRIMARY KEY (erasure_id, item_id)
);
CREATE INDEX erasure_lists_begun_idx ON erasure_lists (erasure_id, item_id) WHERE state <> 'waiting';
CREATE INDEX erasure_lists_item_idx ON erasure_lists (item_id);

-- Tombstones: what is left of an item is that it was there. They stay for ever, so that its pages say 410 and what was
-- erased does not come back unnoticed by an import of the same key, or of a backup.
CREATE TABLE erasure_items (
    item_id    bigint PRIMARY KEY,
    erasure_id bigint NOT NULL REFERENCES erasures,
    project_id bigint NOT NULL REFERENCES projects,
    source_id  bigint NOT NULL REFERENCES sources,
    task_id    bigint,
    key_hash   bytea NOT NULL,
    erased_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX erasure_items_erasure_idx ON erasure_items (erasure_id, item_id);
CREATE INDEX erasure_items_key_idx ON erasure_items (project_id, key_hash);
CREATE INDEX erasure_items_task_idx ON erasure_items (task_id) WHERE task_id IS NOT NULL;

-- What may not be erased, nor expire, until the hold is lifted.
CREATE TABLE legal_holds (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id bigint REFERENCES sources,
    group_id  bigint,
    item_id   bigint,
    reason    text NOT NULL CHECK (reason <> ''),
    placed_by bigint REFERENCES people,
    placed_token bigint REFERENCES api_tokens,
    placed_at timestamptz NOT NULL DEFAULT now(),
    lifted_by bigint REFERENCES people,
    lifted_token bigint REFERENCES api_tokens,
    lifted_at timestamptz,
    lift_reason text NOT NULL DEFAULT '',
    CONSTRAINT legal_holds_one_thing CHECK (num_nonnulls(source_id, group_id, item_id) = 1)
);
CREATE UNIQUE INDEX legal_holds_source_key ON legal_holds (source_id) WHERE lifted_at IS NULL;
CREATE UNIQUE INDEX legal_holds_group_key ON legal_holds (group_id) WHERE lifted_at IS NULL;
CREATE UNIQUE INDEX legal_holds_item_key ON legal_holds (item_id) WHERE lifted_at IS NULL;

-- Why a line was emptied: an expiry or a request.
ALTER TABLE dataset_lines
    ADD COLUMN erasure_id bigint REFERENCES erasures,
    ADD CONSTRAINT dataset_lines_erased_by CHECK (erasure_id IS NULL OR item_id IS NULL);
CREATE INDEX dataset_lines_erasure_idx ON dataset_lines (erasure_id) WHERE erasure_id IS NOT NULL;

-- Whoever deletes a row of an item must find what refers to it without reading a table.
CREATE INDEX reviews_item_idx ON reviews (item_id);
CREATE INDEX annotations_assignment_idx ON annotations (assignment_id);
CREATE INDEX truths_annotation_idx ON truths (annotation_id) WHERE annotation_id IS NOT NULL;
CREATE INDEX comment_texts_comment_idx ON comment_texts (comment_id);
CREATE INDEX notices_object_idx ON notices (object_type, object_id);
CREATE INDEX imports_source_idx ON imports (source_id, id);

-- +goose Down
DROP INDEX imports_source_idx, notices_object_idx, comment_texts_comment_idx, truths_annotation_idx, annotations_assignment_idx, reviews_item_idx;
ALTER TABLE dataset_lines DROP COLUMN erasure_id;
DROP TABLE legal_holds, erasure_items, erasure_lists, erasures;
