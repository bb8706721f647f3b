-- +goose Up

-- A schedule may rest for a while, and go on.
ALTER TABLE evaluation_schedules ADD COLUMN paused_at timestamptz;

-- Whoever recorded a change may put it right.
ALTER TABLE changes ADD COLUMN edited_at timestamptz;

-- A channel may take what finished runs came to, beside alerts. Both go through the same ledger, so that neither is sent twice.
ALTER TABLE alert_channels ADD COLUMN runs boolean NOT NULL DEFAULT false;
ALTER TABLE alert_sendings DROP CONSTRAINT alert_sendings_pkey;
ALTER TABLE alert_sendings ALTER COLUMN alert_id DROP NOT NULL;
ALTER TABLE alert_sendings ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ADD COLUMN evaluation_id bigint REFERENCES evaluations,
    ADD CONSTRAINT alert_sendings_of CHECK (num_nonnulls(alert_id, evaluation_id) = 1),
    ADD CONSTRAINT alert_sendings_alert_key UNIQUE (alert_id, channel_id), ADD CONSTRAINT alert_sendings_evaluation_key UNIQUE (evaluation_id, channel_id);

-- A blind audit has a batch in each project that its lines are of.
CREATE TABLE audit_batches (
    audit_id bigint NOT NULL REFERENCES audits,
    batch_id bigint NOT NULL UNIQUE REFERENCES batches,
    PRIMARY KEY (audit_id, batch_id)
);
INSERT INTO audit_batches (audit_id, batch_id) SELECT id, batch_id FROM audits WHERE batch_id IS NOT NULL;
ALTER TABLE audits DROP COLUMN batch_id;

-- A question that a model is being asked now, by a chunk of a run: another run that has the same one waits for the answer instead of asking too.
-- question is the SHA-256 of the item, the model version, its configuration and the input. The row is gone once the answer is kept.
CREATE UNLOGGED TABLE model_questions (
    question bytea PRIMARY KEY CHECK (length(question) = 32),
    step_id  bigint NOT NULL,
    chunk    integer NOT NULL,
    until    timestamptz NOT NULL
);
CREATE INDEX model_questions_chunk_idx ON model_questions (step_id, chunk);

-- +goose Down
DROP TABLE model_questions;
ALTER TABLE audits ADD COLUMN batch_id bigint REFERENCES batches;
UPDATE audits a SET batch_id = (SELECT min(b.batch_id) FROM audit_batches b WHERE b.audit_id = a.id);
DROP TABLE audit_batches;
DELETE FROM alert_sendings WHERE alert_id IS NULL;
ALTER TABLE alert_sendings DROP COLUMN evaluation_id, DROP COLUMN id;
ALTER TABLE alert_sendings DROP CONSTRAINT alert_sendings_alert_key, ADD PRIMARY KEY (alert_id, channel_id);
ALTER TABLE alert_channels DROP COLUMN runs;
ALTER TABLE changes DROP COLUMN edited_at;
ALTER TABLE evaluation_schedules DROP COLUMN paused_at;
