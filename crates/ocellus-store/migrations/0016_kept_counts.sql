-- Counts that are kept instead of counting rows, and the order of creation in what finds inputs by concept, so that a
-- page of a search is read off an index.

CREATE TABLE kept_counts (
    app_uid TEXT NOT NULL,
    -- "inputs"; "positive" and "negative": inputs of which a concept was said or denied; "dataset": inputs in one.
    kind TEXT NOT NULL,
    -- The concept or dataset; empty for none.
    id TEXT NOT NULL,
    -- The state of the inputs; 0 where it does not matter.
    state BIGINT NOT NULL,
    -- Of inputs, their number divided by 4096; 0 of others.
    place BIGINT NOT NULL,
    -- A count is the sum over these.
    shard BIGINT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (app_uid, kind, id, state, place, shard)
);

-- The number of the input, and 1 where the value says yes.
ALTER TABLE labels ADD COLUMN input_seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE labels ADD COLUMN positive BIGINT NOT NULL DEFAULT 0;
UPDATE labels SET positive = CASE WHEN value >= 0.5 THEN 1 ELSE 0 END, input_seq = COALESCE(
    (SELECT seq FROM inputs WHERE inputs.app_uid = labels.app_uid AND inputs.id = labels.input_id), 0);
DROP INDEX labels_by_concept;
CREATE INDEX labels_in_order ON labels (app_uid, concept_id, positive, input_seq, input_id);

-- The number of the input.
ALTER TABLE predictions ADD COLUMN input_seq BIGINT NOT NULL DEFAULT 0;
UPDATE predictions SET input_seq = COALESCE(
    (SELECT seq FROM inputs WHERE inputs.app_uid = predictions.app_uid AND inputs.id = predictions.input_id), 0);
DROP INDEX predictions_by_concept;
-- The concept first: SQLite would otherwise use this index, by the app alone, to find the predictions of
-- one input, because it holds all the columns.
CREATE INDEX predictions_in_order
    ON predictions (concept_id, app_uid, model_version_id, value DESC, input_seq, input_id);

INSERT INTO kept_counts (app_uid, kind, id, state, place, shard, n)
    SELECT app_uid, 'inputs', '', state, seq / 4096, 0, COUNT(*) FROM inputs GROUP BY app_uid, state, seq / 4096;
INSERT INTO kept_counts (app_uid, kind, id, state, place, shard, n)
    SELECT l.app_uid, CASE WHEN l.positive = 1 THEN 'positive' ELSE 'negative' END, l.concept_id, i.state, 0, 0,
    COUNT(DISTINCT l.input_id) FROM labels l JOIN inputs i ON i.app_uid = l.app_uid AND i.id = l.input_id
    GROUP BY l.app_uid, l.positive, l.concept_id, i.state;
INSERT INTO kept_counts (app_uid, kind, id, state, place, shard, n)
    SELECT app_uid, 'dataset', dataset_uid, 0, 0, 0, COUNT(*) FROM dataset_inputs GROUP BY app_uid, dataset_uid;

-- Which annotations speak of which concepts, whoever made them and wherever they stand in review. Annotations that are
-- older than this table are entered when it is made.
CREATE TABLE annotation_concepts (
    app_uid TEXT NOT NULL,
    annotation_id TEXT NOT NULL,
    concept_id TEXT NOT NULL,
    -- The number of the input.
    input_seq BIGINT NOT NULL,
    input_id TEXT NOT NULL,
    PRIMARY KEY (app_uid, annotation_id, concept_id)
);
CREATE INDEX annotation_concepts_in_order ON annotation_concepts (app_uid, concept_id, input_seq, input_id);
