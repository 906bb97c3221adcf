/** Server-sent events: the successive snapshots of one job, or of all of a tenant's. */

/** The `event:` field. Its `data:` is a job, its `id:` the job's revision, to be sent back as `Last-Event-ID`. */
export const JOB_EVENT = 'job'

/** The content type of a stream. */
export const EVENT_STREAM = 'text/event-stream'

/** Seconds between comment lines that keep an idle stream open through proxies. */
export const STREAM_HEARTBEAT_SECONDS = 10
