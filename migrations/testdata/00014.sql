INSERT INTO item_texts (item_id, external_key) SELECT id, 'late/' || id FROM items i WHERE NOT EXISTS (SELECT FROM item_texts x WHERE x.item_id = i.id);
