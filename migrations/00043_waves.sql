-- +goose Up
-- How loud an item of sound is from its beginning to its end, for lists of items: so many amounts from 0 to 127, drawn once for a version
-- of its recording out of the outlines, when somebody first lists it.
CREATE TABLE item_waves (
    item_id           bigint PRIMARY KEY REFERENCES items,
    recording_version integer NOT NULL,
    amounts           bytea NOT NULL
) PARTITION BY HASH (item_id);
-- +goose StatementBegin
DO $$ BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('CREATE TABLE item_waves_%s PARTITION OF item_waves FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
        EXECUTE format('ALTER TABLE item_waves_%s ALTER COLUMN amounts SET STATISTICS 0', i);
    END LOOP;
END $$;
-- +goose StatementEnd
ALTER TABLE item_waves ALTER COLUMN amounts SET STATISTICS 0;

-- +goose Down
DROP TABLE item_waves;
