-- +goose Up

-- Every decision stays; an undo is a decision too, and names the one it takes back.
CREATE TABLE reviews (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id      bigint NOT NULL REFERENCES tasks,
    item_id      bigint NOT NULL REFERENCES items,
    reviewer_id  bigint NOT NULL REFERENCES people,
    decision     text NOT NULL CHECK (decision IN ('approved', 'amended', 'rejected', 'discarded', 'undone')),
    undoes       bigint UNIQUE REFERENCES reviews,
    note         text NOT NULL DEFAULT '',
    active_ms    bigint NOT NULL DEFAULT 0,
    decided_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reviews_task_idx ON reviews (task_id, id);
CREATE INDEX reviews_reviewer_idx ON reviews (reviewer_id, decided_at DESC);

-- Why an answer was sent back, pinned to a box (position), to a place (x, y), or to the whole.
CREATE TABLE review_marks (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    review_id     bigint NOT NULL REFERENCES reviews,
    annotation_id bigint NOT NULL REFERENCES annotations,
    position      integer,
    x             double precision,
    y             double precision,
    reason        text NOT NULL CHECK (reason IN ('loose_box', 'missed_defect', 'wrong_class', 'split_needed', 'other')),
    note          text NOT NULL DEFAULT '',
    dispute       text NOT NULL DEFAULT '',
    disputed_at   timestamptz
);
CREATE INDEX review_marks_annotation_idx ON review_marks (annotation_id);
CREATE INDEX review_marks_review_idx ON review_marks (review_id);

CREATE TABLE truths (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id       bigint NOT NULL REFERENCES items,
    review_id     bigint REFERENCES reviews, -- NULL: imported
    import_id     bigint REFERENCES imports,
    annotation_id bigint REFERENCES annotations, -- the answer that was taken or amended
    current       boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT truths_origin CHECK ((review_id IS NULL) <> (import_id IS NULL))
);
CREATE UNIQUE INDEX truths_current_key ON truths (item_id) WHERE current;
CREATE INDEX truths_item_idx ON truths (item_id, id);
CREATE INDEX truths_review_idx ON truths (review_id);

CREATE TABLE truth_boxes (
    truth_id           bigint NOT NULL REFERENCES truths,
    position           integer NOT NULL,
    class_id           bigint NOT NULL REFERENCES classes,
    definition_version integer,
    x double precision NOT NULL, y double precision NOT NULL,
    w double precision NOT NULL, h double precision NOT NULL,
    rotation           double precision NOT NULL DEFAULT 0,
    crowd              boolean NOT NULL DEFAULT false,
    PRIMARY KEY (truth_id, position)
);

CREATE TABLE notices (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id  bigint NOT NULL REFERENCES people,
    kind       text NOT NULL,
    object_type text NOT NULL,
    object_id  bigint NOT NULL,
    project_id bigint REFERENCES projects,
    created_at timestamptz NOT NULL DEFAULT now(),
    read_at    timestamptz
);
CREATE INDEX notices_unread_idx ON notices (person_id, id DESC) WHERE read_at IS NULL;

-- +goose Down
DROP TABLE notices, truth_boxes, truths, review_marks, reviews;
