-- +goose Up

-- What a formatting model does to a recogniser's words: case, punctuation, numbers.
ALTER TABLE models DROP CONSTRAINT models_kind_check;
ALTER TABLE models ADD CONSTRAINT models_kind_check CHECK (kind IN ('detector', 'asr', 'formatting', 'nlp'));

-- How a model version is asked. Its adapter and options make its configuration: whatever changes what it answers. Outputs are kept by that.
CREATE TABLE model_servers (
    model_version_id bigint PRIMARY KEY REFERENCES model_versions,
    adapter          text NOT NULL CHECK (adapter IN ('openai', 'oip', 'labelstudio', 'json', 'offline')),
    url              text NOT NULL DEFAULT '',
    options          jsonb NOT NULL DEFAULT '{}',
    configuration    bytea NOT NULL CHECK (length(configuration) = 32), -- SHA-256 of the adapter and the options
    credential       bytea, -- sealed
    timeout_ms       integer NOT NULL DEFAULT 30000 CHECK (timeout_ms BETWEEN 100 AND 3600000),
    attempts         integer NOT NULL DEFAULT 3 CHECK (attempts BETWEEN 1 AND 10),
    rate             double precision CHECK (rate > 0), -- calls a second at most, of all workers together; NULL: no limit
    concurrency      integer NOT NULL DEFAULT 4 CHECK (concurrency BETWEEN 1 AND 1000), -- calls at once, of all workers together
    launcher         text NOT NULL DEFAULT '' CHECK (launcher IN ('', 'command', 'argo')),
    launch           jsonb NOT NULL DEFAULT '{}',
    version          integer NOT NULL DEFAULT 1,
    changed_by       bigint REFERENCES people,
    changed_at       timestamptz NOT NULL DEFAULT now()
);

-- An ordered list of slots. A model version for each makes a path; what the path's last model says is a cell.
CREATE TABLE chains (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name <> ''),
    description text NOT NULL DEFAULT '',
    slots       text[] NOT NULL CHECK (slots <@ ARRAY['detector', 'asr', 'formatting', 'nlp'] AND cardinality(slots) BETWEEN 1 AND 5),
    baseline    bigint[], -- a model version for each slot
    alert_drop  double precision NOT NULL DEFAULT 0.02 CHECK (alert_drop >= 0), -- of the headline measure, in its own unit
    expect_days integer CHECK (expect_days > 0), -- alert when no run has ended for so long; NULL: never
    created_by  bigint REFERENCES people,
    created_at  timestamptz NOT NULL DEFAULT now(),
    archived_at timestamptz
);

-- What a path is called: NAME@VERSION for each of its models, "reference" for the truth in the place of one.
-- +goose StatementBegin
CREATE FUNCTION names_of_path(path bigint[]) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT array_agg(coalesce(m.name || '@' || v.version, 'reference') ORDER BY u.n)
    FROM unnest(path) WITH ORDINALITY u (id, n) LEFT JOIN model_versions v ON v.id = u.id LEFT JOIN models m ON m.id = v.model_id
$$;
-- +goose StatementEnd

-- What starts an evaluation by itself: the clock, or a release of one of its models. The request names the newest as NAME@latest.
CREATE TABLE evaluation_schedules (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain_id   bigint NOT NULL REFERENCES chains,
    name       text NOT NULL CHECK (name <> ''),
    request    jsonb NOT NULL,
    every      text NOT NULL DEFAULT '' CHECK (every IN ('', 'day', 'week', 'month')), -- '': not by the clock
    hour       integer NOT NULL DEFAULT 3 CHECK (hour BETWEEN 0 AND 23), -- UTC
    on_release boolean NOT NULL DEFAULT false,
    next_at    timestamptz,
    fault      text NOT NULL DEFAULT '', -- why the last one could not be started
    created_by bigint REFERENCES people,
    token_id   bigint REFERENCES api_tokens,
    created_at timestamptz NOT NULL DEFAULT now(),
    stopped_at timestamptz
);
CREATE INDEX evaluation_schedules_next_idx ON evaluation_schedules (next_at) WHERE stopped_at IS NULL AND next_at IS NOT NULL;

