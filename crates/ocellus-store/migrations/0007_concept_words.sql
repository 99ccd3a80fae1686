-- Names of concepts in other languages than their own, and what concepts have to do with each other.

CREATE TABLE concept_names (
    app_uid TEXT NOT NULL,
    concept_id TEXT NOT NULL,
    -- A code such as "ja".
    language TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The name in lower case, to find it by.
    name_key TEXT NOT NULL,
    definition TEXT NOT NULL,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, concept_id, language)
);
CREATE INDEX concept_names_by_name ON concept_names (app_uid, language, name_key, concept_id);

CREATE TABLE concept_relations (
    app_uid TEXT NOT NULL,
    id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    subject_id TEXT NOT NULL,
    -- "hypernym" (the object is the broader one) or "synonym"; a hyponym is stored the other way round.
    predicate TEXT NOT NULL,
    object_id TEXT NOT NULL,
    -- The graph that it belongs to; empty for none.
    graph_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, id)
);
CREATE UNIQUE INDEX concept_relations_once
    ON concept_relations (app_uid, subject_id, predicate, object_id, graph_id);
CREATE INDEX concept_relations_by_object ON concept_relations (app_uid, object_id, seq);
CREATE UNIQUE INDEX concept_relations_by_seq ON concept_relations (app_uid, seq);

-- Searches by the time of the last change.
CREATE INDEX inputs_by_change ON inputs (app_uid, modified_at_us);
-- Searches by where annotations stand in review.
CREATE INDEX annotations_by_status ON annotations (app_uid, status, input_id);
