-- +goose Up

-- live counts the leases that run, votes the wanted answers that were submitted. A task
-- may be claimed while live + votes < overlap; the partial index holds just those.
CREATE TABLE tasks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects,
    item_id    bigint NOT NULL UNIQUE REFERENCES items,
    state      text NOT NULL DEFAULT 'open'
               CHECK (state IN ('open', 'in_review', 'adjudicated', 'discarded')),
    priority   integer NOT NULL DEFAULT 0,
    overlap    integer NOT NULL CHECK (overlap BETWEEN 1 AND 9),
    live       integer NOT NULL DEFAULT 0 CHECK (live >= 0),
    votes      integer NOT NULL DEFAULT 0 CHECK (votes >= 0),
    version    integer NOT NULL DEFAULT 1, -- raised by every review decision
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
CREATE INDEX tasks_claimable_idx ON tasks (project_id, priority DESC, id)
    WHERE state = 'open' AND live + votes < overlap;
CREATE INDEX tasks_review_idx ON tasks (project_id, priority DESC, changed_at, id) WHERE state = 'in_review';

-- Where a labeler's next claim starts to look: no task before this place of the queue's order
-- (priority descending, id ascending) can be claimed by them. Whoever makes a task
-- claimable again moves the cursors behind it back, in the same transaction.
CREATE TABLE queue_cursors (
    project_id bigint NOT NULL REFERENCES projects,
    person_id  bigint NOT NULL REFERENCES people,
    priority   integer NOT NULL,
    task_id    bigint NOT NULL,
    PRIMARY KEY (project_id, person_id)
);

CREATE TABLE assignments (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id       bigint NOT NULL REFERENCES tasks,
    project_id    bigint NOT NULL REFERENCES projects,
    person_id     bigint NOT NULL REFERENCES people,
    pass          integer NOT NULL DEFAULT 1,
    reason        text NOT NULL DEFAULT 'initial' CHECK (reason IN ('initial', 'rework', 'relabel', 'gold')),
    -- leased: being worked on. expired: its time ran out, it may still answer. returned: sent
    -- back by a reviewer, waits for its labeler. submitted, skipped: done. cancelled: withdrawn.
    state         text NOT NULL CHECK (state IN ('leased', 'expired', 'returned', 'submitted', 'skipped', 'cancelled')),
    lease_until   timestamptz,
    claimed_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    active_ms     bigint NOT NULL DEFAULT 0,
    skip_reason   text NOT NULL DEFAULT '',
    UNIQUE (task_id, person_id, pass),
    CONSTRAINT assignments_leased_until CHECK ((state = 'leased') = (lease_until IS NOT NULL))
);
CREATE INDEX assignments_lease_idx ON assignments (project_id, lease_until) WHERE state = 'leased';
CREATE INDEX assignments_mine_idx ON assignments (person_id, project_id, id) WHERE state IN ('leased', 'expired', 'returned');
CREATE INDEX assignments_done_idx ON assignments (person_id, finished_at DESC) WHERE state IN ('submitted', 'skipped');

CREATE TABLE drafts (
    assignment_id bigint PRIMARY KEY REFERENCES assignments,
    version       integer NOT NULL DEFAULT 1,
    boxes         jsonb NOT NULL,
    saved_at      timestamptz NOT NULL DEFAULT now()
);

-- A submitted answer. It never changes; it is superseded by the next pass or after a recall.
CREATE TABLE annotations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    assignment_id bigint NOT NULL REFERENCES assignments,
    task_id       bigint NOT NULL REFERENCES tasks,
    item_id       bigint NOT NULL REFERENCES items,
    person_id     bigint NOT NULL REFERENCES people,
    surplus       boolean NOT NULL DEFAULT false,
    prefilled     boolean NOT NULL DEFAULT false, -- begun from a prefill rather than from nothing
    active_ms     bigint NOT NULL DEFAULT 0,
    submitted_at  timestamptz NOT NULL DEFAULT now(),
    superseded_at timestamptz,
    recalled_at   timestamptz
);
CREATE INDEX annotations_task_idx ON annotations (task_id, id);
CREATE INDEX annotations_item_idx ON annotations (item_id);
CREATE UNIQUE INDEX annotations_current_key ON annotations (assignment_id) WHERE superseded_at IS NULL AND recalled_at IS NULL;

-- Pixels of the upright image, origin at the top-left corner; rotation in degrees clockwise
-- about the centre. definition_version is the one that the label was made under.
CREATE TABLE annotation_boxes (
    annotation_id      bigint NOT NULL REFERENCES annotations,
    position           integer NOT NULL,
    class_id           bigint NOT NULL REFERENCES classes,
    definition_version integer,
    x double precision NOT NULL, y double precision NOT NULL,
    w double precision NOT NULL, h double precision NOT NULL,
    rotation           double precision NOT NULL DEFAULT 0,
    crowd              boolean NOT NULL DEFAULT false,
    PRIMARY KEY (annotation_id, position)
);

CREATE TABLE predictions (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id          bigint NOT NULL REFERENCES items,
    model_version_id bigint REFERENCES model_versions, -- NULL: a prefill of unnamed origin
    purpose          text NOT NULL CHECK (purpose IN ('prefill', 'prediction')),
    created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX predictions_item_key ON predictions (item_id, purpose, (coalesce(model_version_id, 0)));

CREATE TABLE prediction_boxes (
    prediction_id bigint NOT NULL REFERENCES predictions,
    position      integer NOT NULL,
    class_id      bigint NOT NULL REFERENCES classes,
    x double precision NOT NULL, y double precision NOT NULL,
    w double precision NOT NULL, h double precision NOT NULL,
    rotation      double precision NOT NULL DEFAULT 0,
    score         double precision,
    PRIMARY KEY (prediction_id, position)
);

-- +goose Down
DROP TABLE prediction_boxes, predictions, annotation_boxes, annotations, drafts, assignments, queue_cursors, tasks;
