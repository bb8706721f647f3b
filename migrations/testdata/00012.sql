UPDATE items SET state = 'broken', fault = 'It is cut off.' WHERE id = 4;