CREATE TABLE evaluations (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain_id     bigint NOT NULL REFERENCES chains,
    title        text NOT NULL DEFAULT '',
    split        text NOT NULL DEFAULT 'test' CHECK (split IN ('training', 'validation', 'test')),
    normalizer   text NOT NULL DEFAULT '', -- of words; '' is what the product uses for speech
    labels       text NOT NULL DEFAULT 'frozen' CHECK (labels IN ('frozen', 'today')), -- those of the version, or the items' truth of now
    baseline     bigint[],
    started_by   text NOT NULL DEFAULT 'page' CHECK (started_by IN ('page', 'api', 'release', 'schedule')),
    schedule_id  bigint REFERENCES evaluation_schedules,
    runner       text NOT NULL DEFAULT 'workers' CHECK (runner IN ('workers', 'argo')),
    workflow     text NOT NULL DEFAULT '', -- its name, where Argo runs it
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'scoring', 'done', 'failed', 'cancelled')),
    error        text NOT NULL DEFAULT '',
    created_by   bigint REFERENCES people,
    token_id     bigint REFERENCES api_tokens,
    created_at   timestamptz NOT NULL DEFAULT now(),
    began_at     timestamptz,
    finished_at  timestamptz
);
CREATE INDEX evaluations_chain_idx ON evaluations (chain_id, id DESC);
CREATE INDEX evaluations_open_idx ON evaluations (id) WHERE state IN ('waiting', 'running', 'scoring');
CREATE TABLE evaluation_versions (
    evaluation_id bigint NOT NULL REFERENCES evaluations,
    version_id    bigint NOT NULL REFERENCES dataset_versions,
    PRIMARY KEY (evaluation_id, version_id)
);
CREATE INDEX evaluation_versions_version_idx ON evaluation_versions (version_id);
-- The versions in a slot, from 0. NULL is the truth itself in the place of a recogniser, so that what follows is measured without its errors.
CREATE TABLE evaluation_models (
    evaluation_id    bigint NOT NULL REFERENCES evaluations,
    slot             integer NOT NULL,
    model_version_id bigint REFERENCES model_versions
);
CREATE UNIQUE INDEX evaluation_models_key ON evaluation_models (evaluation_id, slot, (coalesce(model_version_id, 0)));
CREATE INDEX evaluation_models_model_idx ON evaluation_models (model_version_id) WHERE model_version_id IS NOT NULL;

-- A model asked about a version's items: the nodes of the run's graph. Paths that begin alike share their first steps. A 0 in a path is
-- the truth in the place of a model.
CREATE TABLE evaluation_steps (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    evaluation_id bigint NOT NULL REFERENCES evaluations,
    version_id    bigint NOT NULL REFERENCES dataset_versions,
    path          bigint[] NOT NULL CHECK (cardinality(path) > 0),
    configuration bytea NOT NULL, -- that its model had when the run began
    after_step    bigint REFERENCES evaluation_steps, -- whose outputs it is given; NULL: the items themselves
    state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    items         integer NOT NULL DEFAULT 0,
    done          integer NOT NULL DEFAULT 0, -- with an output
    reused        integer NOT NULL DEFAULT 0, -- of those, found and not asked for
    failed        integer NOT NULL DEFAULT 0,
    error         text NOT NULL DEFAULT '',
    began_at      timestamptz,
    finished_at   timestamptz,
    UNIQUE (evaluation_id, version_id, path)
);
CREATE INDEX evaluation_steps_after_idx ON evaluation_steps (after_step) WHERE after_step IS NOT NULL;
-- The lines of a step from one position to another, which one worker does at a time.
CREATE TABLE evaluation_chunks (
    step_id bigint NOT NULL REFERENCES evaluation_steps,
    number  integer NOT NULL,
    first   integer NOT NULL,
    last    integer NOT NULL CHECK (last >= first),
    state   text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done')),
    done    integer NOT NULL DEFAULT 0,
    reused  integer NOT NULL DEFAULT 0,
    failed  integer NOT NULL DEFAULT 0,
    PRIMARY KEY (step_id, number)
);
CREATE TABLE evaluation_failures (
    step_id  bigint NOT NULL REFERENCES evaluation_steps,
    item_id  bigint NOT NULL REFERENCES items,
    reason   text NOT NULL, -- a code
    status   integer, -- of the server's answer
    attempts integer NOT NULL DEFAULT 1,
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (step_id, item_id)
);
CREATE INDEX evaluation_failures_item_idx ON evaluation_failures (item_id);
-- A permission to call a model, of all workers together: as many rows of a model as calls may be at once.
CREATE UNLOGGED TABLE model_calls (
    model_version_id bigint NOT NULL,
    place            integer NOT NULL,
    worker           text NOT NULL,
    until            timestamptz NOT NULL,
    PRIMARY KEY (model_version_id, place)
);
CREATE UNLOGGED TABLE model_rates (
    model_version_id bigint PRIMARY KEY,
    next_at          timestamptz NOT NULL -- when the next call may begin
);
-- A model server that was started for a run. What it wrote lies in object storage under launches/{id}.
CREATE TABLE model_launches (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_version_id bigint NOT NULL REFERENCES model_versions,
    evaluation_id    bigint NOT NULL REFERENCES evaluations,
    worker           text NOT NULL,
    state            text NOT NULL DEFAULT 'starting' CHECK (state IN ('starting', 'ready', 'stopped', 'failed')),
    error            text NOT NULL DEFAULT '',
    log_bytes        bigint, -- NULL: none kept
    started_at       timestamptz NOT NULL DEFAULT now(),
    ready_at         timestamptz,
    stopped_at       timestamptz
);
CREATE INDEX model_launches_evaluation_idx ON model_launches (evaluation_id);

