UPDATE definitions SET confused = '[{"a":1,"b":2,"count":3,"truth_count":1}]' WHERE version IS NOT NULL;
