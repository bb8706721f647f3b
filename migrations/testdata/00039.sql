INSERT INTO model_servers (model_version_id, adapter, url, options, configuration, credential)
    VALUES (1, 'json', 'https://models.example/predict', '{"task":"label","labels":{"pos":"positive"}}', sha256('json'), '\x01');
INSERT INTO chains (name, slots, baseline, expect_days) VALUES ('calls', '{asr}', '{1}', 7);
INSERT INTO evaluation_schedules (chain_id, name, request, every, next_at) VALUES (1, 'weekly', '{"versions":["test@latest"]}', 'week', now());
INSERT INTO evaluations (chain_id, title, baseline, started_by, schedule_id, state) VALUES (1, 'Before the release', '{1}', 'schedule', 1, 'done');
INSERT INTO evaluation_versions (evaluation_id, version_id) SELECT 1, min(id) FROM dataset_versions;
INSERT INTO evaluation_models (evaluation_id, slot, model_version_id) VALUES (1, 0, 1), (1, 0, NULL);
INSERT INTO evaluation_steps (evaluation_id, version_id, path, configuration, state, items, done)
    SELECT 1, version_id, '{1}', sha256('json'), 'done', 1, 1 FROM evaluation_versions;
INSERT INTO evaluation_chunks (step_id, number, first, last, state, done) VALUES (1, 0, 0, 63, 'done', 1);
INSERT INTO evaluation_failures (step_id, item_id, reason, status) SELECT 1, min(id), 'status', 503 FROM items;
INSERT INTO model_calls (model_version_id, place, worker, until) VALUES (1, 0, 'here', now());
INSERT INTO model_rates (model_version_id, next_at) VALUES (1, now());
INSERT INTO model_launches (model_version_id, evaluation_id, worker, state, log_bytes) VALUES (1, 1, 'here', 'stopped', 12);
INSERT INTO model_outputs (item_id, model_version_id, configuration, input, text, confidence)
    SELECT min(id), 1, sha256('json'), sha256('hello'), 'hello you', 0.5 FROM items;
INSERT INTO cells (version_id, split, path, configurations, labels, normalizer, task, evaluation_id, items, failed, measure, value, low, high, figures)
    SELECT version_id, 'test', '{1}', sha256('json'), l, '', 'speech', 1, 1, 0, 'wer', 0.5, 0.4, 0.6, '{}'
    FROM evaluation_versions, unnest(ARRAY['frozen', 'today']) l;
INSERT INTO cell_scores (cell_id, block, scores) VALUES (1, 0, '\x01');
INSERT INTO cell_differences (cell_id, baseline_id, measure, value, items) VALUES (2, 1, 'wer', 0.01, 1);
INSERT INTO cell_moves (cell_id, baseline_id, position, change) VALUES (2, 1, 0, -1);
INSERT INTO cell_errors (cell_id, position, kind, size) VALUES (1, 0, 'words', 2);
INSERT INTO cell_overlaps (cell_id, version_id, items, figures) SELECT 1, version_id, 1, '{}' FROM evaluation_versions;
INSERT INTO cell_flags (cell_id, kind, model_version_id, lines) VALUES (1, 'prefill', 1, 1);
INSERT INTO attributions (from_cell, to_cell, measure) VALUES (1, 2, 'wer');
INSERT INTO causes (name) VALUES ('Two people speak at once');
INSERT INTO item_causes (item_id, cell_id, kind, cause_id) SELECT min(id), 1, 'words', 1 FROM items;
INSERT INTO audits (version_id, items, seed) SELECT version_id, 1, 7 FROM evaluation_versions;
INSERT INTO audit_items (item_id, audit_id, truth_id) SELECT item_id, 1, id FROM truths ORDER BY id LIMIT 1;
INSERT INTO changes (at, kind, title, system, origin, external_key) VALUES (now(), 'intervention', 'Went back to the former recogniser', 'asr', 'api', 'deploy-1');
INSERT INTO hooks (name, system, secret) VALUES ('Releases', 'asr', '\x01');
INSERT INTO alert_channels (name, kind, target, chain_id) VALUES ('Speech team', 'webhook', '\x01', 1);
INSERT INTO alerts (kind, chain_id, evaluation_id, cell_id, key, summary) VALUES ('drop', 1, 1, 1, 'drop/1', '{}');
INSERT INTO alert_sendings (alert_id, channel_id) VALUES (1, 1);
INSERT INTO share_links (token_hash, chain_id, expires_at) VALUES (sha256('link'), 1, now());
UPDATE erasures SET kept = 1 WHERE id = 1;
INSERT INTO items (project_id, source_id, key_hash, state) SELECT project_id, source_id, sha256('redaction'), 'redacted' FROM items ORDER BY id LIMIT 1;
INSERT INTO truths (item_id, erasure_id) SELECT max(id), 1 FROM items;
