INSERT INTO item_notes (item_id, kind, of_id, body) VALUES (2, 'skip', 999, 'The camera moved.');
INSERT INTO backups (keep_until, state) VALUES ('2030-01-01', 'made');
INSERT INTO ledger_heads (line, sum) VALUES (1, 'x');
