// @vitest-environment edge-runtime
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createJob, getJob, insertUnsentJob, pass, startComponent } from '../../test/component.ts'
import { closedUrl, type ScriptedAnswer, startScriptedServer, wireJob } from '../../test/scripted-server.ts'
import { internal } from './_generated/api.ts'

const HOUR = 3_600_000
type Server = Awaited<ReturnType<typeof startScriptedServer>>
let server: Server

beforeEach(async () => {
  vi.useFakeTimers()
  server = await startScriptedServer(() => ({ status: 201, body: wireJob() }))
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await server.close()
})

const submissions = () => server.seen.filter(({ method }) => method === 'POST')

test('a job goes to the server with its settings, its webhook and an idempotency key', async () => {
  const t = startComponent(server.url)
  const jobId = await createJob(t, { prompt: 'The cat blinks', duration: 3, settings: { seed: 7, model: 'camera' } })
  expect(await getJob(t, jobId)).toMatchObject({ status: 'uploading', durationSeconds: 3 })

  await pass(t)

  expect(await getJob(t, jobId)).toMatchObject({ status: 'queued', externalJobId: 'job_1' })
  const [request] = submissions()
  expect(request).toMatchObject({ path: '/api/v1/generate', headers: { authorization: 'Bearer key' } })
  expect(request?.headers['idempotency-key']).toContain(jobId)
  expect(JSON.parse(request?.body ?? '')).toEqual({
    image_url: 'https://pictures.example.com/cat.jpg',
    prompt: 'The cat blinks',
    duration: 3,
    seed: 7,
    model: 'camera',
    webhook_url: `https://happy-otter-123.convex.site/api/webhooks/video-complete?job=${encodeURIComponent(jobId)}`,
  })
})

