-- The parts of images that annotations mark, each of which is described by a vector of its own, and the order of
-- concepts that were made at the same time.

CREATE TABLE annotation_regions (
    app_uid TEXT NOT NULL,
    annotation_id TEXT NOT NULL,
    region_id TEXT NOT NULL,
    input_id TEXT NOT NULL,
    -- Tells one outline from another: a part with another outline needs another vector.
    outline TEXT NOT NULL,
    -- 0 waits for its vector, 1 has it, 2 will never have one.
    state BIGINT NOT NULL,
    PRIMARY KEY (app_uid, annotation_id, region_id)
);
CREATE INDEX annotation_regions_by_input ON annotation_regions (app_uid, input_id, state, annotation_id, region_id);

-- 0 for concepts that are older than this column.
ALTER TABLE concepts ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
CREATE INDEX concepts_in_order ON concepts (app_uid, created_at_us, seq, id);

-- Searches by the model or workflow that annotated.
CREATE INDEX annotations_by_model ON annotations (app_uid, model_version_id, input_id);
CREATE INDEX annotations_by_workflow ON annotations (app_uid, workflow_version_id, input_id);
