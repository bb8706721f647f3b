INSERT INTO classes (project_id, name, slot, key, retired_at) VALUES (1, 'Scratch', 0, '1', NULL), (1, 'Scale pit', 1, '2', NULL), (1, 'Old', 2, '', now());
INSERT INTO definitions (class_id, version, body, edited_by, published_at) VALUES
    (1, 1, 'A *thin* line.', 2, now()),
    (1, NULL, 'A thin line, in any direction.', 2, NULL),
    (2, 1, 'A pit.', 2, now());
INSERT INTO definition_confusions (definition_id, class_id) VALUES (1, 2);
INSERT INTO definition_examples (definition_id, item_id, shows, x, y, w, h, caption, position) VALUES (1, 1, 'yes', 1.5, 2, 30, 40, 'Typical', 0);