describe('the picture', () => {
  /** Of the app's own storage, as in local development. */
  const stored = (path: string) => ({ imageUrl: server.url + path, sourceImageId: 'kg2_a_file_of_the_app' })

  test('of the app’s storage goes as bytes where its URL is not public', async () => {
    const t = startComponent(server.url)
    server.answer(({ method }) =>
      method === 'GET'
        ? { headers: { 'content-type': 'image/png' }, body: new Uint8Array([1, 2, 3]) }
        : { status: 201, body: wireJob() },
    )
    const jobId = await createJob(t, { ...stored('/storage/cat'), prompt: 'Hello' })
    await pass(t)
    expect((await getJob(t, jobId)).status).toBe('queued')
    const [request] = submissions()
    expect(request?.headers['content-type']).toMatch(/^multipart\/form-data/)
    expect(request?.body).toContain('name="prompt"\r\n\r\nHello')
    expect(request?.body).toMatch(/name="image"; filename="image"\r\ncontent-type: image\/png/i)
    expect(request?.body).toContain('\u0001\u0002\u0003')
  })

  test('goes by URL where the app says so, public or not', async () => {
    const t = startComponent(server.url)
    await createJob(t, { ...stored('/storage/cat'), imageDelivery: 'url' })
    await pass(t)
    expect(JSON.parse(submissions()[0]?.body ?? '')).toMatchObject({ image_url: `${server.url}/storage/cat` })
  })

  test.each(['auto', 'bytes'] as const)(
    'of a URL that a user gave is never fetched here (%s)',
    async (imageDelivery) => {
      const t = startComponent(server.url)
      await createJob(t, { imageUrl: `${server.url}/internal/secrets`, imageDelivery })
      await pass(t)
      expect(server.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /api/v1/generate'])
      expect(JSON.parse(submissions()[0]?.body ?? '')).toMatchObject({ image_url: `${server.url}/internal/secrets` })
    },
  )

  test('whose transfer breaks off is fetched again', async () => {
    const t = startComponent(server.url)
    let cuts = 0
    server.answer(({ path }) => {
      if (!path.startsWith('/storage')) return { status: 201, body: wireJob() }
      cuts += 1
      return cuts < 3 ? 'cut' : { body: new Uint8Array([1]) }
    })
    const jobId = await createJob(t, stored('/storage/cat'))
    await pass(t, 10_000)
    expect(cuts).toBe(3)
    expect((await getJob(t, jobId)).status).toBe('queued')
  })

  test('that is too large or not there fails the job at once', async () => {
    const t = startComponent(server.url)
    server.answer(({ path }) =>
      path.includes('huge') ? { headers: { 'x-size': '1' }, body: new Uint8Array(21 * 1024 * 1024) } : { status: 404 },
    )
    const huge = await createJob(t, stored('/huge'))
    const missing = await createJob(t, stored('/missing'))
    await pass(t)
    expect(await getJob(t, huge)).toMatchObject({ status: 'failed', errorCode: 'image_too_large' })
    expect((await getJob(t, huge)).errorMessage).toBe('The picture has 22020096 bytes; at most 20971520 are allowed.')
    expect(await getJob(t, missing)).toMatchObject({
      status: 'failed',
      errorMessage: 'The picture could not be read from storage: HTTP 404.',
    })
  })
})

describe('a server that is down', () => {
  test('is tried again with growing pauses until it is back, as one and the same job', async () => {
    const t = startComponent(await closedUrl())
    const jobId = await createJob(t)
    await pass(t, 5_000)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'uploading' })

    vi.stubEnv('VIDEO_API_URL', server.url)
    server.answer(() => (submissions().length < 3 ? { status: 503 } : { status: 201, body: wireJob() }))
    await pass(t, 120_000)

    expect(await getJob(t, jobId)).toMatchObject({ status: 'queued', externalJobId: 'job_1' })
    expect(submissions()).toHaveLength(3)
    expect(new Set(submissions().map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  })

  test('fails the job in the end, with what went wrong', async () => {
    const t = startComponent(await closedUrl())
    const jobId = await createJob(t, { maxAttempts: 3 })
    await pass(t, 60_000)
    const job = await getJob(t, jobId)
    expect(job).toMatchObject({ status: 'failed', errorCode: 'unreachable' })
    expect(job.errorMessage).toMatch(/^Could not reach the server http.* \(after 3 attempts\)$/)
  })

  test('is waited for as long as it asks', async () => {
    const t = startComponent(server.url)
    server.answer(() => ({
      status: 429,
      headers: { 'retry-after': '40' },
      body: { error: 'Slow', code: 'rate_limited' },
    }))
    await createJob(t)
    await pass(t, 39_000)
    expect(submissions()).toHaveLength(1)
    await pass(t, 10_000)
    expect(submissions()).toHaveLength(2)
  })

  test('that never answers is given up, and the next attempt begins', async () => {
    const t = startComponent(server.url)
    server.answer(() => 'never')
    const jobId = await createJob(t)
    vi.advanceTimersByTime(0)
    await vi.waitFor(() => expect(submissions()).toHaveLength(1))
    server.answer(() => ({ status: 201, body: wireJob() }))
    vi.advanceTimersByTime(3 * 60_000 + 1)
    await vi.waitFor(async () => {
      vi.advanceTimersByTime(1)
      expect((await getJob(t, jobId)).status).toBe('queued')
    })
    expect(submissions()).toHaveLength(2)
  })
})

describe('a refusal', () => {
  test('fails the job at once, in the words of the server', async () => {
    const t = startComponent(server.url)
    server.answer(() => ({
      status: 400,
      body: {
        error: 'Invalid request',
        code: 'invalid_request',
        issues: [{ path: 'fps', message: 'too many frames' }],
      },
    }))
    const jobId = await createJob(t)
    await pass(t, 600_000)
    expect(submissions()).toHaveLength(1)
    expect(await getJob(t, jobId)).toMatchObject({
      status: 'failed',
      errorMessage: 'fps: too many frames',
      errorCode: 'invalid_request',
    })
  })

  test('of the path names the other', async () => {
    const t = startComponent(server.url)
    server.answer(() => ({ status: 404, body: { error: 'Not found', code: 'not_found' } }))
    const jobId = await createJob(t)
    await pass(t)
    expect((await getJob(t, jobId)).errorMessage).toBe('Not found: check VIDEO_API_URL.')
  })

  test('a component without its environment says what is missing', async () => {
    const t = startComponent('', { VIDEO_API_KEY: '' })
    const jobId = await createJob(t)
    await pass(t)
    expect((await getJob(t, jobId)).errorMessage).toMatch(
      /no VIDEO_API_URL and no VIDEO_API_KEY: pass it in convex.config/,
    )
  })

  test('an address that is something else is not taken for a job', async () => {
    const t = startComponent(server.url)
    server.answer(() => ({ status: 200, body: { hello: 'world' } }))
    const jobId = await createJob(t, { maxAttempts: 1 })
    await pass(t)
    expect((await getJob(t, jobId)).errorMessage).toMatch(/answered something that is not a job: check VIDEO_API_URL/)
  })
})

describe('a refusal that may pass', () => {
  const page = '<html>We are deploying</html>'
  const own = (status: number, code: string) => ({ status, body: { error: 'No', code } })
  test.each<[string, ScriptedAnswer, RegExp]>([
    ['a key that was changed', own(401, 'unauthorized'), /check VIDEO_API_KEY.*npx convex env set VIDEO_API_KEY/],
    ['a proxy’s 401', { status: 401, body: page }, /check VIDEO_API_KEY/],
    ['403', own(403, 'forbidden'), /firewall/],
    ['a proxy’s page', { status: 404, body: page }, /HTTP 404: check VIDEO_API_URL.*During a deploy this passes/],
    ['a proxy’s limit on bodies', { status: 413, body: page }, /HTTP 413.*the proxy in front of it/],
    ['a server that is busy', own(429, 'rate_limited'), /raise its limits/],
    ['a server in trouble', own(503, 'queue_unavailable'), /look into its log/],
    ['a proxy without its server', { status: 502, body: page }, /look into its log/],
    [
      'a redirect',
      { status: 301, headers: { location: 'https://new.example.com/' } },
      /redirects to https:\/\/new\.example\.com.*set it to/,
    ],
  ])('%s is tried again for hours, and said once with what to do', async (_, answer, words) => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const t = startComponent(server.url)
    server.answer(() => answer)
    const jobId = await createJob(t)
    await createJob(t)
    await pass(t, 10 * HOUR)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'uploading' })
    expect(submissions().length).toBeLessThan(2 * 80)
    expect(warn.mock.calls).toEqual([[expect.stringMatching(words)]])

    server.answer(() => ({ status: 201, body: wireJob() }))
    await pass(t, HOUR)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'queued', externalJobId: 'job_1' })
  })

  test('is said again when it comes again on another day', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const t = startComponent(server.url)
    for (let day = 0; day < 2; day++) {
      server.answer(() => own(401, 'unauthorized'))
      const jobId = await createJob(t)
      await pass(t, 2 * HOUR)
      server.answer(() => ({ status: 201, body: wireJob({ job_id: `job_${day}` }) }))
      await pass(t, HOUR)
      expect((await getJob(t, jobId)).status).toBe('queued')
    }
    expect(warn).toHaveBeenCalledTimes(2)
  })
})

