UPDATE projects SET loose_limit = 0.65, accept_above = 0.9, look_share = 0.25, ask_below = 0.4, overlap_most = 4 WHERE id = 1;
UPDATE tasks SET agreement = 0.375 WHERE id = 2;
INSERT INTO item_agreements (item_id, project_id, task_id, answers, truth_id, objects, score, truth_score, iou, worst, agreed, class) VALUES
    (1, 1, 1, 2, 2, 3, 0.625, 0.75, 0.875, 'class', 2, 1), (2, 1, 2, 1, NULL, 1, NULL, NULL, NULL, 'agreed', 1, 0);
INSERT INTO confusions (project_id, item_id, class_a, class_b, annotations_a, positions_a, people_a, truth_id, truth_position, truth_class, decided, x, y, w, h) VALUES
    (1, 1, 1, 2, '{1}', '{0}', '{3}', 2, 0, 2, true, 10, 20, 30.125, 40);
INSERT INTO project_agreements (project_id, items, summary) VALUES (1, 2, '{"alpha": {"value": 0.5}}');
INSERT INTO reviews (task_id, item_id, reviewer_id, decision, former_state) VALUES (1, 1, NULL, 'accepted', 'in_review');
