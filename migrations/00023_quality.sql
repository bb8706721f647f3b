-- +goose Up

-- gold_share: how many of the items that a labeler gets are gold ones; 0 is none. A labeler whose mean score of
-- the last gold_least gold items lies under gold_limit is brought before a reviewer; 0 brings nobody.
ALTER TABLE projects
    ADD COLUMN gold_share double precision NOT NULL DEFAULT 0 CHECK (gold_share BETWEEN 0 AND 0.3),
    ADD COLUMN gold_limit double precision NOT NULL DEFAULT 0.7 CHECK (gold_limit BETWEEN 0 AND 1),
    ADD COLUMN gold_least integer NOT NULL DEFAULT 10 CHECK (gold_least BETWEEN 3 AND 200);

-- Items whose truth is known. place is where an item lies on a ring: a claim goes round it from a random point to
-- the first that the labeler never had, which costs no more for many gold items.
CREATE TABLE gold_items (
    item_id    bigint PRIMARY KEY REFERENCES items,
    task_id    bigint NOT NULL UNIQUE REFERENCES tasks,
    project_id bigint NOT NULL REFERENCES projects,
    place      double precision NOT NULL DEFAULT random(),
    added_by   bigint REFERENCES people,
    token_id   bigint REFERENCES api_tokens,
    added_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX gold_items_place_idx ON gold_items (project_id, place);

-- An ordinary item was handed out since the last gold one, so that there are never two in a row.
ALTER TABLE queue_cursors ADD COLUMN gold_due boolean NOT NULL DEFAULT false;

-- An answer to a gold item is superseded from the start: whatever looks for the answers that count never finds it.
ALTER TABLE annotations
    ADD COLUMN gold boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT annotations_gold_never_counts CHECK (NOT gold OR superseded_at IS NOT NULL);
CREATE INDEX annotations_gold_idx ON annotations (item_id) WHERE gold;

-- What an answer to a gold item is worth beside the truth. Objects are counted once, by their worst finding;
-- classes holds for each class how many objects it has in the answer or the truth, and how many are agreed:
-- {"7":[3,2]}.
CREATE TABLE gold_results (
    annotation_id bigint PRIMARY KEY REFERENCES annotations,
    item_id       bigint NOT NULL REFERENCES items,
    project_id    bigint NOT NULL REFERENCES projects,
    person_id     bigint NOT NULL REFERENCES people,
    truth_id      bigint NOT NULL REFERENCES truths,
    score         double precision NOT NULL CHECK (score BETWEEN 0 AND 1),
    agreed        integer NOT NULL,
    missed        integer NOT NULL,
    class         integer NOT NULL,
    loose         integer NOT NULL,
    split         integer NOT NULL,
    classes       jsonb NOT NULL DEFAULT '{}',
    answered_at   timestamptz NOT NULL,
    scored_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX gold_results_person_idx ON gold_results (project_id, person_id, answered_at DESC, annotation_id DESC);
CREATE INDEX gold_results_item_idx ON gold_results (item_id);
CREATE INDEX gold_results_truth_idx ON gold_results (truth_id);

-- A paused member gets nothing new in the project. pause_reason is for them to read.
ALTER TABLE members
    ADD COLUMN paused_at    timestamptz,
    ADD COLUMN paused_by    bigint REFERENCES people,
    ADD COLUMN pause_reason text NOT NULL DEFAULT '',
    ADD CONSTRAINT members_paused_by CHECK ((paused_at IS NULL) = (paused_by IS NULL));

-- A labeler who fell under the limit, until a reviewer has said what is to be done. Nobody is paused without that.
CREATE TABLE concerns (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects,
    person_id  bigint NOT NULL REFERENCES people,
    score      double precision NOT NULL,
    results    integer NOT NULL, -- that the score is the mean of
    gold_limit double precision NOT NULL,
    raised_at  timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    settled_by bigint REFERENCES people,
    outcome    text CHECK (outcome IN ('paused', 'talked', 'dismissed')),
    CONSTRAINT concerns_settled CHECK ((settled_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX concerns_open_key ON concerns (project_id, person_id) WHERE settled_at IS NULL;
CREATE INDEX concerns_person_idx ON concerns (project_id, person_id, settled_at DESC);

-- What is known of a labeler's newest answers in a project, as a job last worked it out: of all of them (class_id
-- NULL), and of each class. What the labeler sees of themselves ends with the day before: a figure that moved with
-- every ordinary item would tell the gold ones apart.
CREATE TABLE labeler_figures (
    project_id    bigint NOT NULL REFERENCES projects,
    person_id     bigint NOT NULL REFERENCES people,
    audience      text NOT NULL CHECK (audience IN ('reviewers', 'labeler')),
    class_id      bigint REFERENCES classes,
    answers       integer NOT NULL,
    approved      integer NOT NULL,
    amended       integer NOT NULL,
    rejected      integer NOT NULL,
    reasons       jsonb NOT NULL DEFAULT '{}', -- rejected answers by fault: {"loose_box":2}
    truth_objects integer NOT NULL,
    truth_agreed  integer NOT NULL,
    peer_objects  integer NOT NULL,
    peer_agreed   integer NOT NULL,
    gold_items    integer NOT NULL,
    gold_objects  integer NOT NULL,
    gold_agreed   integer NOT NULL,
    gold_score    double precision, -- mean, NULL where there is none
    gold_low      double precision,
    gold_high     double precision,
    median_ms     double precision,
    computed_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (project_id, person_id, audience, class_id)
);

-- Whose figures something has changed. Adding a row never waits for anybody; a job takes them away.
CREATE TABLE stale_figures (
    project_id bigint NOT NULL,
    person_id  bigint NOT NULL
);
CREATE INDEX stale_figures_idx ON stale_figures (project_id, person_id);

-- +goose StatementBegin
CREATE FUNCTION note_stale_figures() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stale_figures
    SELECT DISTINCT t.project_id, an.person_id
    FROM (SELECT DISTINCT task_id FROM changed) c JOIN tasks t ON t.id = c.task_id JOIN annotations an ON an.task_id = c.task_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER annotations_figures_insert AFTER INSERT ON annotations REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION note_stale_figures();
CREATE TRIGGER annotations_figures_update AFTER UPDATE ON annotations REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION note_stale_figures();
CREATE TRIGGER reviews_figures_insert AFTER INSERT ON reviews REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION note_stale_figures();

INSERT INTO stale_figures SELECT DISTINCT t.project_id, an.person_id FROM annotations an JOIN tasks t ON t.id = an.task_id;

-- +goose Down
DROP TRIGGER reviews_figures_insert ON reviews;
DROP TRIGGER annotations_figures_update ON annotations;
DROP TRIGGER annotations_figures_insert ON annotations;
DROP FUNCTION note_stale_figures;
DROP TABLE stale_figures, labeler_figures, concerns;
ALTER TABLE members DROP COLUMN pause_reason, DROP COLUMN paused_by, DROP COLUMN paused_at;
DROP TABLE gold_results;
ALTER TABLE annotations DROP COLUMN gold;
ALTER TABLE queue_cursors DROP COLUMN gold_due;
DROP TABLE gold_items;
ALTER TABLE projects DROP COLUMN gold_least, DROP COLUMN gold_limit, DROP COLUMN gold_share;
