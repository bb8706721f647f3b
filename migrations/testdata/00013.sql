INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, lines, boxes, created_by, frozen_at) VALUES
    (1, 3, '{"seed":"3"}', 'frozen', sha256('third'), 1, 1, 1, now());
INSERT INTO dataset_version_projects (version_id, project_id) VALUES (3, 1);
INSERT INTO dataset_lines (version_id, position, leaf, split, item_id, truth_id, media, width, height) VALUES
    (3, 0, sha256('line 0'), 'training', 1, 2, sha256('strip'), 640, 480);
INSERT INTO dataset_version_classes (version_id, class_id, name, slot, definitions) VALUES (3, 1, 'Scratch', 0, '{1}');
INSERT INTO dataset_version_counts (version_id, split, class_id, items, boxes) VALUES (3, 'training', NULL, 1, 1), (3, 'training', 1, 1, 1);
INSERT INTO dataset_verifications (version_id, state, findings, created_by) VALUES (3, 'queued', '[]', 1);
UPDATE exports SET report = '{"losses":[]}' WHERE state = 'done';
