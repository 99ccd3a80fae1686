-- People behind accounts: how they sign in, what they agreed to, who works on whose app, and who did what.

CREATE TABLE users (
    account_id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    -- The address in lower case: two addresses that differ in case only are one.
    email_key TEXT NOT NULL UNIQUE,
    verified_at_us BIGINT,
    -- Hashes of the password and of earlier ones, the newest first; empty where nobody can sign in.
    passwords TEXT NOT NULL,
    doc TEXT NOT NULL,
    modified_at_us BIGINT NOT NULL
);

CREATE TABLE email_codes (
    hash TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    email_key TEXT NOT NULL,
    expires_at_us BIGINT NOT NULL
);
CREATE INDEX email_codes_by_account ON email_codes (account_id);
CREATE INDEX email_codes_by_end ON email_codes (expires_at_us);

-- How often something was tried lately, such as signing in from an address.
CREATE TABLE throttles (
    subject TEXT NOT NULL PRIMARY KEY,
    n_tries BIGINT NOT NULL,
    ends_at_us BIGINT NOT NULL
);
CREATE INDEX throttles_by_end ON throttles (ends_at_us);

CREATE TABLE collaborators (
    app_uid TEXT NOT NULL,
    id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    -- Account and key of the last change, as account/key.
    modified_by TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, id)
);
CREATE UNIQUE INDEX collaborators_by_account ON collaborators (account_id, app_uid);
CREATE INDEX collaborators_by_age ON collaborators (app_uid, created_at_us, id);

CREATE TABLE audit_log (
    -- Whose log: the owner of what was touched.
    account_id TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    id TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    app_id TEXT NOT NULL,
    subjects TEXT NOT NULL,
    success BIGINT NOT NULL,
    code BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (account_id, at_us, id)
);
