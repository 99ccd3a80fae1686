-- A document may have content that is kept as a blob, such as the points of a map.

ALTER TABLE resources ADD COLUMN blob TEXT;
CREATE INDEX resources_by_blob ON resources (blob);
