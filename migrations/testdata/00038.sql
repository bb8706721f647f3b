INSERT INTO projects (slug, name, kind, key_secret) VALUES ('calls', 'Calls', 'audio', decode(repeat('0c', 32), 'hex'));
INSERT INTO recordings (project_id, source_id, key_hash, state, encoding, rate, channels, frames)
    SELECT id, 1, '\x0c', 'ready', 'pcm16', 16000, 2, 160000 FROM projects WHERE slug = 'calls';
INSERT INTO recording_assets (recording_id, kind, content_type, bytes, sha256) VALUES (1, 'original', 'audio/wav', 640044, sha256('call'));
INSERT INTO recording_reservations (recording_id, import_id) VALUES (1000, 3);
INSERT INTO recording_silences (recording_id, channel, begins, ends) VALUES (1, 1, 2.5, 3.5);
INSERT INTO items (project_id, source_id, key_hash, recording_id, channel, begins, ends)
    SELECT project_id, 1, '\x0c01', id, 1, 4, 7.25 FROM recordings;
INSERT INTO model_versions (model_id, version, description, successor_of) VALUES (1, 'next', 'after the first', 1);
INSERT INTO predictions (item_id, model_version_id, purpose, confidence, words)
    SELECT i.id, v.id, 'prediction', 0.5, 2 FROM items i, model_versions v WHERE i.key_hash = '\x0c01' AND v.version = 'next';
INSERT INTO hypotheses (item_id, prediction_id, text, words)
    SELECT item_id, id, 'hello you', '[{"word":"hello","start":0.1,"end":0.4,"confidence":0.9}]' FROM predictions WHERE words = 2;
INSERT INTO tasks (project_id, item_id, state, overlap) SELECT project_id, id, 'in_review', 1 FROM items WHERE key_hash = '\x0c01';
INSERT INTO plans (project_id, number, model_version_id, settings, modes)
    SELECT p.id, 1, v.id, '{"method":"lowest"}', '{blind,edit}' FROM projects p, model_versions v WHERE p.slug = 'calls' AND v.version = 'next';
INSERT INTO plan_items (item_id, plan_id, arm, stratum, decile, confidence) SELECT i.id, 1, 'chosen', 1, 1, 0.5 FROM items i WHERE i.key_hash = '\x0c01';
UPDATE tasks SET plan_id = 1 WHERE item_id = (SELECT item_id FROM plan_items);
INSERT INTO assignments (task_id, project_id, person_id, state, mode) SELECT id, project_id, 1, 'submitted', 'edit' FROM tasks WHERE plan_id = 1;
INSERT INTO annotations (assignment_id, task_id, item_id, person_id, rules_version)
    SELECT a.id, t.id, t.item_id, 1, 1 FROM assignments a JOIN tasks t ON t.id = a.task_id WHERE t.plan_id = 1;
INSERT INTO transcripts (item_id, kind, of_id, segments)
    SELECT item_id, 'annotation', id, '[{"begin":0,"end":3.25,"text":"hello you"}]' FROM annotations WHERE rules_version = 1;
INSERT INTO hypothesis_views (item_id, person_id, model_version_id, how, annotation_id, edits, words)
    SELECT an.item_id, 1, p.model_version_id, 'edit', an.id, 0, 2 FROM annotations an JOIN predictions p ON p.item_id = an.item_id WHERE an.rules_version = 1;
INSERT INTO wider_contexts (item_id, person_id, seconds) SELECT item_id, 1, 10 FROM plan_items;
INSERT INTO item_notes (item_id, kind, of_id, body) SELECT item_id, 'context', id, 'Who is meant?' FROM wider_contexts;
INSERT INTO transcription_rules (project_id, version, body, checks, published_at)
    SELECT id, 1, 'As spoken.', '{"numbers":"words"}', now() FROM projects WHERE slug = 'calls';
INSERT INTO reviews (task_id, item_id, reviewer_id, decision) SELECT id, item_id, 1, 'approved' FROM tasks WHERE plan_id = 1;
INSERT INTO truths (item_id, review_id, annotation_id, rules_version)
    SELECT r.item_id, r.id, an.id, 1 FROM reviews r JOIN annotations an ON an.task_id = r.task_id JOIN tasks t ON t.id = r.task_id WHERE t.plan_id = 1;
INSERT INTO personal_findings (item_id, truth_id, segment, first, last, begins, ends, kind, detector, confidence)
    SELECT item_id, id, 0, 0, 5, 0.1, 0.4, 'name', 'names@1', 0.7 FROM truths WHERE rules_version = 1;
INSERT INTO personal_scans (item_id, truth_id, detector, findings) SELECT item_id, id, 'names@1', 1 FROM truths WHERE rules_version = 1;
INSERT INTO model_training (model_version_id, version_id) SELECT v.id, d.id FROM model_versions v, dataset_versions d WHERE v.version = 'next' LIMIT 1;
INSERT INTO item_sounds (item_id, recording_version, sha256) SELECT item_id, 1, '\x0c02' FROM plan_items;
INSERT INTO item_agreements (item_id, project_id, task_id, answers, truth_id, objects, score, worst, wer, word_errors, words, truth_wer, truth_word_errors, truth_words)
    SELECT t.item_id, t.project_id, t.id, 2, u.id, 0, 0.5, 'words', 0.5, 1, 4, 0, 0, 2 FROM tasks t JOIN truths u ON u.item_id = t.item_id WHERE t.plan_id = 1;
UPDATE erasure_items SET recording_id = 99;
INSERT INTO relabels (project_id, version) SELECT id, 1 FROM projects WHERE slug = 'calls';
