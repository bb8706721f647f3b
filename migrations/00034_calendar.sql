-- +goose Up

-- The Monday of the week, in UTC, in which a moment lies.
CREATE FUNCTION week_of(moment timestamptz) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN date_trunc('week', moment AT TIME ZONE 'UTC')::date;

-- How many items of a project and a source go in each week (NULL: none), as changes to add up: like project_counts, and
-- summed up by the same job. A calendar is read from here, however many items there are.
CREATE TABLE retention_counts (
    project_id bigint NOT NULL,
    source_id  bigint NOT NULL,
    week       date,
    change     bigint NOT NULL
);
CREATE INDEX retention_counts_source_idx ON retention_counts (source_id, project_id);

-- Versions whose rows in version_weeks are to be worked out again. A row that is added while that is done stays, so
-- nothing is missed.
CREATE TABLE stale_calendars (
    version_id bigint NOT NULL
);
CREATE INDEX stale_calendars_version_idx ON stale_calendars (version_id);

-- When the items of a version's parts go. week NULL: they have no date, or are held. What was erased is not counted.
CREATE TABLE version_weeks (
    version_id bigint NOT NULL REFERENCES dataset_versions,
    split      text NOT NULL CHECK (split IN ('training', 'validation', 'test')),
    stratum    integer NOT NULL, -- 0 where the version has none
    source_id  bigint NOT NULL REFERENCES sources,
    week       date,
    held       boolean NOT NULL,
    items      integer NOT NULL CHECK (items > 0)
);
CREATE INDEX version_weeks_version_idx ON version_weeks (version_id, split, stratum);
CREATE INDEX version_weeks_source_idx ON version_weeks (source_id, version_id);

-- What follows from that. stratum NULL: of a whole split. soonest is the first week in which the part
-- gets too small or its interval too wide, '-infinity' if that has come about already, 'infinity' if it never does.
CREATE TABLE version_forecasts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id bigint NOT NULL REFERENCES dataset_versions,
    split      text NOT NULL CHECK (split IN ('training', 'validation', 'test')),
    stratum    integer,
    frozen     integer NOT NULL, -- items when the version was frozen
    items      integer NOT NULL, -- and now
    held       integer NOT NULL, -- of them
    expiring   integer NOT NULL, -- of them, with a date
    wanted     integer NOT NULL, -- no fewer
    margin     double precision NOT NULL, -- half-width of the interval, no more
    below      text NOT NULL CHECK (below IN ('fallen', 'falls', 'holds', 'never_held')),
    below_week date,
    wide       text NOT NULL CHECK (wide IN ('fallen', 'falls', 'holds', 'never_held')),
    wide_week  date,
    soonest    date NOT NULL,
    UNIQUE NULLS NOT DISTINCT (version_id, split, stratum),
    CONSTRAINT version_forecasts_weeks CHECK ((below = 'falls') = (below_week IS NOT NULL) AND (wide = 'falls') = (wide_week IS NOT NULL))
);
CREATE INDEX version_forecasts_soonest_idx ON version_forecasts (soonest, id);

-- What a dataset promises of each part of its versions, where its recipe asks for no size itself.
CREATE TABLE dataset_limits (
    dataset_id  bigint PRIMARY KEY REFERENCES datasets,
    margin      double precision NOT NULL DEFAULT 0.05 CHECK (margin > 0 AND margin <= 0.5),
    least_share double precision NOT NULL DEFAULT 0.9 CHECK (least_share >= 0 AND least_share <= 1)
);

-- Which loss of a test split the admins were told of, so that they are told once.
CREATE TABLE forecast_notices (
    version_id bigint NOT NULL REFERENCES dataset_versions,
    week       date NOT NULL,
    told_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version_id, week)
);

