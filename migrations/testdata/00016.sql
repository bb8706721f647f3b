INSERT INTO rounds (project_id, number, share, seed, batch_size, owner_id, due_on, state, items, created_by) VALUES (1, 1, 0.3, 7, 50, 2, '2026-03-01', 'open', 2, 1);
INSERT INTO round_strata (round_id, class_id, items, drawn) VALUES (1, 1, 3, 1), (1, NULL, 1, 1);
INSERT INTO round_items (item_id, round_id, part) VALUES (2, 1, 1), (3, 1, 1);
INSERT INTO batches (project_id, number, round_id, part, title, owner_id, due_on, priority, state, items, answered, plan_limit, plan_accept, plan_lot, plan_size, plan_seed, planned_at, looked, created_by) VALUES
    (1, 1, 1, 1, 'First', 2, '2026-03-01', 500, 'in_review', 2, 1, 0.1, 0, 2, 2, 9, now(), 0, 1),
    (1, 2, NULL, NULL, '', NULL, NULL, 499, 'open', 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, 1);
INSERT INTO batch_items (batch_id, item_id, task_id, position, former_priority, look, settle_version, left_because) VALUES
    (1, 2, 2, 1, 5, 1, 1, ''), (1, 3, 3, 2, -1, NULL, NULL, 'disputed');
UPDATE tasks SET batch_id = 1 WHERE id IN (2, 3);
INSERT INTO reviews (task_id, item_id, reviewer_id, decision, batch_id) VALUES (2, 2, 2, 'approved', 1);
INSERT INTO batch_changes VALUES (1);
