-- +goose Up

-- What people wrote about an item in passing, apart from the large tables that it is about: a partition of this is rewritten
-- within moments of an erasure, those are not. of_id is the id of the assignment that was skipped, of the review, or of
-- the mark.
CREATE TABLE item_notes (
    item_id bigint NOT NULL REFERENCES items,
    kind    text NOT NULL CHECK (kind IN ('skip', 'review', 'mark', 'dispute')),
    of_id   bigint NOT NULL,
    body    text NOT NULL CHECK (body <> ''),
    PRIMARY KEY (item_id, kind, of_id)
) PARTITION BY HASH (item_id);
CREATE TABLE item_notes_0 PARTITION OF item_notes FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE item_notes_1 PARTITION OF item_notes FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE item_notes_2 PARTITION OF item_notes FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE item_notes_3 PARTITION OF item_notes FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE item_notes_4 PARTITION OF item_notes FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE item_notes_5 PARTITION OF item_notes FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE item_notes_6 PARTITION OF item_notes FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE item_notes_7 PARTITION OF item_notes FOR VALUES WITH (MODULUS 8, REMAINDER 7);

INSERT INTO item_notes (item_id, kind, of_id, body)
SELECT t.item_id, 'skip', a.id, a.skip_note FROM assignments a JOIN tasks t ON t.id = a.task_id WHERE a.skip_note <> ''
UNION ALL SELECT item_id, 'review', id, note FROM reviews WHERE note <> ''
UNION ALL SELECT r.item_id, 'mark', m.id, m.note FROM review_marks m JOIN reviews r ON r.id = m.review_id WHERE m.note <> ''
UNION ALL SELECT r.item_id, 'dispute', m.id, m.dispute FROM review_marks m JOIN reviews r ON r.id = m.review_id WHERE m.dispute <> '';

ALTER TABLE assignments DROP COLUMN skip_note;
ALTER TABLE reviews DROP COLUMN note;
ALTER TABLE review_marks DROP COLUMN note, DROP COLUMN dispute;
-- A dropped column stays in every row until that is written again.
CLUSTER assignments USING assignments_pkey;
CLUSTER reviews USING reviews_pkey;
CLUSTER review_marks USING review_marks_pkey;
ALTER TABLE assignments SET WITHOUT CLUSTER;
ALTER TABLE reviews SET WITHOUT CLUSTER;
ALTER TABLE review_marks SET WITHOUT CLUSTER;

-- The names of imported files, in pieces that can be rewritten one by one.
ALTER TABLE import_results RENAME TO import_results_former;
ALTER INDEX import_results_pkey RENAME TO import_results_former_pkey;
DROP INDEX import_results_import_idx, import_results_item_idx;
CREATE TABLE import_results (
    id        bigint GENERATED ALWAYS AS IDENTITY,
    import_id bigint NOT NULL REFERENCES imports,
    name      text NOT NULL, -- file, or file and place inside it
    outcome   text NOT NULL CHECK (outcome IN ('added', 'changed', 'unchanged', 'refused', 'lost')),
    reason    text NOT NULL DEFAULT '',
    item_id   bigint REFERENCES items,
    boxes     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (id, import_id)
) PARTITION BY HASH (import_id);
CREATE TABLE import_results_0 PARTITION OF import_results FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE import_results_1 PARTITION OF import_results FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE import_results_2 PARTITION OF import_results FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE import_results_3 PARTITION OF import_results FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE import_results_4 PARTITION OF import_results FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE import_results_5 PARTITION OF import_results FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE import_results_6 PARTITION OF import_results FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE import_results_7 PARTITION OF import_results FOR VALUES WITH (MODULUS 8, REMAINDER 7);
INSERT INTO import_results OVERRIDING SYSTEM VALUE SELECT id, import_id, name, outcome, reason, item_id, boxes FROM import_results_former;
SELECT setval(pg_get_serial_sequence('import_results', 'id'), max(id)) FROM import_results_former HAVING count(*) > 0;
DROP TABLE import_results_former;
ALTER SEQUENCE import_results_id_seq1 RENAME TO import_results_id_seq;
CREATE INDEX import_results_import_idx ON import_results (import_id, outcome, id);
CREATE INDEX import_results_item_idx ON import_results (item_id) WHERE item_id IS NOT NULL;

