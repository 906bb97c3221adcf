/** What the limits need of the database, beside the history's tables. Every statement may run again. */

/**
 * `open_jobs` counts jobs that have not ended: triggers keep it in the statement that changes them, whoever makes it, so that it is right after any crash and
 * nothing has to be scanned. `line` says of a job under LIMIT_RUNNING whether it waits (`held`) or is in the line of workers (`running`).
 */
export const LIMITS_SCHEMA = `
ALTER TABLE kinora.job ADD COLUMN IF NOT EXISTS line text;
CREATE INDEX IF NOT EXISTS job_in_line ON kinora.job (line, tenant, created_at, job_id) WHERE final IS NULL AND line IS NOT NULL;

DO $$ BEGIN
  IF to_regclass('kinora.open_jobs') IS NULL THEN
    LOCK TABLE kinora.job IN SHARE ROW EXCLUSIVE MODE;
    CREATE TABLE kinora.open_jobs (tenant text PRIMARY KEY, jobs bigint NOT NULL);
    INSERT INTO kinora.open_jobs (tenant, jobs) SELECT tenant, count(*) FROM kinora.job WHERE final IS NULL GROUP BY tenant;
  END IF;
END $$;

CREATE OR REPLACE FUNCTION kinora.count_opened() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO kinora.open_jobs AS counted (tenant, jobs)
  SELECT tenant, count(*) FROM opened WHERE final IS NULL GROUP BY tenant ORDER BY tenant
  ON CONFLICT (tenant) DO UPDATE SET jobs = counted.jobs + EXCLUDED.jobs;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION kinora.count_ended() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  UPDATE kinora.open_jobs SET jobs = jobs - 1 WHERE tenant = OLD.tenant;
  RETURN NULL;
END $$;
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = 'kinora.job'::regclass AND tgname = 'job_opened') THEN RETURN; END IF;
  CREATE TRIGGER job_opened AFTER INSERT ON kinora.job REFERENCING NEW TABLE AS opened
    FOR EACH STATEMENT EXECUTE FUNCTION kinora.count_opened();
  CREATE TRIGGER job_ended AFTER UPDATE OF final ON kinora.job
    FOR EACH ROW WHEN (OLD.final IS NULL AND NEW.final IS NOT NULL) EXECUTE FUNCTION kinora.count_ended();
  CREATE TRIGGER job_removed AFTER DELETE ON kinora.job
    FOR EACH ROW WHEN (OLD.final IS NULL) EXECUTE FUNCTION kinora.count_ended();
END $$;

-- A function, as each statement in it sees what was committed while the one before waited.
CREATE OR REPLACE FUNCTION kinora.admit(of_tenant text, at_most integer, asked text, at_once integer)
RETURNS TABLE (admitted_id text, admitted_priority integer) LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_advisory_xact_lock(1263095375, hashtext(of_tenant));
  IF asked IS NOT NULL THEN
    UPDATE kinora.job SET line = 'held' WHERE job_id = asked AND final IS NULL AND line IS NULL;
    RETURN QUERY SELECT job_id, priority FROM kinora.job WHERE job_id = asked AND final IS NULL AND line = 'running';
  END IF;
  RETURN QUERY UPDATE kinora.job AS job SET line = 'running' WHERE job.final IS NULL AND job.job_id IN (
    SELECT job_id FROM kinora.job WHERE final IS NULL AND line = 'held' AND tenant = of_tenant
    ORDER BY created_at, job_id
    LIMIT CASE WHEN at_most = 0 THEN at_once ELSE LEAST(at_once, GREATEST(0, at_most - (
      SELECT count(*) FROM kinora.job WHERE final IS NULL AND line = 'running' AND tenant = of_tenant))) END
  ) RETURNING job.job_id, job.priority;
END $$;

CREATE TABLE IF NOT EXISTS kinora.rate (key varchar(255) PRIMARY KEY, points integer NOT NULL DEFAULT 0, expire bigint);
`
