-- +goose Up

-- What a decision found, so that its undo can put it back.
ALTER TABLE reviews ADD COLUMN former_state text CHECK (former_state IN ('open', 'in_review', 'adjudicated', 'discarded'));
ALTER TABLE reviews ADD COLUMN former_truth_id bigint REFERENCES truths ON DELETE SET NULL;
CREATE INDEX reviews_former_truth_idx ON reviews (former_truth_id) WHERE former_truth_id IS NOT NULL;

-- The rejection that asked for a rework.
ALTER TABLE assignments ADD COLUMN review_id bigint REFERENCES reviews ON DELETE SET NULL;
CREATE INDEX assignments_review_idx ON assignments (review_id) WHERE review_id IS NOT NULL;
CREATE INDEX assignments_reworked_idx ON assignments (project_id, task_id) WHERE reason = 'rework' AND state = 'submitted';
CREATE INDEX assignments_undecided_idx ON assignments (project_id, task_id) WHERE state = 'skipped' AND skip_reason IN ('cannot_decide', 'broken_image');
CREATE INDEX review_marks_disputed_idx ON review_marks (annotation_id) WHERE disputed_at IS NOT NULL;

-- Who has an item before them: a hint that keeps two reviewers from the same one, no lock.
CREATE TABLE review_looks (
    task_id   bigint PRIMARY KEY REFERENCES tasks,
    person_id bigint NOT NULL REFERENCES people,
    at        timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX notices_person_idx ON notices (person_id, id DESC);

-- +goose Down
DROP INDEX notices_person_idx;
DROP TABLE review_looks;
DROP INDEX review_marks_disputed_idx, assignments_undecided_idx, assignments_reworked_idx, assignments_review_idx, reviews_former_truth_idx;
ALTER TABLE assignments DROP COLUMN review_id;
ALTER TABLE reviews DROP COLUMN former_truth_id, DROP COLUMN former_state;
