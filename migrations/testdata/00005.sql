INSERT INTO reviews (task_id, item_id, reviewer_id, decision, undoes, note) VALUES
    (1, 1, 2, 'approved', NULL, ''),
    (2, 2, 2, 'rejected', NULL, 'Draw it closer.'),
    (1, 1, 2, 'undone', 1, ''),
    (1, 1, 2, 'amended', NULL, '');
INSERT INTO review_marks (review_id, annotation_id, position, x, y, reason, note, dispute, disputed_at) VALUES
    (2, 2, 0, NULL, NULL, 'loose_box', '', '', NULL),
    (2, 2, NULL, 5, 6.5, 'missed_defect', 'here', 'It is dirt.', now());
INSERT INTO truths (item_id, review_id, import_id, annotation_id, current) VALUES
    (1, 1, NULL, 1, false), (1, 4, NULL, 1, true), (3, NULL, 1, NULL, true);
INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h, crowd) VALUES
    (1, 0, 1, 1, 10.25, 20, 30, 40, false), (2, 0, 1, 1, 10, 20, 30.125, 40, true), (3, 0, 2, 1, 1, 1, 2, 2, false);
INSERT INTO notices (person_id, kind, object_type, object_id, project_id) VALUES (3, 'returned', 'assignment', 3, 1);
