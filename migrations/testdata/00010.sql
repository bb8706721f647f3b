UPDATE assignments SET review_id = 2 WHERE reason = 'rework';
INSERT INTO reviews (task_id, item_id, reviewer_id, decision, former_state, former_truth_id) VALUES (1, 1, 2, 'approved', 'adjudicated', 2);
INSERT INTO review_looks (task_id, person_id) VALUES (2, 2);
