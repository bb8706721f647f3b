-- +goose Up

-- A person's answers, the newest first: the last one can be recalled.
CREATE INDEX annotations_person_idx ON annotations (person_id, id DESC);

-- How often something that is limited was tried under a key (a hash of an address, for one), in the window of time that
-- began then: servers that share the database count together. What it holds is worth nothing after minutes, so it is
-- in no write-ahead log.
CREATE UNLOGGED TABLE attempts (
    key_hash bytea NOT NULL,
    began_at timestamptz NOT NULL,
    attempts integer NOT NULL,
    PRIMARY KEY (key_hash, began_at)
);
CREATE INDEX attempts_began_idx ON attempts (began_at);

-- +goose Down
DROP TABLE attempts;
DROP INDEX annotations_person_idx;
