-- +goose Up

-- One pass over a share of every class. seed and share say which items it drew; a job draws and makes its batches.
CREATE TABLE rounds (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects,
    number     integer NOT NULL CHECK (number > 0),
    share      double precision NOT NULL CHECK (share > 0 AND share <= 1),
    seed       bigint NOT NULL,
    batch_size integer NOT NULL CHECK (batch_size BETWEEN 1 AND 2000),
    owner_id   bigint REFERENCES people,
    due_on     date,
    state      text NOT NULL DEFAULT 'drawing' CHECK (state IN ('drawing', 'open', 'failed')),
    error      text NOT NULL DEFAULT '',
    items      integer NOT NULL DEFAULT 0,
    created_by bigint REFERENCES people,
    token_id   bigint REFERENCES api_tokens,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, number)
);

-- What a round found and drew of each class; class_id NULL: of all whose class was not known, by group.
CREATE TABLE round_strata (
    round_id bigint NOT NULL REFERENCES rounds,
    class_id bigint REFERENCES classes,
    items    integer NOT NULL,
    drawn    integer NOT NULL,
    UNIQUE NULLS NOT DISTINCT (round_id, class_id)
);

-- An item is in one round at most. part is the batch of its round that it was dealt to, from 1.
CREATE TABLE round_items (
    item_id  bigint PRIMARY KEY REFERENCES items,
    round_id bigint NOT NULL REFERENCES rounds,
    part     integer NOT NULL
);
CREATE INDEX round_items_round_idx ON round_items (round_id, part);

-- Items that are handed out, reviewed and approved together. answered, decided, looked and faulty are prepared from
-- its tasks, compared and the sums of scores from item_agreements; the plan is that of the sampled look (internal/sampling); settling is what a job does to all that is
-- left: done of of_items so far.
CREATE TABLE batches (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint NOT NULL REFERENCES projects,
    number      integer NOT NULL CHECK (number > 0),
    round_id    bigint REFERENCES rounds,
    part        integer, -- of its round, from 1
    title       text NOT NULL DEFAULT '',
    owner_id    bigint REFERENCES people,
    due_on      date,
    priority    integer NOT NULL,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'labeling', 'in_review', 'approved', 'returned', 'closed')),
    version     integer NOT NULL DEFAULT 1, -- raised by every change that somebody makes
    items       integer NOT NULL DEFAULT 0,
    answered    integer NOT NULL DEFAULT 0,
    decided     integer NOT NULL DEFAULT 0,
    compared    integer NOT NULL DEFAULT 0,
    score_sum     double precision NOT NULL DEFAULT 0,
    score_squares double precision NOT NULL DEFAULT 0,
    plan_limit  double precision CHECK (plan_limit BETWEEN 0 AND 1),
    plan_accept integer,
    plan_lot    integer,
    plan_size   integer,
    plan_seed   bigint,
    planned_at  timestamptz,
    looked      integer NOT NULL DEFAULT 0,
    faulty      integer NOT NULL DEFAULT 0,
    settling    text CHECK (settling IN ('approve', 'return')),
    settle_by   bigint REFERENCES people,
    fault       text NOT NULL DEFAULT '',
    note        text NOT NULL DEFAULT '',
    of_items    integer NOT NULL DEFAULT 0,
    done        integer NOT NULL DEFAULT 0,
    error       text NOT NULL DEFAULT '', -- why the last settling gave up
    approved_by bigint REFERENCES people,
    approved_at timestamptz,
    returned_at timestamptz,
    created_by  bigint REFERENCES people,
    token_id    bigint REFERENCES api_tokens,
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, number),
    UNIQUE (round_id, part),
    CONSTRAINT batches_planned CHECK ((planned_at IS NULL) = (plan_size IS NULL))
);
CREATE INDEX batches_state_idx ON batches (project_id, state, number DESC);

