INSERT INTO tasks (project_id, item_id, state, priority, overlap, live, votes) VALUES
    (1, 1, 'adjudicated', 0, 1, 0, 1),
    (1, 2, 'in_review', 5, 2, 0, 1),
    (1, 3, 'open', -1, 2, 1, 0);
INSERT INTO queue_cursors (project_id, person_id, priority, task_id) VALUES (1, 3, 5, 2);
INSERT INTO assignments (task_id, project_id, person_id, pass, reason, state, lease_until, finished_at, active_ms, skip_reason) VALUES
    (1, 1, 3, 1, 'initial', 'submitted', NULL, now(), 9000, ''),
    (2, 1, 3, 1, 'initial', 'submitted', NULL, now(), 4000, ''),
    (2, 1, 3, 2, 'rework', 'returned', NULL, NULL, 0, ''),
    (3, 1, 3, 1, 'initial', 'leased', now() + interval '30 minutes', NULL, 100, ''),
    (3, 1, 2, 1, 'initial', 'skipped', NULL, now(), 10, 'cannot_decide');
INSERT INTO drafts (assignment_id, version, boxes) VALUES (4, 3, '[{"class":1,"x":1,"y":2,"w":3,"h":4}]');
INSERT INTO annotations (assignment_id, task_id, item_id, person_id, surplus, active_ms, superseded_at) VALUES
    (1, 1, 1, 3, false, 9000, NULL),
    (2, 2, 2, 3, false, 4000, now());
INSERT INTO annotation_boxes (annotation_id, position, class_id, definition_version, x, y, w, h) VALUES
    (1, 0, 1, 1, 10.25, 20, 30, 40), (1, 1, 2, 1, 0, 0, 640, 480), (2, 0, 1, NULL, 1, 1, 2, 2);
INSERT INTO predictions (item_id, model_version_id, purpose) VALUES (1, 1, 'prediction'), (1, NULL, 'prefill');
INSERT INTO prediction_boxes (prediction_id, position, class_id, x, y, w, h, score) VALUES (1, 0, 1, 10, 20, 30, 40, 0.1), (2, 0, 1, 1e-300, 0.1, 1, 1, NULL);
