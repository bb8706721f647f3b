-- +goose Up

-- How many labels each class has under each version of its definition, as changes to add up, like
-- project_counts: labels of answers that count (of items that were not discarded; an answer to a gold item is
-- no label), and labels of the current truth. 0 stands for labels that were made before any definition. Pages
-- that say how many labels a new definition makes stale read these, however many boxes there are.
CREATE TABLE label_counts (
    class_id           bigint NOT NULL,
    definition_version integer NOT NULL,
    counted            text NOT NULL CHECK (counted IN ('answers', 'truth')),
    change             bigint NOT NULL
);
CREATE INDEX label_counts_class_idx ON label_counts (class_id);

-- Whether the labels of an answer are counted. Asked row by row, by key, whatever the planner believes of a
-- transition table.
CREATE FUNCTION answer_counts(answer bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT an.superseded_at IS NULL AND an.recalled_at IS NULL AND t.state <> 'discarded' AND a.reason <> 'gold'
    FROM annotations an JOIN tasks t ON t.id = an.task_id JOIN assignments a ON a.id = an.assignment_id WHERE an.id = answer
$$;

-- +goose StatementBegin
CREATE FUNCTION count_answer_boxes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO label_counts
    SELECT c.class_id, c.version, 'answers', sum(c.n * CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END)
    FROM (SELECT annotation_id, class_id, coalesce(definition_version, 0) AS version, count(*) AS n FROM changed GROUP BY 1, 2, 3) c
    WHERE answer_counts(c.annotation_id) GROUP BY 1, 2;
    RETURN NULL;
END $$;

CREATE FUNCTION count_truth_boxes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO label_counts
    SELECT c.class_id, c.version, 'truth', sum(c.n * CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END)
    FROM (SELECT truth_id, class_id, coalesce(definition_version, 0) AS version, count(*) AS n FROM changed GROUP BY 1, 2, 3) c
    WHERE (SELECT u.current FROM truths u WHERE u.id = c.truth_id) GROUP BY 1, 2;
    RETURN NULL;
END $$;

-- An answer was superseded, taken back, or counts again.
CREATE FUNCTION count_answers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO label_counts
    SELECT b.class_id, b.version, 'answers', sum(CASE WHEN c.counts THEN b.n ELSE -b.n END)
    FROM (
        SELECT n.id, n.superseded_at IS NULL AND n.recalled_at IS NULL AS counts FROM after n JOIN before o ON o.id = n.id
        WHERE (n.superseded_at IS NULL AND n.recalled_at IS NULL) <> (o.superseded_at IS NULL AND o.recalled_at IS NULL)
          AND (SELECT t.state <> 'discarded' FROM tasks t WHERE t.id = n.task_id)
          AND (SELECT a.reason <> 'gold' FROM assignments a WHERE a.id = n.assignment_id)) c
    CROSS JOIN LATERAL (
        SELECT class_id, coalesce(definition_version, 0) AS version, count(*) AS n FROM annotation_boxes WHERE annotation_id = c.id GROUP BY 1, 2) b
    GROUP BY 1, 2;
    RETURN NULL;
END $$;

CREATE FUNCTION count_truths() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO label_counts
    SELECT b.class_id, b.version, 'truth', sum(CASE WHEN c.current THEN b.n ELSE -b.n END)
    FROM (SELECT n.id, n.current FROM after n JOIN before o ON o.id = n.id WHERE n.current <> o.current) c
    CROSS JOIN LATERAL (
        SELECT class_id, coalesce(definition_version, 0) AS version, count(*) AS n FROM truth_boxes WHERE truth_id = c.id GROUP BY 1, 2) b
    GROUP BY 1, 2;
    RETURN NULL;
END $$;

-- An item was discarded, or is there again.
CREATE FUNCTION count_discarded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO label_counts
    SELECT b.class_id, coalesce(b.definition_version, 0), 'answers', count(*) * CASE NEW.state WHEN 'discarded' THEN -1 ELSE 1 END
    FROM annotations an JOIN assignments a ON a.id = an.assignment_id AND a.reason <> 'gold'
    JOIN annotation_boxes b ON b.annotation_id = an.id
    WHERE an.task_id = NEW.id AND an.superseded_at IS NULL AND an.recalled_at IS NULL GROUP BY 1, 2;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER annotation_boxes_count_insert AFTER INSERT ON annotation_boxes REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_answer_boxes();
CREATE TRIGGER annotation_boxes_count_delete AFTER DELETE ON annotation_boxes REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_answer_boxes();
CREATE TRIGGER truth_boxes_count_insert AFTER INSERT ON truth_boxes REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_truth_boxes();
CREATE TRIGGER truth_boxes_count_delete AFTER DELETE ON truth_boxes REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_truth_boxes();
CREATE TRIGGER annotations_count_update AFTER UPDATE ON annotations REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION count_answers();
CREATE TRIGGER truths_count_update AFTER UPDATE ON truths REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION count_truths();
CREATE TRIGGER tasks_count_discarded AFTER UPDATE OF state ON tasks
    FOR EACH ROW WHEN ((OLD.state = 'discarded') <> (NEW.state = 'discarded')) EXECUTE FUNCTION count_discarded();

INSERT INTO label_counts
SELECT b.class_id, coalesce(b.definition_version, 0), 'answers', count(*)
FROM annotation_boxes b JOIN annotations an ON an.id = b.annotation_id JOIN tasks t ON t.id = an.task_id JOIN assignments a ON a.id = an.assignment_id
WHERE an.superseded_at IS NULL AND an.recalled_at IS NULL AND t.state <> 'discarded' AND a.reason <> 'gold' GROUP BY 1, 2;
INSERT INTO label_counts
SELECT b.class_id, coalesce(b.definition_version, 0), 'truth', count(*)
FROM truth_boxes b JOIN truths u ON u.id = b.truth_id AND u.current GROUP BY 1, 2;

-- A class's labels of answers, the newest first; truth_boxes_class_idx is the same for the truth.
CREATE INDEX annotation_boxes_class_idx ON annotation_boxes (class_id, annotation_id);

-- One sending back of labels that were made before a definition's version: of all of the class, or only where it
-- was confused with one of others. Once its items are found it works through them in steps.
CREATE TABLE relabels (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint NOT NULL REFERENCES projects,
    class_id    bigint NOT NULL REFERENCES classes,
    version     integer NOT NULL, -- of the definition that the labels are to be made under
    others      bigint[] NOT NULL DEFAULT '{}', -- classes; none: every label
    note        text NOT NULL DEFAULT '', -- what has changed, for whoever labels again
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'done')),
    items       integer NOT NULL DEFAULT 0, -- that were found
    done_items  integer NOT NULL DEFAULT 0,
    answers     integer NOT NULL DEFAULT 0, -- sent back to their labelers
    reviews     integer NOT NULL DEFAULT 0, -- items whose truth alone is older, sent to review
    created_by  bigint REFERENCES people,
    token_id    bigint REFERENCES api_tokens,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX relabels_project_idx ON relabels (project_id, id DESC);
