-- +goose Up

-- loose_limit: the least IoU of a box with what the others drew. accept_above: from which score of its answers an
-- item is accepted without a reviewer (NULL: none is), but for look_share of them, which a reviewer sees all the
-- same. ask_below: under which score another labeler is asked (NULL: none is), up to overlap_most answers.
ALTER TABLE projects
    ADD COLUMN loose_limit  double precision NOT NULL DEFAULT 0.7 CHECK (loose_limit > 0 AND loose_limit <= 1),
    ADD COLUMN accept_above double precision CHECK (accept_above > 0 AND accept_above <= 1),
    ADD COLUMN look_share   double precision NOT NULL DEFAULT 0.1 CHECK (look_share BETWEEN 0 AND 1),
    ADD COLUMN ask_below    double precision CHECK (ask_below > 0 AND ask_below <= 1),
    ADD COLUMN overlap_most integer NOT NULL DEFAULT 5 CHECK (overlap_most BETWEEN 1 AND 9),
    ADD CONSTRAINT projects_ask_or_accept CHECK (ask_below <= accept_above);

-- How far the current answers to an item coincide: what internal/agreement says of them. Objects are counted once,
-- by their worst finding; the two scores are between 0 and 1. Rows are replaced by the job that scores the item.
CREATE TABLE item_agreements (
    item_id     bigint PRIMARY KEY REFERENCES items,
    project_id  bigint NOT NULL REFERENCES projects,
    task_id     bigint NOT NULL REFERENCES tasks,
    answers     integer NOT NULL,
    truth_id    bigint REFERENCES truths, -- what the answers were compared with beside each other, NULL for none
    objects     integer NOT NULL,
    score       double precision CHECK (score BETWEEN 0 AND 1), -- of the answers with each other; NULL for a single one
    truth_score double precision CHECK (truth_score BETWEEN 0 AND 1), -- their mean with the truth; NULL without one
    iou         double precision CHECK (iou BETWEEN 0 AND 1), -- mean over the objects that several have; NULL without any
    worst       text NOT NULL CHECK (worst IN ('agreed', 'missed', 'class', 'loose', 'split')),
    agreed      integer NOT NULL DEFAULT 0,
    missed      integer NOT NULL DEFAULT 0,
    class       integer NOT NULL DEFAULT 0,
    loose       integer NOT NULL DEFAULT 0,
    split       integer NOT NULL DEFAULT 0,
    computed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX item_agreements_score_idx ON item_agreements (project_id, score, item_id);
CREATE INDEX item_agreements_task_idx ON item_agreements (task_id);
CREATE INDEX item_agreements_truth_idx ON item_agreements (truth_id) WHERE truth_id IS NOT NULL;

-- One row for an object of an item and two classes that it was given, class_a the one with the lower id. The arrays
-- say which boxes of current answers gave it that class and whose they were, in one order; they are empty where the
-- truth alone says so. x, y, w, h and rotation are the object's proposed box, in pixels of the upright image.
CREATE TABLE confusions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id    bigint NOT NULL REFERENCES projects,
    item_id       bigint NOT NULL REFERENCES items,
    class_a       bigint NOT NULL REFERENCES classes,
    class_b       bigint NOT NULL REFERENCES classes,
    annotations_a bigint[] NOT NULL DEFAULT '{}',
    positions_a   integer[] NOT NULL DEFAULT '{}',
    people_a      bigint[] NOT NULL DEFAULT '{}',
    annotations_b bigint[] NOT NULL DEFAULT '{}',
    positions_b   integer[] NOT NULL DEFAULT '{}',
    people_b      bigint[] NOT NULL DEFAULT '{}',
    truth_id      bigint REFERENCES truths, -- the item's truth if it has a box of one of the two classes here
    truth_position integer,
    truth_class   bigint REFERENCES classes,
    decided       boolean NOT NULL, -- the item has its truth, with or without this object
    x             double precision NOT NULL,
    y             double precision NOT NULL,
    w             double precision NOT NULL,
    h             double precision NOT NULL,
    rotation      double precision NOT NULL DEFAULT 0,
    found_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT confusions_order CHECK (class_a < class_b),
    CONSTRAINT confusions_truth CHECK ((truth_id IS NULL) = (truth_class IS NULL) AND (truth_id IS NULL) = (truth_position IS NULL)
        AND (truth_class IS NULL OR truth_class IN (class_a, class_b)))
);
CREATE INDEX confusions_pair_idx ON confusions (project_id, class_a, class_b, id);
CREATE INDEX confusions_item_idx ON confusions (item_id);
CREATE INDEX confusions_truth_idx ON confusions (truth_id) WHERE truth_id IS NOT NULL;

-- The agreement of a project, or of a round or a batch of it: what pages show. A job replaces it.
CREATE TABLE project_agreements (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint NOT NULL REFERENCES projects,
    round_id    bigint,
    batch_id    bigint,
    items       integer NOT NULL, -- that it is of
    summary     jsonb NOT NULL,
    computed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (project_id, round_id, batch_id)
);

-- What the review queue is ordered by within a priority, the lowest first: the item's score, 0 where a labeler could
-- not decide or contests a mark, and NULL, which comes last, where there is nothing to compare.
ALTER TABLE tasks ADD COLUMN agreement double precision;
DROP INDEX tasks_review_idx;
CREATE INDEX tasks_review_idx ON tasks (project_id, priority DESC, agreement, changed_at, id) WHERE state = 'in_review';
UPDATE tasks t SET agreement = 0 WHERE state = 'in_review' AND (
    EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.state = 'skipped' AND a.skip_reason IN ('cannot_decide', 'broken_image'))
    OR EXISTS (SELECT FROM review_marks m JOIN annotations an ON an.id = m.annotation_id WHERE an.task_id = t.id AND m.disputed_at IS NOT NULL));

-- An acceptance is a decision that nobody made: the project's rule did.
ALTER TABLE reviews
    ALTER COLUMN reviewer_id DROP NOT NULL,
    DROP CONSTRAINT reviews_decision_check,
    ADD CONSTRAINT reviews_decision_check CHECK (decision IN ('approved', 'amended', 'rejected', 'discarded', 'undone', 'accepted')),
    ADD CONSTRAINT reviews_by_rule CHECK ((decision = 'accepted') = (reviewer_id IS NULL));

-- +goose Down
ALTER TABLE reviews
    DROP CONSTRAINT reviews_by_rule,
    DROP CONSTRAINT reviews_decision_check,
    ADD CONSTRAINT reviews_decision_check CHECK (decision IN ('approved', 'amended', 'rejected', 'discarded', 'undone')),
    ALTER COLUMN reviewer_id SET NOT NULL;
DROP INDEX tasks_review_idx;
ALTER TABLE tasks DROP COLUMN agreement;
CREATE INDEX tasks_review_idx ON tasks (project_id, priority DESC, changed_at, id) WHERE state = 'in_review';
DROP TABLE project_agreements, confusions, item_agreements;
ALTER TABLE projects
    DROP CONSTRAINT projects_ask_or_accept,
    DROP COLUMN overlap_most, DROP COLUMN ask_below, DROP COLUMN look_share, DROP COLUMN accept_above, DROP COLUMN loose_limit;
