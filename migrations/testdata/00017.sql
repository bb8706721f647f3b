INSERT INTO discussions (item_id, project_id, resolved_at) VALUES (1, 1, NULL), (2, 1, now());
INSERT INTO comments (item_id, person_id, kind, annotation_id, truth_id, position, x, y, version, edited_at, deleted_at) VALUES
    (1, 2, 'said', 1, NULL, 0, NULL, NULL, 2, now(), NULL),
    (1, 3, 'said', NULL, 2, 0, NULL, NULL, 1, NULL, NULL),
    (1, 3, 'said', NULL, NULL, NULL, 5, 6.5, 1, NULL, now()),
    (2, 2, 'said', NULL, NULL, NULL, NULL, NULL, 1, NULL, NULL),
    (2, 2, 'resolved', NULL, NULL, NULL, NULL, NULL, 1, NULL, NULL);
INSERT INTO comment_texts (item_id, comment_id, version, body) VALUES
    (1, 1, 1, 'A scratch?'), (1, 1, 2, U&'A scratch, \E0003\E001?'), (1, 2, 1, E'Two\nlines'), (2, 4, 1, 'Glare.');
INSERT INTO comment_mentions (comment_id, person_id) VALUES (1, 3);
