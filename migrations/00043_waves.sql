-- +goose Up
-- How loud an item of sound is from its beginning to its end, for lists of items: so many amounts from 0 to 127, drawn once for a version
-- of its recording out of the outlines, when somebody first lists it.
CREATE TABLE item_waves (
    item_id           bigint PRIMARY KEY REFERENCES items,
    recording_version integer NOT NULL,
    amounts           bytea NOT NULL
);

-- +goose Down
DROP TABLE item_waves;
