INSERT INTO people (role, pseudonym, session_generation, preferences, left_at) VALUES
    ('admin', 'person-admin', 1, '{}', NULL),
    ('reviewer', 'person-reviewer', 2, '{"keys":{"undo":"u"}}', NULL),
    ('labeler', 'person-labeler', 1, '{}', NULL),
    ('labeler', 'person-gone', 3, '{}', '2026-02-03 10:00+00');
INSERT INTO person_identities (person_id, email, name, password_hash) VALUES
    (1, 'admin@example.org', 'Ada', '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
    (2, 'reviewer@example.org', 'Rosa Ümit', NULL),
    (3, 'labeler@example.org', E'tab\there \\ "quoted"', NULL);
INSERT INTO sessions (token, data, expiry) VALUES ('hash', '\x00ff', '2030-01-01');
INSERT INTO invitations (token_hash, role, person_id, project_ids, created_by, expires_at, used_at) VALUES
    ('\x01', 'labeler', NULL, '{1}', 1, '2026-01-08', '2026-01-02'),
    ('\x02', NULL, 2, '{}', 1, '2026-01-08', NULL);
INSERT INTO api_tokens (name, token_hash, role, project_id, created_by, last_used_at) VALUES ('pipeline', '\x03', 'admin', NULL, 1, now());
INSERT INTO audit_events (person_id, action, object_type, object_id, detail) VALUES (1, 'person.add', 'person', 2, '{"role":"reviewer"}');
INSERT INTO idempotency_keys (actor, key, request_hash, status, response) VALUES ('token:1', 'key', '\x04', 201, '{"id":1}');
