-- +goose Up
CREATE INDEX audit_events_action_idx ON audit_events (action, id DESC);
CREATE INDEX audit_events_at_idx ON audit_events (at);
CREATE INDEX audit_events_token_idx ON audit_events (token_id, id DESC) WHERE token_id IS NOT NULL;

-- +goose Down
DROP INDEX audit_events_token_idx, audit_events_at_idx, audit_events_action_idx;
