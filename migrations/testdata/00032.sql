INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, lines, boxes, created_by, frozen_at, parent_id, rebuild_of, labels_at, label_snapshot, last_truth_id)
    SELECT dataset_id, 32, '{"seed":"3"}', 'frozen', sha256('recipe'), 1, 1, 1, now(), id, id, now(), '100:100:', 3 FROM dataset_versions WHERE id = 1;
INSERT INTO dataset_version_guidelines (version_id, project_id, guideline_version) SELECT max(id), 1, 2 FROM dataset_versions;
INSERT INTO dataset_version_strata (version_id, split, stratum, class, source_id, project_id, wanted, items, pool, refused)
    SELECT max(id), 'test', 0, 'Scratch', 1, 1, 40, 1, 1, 2 FROM dataset_versions;
INSERT INTO dataset_lines (version_id, position, leaf, split, item_id, truth_id, stratum)
    SELECT max(id), 0, sha256('line 32'), 'test', 1, 2, 0 FROM dataset_versions;
