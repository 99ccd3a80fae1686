-- Documents that need no table of their own: a validated JSON document with an id, an owner, times and a
-- few things to filter by. The owner is an app's uid, or '@' and an account's id.

CREATE TABLE resources (
    owner_uid TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- What the id is unique within, such as the module of a module version; empty for the owner itself.
    parent TEXT NOT NULL,
    id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    -- What it is about, such as the model of a feedback; empty for nothing.
    about TEXT NOT NULL,
    state BIGINT NOT NULL,
    doc TEXT NOT NULL,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    modified_by TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (owner_uid, kind, parent, id)
);
CREATE UNIQUE INDEX resources_by_seq ON resources (owner_uid, kind, seq);
CREATE INDEX resources_by_parent ON resources (owner_uid, kind, parent, seq);
CREATE INDEX resources_by_about ON resources (owner_uid, kind, about, seq);
