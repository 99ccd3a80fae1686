-- Which job added an input, so that the job's progress is that of its inputs.

ALTER TABLE inputs ADD COLUMN add_job_id TEXT;
CREATE INDEX inputs_by_add_job ON inputs (app_uid, add_job_id, state) WHERE add_job_id IS NOT NULL;
