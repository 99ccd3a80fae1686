-- What is in a dataset, what was in it when a version was made, and the archives made of versions. The
-- datasets and versions themselves are resources. Both have an internal uid, so that the rows of one that
-- was deleted are never taken for those of another with the same id.

CREATE TABLE dataset_inputs (
    app_uid TEXT NOT NULL,
    dataset_uid TEXT NOT NULL,
    input_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    dataset_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, dataset_uid, input_id)
);
CREATE UNIQUE INDEX dataset_inputs_by_seq ON dataset_inputs (app_uid, dataset_uid, seq);
CREATE INDEX dataset_inputs_by_input ON dataset_inputs (app_uid, input_id);

CREATE TABLE dataset_items (
    app_uid TEXT NOT NULL,
    version_uid TEXT NOT NULL,
    input_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    -- SHA-256 in hex of what the input shows, and of what was said about it.
    content TEXT NOT NULL,
    labels TEXT NOT NULL,
    blob TEXT,
    doc TEXT NOT NULL,
    PRIMARY KEY (app_uid, version_uid, input_id)
);
CREATE UNIQUE INDEX dataset_items_by_seq ON dataset_items (app_uid, version_uid, seq);
CREATE INDEX dataset_items_by_blob ON dataset_items (blob);

CREATE TABLE dataset_exports (
    app_uid TEXT NOT NULL,
    version_uid TEXT NOT NULL,
    format TEXT NOT NULL,
    state BIGINT NOT NULL,
    run TEXT NOT NULL,
    blob TEXT,
    size_bytes BIGINT NOT NULL,
    n_items BIGINT NOT NULL,
    n_done BIGINT NOT NULL,
    error TEXT NOT NULL,
    doc TEXT NOT NULL,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, version_uid, format)
);
CREATE INDEX dataset_exports_by_blob ON dataset_exports (blob);
