/** A pretended Kinora server for tests: request handlers of Mock Service Worker, and a hand to move its jobs with. */
import {
  type Abilities,
  AskedSettings,
  BUILT_IN_ABILITIES,
  ERROR_STATUS,
  type ErrorCode,
  explained,
  GenerateFields,
  GenerateRequest,
  HEADERS,
  type Health,
  isAtStart,
  type Job,
  refusalOf,
  PAGE,
  type ParsedGenerateRequest,
  paths,
  PresignUploadRequest,
  signWebhook,
  toWebhookSecret,
  UploadRequest,
  webhookPayload,
  type WebhookPayload,
} from '@kinora/protocol'
import { delay, http, type HttpHandler, HttpResponse } from 'msw'
import { type FinalJob, MockJobs } from './mock-jobs.ts'
import { modelList } from './mock-models.ts'
import { fromText, type NamedPicture, picturesOf } from './mock-pictures.ts'
import type { Fault, MockKinoraOptions } from './mock-options.ts'
import { mockStorage, type MockUpload, SMALLEST_VIDEO } from './mock-storage.ts'
import { MockStreams } from './mock-streams.ts'

const builtIn: Readonly<Record<string, Abilities>> = BUILT_IN_ABILITIES

/** A request that the mock has seen. */
export interface SeenRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: Headers
}

export interface MockKinora {
  /** For `setupServer(...mock.handlers)` or `setupWorker(...mock.handlers)`. */
  readonly handlers: HttpHandler[]
  readonly baseUrl: string
  /** Every request so far, oldest first. */
  readonly requests: readonly SeenRequest[]
  /** Pictures by their `upload_id`. */
  readonly uploads: ReadonlyMap<string, MockUpload>
  /** Webhooks so far, delivered or not. */
  readonly webhooks: readonly WebhookPayload[]
  /** Event streams that are open. */
  readonly openStreams: number
  /** A job as clients see it. */
  job(jobId: string): Job | undefined
  /** Newest first. */
  jobs(): Job[]
  /** One step further: fetching, generating, …, completed. */
  advance(jobId: string): Job
  /** Changes fields, and tells the job's streams. A final job stays as it is. */
  update(jobId: string, change: Partial<Job>): Job
  complete(jobId: string): Job
  fail(jobId: string, error_message: string, error_code?: string): Job
  /** Lets the next requests go wrong. */
  failNext(fault?: Fault): void
  /** Breaks all open event streams in the middle. */
  cutStreams(): void
  /** Forgets jobs, uploads, requests, webhooks and faults: for `afterEach`. */
  reset(): void
}

/** The error answer of the wire. */
function refuse(code: ErrorCode, error: string, more: object = {}): Response {
  return HttpResponse.json({ error, code, ...more }, { status: ERROR_STATUS[code] })
}

type Parsed<T> = { value: T } | { refusal: Response }

/** The part of a schema of the protocol's that is used here. */
interface Schema<T> {
  safeParse(
    body: unknown,
    params: typeof explained,
  ): {
    data?: T | undefined
    error?: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } | undefined
  }
}

function parse<T>(schema: Schema<T>, body: unknown): Parsed<T> {
  const { data, error } = schema.safeParse(body, explained)
  if (data !== undefined) return { value: data }
  const issues = error?.issues.map(({ path, message }) => ({ path: path.join('.'), message })) ?? []
  const first = issues[0]
  return { refusal: refuse('invalid_request', `Invalid request: ${first?.path} ${first?.message}`, { issues }) }
}

/**
 * Pretends to be a server: validation, idempotency, progress, cancel, pages, uploads, event streams that resume, signed webhooks, and faults on demand.
 *
 * @example
 * const mock = mockKinora({ apiKey: 'test' })
 * const server = setupServer(...mock.handlers)
 * beforeAll(() => server.listen())
 * afterEach(() => mock.reset())
 */
