/** The steps over a job's record and BullMQ's row, as single statements. The moment is always the database's. */

import { NOW } from './clock.ts'

const LIVE_COLUMNS = `
  CASE WHEN bull.state = 'active' THEN bull.lock_token END AS token, bull.id IS NOT NULL AS live, bull.progress,
  bull.attempts_made, bull.stalled_count, bull.finished_at_ms, bull.return_value, bull.failed_reason`

/** $1: queues, $2: job ids. */
export const READ = `
  SELECT job.job_id IS NOT NULL AS known, job.final, job.finished_at, job.webhook, job.report, ${LIVE_COLUMNS}
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (queue, job_id, nr)
  LEFT JOIN kinora.job AS job ON job.job_id = asked.job_id
  LEFT JOIN bullmq.job AS bull ON job.final IS NULL AND bull.queue = asked.queue AND bull.id = asked.job_id
  ORDER BY nr`

export const HOLDER = `SELECT lock_token FROM bullmq.job WHERE queue = $1 AND id = $2 AND state = 'active'`

/** It is set by COALESCE and not by \`WHERE final IS NULL\`: a statement that waited for the winner's row then sees his outcome. */
const outcome = (final: string, caller: string): string => `
  final = COALESCE(job.final, ${final}::json),
  finished_at = CASE WHEN job.final IS NULL THEN ${NOW} ELSE job.finished_at END,
  decided_by = CASE WHEN job.final IS NULL THEN ${caller} ELSE job.decided_by END,
  followed = job.final IS NOT NULL AND job.followed`

/**
 * $1: job id, $2: queue, $3: final, $4: whether it matters who holds the job, $5: who has to, $6: whose call it is, $7: the event's name.
 */
export const DECIDE = `
  WITH fence AS (
    SELECT holder, NOT $4 OR holder IS NOT DISTINCT FROM $5 AS holds
    FROM (SELECT (SELECT lock_token FROM bullmq.job WHERE queue = $2 AND id = $1 AND state = 'active') AS holder) AS held
  ),
  ended AS (
    UPDATE kinora.job AS job SET ${outcome('$3', '$6')}
    FROM fence WHERE job.job_id = $1 AND (job.final IS NOT NULL OR fence.holds)
    RETURNING job.final, job.finished_at, job.decided_by IS NOT DISTINCT FROM $6 AS mine
  )
  SELECT fence.holder, ended.final, ended.finished_at, COALESCE(ended.mine, false) AS mine,
    EXISTS (SELECT 1 FROM kinora.job WHERE job_id = $1) AS known,
    CASE WHEN ended.mine THEN bullmq.publish_event($2, $7, jsonb_build_object('jobIds', jsonb_build_array($1::text)::text)) END AS event
  FROM fence LEFT JOIN ended ON true`

/** For a history that lies apart from the queue. $1: job id, $2: final, $3: whose call it is. */
export const DECIDE_APART = `
  UPDATE kinora.job AS job SET ${outcome('$2', '$3')}
  WHERE job.job_id = $1
  RETURNING job.final, job.finished_at, job.decided_by IS NOT DISTINCT FROM $3 AS mine`

/** $1: job ids. */
export const READ_APART = `
  SELECT job.job_id IS NOT NULL AS known, job.final, job.finished_at, job.webhook, job.report
  FROM unnest($1::text[]) WITH ORDINALITY AS asked (job_id, nr)
  LEFT JOIN kinora.job AS job ON job.job_id = asked.job_id
  ORDER BY nr`

/** $1: queue, $2: job id, $3: token, $4: progress, $5: lease's record, $6: model, $7: priority, $8: the event's name, $9: milliseconds that the lock lives. */
export const TAKE = `
  WITH held AS (
    UPDATE bullmq.job SET progress = $4::jsonb, locked_until_ms = ${NOW} + $9::bigint
    WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3
      AND EXISTS (SELECT 1 FROM kinora.job WHERE job_id = $2 AND final IS NULL)
    RETURNING id
  ),
  lease AS (
    INSERT INTO kinora.lease (lease_id, record, made_at) SELECT $3, $5::json, ${NOW} FROM held ON CONFLICT (lease_id) DO NOTHING
  ),
  turn AS (
    INSERT INTO kinora.turn AS turn (model, tenant, place) SELECT $6, '', $7::integer FROM held WHERE $7::integer > 0
    ON CONFLICT (model, tenant) DO UPDATE SET place = GREATEST(turn.place, EXCLUDED.place)
  )
  SELECT bullmq.publish_event($1, $8, jsonb_build_object('jobIds', jsonb_build_array(id)::text)) AS event FROM held`

/**
 * Rows are locked in the order of their ids, so that two processes never wait for each other.
 * $1: queue, $2: job ids, $3: tokens, $4: progress of each, null where what was said before stays, $5: milliseconds, $6: the event's name.
 */
export const BEAT = `
  WITH asked AS (SELECT * FROM unnest($2::text[], $3::text[], $4::text[]) AS asked (id, token, progress)),
  locked AS (
    SELECT job.id FROM bullmq.job AS job JOIN asked USING (id)
    WHERE job.queue = $1 AND job.state = 'active' AND job.lock_token = asked.token
    ORDER BY job.id FOR UPDATE OF job
  ),
  beaten AS (
    UPDATE bullmq.job AS job SET locked_until_ms = ${NOW} + $5::bigint,
      progress = COALESCE(asked.progress::jsonb, jsonb_set(job.progress, '{spoke}', 'true'))
    FROM asked, locked
    WHERE job.queue = $1 AND job.id = locked.id AND job.id = asked.id AND job.state = 'active' AND job.lock_token = asked.token
    RETURNING job.id, asked.token
  ),
  told AS (
    SELECT bullmq.publish_event($1, $6, jsonb_build_object('jobIds', jsonb_agg(id)::text)) AS event FROM beaten HAVING count(*) > 0
  )
  SELECT beaten.id, beaten.token, told.event FROM beaten, told`

/** $1: milliseconds. */
export const UNFOLLOWED = `
  SELECT job_id FROM kinora.job WHERE NOT followed AND finished_at <= ${NOW} - $1::bigint ORDER BY finished_at LIMIT $2`
