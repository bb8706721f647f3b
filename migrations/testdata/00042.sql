INSERT INTO rebuild_previews (version_id, state, changes, erased, finished_at) VALUES (1, 'done', '[{"Split":"test","Before":2,"Gone":1,"Kept":1,"Items":1}]', 1, now());
