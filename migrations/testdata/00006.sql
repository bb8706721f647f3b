INSERT INTO datasets (name, description, created_by) VALUES ('strips', 'All of them', 1);
INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, lines, boxes, created_by, frozen_at) VALUES
    (1, 1, '{"seed":"1"}', 'frozen', sha256('version'), 2, 2, 1, now()),
    (1, 2, '{"seed":"2"}', 'freezing', NULL, 0, 0, 1, NULL);
INSERT INTO dataset_version_projects (version_id, project_id) VALUES (1, 1), (2, 1);
INSERT INTO dataset_lines (version_id, position, leaf, split, item_id, truth_id) VALUES
    (1, 0, sha256('line 0'), 'training', 1, 2),
    (1, 1, sha256('line 1'), 'test', 3, 3),
    (1, 2, sha256('erased'), NULL, NULL, NULL);
INSERT INTO exports (version_id, format, media, state, bytes, sha256, created_by, finished_at) VALUES
    (1, 'coco', true, 'done', 6, sha256('export'), 1, now()),
    (1, 'voc', false, 'queued', NULL, NULL, 1, NULL);
