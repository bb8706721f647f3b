-- +goose Up

-- Who sees a project: an admin all of them, an API token the one that it is bound to (or all, when
-- it is bound to none), everyone else those in which they are a member.
CREATE FUNCTION sees_project(project bigint, role text, person bigint, token bigint, scope bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN token IS NOT NULL THEN scope IS NULL OR scope = project
        WHEN role = 'admin' THEN true
        ELSE EXISTS (SELECT FROM members m WHERE m.project_id = project AND m.person_id = person)
    END
$$;

-- Until when an item may be kept: the earlier of its own date and its source's policy, which
-- counts from the capture, or from the import where the capture is unknown.
CREATE FUNCTION item_retain_until(own timestamptz, captured timestamptz, imported timestamptz, days integer) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(own, coalesce(captured, imported) + days * interval '24 hours')
$$;

-- +goose Down
DROP FUNCTION item_retain_until, sees_project;
