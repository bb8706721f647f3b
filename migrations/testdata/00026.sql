INSERT INTO reviews (task_id, item_id, reviewer_id, decision, former_state, origins) VALUES (1, 1, 2, 'merged', 'in_review', '{"merged": 2, "answers": [1]}');
