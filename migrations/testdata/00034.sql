UPDATE items SET retain_until = '2027-01-06' WHERE id = 1;
INSERT INTO stale_calendars (version_id) VALUES (1);
INSERT INTO version_weeks (version_id, split, stratum, source_id, week, held, items) VALUES (1, 'test', 0, 1, '2027-01-04', false, 3), (1, 'test', 0, 1, NULL, true, 2);
INSERT INTO version_forecasts (version_id, split, stratum, frozen, items, held, expiring, wanted, margin, below, below_week, wide, wide_week, soonest)
    VALUES (1, 'test', NULL, 6, 5, 2, 3, 4, 0.2, 'falls', '2027-01-04', 'never_held', NULL, '2027-01-04'),
    (1, 'test', 0, 6, 5, 2, 3, 4, 0.2, 'holds', NULL, 'holds', NULL, 'infinity');
INSERT INTO dataset_limits (dataset_id, margin, least_share) VALUES (1, 0.1, 0.75);
INSERT INTO forecast_notices (version_id, week) VALUES (1, '2027-01-04');
