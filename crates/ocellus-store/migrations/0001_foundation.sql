-- Accounts, keys, apps, inputs, concepts, labels, predictions, vectors, jobs.
-- Types: TEXT, BIGINT, DOUBLE PRECISION and the blob placeholder only. Times are microseconds since
-- 1970 UTC, flags 0 or 1, documents JSON as TEXT. No foreign keys: an app's rows are removed in
-- portions by a job, and every read names the app.

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    email TEXT,
    is_public BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL
);

CREATE TABLE access_keys (
    id TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    account_id TEXT NOT NULL,
    app_uid TEXT,
    description TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    expires_at_us BIGINT,
    revoked_at_us BIGINT
);
CREATE INDEX access_keys_by_account ON access_keys (account_id, created_at_us, id);
CREATE INDEX access_keys_by_end ON access_keys (kind, expires_at_us);
CREATE INDEX access_keys_by_app ON access_keys (app_uid);

CREATE TABLE apps (
    uid TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    description TEXT NOT NULL,
    default_language TEXT NOT NULL,
    metadata TEXT NOT NULL,
    doc TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    version BIGINT NOT NULL,
    deleted_at_us BIGINT
);
-- The id of a deleted app can be used again at once, while its rows are still being removed.
CREATE UNIQUE INDEX apps_by_id ON apps (account_id, id) WHERE deleted_at_us IS NULL;
CREATE INDEX apps_by_age ON apps (account_id, created_at_us, uid);

-- Numbers that rise by one per app and name; taken in the transaction of the row that they number,
-- so that rows become visible in the order of their numbers.
CREATE TABLE counters (
    app_uid TEXT NOT NULL,
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (app_uid, name)
);

CREATE TABLE inputs (
    app_uid TEXT NOT NULL,
    id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    state BIGINT NOT NULL,
    failure_code TEXT NOT NULL,
    failure TEXT NOT NULL,
    kind TEXT NOT NULL,
    source_url TEXT,
    -- SHA-256 of source_url: a URL can be longer than an index entry may be.
    url_key TEXT,
    blob TEXT,
    thumb TEXT,
    content_hash TEXT,
    phash BIGINT,
    width BIGINT,
    height BIGINT,
    mime TEXT,
    lat DOUBLE PRECISION,
    lon DOUBLE PRECISION,
    metadata TEXT NOT NULL,
    doc TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, id)
);
CREATE UNIQUE INDEX inputs_by_seq ON inputs (app_uid, seq);
CREATE INDEX inputs_by_state ON inputs (app_uid, state, seq);
-- With seq at the end, or SQLite walks the app by seq to save the sorting.
CREATE INDEX inputs_by_url ON inputs (app_uid, url_key, seq);
CREATE INDEX inputs_by_content ON inputs (app_uid, content_hash, seq);
CREATE INDEX inputs_by_blob ON inputs (blob, app_uid, seq);
CREATE INDEX inputs_by_thumb ON inputs (thumb);
CREATE INDEX inputs_by_place ON inputs (app_uid, lat, lon);

CREATE TABLE concepts (
    app_uid TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    language TEXT NOT NULL,
    definition TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, id)
);
CREATE INDEX concepts_by_age ON concepts (app_uid, created_at_us, id);
CREATE INDEX concepts_by_name ON concepts (app_uid, name_key);

CREATE TABLE annotations (
    app_uid TEXT NOT NULL,
    id TEXT NOT NULL,
    input_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    model_version_id TEXT NOT NULL,
    status TEXT NOT NULL,
    doc TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, id)
);
CREATE INDEX annotations_by_input ON annotations (app_uid, input_id, created_at_us, id);
CREATE INDEX annotations_by_age ON annotations (app_uid, created_at_us, id);

CREATE TABLE labels (
    app_uid TEXT NOT NULL,
    input_id TEXT NOT NULL,
    annotation_id TEXT NOT NULL,
    concept_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    account_id TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, input_id, annotation_id, concept_id)
);
CREATE INDEX labels_by_concept ON labels (app_uid, concept_id, value, input_id);
CREATE INDEX labels_by_annotation ON labels (app_uid, annotation_id);

CREATE TABLE predictions (
    app_uid TEXT NOT NULL,
    input_id TEXT NOT NULL,
    model_version_id TEXT NOT NULL,
    concept_id TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (app_uid, input_id, model_version_id, concept_id)
);
-- The concept first: SQLite would otherwise use this index, by the app alone, to find the predictions of
-- one input, because it holds all the columns.
CREATE INDEX predictions_by_concept ON predictions (concept_id, app_uid, model_version_id, value, input_id);

CREATE TABLE vectors (
    app_uid TEXT NOT NULL,
    space TEXT NOT NULL,
    input_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    data {{blob}} NOT NULL,
    PRIMARY KEY (app_uid, space, input_id)
);
-- With the flag, so that counting does not touch the data.
CREATE INDEX vectors_by_seq ON vectors (app_uid, space, seq, deleted);
CREATE INDEX vectors_by_input ON vectors (app_uid, input_id);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    account_id TEXT NOT NULL,
    app_uid TEXT,
    state BIGINT NOT NULL,
    payload TEXT NOT NULL,
    result TEXT NOT NULL,
    n_parts BIGINT NOT NULL,
    n_done BIGINT NOT NULL,
    n_failed BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    cancel_requested BIGINT NOT NULL,
    error TEXT NOT NULL,
    dedupe_key TEXT,
    created_at_us BIGINT NOT NULL,
    updated_at_us BIGINT NOT NULL,
    finished_at_us BIGINT
);
CREATE INDEX jobs_by_account ON jobs (account_id, created_at_us, id);
CREATE INDEX jobs_by_app ON jobs (app_uid, created_at_us, id);
CREATE INDEX jobs_by_end ON jobs (finished_at_us);
-- One open job per key; the key is free again when the job has ended.
CREATE UNIQUE INDEX jobs_by_dedupe_key ON jobs (dedupe_key) WHERE finished_at_us IS NULL;

CREATE TABLE job_parts (
    job_id TEXT NOT NULL,
    idx BIGINT NOT NULL,
    kind TEXT NOT NULL,
    state BIGINT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    run_at_us BIGINT NOT NULL,
    lease_until_us BIGINT NOT NULL,
    lease_owner TEXT NOT NULL,
    error TEXT NOT NULL,
    -- When the part may be claimed: the start of a waiting part, the end of the lease of a running
    -- one, NULL once it has ended. One index then serves the claim.
    due_at_us BIGINT,
    PRIMARY KEY (job_id, idx)
);
CREATE INDEX job_parts_by_due ON job_parts (kind, due_at_us, job_id, idx) WHERE due_at_us IS NOT NULL;
CREATE INDEX job_parts_open ON job_parts (job_id) WHERE due_at_us IS NOT NULL;

CREATE TABLE job_errors (
    job_id TEXT NOT NULL,
    part_idx BIGINT NOT NULL,
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    message TEXT NOT NULL,
    created_at_us BIGINT NOT NULL
);
CREATE INDEX job_errors_by_job ON job_errors (job_id, part_idx);
