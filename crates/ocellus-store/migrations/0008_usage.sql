-- What was used by whom: counts of operations, what accounts subscribe to, numbers and views that apps record.

-- Who used what on a day. It stays when an app is deleted: what was used remains used.
CREATE TABLE usage_counts (
    -- Whose key it was.
    account_id TEXT NOT NULL,
    -- Days since 1970, UTC.
    day BIGINT NOT NULL,
    -- The name of the call.
    operation TEXT NOT NULL,
    -- Owner and id of the app it was done in; both empty for none.
    app_owner_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    -- The model that was asked; empty for none.
    model_id TEXT NOT NULL,
    -- "predict", "search", "add_input", "train" or "other"; the operation decides it.
    kind TEXT NOT NULL,
    n_calls BIGINT NOT NULL,
    n_operations BIGINT NOT NULL,
    PRIMARY KEY (account_id, day, operation, app_owner_id, app_id, key_id, model_id)
);
CREATE INDEX usage_counts_by_app ON usage_counts (app_owner_id, app_id, day);

-- The same by hour, for the limits of the hour; only of the last two days.
CREATE TABLE usage_hours (
    account_id TEXT NOT NULL,
    -- Hours since 1970, UTC.
    hour BIGINT NOT NULL,
    -- A kind, or "calls" for all of them.
    kind TEXT NOT NULL,
    n_operations BIGINT NOT NULL,
    PRIMARY KEY (account_id, hour, kind)
);
CREATE INDEX usage_hours_by_hour ON usage_hours (hour);

CREATE TABLE subscriptions (
    account_id TEXT NOT NULL PRIMARY KEY,
    plan TEXT NOT NULL,
    signup_code TEXT NOT NULL,
    key_id TEXT NOT NULL,
    modified_at_us BIGINT NOT NULL
);

-- Numbers that the users of an app record.
CREATE TABLE stat_values (
    app_uid TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    id TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    -- A JSON list.
    tags TEXT NOT NULL,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    PRIMARY KEY (app_uid, at_us, id)
);

-- How often something in an app was looked at on a day.
CREATE TABLE view_counts (
    app_uid TEXT NOT NULL,
    -- "apps", "models" and so on.
    view_type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    -- Days since 1970, UTC.
    day BIGINT NOT NULL,
    n_views BIGINT NOT NULL,
    PRIMARY KEY (app_uid, view_type, object_id, day)
);
