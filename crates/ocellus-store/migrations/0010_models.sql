-- Models that users make, and their versions.

CREATE TABLE models (
    app_uid TEXT NOT NULL,
    -- Never changes, unlike the id.
    uid TEXT NOT NULL,
    id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    name TEXT NOT NULL,
    model_type_id TEXT NOT NULL,
    doc TEXT NOT NULL,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    modified_by TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, uid)
);
CREATE UNIQUE INDEX models_by_id ON models (app_uid, id);
CREATE UNIQUE INDEX models_by_seq ON models (app_uid, seq);

CREATE TABLE model_versions (
    app_uid TEXT NOT NULL,
    model_uid TEXT NOT NULL,
    id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    -- "untrained", "queued", "training", "trained" or "failed".
    state TEXT NOT NULL,
    doc TEXT NOT NULL,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    modified_by TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    completed_at_us BIGINT,
    PRIMARY KEY (app_uid, model_uid, id)
);
CREATE INDEX model_versions_by_model ON model_versions (app_uid, model_uid, seq);
CREATE UNIQUE INDEX model_versions_by_seq ON model_versions (app_uid, seq);