-- What a model version answered about an item, given an input: shared by every run, kept for some weeks. input is the SHA-256 of what it was
-- given: the item's own sound or image, or the text before it. words are as those of hypotheses; boxes are
-- [{"class":"…","x":0,"y":0,"w":1,"h":1,"rotation":0,"score":0.9}]; labels are [{"label":"…","confidence":0.9,"begin":0,"end":1.5}],
-- by the names of the product's classes, with begin and end in seconds of the item where the model said them.
CREATE TABLE model_outputs (
    item_id          bigint NOT NULL REFERENCES items,
    model_version_id bigint NOT NULL REFERENCES model_versions,
    configuration    bytea NOT NULL,
    input            bytea NOT NULL CHECK (length(input) = 32),
    text             text NOT NULL DEFAULT '',
    words            jsonb NOT NULL DEFAULT '[]',
    boxes            jsonb NOT NULL DEFAULT '[]',
    labels           jsonb NOT NULL DEFAULT '[]',
    confidence       real CHECK (confidence BETWEEN 0 AND 1),
    took_ms          integer NOT NULL DEFAULT 0,
    made_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (item_id, model_version_id, configuration, input)
) PARTITION BY HASH (item_id);
-- +goose StatementBegin
DO $$ BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('CREATE TABLE model_outputs_%s PARTITION OF model_outputs FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
        -- The planner's statistics would be another place with words in it.
        EXECUTE format('ALTER TABLE model_outputs_%s ALTER COLUMN text SET STATISTICS 0, ALTER COLUMN words SET STATISTICS 0, '
            'ALTER COLUMN boxes SET STATISTICS 0, ALTER COLUMN labels SET STATISTICS 0', i);
    END LOOP;
END $$;
-- +goose StatementEnd
ALTER TABLE model_outputs ALTER COLUMN text SET STATISTICS 0, ALTER COLUMN words SET STATISTICS 0, ALTER COLUMN boxes SET STATISTICS 0,
    ALTER COLUMN labels SET STATISTICS 0;
CREATE INDEX model_outputs_made_idx ON model_outputs (made_at);

-- One combination's scores: what the last model of a path says of a version's lines. It is pinned to the labels of the version;
-- one with today's labels stands beside it. measure, value, low and high are the headline.
CREATE TABLE cells (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id     bigint NOT NULL REFERENCES dataset_versions,
    split          text NOT NULL,
    path           bigint[] NOT NULL,
    configurations bytea NOT NULL, -- those of the path's models, one after the other
    labels         text NOT NULL CHECK (labels IN ('frozen', 'today')),
    normalizer     text NOT NULL,
    task           text NOT NULL CHECK (task IN ('speech', 'label', 'labels', 'spans', 'detection')),
    evaluation_id  bigint NOT NULL REFERENCES evaluations, -- that computed it last
    items          integer NOT NULL,
    failed         integer NOT NULL, -- without an output: in none of the figures
    relabeled      integer NOT NULL DEFAULT 0, -- of today's labels: lines whose truth is another by now
    measure        text NOT NULL,
    value          double precision, -- NULL: not defined
    low            double precision,
    high           double precision,
    figures        jsonb NOT NULL,
    computed_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (version_id, split, path, configurations, labels, normalizer)
);
CREATE INDEX cells_path_idx ON cells (path, version_id);
CREATE INDEX cells_evaluation_idx ON cells (evaluation_id);
-- The cell that a step's outputs were measured in, which a later run may have computed again.
ALTER TABLE evaluation_steps ADD COLUMN cell_id bigint REFERENCES cells ON DELETE SET NULL, ADD COLUMN scored_at timestamptz;
CREATE INDEX evaluation_steps_cell_idx ON evaluation_steps (cell_id) WHERE cell_id IS NOT NULL;
-- Per line, numbers alone, by the line's position in its version: an erasure empties the line, and with it goes whose these numbers were.
CREATE TABLE cell_scores (
    cell_id bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    block   integer NOT NULL,
    scores  bytea NOT NULL,
    PRIMARY KEY (cell_id, block)
);
ALTER TABLE cell_scores ALTER COLUMN scores SET STORAGE EXTERNAL; -- they are compressed already
-- A cell beside its baseline on the lines that both have. adjusted is p corrected for the cells of the evaluation.
CREATE TABLE cell_differences (
    cell_id     bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    baseline_id bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    measure     text NOT NULL,
    value       double precision,
    low         double precision,
    high        double precision,
    p           double precision,
    adjusted    double precision,
    items       integer NOT NULL,
    gained      integer NOT NULL DEFAULT 0, -- lines that became better
    lost        integer NOT NULL DEFAULT 0,
    computed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cell_id, baseline_id, measure)
);
CREATE INDEX cell_differences_baseline_idx ON cell_differences (baseline_id);
-- The lines that moved most, either way, in the unit of the score.
CREATE TABLE cell_moves (
    cell_id     bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    baseline_id bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    position    integer NOT NULL,
    change      double precision NOT NULL, -- above 0: better
    PRIMARY KEY (cell_id, baseline_id, position)
);
CREATE INDEX cell_moves_baseline_idx ON cell_moves (baseline_id);
-- The lines that a model has most wrong.
CREATE TABLE cell_errors (
    cell_id  bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    position integer NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('words', 'false_positive', 'false_negative', 'wrong_class')),
    size     double precision NOT NULL, -- how wrong: word errors, confidence …
    detail   jsonb NOT NULL DEFAULT '{}', -- class names, indices of boxes: no content
    ordinal  integer NOT NULL DEFAULT 0,
    PRIMARY KEY (cell_id, position, kind, ordinal)
);
-- The lines of a version that another version has too: old and new on what they share.
CREATE TABLE cell_overlaps (
    cell_id    bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    version_id bigint NOT NULL REFERENCES dataset_versions,
    items      integer NOT NULL,
    figures    jsonb NOT NULL,
    PRIMARY KEY (cell_id, version_id)
);
-- Why a cell's figure leans towards its model: makers of the truth saw its output (prefill), or its errors prompted
-- corrections of the truth (corrected). model_version_id is that which they saw, the cell's own or an ancestor.
CREATE TABLE cell_flags (
    cell_id          bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    kind             text NOT NULL CHECK (kind IN ('prefill', 'corrected')),
    model_version_id bigint NOT NULL REFERENCES model_versions,
    lines            integer NOT NULL,
    bias             jsonb, -- the estimate, NULL: none could be made
    computed_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cell_id, kind, model_version_id)
);
-- A step of a trend divided among what changed.
CREATE TABLE attributions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_cell   bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    to_cell     bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    measure     text NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
    error       text NOT NULL DEFAULT '',
    parts       jsonb NOT NULL DEFAULT '{}',
    computed_at timestamptz,
    UNIQUE (from_cell, to_cell, measure)
);
CREATE INDEX attributions_to_idx ON attributions (to_cell);

