-- The finished chunks of archives that are being made: an attempt that was cut off goes on after the last of them.

CREATE TABLE dataset_export_chunks (
    app_uid TEXT NOT NULL,
    version_uid TEXT NOT NULL,
    format TEXT NOT NULL,
    run TEXT NOT NULL,
    idx BIGINT NOT NULL,
    -- The last of the version's inputs that is in it.
    last_seq BIGINT NOT NULL,
    blob TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    -- The files in it, as the archive's directory will name them.
    doc TEXT NOT NULL,
    PRIMARY KEY (app_uid, version_uid, format, run, idx)
);
CREATE INDEX dataset_export_chunks_by_blob ON dataset_export_chunks (blob);