-- look is the item's place in the sample, NULL where it was not drawn. settle_version is its task's version when the
-- batch was to be settled, NULL when there is nothing to do; left_because is why the settling left it to a person.
CREATE TABLE batch_items (
    batch_id        bigint NOT NULL REFERENCES batches,
    item_id         bigint NOT NULL REFERENCES items,
    task_id         bigint NOT NULL REFERENCES tasks,
    position        integer NOT NULL,
    former_priority integer NOT NULL,
    look            integer,
    settle_version  integer,
    left_because    text NOT NULL DEFAULT '' CHECK (left_because IN ('', 'unanswered', 'undecided', 'disputed', 'conflict', 'changed')),
    PRIMARY KEY (batch_id, item_id)
);
CREATE INDEX batch_items_item_idx ON batch_items (item_id);
CREATE INDEX batch_items_task_idx ON batch_items (task_id);
CREATE INDEX batch_items_position_idx ON batch_items (batch_id, position);
CREATE INDEX batch_items_settle_idx ON batch_items (batch_id, position) WHERE settle_version IS NOT NULL;

-- The last batch that the task was put into: the only one that may be unfinished.
ALTER TABLE tasks ADD COLUMN batch_id bigint REFERENCES batches;
-- A decision about a batch as a whole.
ALTER TABLE reviews ADD COLUMN batch_id bigint REFERENCES batches;

-- Batches whose tasks moved on since their figures were prepared. Adding a row never waits for another transaction,
-- as counting in the batch's own row would: its labelers all work at once.
CREATE TABLE batch_changes (
    batch_id bigint NOT NULL
);
CREATE INDEX batch_changes_batch_idx ON batch_changes (batch_id);

-- +goose StatementBegin
CREATE FUNCTION note_batch_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO batch_changes VALUES (NEW.batch_id);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION note_batch_of_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO batch_changes SELECT t.batch_id FROM tasks t WHERE t.id = NEW.task_id AND t.batch_id IS NOT NULL;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- The first claim of a batch, every vote and every decision; a claim beside others changes nothing that is shown.
CREATE TRIGGER tasks_note_batch AFTER UPDATE OF state, version, live, votes ON tasks FOR EACH ROW
    WHEN (NEW.batch_id IS NOT NULL AND (OLD.state <> NEW.state OR OLD.version <> NEW.version OR OLD.votes <> NEW.votes OR OLD.live = 0 AND NEW.live > 0))
    EXECUTE FUNCTION note_batch_change();

CREATE TRIGGER item_agreements_note_batch AFTER INSERT OR UPDATE OF score ON item_agreements FOR EACH ROW
    EXECUTE FUNCTION note_batch_of_task();
-- A rework holds its place from the start, so its task does not tell when its labeler takes it up.
CREATE TRIGGER assignments_note_batch AFTER UPDATE OF state ON assignments FOR EACH ROW
    WHEN (OLD.state = 'returned' AND NEW.state = 'leased') EXECUTE FUNCTION note_batch_of_task();

-- Batches are made of items that a model says have a class.
CREATE INDEX prediction_boxes_class_idx ON prediction_boxes (class_id, prediction_id);
-- A labeler is told how far they are in a batch, gold items among them, which are of none.
CREATE INDEX assignments_gold_idx ON assignments (person_id, project_id, id) WHERE reason = 'gold';

-- +goose Down
DROP INDEX assignments_gold_idx, prediction_boxes_class_idx;
DROP TRIGGER assignments_note_batch ON assignments;
DROP TRIGGER item_agreements_note_batch ON item_agreements;
DROP TRIGGER tasks_note_batch ON tasks;
DROP FUNCTION note_batch_of_task, note_batch_change;
DROP TABLE batch_changes;
ALTER TABLE reviews DROP COLUMN batch_id;
ALTER TABLE tasks DROP COLUMN batch_id;
DROP TABLE batch_items, batches, round_items, round_strata, rounds;
