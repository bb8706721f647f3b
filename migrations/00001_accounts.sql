-- +goose Up

-- A person's name and address stand apart from the row that everything refers to, so
-- that someone who leaves is pseudonymised by deleting one row while their work stays.
CREATE TABLE people (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    role               text NOT NULL CHECK (role IN ('labeler', 'reviewer', 'admin', 'viewer')),
    pseudonym          text NOT NULL UNIQUE,
    session_generation integer NOT NULL DEFAULT 1,
    preferences        jsonb NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT now(),
    left_at            timestamptz
);

CREATE TABLE person_identities (
    person_id     bigint PRIMARY KEY REFERENCES people,
    email         text NOT NULL,
    name          text NOT NULL,
    password_hash text
);
CREATE UNIQUE INDEX person_identities_email_key ON person_identities (lower(email));

CREATE TABLE sessions (
    token  text PRIMARY KEY,
    data   bytea NOT NULL,
    expiry timestamptz NOT NULL
);
CREATE INDEX sessions_expiry_idx ON sessions (expiry);

CREATE TABLE invitations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    -- NULL for a link that sets a new password of an existing person.
    role       text CHECK (role IN ('labeler', 'reviewer', 'admin', 'viewer')),
    person_id  bigint REFERENCES people,
    project_ids bigint[] NOT NULL DEFAULT '{}',
    created_by bigint REFERENCES people,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    revoked_at timestamptz,
    CONSTRAINT invitations_for_role_or_person CHECK ((role IS NULL) <> (person_id IS NULL))
);

CREATE TABLE api_tokens (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    token_hash   bytea NOT NULL UNIQUE,
    role         text NOT NULL CHECK (role IN ('labeler', 'reviewer', 'admin', 'viewer')),
    project_id   bigint,
    created_by   bigint REFERENCES people,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);

-- Ids only, never content: an erasure has nothing to look for in here.
CREATE TABLE audit_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    person_id   bigint,
    token_id    bigint,
    action      text NOT NULL,
    object_type text NOT NULL,
    object_id   bigint,
    project_id  bigint,
    request_id  text NOT NULL DEFAULT '',
    detail      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_object_idx ON audit_events (object_type, object_id, id DESC);
CREATE INDEX audit_events_person_idx ON audit_events (person_id, id DESC);
CREATE INDEX audit_events_project_idx ON audit_events (project_id, id DESC);

CREATE TABLE idempotency_keys (
    actor        text NOT NULL, -- 'person:7' or 'token:3'
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       integer, -- NULL while the first request is still at work
    response     jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

-- +goose Down
DROP TABLE idempotency_keys, audit_events, api_tokens, invitations, sessions, person_identities, people;
