-- Pictures made from an input on demand, what models saw in the frames of videos, and the parts of uploads.

CREATE TABLE renditions (
    app_uid TEXT NOT NULL,
    input_id TEXT NOT NULL,
    size TEXT NOT NULL,
    -- The blob it was made from: a rendition of other bytes than the input's is stale.
    source TEXT NOT NULL,
    blob TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (app_uid, input_id, size)
);
CREATE INDEX renditions_by_blob ON renditions (blob);

CREATE TABLE video_frames (
    app_uid TEXT NOT NULL,
    input_id TEXT NOT NULL,
    model_version_id TEXT NOT NULL,
    idx BIGINT NOT NULL,
    time_ms BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (app_uid, input_id, model_version_id, idx)
);

CREATE TABLE upload_parts (
    app_uid TEXT NOT NULL,
    upload_id TEXT NOT NULL,
    range_start BIGINT NOT NULL,
    length BIGINT NOT NULL,
    part_number BIGINT NOT NULL,
    blob TEXT NOT NULL,
    PRIMARY KEY (app_uid, upload_id, range_start)
);
CREATE INDEX upload_parts_by_blob ON upload_parts (blob);