test('an attempt whose answer got lost is repeated word for word, though the environment has changed since', async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  const t = startComponent(server.url)
  server.answer(() => 'cut')
  await createJob(t)
  await pass(t)
  vi.stubEnv('WEBHOOK_SECRET', '')
  server.answer(() => ({ status: 201, body: wireJob() }))
  await pass(t, 10_000)
  const [first, second] = submissions()
  expect(second?.body).toBe(first?.body)
  expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key'])
})

describe('without a public site URL', () => {
  test('no webhook is asked for, and that is said once', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const t = startComponent(server.url, { CONVEX_SITE_URL: 'http://127.0.0.1:3211/api/webhooks' })
    await createJob(t)
    await createJob(t)
    await pass(t)
    expect(submissions()).toHaveLength(2)
    expect(JSON.parse(submissions()[0]?.body ?? '')).not.toHaveProperty('webhook_url')
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]?.[0]).toMatch(/127\.0\.0\.1:3211.* is not public.*growing pauses/)
  })

  test('an address of the app is used all the same', async () => {
    const t = startComponent(server.url, { CONVEX_SITE_URL: 'http://127.0.0.1:3211' })
    await createJob(t, { webhookUrl: 'https://tunnel.example.com/hooks/video' })
    await pass(t)
    expect(JSON.parse(submissions()[0]?.body ?? '').webhook_url).toMatch(
      /^https:\/\/tunnel\.example\.com\/hooks\/video\?job=/,
    )
  })
})

test('an attempt that is late does not begin again what has gone on', async () => {
  const t = startComponent(server.url)
  const jobId = await createJob(t)
  await pass(t)
  const id = await t.run(async (ctx) => ctx.db.normalizeId('videoJobs', jobId))
  if (id === null) throw new Error('no id')
  await t.mutation(internal.submission.attemptSubmission, { jobId: id, attempt: 2 })
  await t.mutation(internal.submission.submissionFailed, {
    jobId: id,
    attempt: 1,
    failure: { message: 'late', code: 'late', retryAfter: 0, untaken: true },
  })
  await pass(t)
  expect(submissions()).toHaveLength(1)
  expect((await getJob(t, jobId)).status).toBe('queued')
})

test('what was set for an attempt that never came back does nothing once a later one has begun', async () => {
  const t = startComponent(server.url)
  const jobId = await insertUnsentJob(t)
  await t.run((ctx) => ctx.db.patch(jobId, { attempt: 3 }))
  await t.mutation(internal.submission.attemptSubmission, { jobId, attempt: 2 })
  await t.mutation(internal.submission.attemptSubmission, { jobId, attempt: 3 })
  await pass(t)
  expect(submissions()).toEqual([])
})