-- The planner's statistics hold the most common values of a column, and survive what they were taken from: of texts there
-- are to be none. To set the type again, though it is the same, drops those that were gathered so far.
ALTER TABLE item_texts ALTER COLUMN external_key TYPE text, ALTER COLUMN file_name TYPE text, ALTER COLUMN metadata TYPE jsonb;
ALTER TABLE item_salts ALTER COLUMN salt TYPE bytea;
ALTER TABLE item_notes ALTER COLUMN body TYPE text;
ALTER TABLE comment_texts ALTER COLUMN body TYPE text;
ALTER TABLE import_results ALTER COLUMN name TYPE text, ALTER COLUMN reason TYPE text;
ALTER TABLE import_files ALTER COLUMN name TYPE text;
ALTER TABLE groups ALTER COLUMN name TYPE text;
ALTER TABLE definition_examples ALTER COLUMN caption TYPE text;
ALTER TABLE drafts ALTER COLUMN boxes TYPE jsonb;
ALTER TABLE project_agreements ALTER COLUMN summary TYPE jsonb;
ALTER TABLE exports ALTER COLUMN report TYPE jsonb;
ALTER TABLE idempotency_keys ALTER COLUMN response TYPE jsonb;
ALTER TABLE person_identities ALTER COLUMN email TYPE text, ALTER COLUMN name TYPE text, ALTER COLUMN password_hash TYPE text;
ALTER TABLE members ALTER COLUMN pause_reason TYPE text;
ALTER TABLE people ALTER COLUMN preferences TYPE jsonb;
ALTER TABLE sessions ALTER COLUMN data TYPE bytea;
ALTER TABLE item_texts ALTER COLUMN external_key SET STATISTICS 0, ALTER COLUMN file_name SET STATISTICS 0, ALTER COLUMN metadata SET STATISTICS 0;
ALTER TABLE item_salts ALTER COLUMN salt SET STATISTICS 0;
ALTER TABLE item_notes ALTER COLUMN body SET STATISTICS 0;
ALTER TABLE comment_texts ALTER COLUMN body SET STATISTICS 0;
ALTER TABLE import_results ALTER COLUMN name SET STATISTICS 0, ALTER COLUMN reason SET STATISTICS 0;
ALTER TABLE import_files ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE groups ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE definition_examples ALTER COLUMN caption SET STATISTICS 0;
ALTER TABLE drafts ALTER COLUMN boxes SET STATISTICS 0;
ALTER TABLE project_agreements ALTER COLUMN summary SET STATISTICS 0;
ALTER TABLE exports ALTER COLUMN report SET STATISTICS 0;
ALTER TABLE idempotency_keys ALTER COLUMN response SET STATISTICS 0;
ALTER TABLE person_identities ALTER COLUMN email SET STATISTICS 0, ALTER COLUMN name SET STATISTICS 0, ALTER COLUMN password_hash SET STATISTICS 0;
ALTER TABLE members ALTER COLUMN pause_reason SET STATISTICS 0;
ALTER TABLE people ALTER COLUMN preferences SET STATISTICS 0;
ALTER TABLE sessions ALTER COLUMN data SET STATISTICS 0;

-- Backups that were made of this installation and until when they are kept, so that a receipt can say until when one may
-- still know what was erased.
CREATE TABLE backups (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at    timestamptz NOT NULL DEFAULT now(),
    keep_until date NOT NULL,
    state      text NOT NULL DEFAULT 'writing' CHECK (state IN ('writing', 'made', 'failed', 'deleted')),
    bytes      bigint NOT NULL DEFAULT 0 -- of its objects
);
CREATE INDEX backups_kept_idx ON backups (keep_until) WHERE state IN ('writing', 'made');