-- What people found behind errors: a cause from the list, on an item's error.
CREATE TABLE causes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL CHECK (name <> ''),
    created_by bigint REFERENCES people,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX causes_name_key ON causes (lower(name));
CREATE TABLE item_causes (
    item_id   bigint NOT NULL REFERENCES items,
    cell_id   bigint NOT NULL REFERENCES cells ON DELETE CASCADE,
    kind      text NOT NULL CHECK (kind IN ('words', 'false_positive', 'false_negative', 'wrong_class')),
    ordinal   integer NOT NULL DEFAULT 0,
    cause_id  bigint NOT NULL REFERENCES causes,
    person_id bigint REFERENCES people,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (item_id, cell_id, kind, ordinal, cause_id)
);
CREATE INDEX item_causes_cell_idx ON item_causes (cell_id);

-- A blind second look at lines of a test split, drawn at random: how many of its labels are wrong.
CREATE TABLE audits (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id bigint NOT NULL REFERENCES dataset_versions,
    items      integer NOT NULL,
    seed       bigint NOT NULL,
    batch_id   bigint REFERENCES batches,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'open', 'failed', 'closed')),
    error      text NOT NULL DEFAULT '',
    report     jsonb,
    created_by bigint REFERENCES people,
    token_id   bigint REFERENCES api_tokens,
    created_at timestamptz NOT NULL DEFAULT now(),
    reported_at timestamptz
);
CREATE TABLE audit_items (
    item_id  bigint NOT NULL REFERENCES items,
    audit_id bigint NOT NULL REFERENCES audits,
    truth_id bigint NOT NULL REFERENCES truths,
    PRIMARY KEY (audit_id, item_id)
);
CREATE INDEX audit_items_item_idx ON audit_items (item_id);
CREATE INDEX audit_items_truth_idx ON audit_items (truth_id);

