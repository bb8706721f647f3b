INSERT INTO item_waves (item_id, recording_version, amounts) SELECT item_id, 1, '\x00407f' FROM plan_items;
