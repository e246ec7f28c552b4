-- The keys are bytes, and so is their order.
CREATE TABLE signet_records (
    key     bytea  PRIMARY KEY,
    value   bytea  NOT NULL,
    version bigint NOT NULL,
    expires timestamptz
);
CREATE INDEX signet_records_expires ON signet_records (expires) WHERE expires IS NOT NULL;

-- What was committed lately, for Watch. Versions are dense: each has at least
-- one row until it is trimmed, so a reader sees that something is missing.
-- kind: 1 put, 2 deleted, 0 nothing (a Commit of demands alone).
CREATE TABLE signet_changes (
    version bigint   NOT NULL,
    n       integer  NOT NULL,
    kind    smallint NOT NULL,
    key     bytea    NOT NULL,
    value   bytea,
    expires timestamptz,
    at      timestamptz NOT NULL,
    PRIMARY KEY (version, n)
);

-- The newest version. Whoever commits locks this row first.
CREATE TABLE signet_state (
    one     boolean PRIMARY KEY CHECK (one),
    version bigint NOT NULL
);
INSERT INTO signet_state VALUES (true, 0);

-- Judges and applies many Commits, one after the other: sizes[i] ops belong to
-- the i-th. kinds are those of signet_changes; a guard demands version musts[n],
-- below 0 is none. versions[i] becomes the version of the i-th, or 0, and
-- failed[i] then says which of its ops, counted from 1, demanded in vain.
--
-- Read committed: each statement sees what was committed before it began, and
-- after the first one nobody else commits until this is over. The procedure
-- commits by itself: it holds the lock only once it has all it needs, so a node
-- that stops anywhere holds nobody up.
CREATE PROCEDURE signet_commit_1(
    sizes integer[], keys bytea[], vals bytea[], expiries timestamptz[], kinds smallint[], musts bigint[],
    INOUT versions bigint[], INOUT failed integer[]
) LANGUAGE plpgsql AS $$
DECLARE
    newest bigint;
    before bigint;
    have   bigint;
    moment timestamptz;
    stamps bigint[] := '{}';
    first  integer := 1;
    past   integer;
    bad    integer;
    idle   boolean;
BEGIN
    SELECT s.version INTO STRICT newest FROM signet_state s WHERE s.one FOR UPDATE;
    before := newest;
    moment := clock_timestamp();
    versions := '{}';
    failed := '{}';
    FOR i IN 1 .. cardinality(sizes) LOOP
        past := first + sizes[i];
        bad := 0;
        FOR o IN first .. past - 1 LOOP
            IF musts[o] >= 0 THEN
                SELECT r.version INTO have FROM signet_records r
                WHERE r.key = keys[o] AND (r.expires IS NULL OR r.expires > moment);
                IF coalesce(have, 0) <> musts[o] THEN
                    bad := o - first + 1;
                    EXIT;
                END IF;
            END IF;
        END LOOP;
        IF bad = 0 THEN
            newest := newest + 1;
            idle := true;
            FOR o IN first .. past - 1 LOOP
                IF kinds[o] = 1 THEN
                    INSERT INTO signet_records AS r (key, value, version, expires)
                    VALUES (keys[o], vals[o], newest, expiries[o])
                    ON CONFLICT (key) DO UPDATE
                    SET value = excluded.value, version = excluded.version, expires = excluded.expires;
                ELSIF kinds[o] = 2 THEN
                    DELETE FROM signet_records r WHERE r.key = keys[o];
                ELSE
                    CONTINUE;
                END IF;
                stamps[o] := newest;
                idle := false;
            END LOOP;
            IF idle THEN
                stamps[first] := newest;
            END IF;
        END IF;
        versions[i] := CASE WHEN bad = 0 THEN newest ELSE 0 END;
        failed[i] := bad;
        first := past;
    END LOOP;
    IF newest > before THEN
        INSERT INTO signet_changes (version, n, kind, key, value, expires, at)
        SELECT stamps[o], o, kinds[o], keys[o], CASE WHEN kinds[o] = 1 THEN vals[o] END, expiries[o], moment
        FROM generate_series(1, cardinality(keys)) o WHERE stamps[o] > 0;
        UPDATE signet_state s SET version = newest WHERE s.one;
        PERFORM pg_notify('signet_' || 'signet_state'::regclass::oid::text, newest::text);
    END IF;
    COMMIT;
END $$;

-- Removes at most most records that expired before dead, and at most about as
-- many changes from before old. One node at a time: who comes second leaves.
CREATE PROCEDURE signet_sweep_1(
    most integer, dead interval, old interval, INOUT swept integer, INOUT trimmed integer
) LANGUAGE plpgsql AS $$
DECLARE
    bound bigint;
BEGIN
    swept := 0;
    trimmed := 0;
    IF NOT pg_try_advisory_xact_lock((1397311310::bigint << 32) | 'signet_state'::regclass::oid::bigint) THEN
        RETURN;
    END IF;
    -- A record that somebody is making anew is left to them.
    DELETE FROM signet_records r USING (
        SELECT key FROM signet_records WHERE expires < clock_timestamp() - dead
        ORDER BY expires LIMIT most FOR UPDATE SKIP LOCKED
    ) d WHERE r.key = d.key;
    GET DIAGNOSTICS swept = ROW_COUNT;
    -- The oldest are looked at and no more: the whole log is long. The newest stays,
    -- however old: by it a watcher knows that the database is where it was.
    SELECT max(c.version) INTO bound
    FROM (SELECT version, at FROM signet_changes ORDER BY version LIMIT most) c
    WHERE c.at < clock_timestamp() - old AND c.version < (SELECT s.version FROM signet_state s WHERE s.one);
    IF bound IS NOT NULL THEN
        DELETE FROM signet_changes c WHERE c.version <= bound;
        GET DIAGNOSTICS trimmed = ROW_COUNT;
    END IF;
    COMMIT;
END $$;