-- How far the ledger of erasures, which lies outside the database, is known here: its last line's number and checksum.
CREATE TABLE ledger_heads (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    line bigint NOT NULL,
    sum  bytea NOT NULL
);

-- +goose Down
DROP TABLE ledger_heads, backups;
ALTER TABLE item_texts ALTER COLUMN external_key SET STATISTICS -1, ALTER COLUMN file_name SET STATISTICS -1, ALTER COLUMN metadata SET STATISTICS -1;
ALTER TABLE item_salts ALTER COLUMN salt SET STATISTICS -1;
ALTER TABLE comment_texts ALTER COLUMN body SET STATISTICS -1;
ALTER TABLE import_files ALTER COLUMN name SET STATISTICS -1;
ALTER TABLE groups ALTER COLUMN name SET STATISTICS -1;
ALTER TABLE definition_examples ALTER COLUMN caption SET STATISTICS -1;
ALTER TABLE drafts ALTER COLUMN boxes SET STATISTICS -1;
ALTER TABLE project_agreements ALTER COLUMN summary SET STATISTICS -1;
ALTER TABLE exports ALTER COLUMN report SET STATISTICS -1;
ALTER TABLE idempotency_keys ALTER COLUMN response SET STATISTICS -1;
ALTER TABLE person_identities ALTER COLUMN email SET STATISTICS -1, ALTER COLUMN name SET STATISTICS -1, ALTER COLUMN password_hash SET STATISTICS -1;
ALTER TABLE members ALTER COLUMN pause_reason SET STATISTICS -1;
ALTER TABLE people ALTER COLUMN preferences SET STATISTICS -1;
ALTER TABLE sessions ALTER COLUMN data SET STATISTICS -1;
ALTER TABLE import_results RENAME TO import_results_former;
ALTER INDEX import_results_pkey RENAME TO import_results_former_pkey;
DROP INDEX import_results_import_idx, import_results_item_idx;
CREATE TABLE import_results (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_id bigint NOT NULL REFERENCES imports,
    name      text NOT NULL,
    outcome   text NOT NULL CHECK (outcome IN ('added', 'changed', 'unchanged', 'refused', 'lost')),
    reason    text NOT NULL DEFAULT '',
    item_id   bigint REFERENCES items,
    boxes     integer NOT NULL DEFAULT 0
);
INSERT INTO import_results OVERRIDING SYSTEM VALUE SELECT id, import_id, name, outcome, reason, item_id, boxes FROM import_results_former;
SELECT setval(pg_get_serial_sequence('import_results', 'id'), max(id)) FROM import_results_former HAVING count(*) > 0;
DROP TABLE import_results_former;
ALTER SEQUENCE import_results_id_seq1 RENAME TO import_results_id_seq;
CREATE INDEX import_results_import_idx ON import_results (import_id, outcome, id);
CREATE INDEX import_results_item_idx ON import_results (item_id) WHERE item_id IS NOT NULL;
ALTER TABLE review_marks ADD COLUMN note text NOT NULL DEFAULT '', ADD COLUMN dispute text NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN note text NOT NULL DEFAULT '';
ALTER TABLE assignments ADD COLUMN skip_note text NOT NULL DEFAULT '';
UPDATE review_marks m SET note = n.body FROM item_notes n WHERE n.kind = 'mark' AND n.of_id = m.id;
UPDATE review_marks m SET dispute = n.body FROM item_notes n WHERE n.kind = 'dispute' AND n.of_id = m.id;
UPDATE reviews r SET note = n.body FROM item_notes n WHERE n.kind = 'review' AND n.of_id = r.id;
UPDATE assignments a SET skip_note = n.body FROM item_notes n WHERE n.kind = 'skip' AND n.of_id = a.id;
DROP TABLE item_notes;