export function mockKinora(options: MockKinoraOptions = {}): MockKinora {
  const {
    baseUrl = 'http://kinora.test',
    models = ['ltx-video', 'camera'],
    abilities = builtIn,
    webhookSecret = 'mock webhook secret',
    now = () => new Date(),
  } = options
  const requests: SeenRequest[] = []
  const webhooks: WebhookPayload[] = []
  const faults: Fault[] = []
  const byKey = new Map<string, { jobId: string; parameters: string }>()
  const jobs = new MockJobs(options, (job, url) => void deliver(job, url))
  const streams = new MockStreams(jobs)
  const storage = mockStorage(
    baseUrl,
    (jobId) => jobs.get(jobId)?.status === 'completed',
    options.video ?? SMALLEST_VIDEO,
  )
  let uploadCount = 0

  const show = (job: Job): Job =>
    job.status === 'completed' ? { ...job, result_url: storage.downloadUrl(job.job_id) } : job

  async function deliver(job: FinalJob, url: string): Promise<void> {
    const payload = webhookPayload({ ...show(job), status: job.status }, now().toISOString())
    webhooks.push(payload)
    const body = JSON.stringify(payload)
    const signed = await signWebhook({
      id: `msg_${job.job_id}`,
      timestamp: now(),
      body,
      secrets: [toWebhookSecret(webhookSecret)],
    })
    const headers = { 'content-type': 'application/json', 'x-webhook-secret': webhookSecret, ...signed }
    const answer = await fetch(url, { method: 'POST', body, headers }).catch(() => undefined)
    if (!jobs.get(job.job_id)) return
    const last_attempt_at = now().toISOString()
    jobs.update(job.job_id, {
      webhook: answer?.ok
        ? { status: 'delivered', attempts: 1, last_attempt_at }
        : {
            status: 'failed',
            attempts: 1,
            last_error: answer ? `HTTP ${answer.status}` : 'fetch failed',
            last_attempt_at,
          },
    })
  }

  interface Call {
    readonly request: Request
    readonly id: string
    readonly query: URLSearchParams
  }

  /** A route of the wire's, with the faults and the authorisation that stand before all of them. */
  function route(
    method: 'get' | 'post' | 'delete',
    path: string,
    work: (call: Call) => Response | Promise<Response>,
    open = false,
  ): HttpHandler {
    return http[method]<{ id?: string }>(baseUrl + path.replaceAll('%3A', ':'), async ({ request, params }) => {
      const { pathname, search, searchParams } = new URL(request.url)
      requests.push({ method: request.method, path: pathname + search, headers: request.headers })
      const fault = takeFault(faults, request.method, pathname)
      if (fault?.kind === 'hang') await delay('infinite')
      if (fault?.kind === 'network') return HttpResponse.error()
      if (fault && fault.kind !== 'lost') return faultAnswer(fault)
      const refusal = open ? undefined : unauthorized(request.headers.get('authorization'))
      const response = refusal ?? (await work({ request, id: params.id ?? '', query: searchParams }))
      return fault ? HttpResponse.error() : withRequestId(response, requests.length)
    })
  }

  function unauthorized(authorization: string | null): Response | undefined {
    if (options.apiKey === undefined) return undefined
    if (!authorization?.startsWith('Bearer ')) return refuse('unauthorized', 'Missing authorization header')
    return authorization === `Bearer ${options.apiKey}` ? undefined : refuse('unauthorized', 'Invalid API key')
  }

  const withJob = (work: (job: Job, call: Call) => Response) => (call: Call) => {
    const job = jobs.get(call.id)
    return job ? work(job, call) : refuse('job_not_found', 'Job not found')
  }

  async function generate({ request }: Call): Promise<Response> {
    const parsed = await readGenerate(request)
    if ('refusal' in parsed) return parsed.refusal
    const { value } = parsed
    const model = value.model ?? models[0] ?? 'ltx-video'
    if (!models.includes(model))
      return refuse('unknown_model', `Unknown model "${model}". Known: ${models.join(', ')}.`)
    const pictures = picturesOf(value)
    const lacking = pictures.find(({ upload_id }) => upload_id !== undefined && !storage.uploads.get(upload_id)?.bytes)
    if (lacking) return refuse('upload_not_found', `No picture was uploaded as "${lacking.upload_id}".`)
    const wanted = { ...value, pictures: pictures.length }
    const refusal = refusalOf(model, wanted, models, (name) => abilities[name])
    if (refusal) return refuse('invalid_request', refusal.sentence)
    const key = request.headers.get(HEADERS.idempotencyKey)
    // Sorted on every level: equal requests are equal whatever the order of their fields.
    const parameters = JSON.stringify(value, (_, field: unknown) =>
      typeof field === 'object' && field !== null && !Array.isArray(field)
        ? Object.fromEntries(Object.entries(field).sort(([one], [other]) => (one < other ? -1 : 1)))
        : field,
    )
    const earlier = key === null ? undefined : byKey.get(key)
    if (earlier && earlier.parameters !== parameters) {
      return refuse('idempotency_mismatch', 'This Idempotency-Key was used with other parameters.')
    }
    const known = earlier && jobs.get(earlier.jobId)
    const job = known ?? jobs.add(value, model, told(parsed.asked, pictures))
    if (key !== null) byKey.set(key, { jobId: job.job_id, parameters })
    return HttpResponse.json(show(job), { status: 201 })
  }

  /** What a job says of its request. */
  function told(asked: unknown, pictures: readonly NamedPicture[]): Partial<Job> {
    const placed = pictures.map(({ image_url, upload_id, ...place }) => ({
      ...place,
      image_url: image_url ?? storage.pictureUrl(upload_id ?? ''),
    }))
    const requested = AskedSettings.safeParse(asked).data
    const picture_url = placed.find(isAtStart)?.image_url
    return {
      ...(requested && { requested }),
      ...(picture_url !== undefined && { picture_url }),
      ...(placed.length > 1 && { images: placed }),
    }
  }

  async function readGenerate(request: Request): Promise<Parsed<ParsedGenerateRequest> & { asked?: unknown }> {
    if (!request.headers.get('content-type')?.startsWith('multipart/')) {
      const asked = await readJson(request)
      return { ...parse(GenerateRequest, asked), asked }
    }
    const form = await request.formData()
    const image = form.get('image')
    if (!(image instanceof Blob)) return { refusal: refuse('invalid_request', 'The part "image" is missing.') }
    const asked = Object.fromEntries(
      [...form].flatMap(([name, value]) => (typeof value === 'string' ? [[name, fromText(name, value)]] : [])),
    )
    const parsed = parse(GenerateFields, asked)
    if ('refusal' in parsed) return parsed
    const files: Partial<ParsedGenerateRequest> = { upload_id: await keep(image) }
    const end = form.get('end_image')
    if (end instanceof Blob) files.end_upload_id = await keep(end)
    return { value: { ...parsed.value, ...files }, asked }
  }

  async function keep(file: Blob): Promise<string> {
    const upload_id = `upl_mock${++uploadCount}`
    const bytes = new Uint8Array(await file.arrayBuffer())
    storage.uploads.set(upload_id, { content_type: file.type, content_length: bytes.length, bytes })
    return upload_id
  }

  async function makeUpload({ request }: Call): Promise<Response> {
    const parsed = parse(UploadRequest, await readJson(request))
    if ('refusal' in parsed) return parsed.refusal
    const { content_type, content_length } = parsed.value
    const upload_id = `upl_mock${++uploadCount}`
    storage.uploads.set(upload_id, { content_type, content_length })
    const headers = { 'content-type': content_type }
    const answer = { upload_id, upload_url: storage.uploadUrl(upload_id), method: 'PUT', headers, expires_in: 3600 }
    return HttpResponse.json(answer, { status: 201 })
  }

  async function presignUpload({ request }: Call): Promise<Response> {
    const parsed = parse(PresignUploadRequest, await readJson(request))
    if ('refusal' in parsed) return parsed.refusal
    const { job_id, content_type } = parsed.value
    const before = storage.uploads.get(job_id)
    storage.uploads.set(job_id, { ...before, content_type, content_length: undefined })
    return HttpResponse.json({ upload_url: storage.uploadUrl(job_id), expires_in: 3600 })
  }

  function list({ query }: Call): Response {
    const limit = Number(query.get('limit') ?? PAGE.default)
    if (!Number.isInteger(limit) || limit < PAGE.min || limit > PAGE.max) {
      return refuse('invalid_request', `limit must be a whole number from ${PAGE.min} to ${PAGE.max}`)
    }
    const all = jobs.all()
    const cursor = query.get('cursor')
    const start = cursor === null ? 0 : all.findIndex(({ job_id }) => job_id === cursor) + 1
    const page = all.slice(start, start + limit)
    const more = start + limit < all.length
    return HttpResponse.json({ jobs: page.map(show), next_cursor: more ? (page.at(-1)?.job_id ?? null) : null })
  }

  function health(): Response {
    const counts = (...statuses: Job['status'][]) => jobs.all().filter(({ status }) => statuses.includes(status)).length
    const queue = {
      pending: counts('queued'),
      processing: counts('processing'),
      completed: counts('completed'),
      failed: counts('failed', 'canceled'),
    }
    return HttpResponse.json({ api: 'ok', redis: 'ok', queue, backend: 'mock' } satisfies Health)
  }

  const ifCompleted = (work: (job: Job) => Response) =>
    withJob((job) =>
      job.status === 'completed'
        ? work(job)
        : refuse('job_not_completed', `The job is ${job.status}: there is no video.`),
    )

  return {
    baseUrl,
    requests,
    webhooks,
    uploads: storage.uploads,
    get openStreams() {
      return streams.count
    },
    handlers: [
      route('get', paths.health(), health, true),
      route('post', paths.generate(), generate),
      route('get', paths.models(), () => HttpResponse.json(modelList(models, abilities))),
      route('get', paths.jobs(), list),
      route(
        'get',
        paths.job(':id'),
        withJob((job) => HttpResponse.json(show(job))),
      ),
      route(
        'delete',
        paths.job(':id'),
        withJob(({ job_id }) => {
          jobs.cancel(job_id)
          jobs.remove(job_id)
          return new HttpResponse(null, { status: 204 })
        }),
      ),
      route(
        'post',
        paths.cancel(':id'),
        withJob(({ job_id }) => HttpResponse.json(show(jobs.cancel(job_id)))),
      ),
      route(
        'get',
        paths.video(':id'),
        ifCompleted(({ job_id }) => HttpResponse.redirect(storage.downloadUrl(job_id), 302)),
      ),
      route(
        'get',
        paths.jobEvents(':id'),
        withJob(({ job_id }, { request }) => streams.response(job_id, request.headers.get(HEADERS.lastEventId), show)),
      ),
      route('get', paths.events(), ({ request }) =>
        streams.response(undefined, request.headers.get(HEADERS.lastEventId), show),
      ),
      route('post', paths.uploads(), makeUpload),
      route('post', paths.presignUpload(), presignUpload),
      route(
        'get',
        paths.presignDownload(':id'),
        ifCompleted(({ job_id }) =>
          HttpResponse.json({ download_url: storage.downloadUrl(job_id), expires_in: 86_400 }),
        ),
      ),
      route('get', paths.webhookSecret(), () => HttpResponse.json({ secret: toWebhookSecret(webhookSecret) })),
      ...storage.handlers,
      http.all(`${baseUrl}/*`, () => refuse('not_found', 'Not found')),
    ],
    job: (jobId) => {
      const job = jobs.get(jobId)
      return job && show(job)
    },
    jobs: () => jobs.all().map(show),
    advance: (jobId) => show(jobs.advance(jobId)),
    update: (jobId, change) => show(jobs.update(jobId, change)),
    complete: (jobId) => show(jobs.update(jobId, { status: 'completed', progress: 100, attempt: 1 })),
    fail: (jobId, error_message, error_code = 'engine_error') =>
      show(jobs.update(jobId, { status: 'failed', error_message, error_code })),
    failNext: (fault = {}) => void faults.push({ times: 1, ...fault }),
    cutStreams: () => streams.cut(),
    reset() {
      streams.cut()
      jobs.clear()
      storage.uploads.clear()
      byKey.clear()
      for (const list of [requests, webhooks, faults]) list.length = 0
    },
  }
}

function takeFault(faults: Fault[], method: string, path: string): Fault | undefined {
  const found = faults.find((fault) => (fault.method ?? method) === method && path.includes(fault.path ?? ''))
  if (!found) return undefined
  found.times = (found.times ?? 1) - 1
  if (found.times <= 0) faults.splice(faults.indexOf(found), 1)
  return found
}

function faultAnswer({
  status = 503,
  code = 'queue_unavailable',
  error = 'The queue cannot be reached.',
  retryAfter,
  page,
}: Fault): Response {
  const headers = new Headers(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) })
  if (page === undefined) return HttpResponse.json({ error, code }, { status, headers })
  headers.set('content-type', 'text/html')
  return new HttpResponse(page, { status, headers })
}

function withRequestId(response: Response, count: number): Response {
  response.headers.set(HEADERS.requestId, `req_mock${count}`)
  return response
}

const readJson = (request: Request): Promise<unknown> => request.json().catch(() => undefined)
