-- What training leaves behind as blobs, and the versions that a model's id need not be known for.

CREATE TABLE model_blobs (
    app_uid TEXT NOT NULL,
    model_uid TEXT NOT NULL,
    version_id TEXT NOT NULL,
    -- The part that the blob plays, such as "artefact" or "held_out".
    role TEXT NOT NULL,
    blob TEXT NOT NULL,
    PRIMARY KEY (app_uid, model_uid, version_id, role)
);
CREATE INDEX model_blobs_by_blob ON model_blobs (blob);
CREATE INDEX model_versions_by_id ON model_versions (app_uid, id);