-- What a team did: a change, or an intervention, which is one done to repair.
CREATE TABLE changes (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at               timestamptz NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('change', 'intervention')),
    title            text NOT NULL CHECK (title <> ''),
    body             text NOT NULL DEFAULT '',
    system           text NOT NULL DEFAULT '',
    url              text NOT NULL DEFAULT '',
    origin           text NOT NULL CHECK (origin IN ('page', 'api', 'github')),
    external_key     text UNIQUE, -- of what told of it, so that told twice it is one
    model_version_id bigint REFERENCES model_versions,
    created_by       bigint REFERENCES people,
    token_id         bigint REFERENCES api_tokens,
    created_at       timestamptz NOT NULL DEFAULT now(),
    removed_at       timestamptz
);
CREATE INDEX changes_at_idx ON changes (at DESC, id DESC) WHERE removed_at IS NULL;
-- Where other systems post what happened there. A call is signed with the secret.
CREATE TABLE hooks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL CHECK (name <> ''),
    system     text NOT NULL DEFAULT '',
    secret     bytea NOT NULL, -- sealed
    created_by bigint REFERENCES people,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_at    timestamptz,
    revoked_at timestamptz
);

-- Where alerts go beside the product's own notices: the address of a webhook, or of a mailbox.
CREATE TABLE alert_channels (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL CHECK (name <> ''),
    kind       text NOT NULL CHECK (kind IN ('webhook', 'email')),
    target     bytea NOT NULL, -- sealed
    chain_id   bigint REFERENCES chains, -- NULL: of every chain
    created_by bigint REFERENCES people,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
-- key says what an alert is of, so that it is raised once while it is open.
CREATE TABLE alerts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('drop', 'missing', 'bias')),
    chain_id      bigint NOT NULL REFERENCES chains,
    evaluation_id bigint REFERENCES evaluations,
    cell_id       bigint REFERENCES cells ON DELETE CASCADE,
    key           text NOT NULL,
    summary       jsonb NOT NULL,
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'closed')),
    times         integer NOT NULL DEFAULT 1,
    raised_at     timestamptz NOT NULL DEFAULT now(),
    last_at       timestamptz NOT NULL DEFAULT now(),
    snoozed_until timestamptz,
    settled_by    bigint REFERENCES people,
    settled_at    timestamptz
);
CREATE UNIQUE INDEX alerts_key ON alerts (key) WHERE state <> 'closed';
CREATE INDEX alerts_open_idx ON alerts (chain_id, id DESC);
CREATE TABLE alert_sendings (
    alert_id   bigint NOT NULL REFERENCES alerts ON DELETE CASCADE,
    channel_id bigint NOT NULL REFERENCES alert_channels,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'sent', 'dead')),
    attempts   integer NOT NULL DEFAULT 0,
    fault      text NOT NULL DEFAULT '',
    sent_at    timestamptz,
    PRIMARY KEY (alert_id, channel_id)
);

