/** The pretended server's jobs: how they are made, move on, and end. */
import { type FinalStatus, frameCount, isFinal, type Job, type ParsedGenerateRequest } from '@kinora/protocol'
import type { MockKinoraOptions } from './mock-options.ts'

type Change = Partial<Job>
type Listener = (job: Job, revision: string) => void
export type FinalJob = Job & { status: FinalStatus }

interface Entry {
  job: Job
  revision: number
  step: number
  webhookUrl: string | undefined
  timer?: ReturnType<typeof setTimeout> | undefined
}

export function isFinalJob(job: Job): job is FinalJob {
  return isFinal(job.status)
}

export class MockJobs {
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Set<Listener>()
  readonly #options: MockKinoraOptions
  readonly #onEnd: (job: FinalJob, webhookUrl: string) => void
  #count = 0

  constructor(options: MockKinoraOptions, onEnd: (job: FinalJob, webhookUrl: string) => void) {
    this.#options = options
    this.#onEnd = onEnd
  }

  #now(): string {
    return (this.#options.now?.() ?? new Date()).toISOString()
  }

  /** @param told what the job says beside its settings: `requested`, `picture_url`, `images` */
  add(request: ParsedGenerateRequest, model: string, told: Change = {}): Job {
    const job_id = `job_mock${++this.#count}`
    const {
      image_url: _image,
      upload_id: _upload,
      images: _images,
      end_image_url: _endImage,
      end_upload_id: _endUpload,
      webhook_url,
      ...settings
    } = request
    const seed = request.seed ?? this.#count
    const job: Job = {
      ...settings,
      ...told,
      job_id,
      model,
      seed,
      status: 'queued',
      progress: 0,
      attempt: 0,
      created_at: this.#now(),
    }
    if (webhook_url !== undefined) job.webhook = { status: 'pending', attempts: 0 }
    this.#entries.set(job_id, { job, revision: 1, step: 0, webhookUrl: webhook_url })
    this.#tell(job_id)
    this.#schedule(job_id)
    return job
  }

  get(jobId: string): Job | undefined {
    return this.#entries.get(jobId)?.job
  }

  revision(jobId: string): string {
    return `${jobId}.${this.#entries.get(jobId)?.revision ?? 0}`
  }

  /** Newest first. */
  all(): Job[] {
    return [...this.#entries.values()].map(({ job }) => job).reverse()
  }

  /** Changes a job and tells its streams. A final job stays as it is, but for its webhook's state. */
  update(jobId: string, change: Change): Job {
    const entry = this.#entries.get(jobId)
    if (!entry)
      throw new Error(`The mock has no job "${jobId}". It has: ${[...this.#entries.keys()].join(', ') || 'none'}.`)
    if (isFinal(entry.job.status)) {
      if (change.webhook) entry.job = { ...entry.job, webhook: change.webhook }
      return entry.job
    }
    entry.job = { ...entry.job, ...change }
    entry.revision++
    if (isFinalJob(entry.job)) {
      clearTimeout(entry.timer)
      entry.job.completed_at ??= this.#now()
      if (entry.webhookUrl !== undefined && isFinalJob(entry.job)) this.#onEnd(entry.job, entry.webhookUrl)
    }
    this.#tell(jobId)
    return entry.job
  }

  /** One step further on the way of every job. */
  advance(jobId: string): Job {
    const entry = this.#entries.get(jobId)
    const change = entry && this.#steps(entry.job)[entry.step++]
    return this.update(jobId, change ?? {})
  }

  #steps(job: Job): Change[] {
    const fps = job.fps ?? 24
    const resolved: Change = {
      prompt: job.prompt ?? 'A smooth cinematic video',
      width: job.width ?? 1024,
      height: job.height ?? 576,
      fps,
      num_frames: frameCount(job.duration, fps),
    }
    const generating = (progress: number): Change => ({ stage: 'generating', progress })
    const outcome = this.#options.outcome?.(job) ?? 'completed'
    return [
      { status: 'processing', stage: 'fetching', progress: 5, attempt: 1, started_at: this.#now() },
      { ...generating(10), ...resolved },
      generating(50),
      generating(90),
      { stage: 'uploading', progress: 95 },
      outcome === 'completed'
        ? { status: 'completed', progress: 100 }
        : { status: 'failed', error_code: 'engine_error', ...outcome },
    ]
  }

  #schedule(jobId: string): void {
    const { stepInterval = 5 } = this.#options
    const entry = this.#entries.get(jobId)
    if (!entry || stepInterval === false || isFinal(entry.job.status)) return
    entry.timer = setTimeout(() => {
      if (!this.#entries.has(jobId)) return
      this.advance(jobId)
      this.#schedule(jobId)
    }, stepInterval)
  }

  cancel(jobId: string): Job {
    const canceled_at = this.#now()
    return this.update(jobId, { status: 'canceled', error_code: 'canceled', canceled_at })
  }

  remove(jobId: string): boolean {
    clearTimeout(this.#entries.get(jobId)?.timer)
    return this.#entries.delete(jobId)
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tell(jobId: string): void {
    const job = this.get(jobId)
    if (job) for (const listener of this.#listeners) listener(job, this.revision(jobId))
  }

  clear(): void {
    for (const jobId of this.#entries.keys()) this.remove(jobId)
    this.#count = 0
  }
}
