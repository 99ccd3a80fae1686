-- Annotations in full: who made them, what they speak of, the task and track they belong to; video tracks;
-- the queue of labelling tasks. The tasks themselves, label orders and annotation filters are resources.

-- 1 for what somebody says about the whole input, which the input itself shows.
ALTER TABLE annotations ADD COLUMN whole BIGINT NOT NULL DEFAULT 0;
ALTER TABLE annotations ADD COLUMN workflow_version_id TEXT NOT NULL DEFAULT '';
ALTER TABLE annotations ADD COLUMN task_id TEXT NOT NULL DEFAULT '';
ALTER TABLE annotations ADD COLUMN track_id TEXT NOT NULL DEFAULT '';
-- The first frame spoken of: its number and its time in milliseconds.
ALTER TABLE annotations ADD COLUMN frame BIGINT NOT NULL DEFAULT 0;
ALTER TABLE annotations ADD COLUMN frame_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE annotations ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE annotations ADD COLUMN modified_by TEXT NOT NULL DEFAULT '';
CREATE INDEX annotations_by_worker
    ON annotations (app_uid, account_id, model_version_id, workflow_version_id, created_at_us, id);
CREATE INDEX annotations_by_task ON annotations (app_uid, task_id, input_id, status);
CREATE INDEX annotations_by_track ON annotations (app_uid, input_id, track_id, frame, id);

-- 1 for a concept of a part of the input only. Labels are the index of the annotations that count: those
-- with status "success".
ALTER TABLE labels ADD COLUMN region BIGINT NOT NULL DEFAULT 0;

CREATE TABLE annotation_tracks (
    app_uid TEXT NOT NULL,
    id TEXT NOT NULL,
    input_id TEXT NOT NULL,
    concept_id TEXT NOT NULL,
    status TEXT NOT NULL,
    doc TEXT NOT NULL,
    account_id TEXT NOT NULL,
    modified_by TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, id)
);
CREATE INDEX annotation_tracks_by_input ON annotation_tracks (app_uid, input_id, created_at_us, id);

CREATE TABLE task_assignments (
    app_uid TEXT NOT NULL,
    id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    input_id TEXT NOT NULL,
    -- Who works on it; empty while nobody does.
    worker_id TEXT NOT NULL,
    status TEXT NOT NULL,
    -- Who reviews it; empty while nobody does.
    reviewer_id TEXT NOT NULL,
    -- The reviewers who have approved it, each between commas.
    approved_by TEXT NOT NULL,
    modified_by TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    modified_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, id)
);
-- One worker never has the same input of a task twice.
CREATE UNIQUE INDEX task_assignments_by_task ON task_assignments (app_uid, task_id, input_id, worker_id);
CREATE INDEX task_assignments_by_worker ON task_assignments (app_uid, task_id, worker_id, status, seq);
CREATE INDEX task_assignments_by_status ON task_assignments (app_uid, task_id, status, seq);
CREATE INDEX task_assignments_by_input ON task_assignments (app_uid, input_id);
