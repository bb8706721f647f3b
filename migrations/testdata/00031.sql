UPDATE sources SET open_to = '{exports}', version = 2 WHERE id = 1;
INSERT INTO source_destinations (source_id, kind, name) VALUES (1, 'models', 'steelnet');
INSERT INTO source_changes (source_id, version, before, after, state, items, done_items, moved, last_item, changed_by, finished_at) VALUES
    (1, 2, '{"name":"camera","retention_days":60}', '{"name":"camera","retention_days":30}', 'done', 2, 2, 1, 2, 1, now()),
    (2, 2, '{"name":"archive"}', '{"name":"archive","retention_days":30}', 'moving', NULL, 0, 0, 0, 1, NULL);
INSERT INTO dataset_version_sources (version_id, source_id, split, items) SELECT min(id), 2, 'test', 3 FROM dataset_versions
    ON CONFLICT DO NOTHING;
INSERT INTO access_requests (source_id, person_id, media, due_on, state, bytes, sha256, created_by, finished_at) VALUES
    (1, NULL, true, '2026-12-24', 'done', 5, sha256('zip'), 1, now()),
    (NULL, 2, false, '2026-12-24', 'queued', NULL, NULL, 2, NULL);