CREATE INDEX relabels_class_idx ON relabels (class_id, id DESC);

CREATE TABLE relabel_items (
    relabel_id bigint NOT NULL REFERENCES relabels,
    item_id    bigint NOT NULL REFERENCES items,
    -- sent: to labelers. review: its truth waits to be looked at again. passed: there was nothing left to do.
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'review', 'passed')),
    PRIMARY KEY (relabel_id, item_id)
);
CREATE INDEX relabel_items_waiting_idx ON relabel_items (relabel_id, item_id) WHERE state = 'waiting';
CREATE INDEX relabel_items_item_idx ON relabel_items (item_id, relabel_id);

-- Why an answer came back: the boxes of it that are to be looked at again, by their positions.
CREATE TABLE relabel_answers (
    assignment_id bigint NOT NULL REFERENCES assignments,
    relabel_id    bigint NOT NULL REFERENCES relabels,
    annotation_id bigint NOT NULL REFERENCES annotations,
    positions     integer[] NOT NULL,
    PRIMARY KEY (assignment_id, relabel_id)
);
CREATE INDEX relabel_answers_relabel_idx ON relabel_answers (relabel_id);
CREATE INDEX relabel_answers_annotation_idx ON relabel_answers (annotation_id);

-- +goose Down
DROP TABLE relabel_answers, relabel_items, relabels;
DROP INDEX annotation_boxes_class_idx;
DROP TRIGGER tasks_count_discarded ON tasks;
DROP TRIGGER truths_count_update ON truths;
DROP TRIGGER annotations_count_update ON annotations;
DROP TRIGGER truth_boxes_count_delete ON truth_boxes;
DROP TRIGGER truth_boxes_count_insert ON truth_boxes;
DROP TRIGGER annotation_boxes_count_delete ON annotation_boxes;
DROP TRIGGER annotation_boxes_count_insert ON annotation_boxes;
DROP FUNCTION count_discarded, count_truths, count_answers, count_truth_boxes, count_answer_boxes, answer_counts;
DROP TABLE label_counts;
