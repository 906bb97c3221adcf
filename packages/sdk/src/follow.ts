/**
 * Snapshots of jobs as they change, whatever happens to the connection: server-sent events that resume with Last-Event-ID after a cut, and polling
 * where a proxy holds the stream back. Nothing is lost by either, because each event is a whole job and the present one comes first.
 */
import { EVENT_STREAM, isRetryableStatus, type Job, JOB_EVENT } from '@kinora/protocol'
import { isJob, parseJson } from './answer.ts'
import { sleep } from './deadline.ts'
import { isApiError, isKinoraError, isTimeoutError } from './errors.ts'
import type { Answer } from './http.ts'
import { retryDelay } from './retry.ts'
import { readEvents, Silence } from './sse.ts'

export interface StreamOptions {
  /** Ends the iteration, also while it waits. It rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Milliseconds without a byte after which the stream is given up and the job is polled. The server sends a comment every 10 s. Default 30 000. */
  silence?: number | undefined
  /** Milliseconds between polls. Default 2000. */
  pollInterval?: number | undefined
  /** Milliseconds a server that has answered once may be away before the stream ends with an error. Default 300 000. */
  giveUpAfter?: number | undefined
}

/** Where snapshots come from. */
export interface Source {
  open(lastEventId: string | undefined): Promise<Answer>
  poll(): Promise<readonly Job[]>
  /** Whether nothing can come after this job. */
  ends(job: Job): boolean
}

/** Connections that end without an event, one after the other, before polling begins. */
const FRUITLESS_CONNECTIONS = 3

/** Milliseconds after which a connection was of use, even if nothing changed while it was open. */
const LASTING = 5_000

export async function* follow(source: Source, options: StreamOptions = {}): AsyncGenerator<Job, void, undefined> {
  const { signal, silence = 30_000, pollInterval = 2_000, giveUpAfter = 300_000 } = options
  const isNews = newsFilter()
  let polling = false
  let lastEventId: string | undefined
  let fruitless = 0
  let failures = 0
  let reachedAt: number | undefined

  for (;;) {
    signal?.throwIfAborted()
    let delay = pollInterval
    let answer: Answer | undefined
    try {
      if (polling) {
        const jobs = await source.poll()
        reachedAt = Date.now()
        failures = 0
        for (const job of jobs) {
          if (isNews(job)) yield job
          if (source.ends(job)) return
        }
      } else {
        answer = await source.open(lastEventId)
        reachedAt = Date.now()
        const openedAt = reachedAt
        fruitless++
        if (!answer.response.headers.get('content-type')?.startsWith(EVENT_STREAM))
          throw new Silence('It is no event stream.')
        for await (const { event, id, data } of readEvents(answer.response, silence)) {
          reachedAt = Date.now()
          fruitless = failures = 0
          const job = event === JOB_EVENT ? parseJson(data) : undefined
          if (!isJob(job)) continue
          if (isNews(job)) yield job
          if (source.ends(job)) return
          lastEventId = id ?? lastEventId
        }
        // The server, or a proxy, ended it before the job did.
        if (Date.now() - openedAt > LASTING) fruitless = 0
        polling = fruitless >= FRUITLESS_CONNECTIONS
        delay = retryDelay(fruitless)
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (error instanceof Silence || (!polling && isTimeoutError(error))) {
        polling = true
        delay = 0
      } else {
        // A server that has never answered is more likely a wrong address than an outage.
        if (reachedAt === undefined || !mayPass(error) || Date.now() - reachedAt > giveUpAfter) throw error
        delay = retryDelay(++failures, isApiError(error) ? error.retryAfter : undefined)
      }
    } finally {
      answer?.release()
      void answer?.response.body?.cancel().catch(() => {})
    }
    await sleep(delay, signal)
  }
}

function mayPass(error: unknown): boolean {
  // A cut in the middle of a body is fetch's own error, not one of ours.
  if (!isKinoraError(error)) return true
  return isApiError(error) ? isRetryableStatus(error.status) : error.code !== 'invalid_option'
}

/** Whether a snapshot differs from the last one of its job. Signed URLs do not count: they are made anew for each answer. */
function newsFilter(): (job: Job) => boolean {
  const seen = new Map<string, string>()
  return (job) => {
    const { result_url: _result, poster_url: _poster, ...state } = job
    const text = JSON.stringify(state)
    const isNew = seen.get(job.job_id) !== text
    seen.set(job.job_id, text)
    return isNew
  }
}
