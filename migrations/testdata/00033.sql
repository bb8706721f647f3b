INSERT INTO dataset_diffs (from_version, to_version, state, same, to_erased, created_by, finished_at) VALUES (1, 3, 'done', 1, 0, 1, now());
INSERT INTO dataset_diff_counts (diff_id, reason, detail, from_split, to_split, came, gone, changed) VALUES
    (1, 'filtered', 'project', 'test', '', 0, 1, 0), (1, 'erased', '', '', '', 0, 1, 0);
INSERT INTO dataset_diff_lines (diff_id, reason, split, ordinal, detail, from_position, to_position) VALUES
    (1, 'erased', '', 1, '', 2, NULL), (1, 'filtered', 'test', 2, 'project', 1, NULL);
INSERT INTO consumers (name, person_id, url, secret, created_by) VALUES ('Nightly training', 1, 'https://train.example.org/hook', '\x00', 1);
INSERT INTO consumers (person_id) VALUES (1);
INSERT INTO version_consumers (version_id, consumer_id, how, export_id) VALUES (1, 1, 'recorded', NULL), (1, 2, 'download', 1);
INSERT INTO erasures (kind, scope, state, due_at, erased_at) VALUES ('request', 'items', 'erased', now(), now());
INSERT INTO consumer_notices (consumer_id, version_id, erasure_id, lines, state, attempts, told_at) SELECT 1, 1, max(id), 1, 'told', 1, now() FROM erasures;
