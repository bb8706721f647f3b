INSERT INTO alert_sendings (evaluation_id, channel_id) VALUES (1, 1);
INSERT INTO audit_batches (audit_id, batch_id) SELECT 1, min(id) FROM batches;
INSERT INTO model_questions (question, step_id, chunk, until) VALUES (sha256('a question'), 1, 0, now());
