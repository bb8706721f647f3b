INSERT INTO erasures (kind, scope, source_id, state, reason, due_at, requested_by, confirmed_by, confirmed_at, started_at, erased_at, items, done_items, erased, proof, receipt) VALUES
    ('request', 'source', 2, 'erased', 'Ticket 17', '2026-03-01', 1, 1, '2026-02-02', '2026-02-02', '2026-02-02', 1, 1, '{"items":1}', '{"rows":0}', '{"erasure":1}'),
    ('request', 'items', NULL, 'previewed', 'Ticket 18', '2026-04-01', 1, NULL, NULL, NULL, NULL, 1, 0, '{}', NULL, NULL);
INSERT INTO erasure_lists (erasure_id, item_id) VALUES (2, 1);
INSERT INTO erasure_items (item_id, erasure_id, project_id, source_id, task_id, key_hash) VALUES (99, 1, 1, 2, 98, '\x63');
INSERT INTO legal_holds (source_id, group_id, item_id, reason, placed_by, lifted_by, lifted_at) VALUES
    (1, NULL, NULL, 'A dispute', 1, NULL, NULL), (NULL, NULL, 1, 'A complaint', 1, 1, now());
UPDATE dataset_lines SET erasure_id = 1 WHERE version_id = 1 AND position = 2;
