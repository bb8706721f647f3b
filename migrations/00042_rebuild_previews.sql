-- +goose Up
-- What rebuilding a version would change, worked out by a job, since that reads every item. It is kept without content: strata by number and
-- name of their class, with counts. problem is why it cannot be rebuilt, for people.
CREATE TABLE rebuild_previews (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id  bigint NOT NULL UNIQUE REFERENCES dataset_versions,
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'failed')),
    changes     jsonb NOT NULL DEFAULT '[]',
    erased      integer NOT NULL DEFAULT 0,
    expired     integer NOT NULL DEFAULT 0,
    moved       integer NOT NULL DEFAULT 0,
    problem     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);

-- +goose Down
DROP TABLE rebuild_previews;
