/** The history's tables, beside BullMQ's own in the schema `bullmq`. Every statement may run again. `json`, not `jsonb`: it keeps the order of the fields. */
export const HISTORY_SCHEMA = `
CREATE SCHEMA IF NOT EXISTS kinora;

CREATE TABLE IF NOT EXISTS kinora.job (
  job_id      text PRIMARY KEY,
  tenant      text NOT NULL,
  model       text NOT NULL,
  created_at  bigint NOT NULL,
  priority    integer NOT NULL,
  record      json NOT NULL,
  final       json,
  finished_at bigint,
  webhook     json
);
-- Since outcomes are set by the store.
ALTER TABLE kinora.job ADD COLUMN IF NOT EXISTS report json;
ALTER TABLE kinora.job ADD COLUMN IF NOT EXISTS decided_by text;
-- The outbox of endings: false from the outcome on until everything that follows has been done.
ALTER TABLE kinora.job ADD COLUMN IF NOT EXISTS followed boolean NOT NULL DEFAULT true;
CREATE INDEX IF NOT EXISTS job_unfollowed ON kinora.job (finished_at) WHERE NOT followed;

CREATE INDEX IF NOT EXISTS job_of_tenant ON kinora.job (tenant, created_at DESC, job_id DESC);
CREATE INDEX IF NOT EXISTS job_open ON kinora.job (created_at) WHERE final IS NULL;
CREATE INDEX IF NOT EXISTS job_ended ON kinora.job (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_ended_of_tenant ON kinora.job (tenant, finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS kinora.turn (
  model  text NOT NULL,
  -- Empty for the highest priority that was claimed.
  tenant text NOT NULL,
  place  integer NOT NULL,
  PRIMARY KEY (model, tenant)
);

CREATE TABLE IF NOT EXISTS kinora.lease (
  lease_id text PRIMARY KEY,
  record   json NOT NULL,
  made_at  bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS lease_made ON kinora.lease (made_at);

-- What each model's workers announced last.
CREATE TABLE IF NOT EXISTS kinora.abilities (
  model text PRIMARY KEY,
  told  json NOT NULL
);

CREATE TABLE IF NOT EXISTS kinora.worker_seen (
  model   text PRIMARY KEY,
  seen_at bigint NOT NULL
);
`
