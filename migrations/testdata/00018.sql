INSERT INTO relabels (project_id, class_id, version, others, note, state, items, done_items, answers, reviews, created_by, finished_at) VALUES
    (1, 1, 2, '{}', 'Broken lines are several boxes.', 'done', 2, 2, 1, 1, 2, now()),
    (1, 1, 2, '{2}', '', 'queued', 0, 0, 0, 0, 2, NULL);
INSERT INTO relabel_items (relabel_id, item_id, state) VALUES (1, 1, 'sent'), (1, 2, 'review');
INSERT INTO relabel_answers (assignment_id, relabel_id, annotation_id, positions) VALUES (1, 1, 1, '{0}');
