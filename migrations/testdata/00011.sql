UPDATE imports SET expected = 12 WHERE state = 'running';
INSERT INTO import_reservations (item_id, import_id) VALUES (1000, 3);