-- A page that whoever has the link may read until it expires: figures alone.
CREATE TABLE share_links (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    chain_id   bigint NOT NULL REFERENCES chains,
    created_by bigint REFERENCES people,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    opened     integer NOT NULL DEFAULT 0,
    last_at    timestamptz
);
CREATE INDEX share_links_chain_idx ON share_links (chain_id);

-- What may stay of an utterance whose time ran out, where its source's policy says so: the words of its truth with what is personal
-- masked, as the truth of an item that has no sound. It keeps the hash of the key, so that whoever asks later for the erasure of that
-- key finds it. erasure_id is the expiry that left it, kept how many an expiry left.
ALTER TABLE items DROP CONSTRAINT items_state_check;
ALTER TABLE items ADD CONSTRAINT items_state_check CHECK (state IN ('awaiting_media', 'processing', 'ready', 'broken', 'redacted'));
ALTER TABLE items ADD CONSTRAINT items_redacted CHECK (state <> 'redacted' OR recording_id IS NULL);
ALTER TABLE truths ADD COLUMN erasure_id bigint REFERENCES erasures;
ALTER TABLE truths DROP CONSTRAINT truths_origin;
ALTER TABLE truths ADD CONSTRAINT truths_origin CHECK (num_nonnulls(review_id, import_id, erasure_id) = 1);
ALTER TABLE erasures ADD COLUMN kept integer NOT NULL DEFAULT 0;

-- Sound that is broken is no broken image.
DROP INDEX assignments_undecided_idx;
UPDATE assignments a SET skip_reason = 'broken_sound' FROM tasks t JOIN projects p ON p.id = t.project_id AND p.kind = 'audio'
    WHERE t.id = a.task_id AND a.skip_reason = 'broken_image';
CREATE INDEX assignments_undecided_idx ON assignments (project_id, task_id)
    WHERE state = 'skipped' AND skip_reason IN ('cannot_decide', 'broken_image', 'broken_sound');

-- +goose Down
DROP INDEX assignments_undecided_idx;
UPDATE assignments SET skip_reason = 'broken_image' WHERE skip_reason = 'broken_sound';
CREATE INDEX assignments_undecided_idx ON assignments (project_id, task_id) WHERE state = 'skipped' AND skip_reason IN ('cannot_decide', 'broken_image');
ALTER TABLE erasures DROP COLUMN kept;
ALTER TABLE truths DROP COLUMN erasure_id;
ALTER TABLE truths ADD CONSTRAINT truths_origin CHECK ((review_id IS NULL) <> (import_id IS NULL)) NOT VALID;
UPDATE items SET state = 'broken', fault = 'A redaction, which this version does not know.' WHERE state = 'redacted';
ALTER TABLE items DROP CONSTRAINT items_redacted;
ALTER TABLE items DROP CONSTRAINT items_state_check;
ALTER TABLE items ADD CONSTRAINT items_state_check CHECK (state IN ('awaiting_media', 'processing', 'ready', 'broken'));
ALTER TABLE evaluation_steps DROP COLUMN cell_id;
DROP TABLE share_links, alert_sendings, alerts, alert_channels, hooks, changes, audit_items, audits, item_causes, causes, attributions, cell_flags,
    cell_overlaps, cell_errors, cell_moves, cell_differences, cell_scores, cells, model_outputs, model_launches, model_rates, model_calls,
    evaluation_failures, evaluation_chunks, evaluation_steps, evaluation_models, evaluation_versions, evaluations, evaluation_schedules, chains, model_servers;
DROP FUNCTION names_of_path;
DELETE FROM model_versions WHERE model_id IN (SELECT id FROM models WHERE kind = 'formatting');
DELETE FROM models WHERE kind = 'formatting';
ALTER TABLE models DROP CONSTRAINT models_kind_check;
ALTER TABLE models ADD CONSTRAINT models_kind_check CHECK (kind IN ('detector', 'asr', 'nlp'));
