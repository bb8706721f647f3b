UPDATE projects SET gold_share = 0.05, gold_limit = 0.8, gold_least = 5;
INSERT INTO gold_items (item_id, task_id, project_id, place, added_by) VALUES (1, 1, 1, 0.25, 2);
UPDATE queue_cursors SET gold_due = true;
INSERT INTO people (role, pseudonym) VALUES ('labeler', 'person-gold');
INSERT INTO members (project_id, person_id, paused_at, paused_by, pause_reason) SELECT 1, id, now(), 2, 'Let us talk first.' FROM people WHERE pseudonym = 'person-gold';
INSERT INTO assignments (task_id, project_id, person_id, reason, state, finished_at) SELECT 1, 1, id, 'gold', 'submitted', now() FROM people WHERE pseudonym = 'person-gold';
INSERT INTO annotations (assignment_id, task_id, item_id, person_id, gold, superseded_at) SELECT id, 1, 1, person_id, true, now() FROM assignments WHERE reason = 'gold';
INSERT INTO gold_results (annotation_id, item_id, project_id, person_id, truth_id, score, agreed, missed, class, loose, split, classes, answered_at)
    SELECT id, 1, 1, person_id, 2, 0.5, 1, 1, 0, 0, 0, '{"1":[2,1]}', now() FROM annotations WHERE gold;
INSERT INTO concerns (project_id, person_id, score, results, gold_limit, settled_at, settled_by, outcome) SELECT 1, id, 0.5, 5, 0.8, now(), 2, 'paused' FROM people WHERE pseudonym = 'person-gold';
INSERT INTO labeler_figures (project_id, person_id, audience, class_id, answers, approved, amended, rejected, reasons, truth_objects, truth_agreed, peer_objects, peer_agreed,
    gold_items, gold_objects, gold_agreed, gold_score, gold_low, gold_high, median_ms)
    VALUES (1, 3, 'reviewers', NULL, 2, 1, 0, 1, '{"loose_box":1}', 3, 2, 0, 0, 0, 0, 0, NULL, NULL, NULL, 4000), (1, 3, 'labeler', 1, 2, 1, 0, 1, '{}', 3, 2, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL);
INSERT INTO stale_figures (project_id, person_id) VALUES (1, 3);
