INSERT INTO exports (version_id, format, state) VALUES (1, 'parquet', 'queued'), (1, 'huggingface', 'deleted');
