-- +goose Up

-- What is said about an item. A comment that comes after it was settled opens it again.
CREATE TABLE discussions (
    item_id     bigint PRIMARY KEY REFERENCES items,
    project_id  bigint NOT NULL REFERENCES projects,
    opened_at   timestamptz NOT NULL DEFAULT now(),
    last_at     timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz
);
CREATE INDEX discussions_open_idx ON discussions (project_id, last_at DESC, item_id) WHERE resolved_at IS NULL;

-- One entry: something said, or the word that the discussion is settled or open again. It is about the whole
-- item, a box of an answer or of a truth, or a place. A comment that its author took back stays as an entry
-- without a text.
CREATE TABLE comments (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id       bigint NOT NULL REFERENCES discussions,
    person_id     bigint NOT NULL REFERENCES people,
    kind          text NOT NULL CHECK (kind IN ('said', 'resolved', 'reopened')),
    annotation_id bigint REFERENCES annotations,
    truth_id      bigint REFERENCES truths,
    position      integer,
    x             double precision,
    y             double precision,
    version       integer NOT NULL DEFAULT 1, -- of its text
    at            timestamptz NOT NULL DEFAULT now(),
    edited_at     timestamptz,
    deleted_at    timestamptz,
    CONSTRAINT comments_about CHECK (
        (x IS NULL) = (y IS NULL) AND num_nonnulls(annotation_id, truth_id, x) <= 1
        AND (position IS NOT NULL) = (num_nonnulls(annotation_id, truth_id) = 1))
);
CREATE INDEX comments_item_idx ON comments (item_id, id);
CREATE INDEX comments_annotation_idx ON comments (annotation_id) WHERE annotation_id IS NOT NULL;
CREATE INDEX comments_truth_idx ON comments (truth_id) WHERE truth_id IS NOT NULL;

-- Every version of what was said, so that an edit hides nothing. A mention in it is an id, never a name.
CREATE TABLE comment_texts (
    item_id    bigint NOT NULL REFERENCES items,
    comment_id bigint NOT NULL REFERENCES comments,
    version    integer NOT NULL,
    body       text NOT NULL,
    PRIMARY KEY (item_id, comment_id, version)
) PARTITION BY HASH (item_id);
CREATE TABLE comment_texts_0 PARTITION OF comment_texts FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE comment_texts_1 PARTITION OF comment_texts FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE comment_texts_2 PARTITION OF comment_texts FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE comment_texts_3 PARTITION OF comment_texts FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE comment_texts_4 PARTITION OF comment_texts FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE comment_texts_5 PARTITION OF comment_texts FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE comment_texts_6 PARTITION OF comment_texts FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE comment_texts_7 PARTITION OF comment_texts FOR VALUES WITH (MODULUS 8, REMAINDER 7);

CREATE TABLE comment_mentions (
    comment_id bigint NOT NULL REFERENCES comments,
    person_id  bigint NOT NULL REFERENCES people,
    PRIMARY KEY (comment_id, person_id)
);

-- +goose Down
DROP TABLE comment_mentions, comment_texts, comments, discussions;