-- +goose StatementBegin
CREATE FUNCTION count_retention() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO retention_counts
        SELECT project_id, source_id, week_of(retain_until), count(*) FROM newer GROUP BY 1, 2, 3;
    WHEN 'DELETE' THEN
        INSERT INTO retention_counts
        SELECT project_id, source_id, week_of(retain_until), -count(*) FROM older GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO retention_counts
        SELECT project_id, source_id, week, sum(n) FROM (
            SELECT project_id, source_id, week_of(retain_until) AS week, 1 AS n FROM newer
            UNION ALL SELECT project_id, source_id, week_of(retain_until), -1 FROM older) moved
        GROUP BY 1, 2, 3 HAVING sum(n) <> 0;
        IF FOUND THEN
            -- Item by item through the index, whatever the plan was made for: a set of them may be one or a million.
            INSERT INTO stale_calendars
            SELECT DISTINCT l.version_id
            FROM (SELECT id, source_id, week_of(retain_until) FROM newer EXCEPT SELECT id, source_id, week_of(retain_until) FROM older) moved
            CROSS JOIN LATERAL (SELECT version_id FROM dataset_lines WHERE item_id = moved.id OFFSET 0) l;
        END IF;
    END CASE;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER items_retention_insert AFTER INSERT ON items REFERENCING NEW TABLE AS newer FOR EACH STATEMENT EXECUTE FUNCTION count_retention();
CREATE TRIGGER items_retention_delete AFTER DELETE ON items REFERENCING OLD TABLE AS older FOR EACH STATEMENT EXECUTE FUNCTION count_retention();
CREATE TRIGGER items_retention_update AFTER UPDATE ON items REFERENCING NEW TABLE AS newer OLD TABLE AS older
    FOR EACH STATEMENT EXECUTE FUNCTION count_retention();

-- +goose StatementBegin
CREATE FUNCTION stale_of_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stale_calendars SELECT DISTINCT version_id FROM newer;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER dataset_lines_calendar AFTER UPDATE ON dataset_lines REFERENCING NEW TABLE AS newer
    FOR EACH STATEMENT EXECUTE FUNCTION stale_of_lines();

-- +goose StatementBegin
CREATE FUNCTION stale_of_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stale_calendars VALUES (NEW.id);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER dataset_versions_calendar AFTER UPDATE OF state ON dataset_versions
    FOR EACH ROW WHEN (NEW.state = 'frozen' AND OLD.state <> 'frozen') EXECUTE FUNCTION stale_of_version();

-- +goose StatementBegin
CREATE FUNCTION stale_of_dataset() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stale_calendars SELECT id FROM dataset_versions WHERE dataset_id = NEW.dataset_id AND state = 'frozen';
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER dataset_limits_calendar AFTER INSERT OR UPDATE ON dataset_limits FOR EACH ROW EXECUTE FUNCTION stale_of_dataset();

-- A hold, or its end, concerns the versions that have something of its source.
-- +goose StatementBegin
CREATE FUNCTION stale_of_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stale_calendars
    SELECT DISTINCT w.version_id FROM version_weeks w
    WHERE w.source_id IN (
        NEW.source_id, (SELECT source_id FROM groups WHERE id = NEW.group_id), (SELECT source_id FROM items WHERE id = NEW.item_id));
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER legal_holds_calendar AFTER INSERT OR UPDATE OF lifted_at ON legal_holds FOR EACH ROW EXECUTE FUNCTION stale_of_hold();

INSERT INTO retention_counts SELECT project_id, source_id, week_of(retain_until), count(*) FROM items GROUP BY 1, 2, 3;
INSERT INTO stale_calendars SELECT id FROM dataset_versions WHERE state = 'frozen';

-- +goose Down
DROP TRIGGER legal_holds_calendar ON legal_holds;
DROP TRIGGER dataset_versions_calendar ON dataset_versions;
DROP TRIGGER dataset_lines_calendar ON dataset_lines;
DROP TRIGGER items_retention_update ON items;
DROP TRIGGER items_retention_delete ON items;
DROP TRIGGER items_retention_insert ON items;
DROP TABLE forecast_notices, dataset_limits, version_forecasts, version_weeks, stale_calendars, retention_counts;
DROP FUNCTION stale_of_hold, stale_of_dataset, stale_of_version, stale_of_lines, count_retention, week_of;
