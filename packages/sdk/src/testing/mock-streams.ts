/** The pretended server's event streams. */
import { EVENT_STREAM, isFinal, type Job, JOB_EVENT } from '@kinora/protocol'
import { HttpResponse } from 'msw'
import type { MockJobs } from './mock-jobs.ts'

export class MockStreams {
  readonly #jobs: MockJobs
  /** Each open stream, and how to stop listening for it. */
  readonly #open = new Map<ReadableStreamDefaultController<Uint8Array>, () => void>()

  constructor(jobs: MockJobs) {
    this.#jobs = jobs
  }

  get count(): number {
    return this.#open.size
  }

  /** Breaks every open stream in the middle, as a dying proxy does. */
  cut(): void {
    for (const [controller, leave] of this.#open) {
      leave()
      controller.error(new TypeError('The connection was cut.'))
    }
  }

  /** @param jobId undefined for all jobs; the stream then has no end */
  response(jobId: string | undefined, lastEventId: string | null, show: (job: Job) => Job): Response {
    const encoder = new TextEncoder()
    let leave = (): void => {}
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const close = (): void => {
          leave()
          controller.close()
        }
        const send = (job: Job, revision: string): void => {
          if (jobId !== undefined && job.job_id !== jobId) return
          controller.enqueue(
            encoder.encode(`event: ${JOB_EVENT}\nid: ${revision}\ndata: ${JSON.stringify(show(job))}\n\n`),
          )
          if (jobId !== undefined && isFinal(job.status)) close()
        }
        const unlisten = this.#jobs.listen(send)
        leave = () => {
          unlisten()
          this.#open.delete(controller)
        }
        this.#open.set(controller, leave)
        controller.enqueue(encoder.encode('retry: 1000\n: connected\n\n'))
        const job = jobId === undefined ? undefined : this.#jobs.get(jobId)
        if (!job) return
        const revision = this.#jobs.revision(job.job_id)
        if (revision !== lastEventId) send(job, revision)
        else if (isFinal(job.status)) close()
      },
      cancel: () => leave(),
    })
    return new HttpResponse(body, { headers: { 'content-type': EVENT_STREAM, 'cache-control': 'no-store' } })
  }
}
