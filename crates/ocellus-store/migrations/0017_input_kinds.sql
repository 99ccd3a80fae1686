-- The texts of an app in the order of their creation, for filters by words.
CREATE INDEX inputs_by_kind ON inputs (app_uid, kind, seq);
