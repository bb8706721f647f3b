INSERT INTO attempts (key_hash, began_at, attempts) VALUES ('\x00', now(), 1);
