INSERT INTO imports (project_id, person_id, format, purpose, source_id, options, state, finished_at, new_classes) VALUES
    (1, 1, 'labelstudio', 'truth', NULL, '{"dry_run":true,"source":"new"}', 'done', now(), '{pit}'),
    (1, 1, 'cvat', 'truth', 1, '{}', 'done', now(), '{}');
INSERT INTO import_results (import_id, name, outcome, reason) SELECT max(id), 'a.xml: a.png: shape 2', 'lost', 'clipped' FROM imports;
INSERT INTO exports (version_id, format, state) VALUES (1, 'yolo-obb', 'queued');
