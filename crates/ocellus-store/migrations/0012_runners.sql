-- Work for models that run in processes of their users: a request waits until a runner takes and answers it.

CREATE TABLE runner_items (
    id TEXT NOT NULL PRIMARY KEY,
    -- The account whose runners may take it.
    account_id TEXT NOT NULL,
    app_uid TEXT NOT NULL,
    model_uid TEXT NOT NULL,
    -- The model's id as it was asked for.
    model_id TEXT NOT NULL,
    -- The version that was asked for; empty for any.
    model_version_id TEXT NOT NULL,
    -- 0 waiting, 1 with a runner, 2 answered, 3 failed, 4 given up by whoever waited.
    state BIGINT NOT NULL,
    -- An encoded message of the dialect; empty once the item has ended.
    request {{blob}} NOT NULL,
    n_inputs BIGINT NOT NULL,
    -- An encoded message of the dialect; empty until the item is answered.
    outputs {{blob}} NOT NULL,
    -- How often it was handed out.
    attempts BIGINT NOT NULL,
    -- The runner that has it, or had it last.
    runner_id TEXT NOT NULL,
    -- From when on it may be handed out: at once while it waits, after the lease while a runner has it.
    due_at_us BIGINT NOT NULL,
    -- Nobody waits for the answer any longer than this.
    deadline_us BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL
);
CREATE INDEX runner_items_of_model ON runner_items (account_id, model_uid, due_at_us);
CREATE INDEX runner_items_of_model_id ON runner_items (account_id, model_id, due_at_us);
CREATE INDEX runner_items_of_app ON runner_items (app_uid, id);
CREATE INDEX runner_items_by_deadline ON runner_items (deadline_us);
