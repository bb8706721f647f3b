INSERT INTO projects (slug, name, description, kind, overlap, metadata_keys, guideline_version, key_secret) VALUES
    ('strips', 'Strips', E'Two\nlines', 'image', 2, '{line,shift}', 1, decode(repeat('07', 32), 'hex'));
INSERT INTO members (project_id, person_id) VALUES (1, 2), (1, 3);
INSERT INTO sources (name, retention_days) VALUES ('camera', 30), ('archive', NULL);
INSERT INTO groups (source_id, name) VALUES (1, 'coil-1');
INSERT INTO items (project_id, source_id, group_id, key_hash, state, width, height, captured_at, retain_until) VALUES
    (1, 1, 1, '\x01', 'ready', 640, 480, '2026-01-01', '2026-01-31'),
    (1, 1, 1, '\x02', 'ready', 640, 480, NULL, NULL),
    (1, 2, NULL, '\x03', 'ready', 64, 48, NULL, NULL),
    (1, 2, NULL, '\x04', 'processing', NULL, NULL, NULL, NULL);
INSERT INTO item_texts (item_id, external_key, file_name, metadata)
    SELECT id, 'strip-' || id, 'strip-' || id || '.png', '{"line":"2"}' FROM items;
INSERT INTO item_salts (item_id, salt) SELECT id, decode(repeat('0' || id, 32), 'hex') FROM items;
INSERT INTO assets (item_id, kind, content_type, bytes, sha256, width, height, facts) VALUES
    (1, 'original', 'image/png', 5, sha256('strip'), 640, 480, '{"depth":8}'),
    (1, 'thumb', 'image/jpeg', 5, sha256('thumb'), 64, 48, '{}'),
    (2, 'original', 'image/png', 5, sha256('strip'), 640, 480, '{}');
INSERT INTO media_reads (person_id, item_id, kind) VALUES (3, 1, 'display');
INSERT INTO models (name, kind) VALUES ('steelnet', 'detector');
INSERT INTO model_versions (model_id, version) VALUES (1, '1.0');
INSERT INTO imports (project_id, person_id, format, purpose, source_id, options, state, finished_at) VALUES
    (1, 1, 'voc', 'truth', 1, '{"voc_base":1}', 'done', now()),
    (1, 1, 'images', 'media', 2, '{}', 'uploading', NULL),
    (1, 1, 'images', 'media', 2, '{}', 'running', NULL);
INSERT INTO import_files (import_id, name, size, received, complete) VALUES (1, 'a/strip-1.png', 5, 5, true), (2, 'b.png', 9, 3, false);
INSERT INTO import_results (import_id, name, outcome, reason, item_id, boxes) VALUES
    (1, 'a/strip-1.png', 'added', '', 1, 1),
    (1, 'a/broken.png', 'refused', 'It is cut off.', NULL, 0);
