import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import sharp from 'sharp'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  createWorker,
  findFfmpeg,
  type StopReason,
  type Worker,
  type WorkerEvent,
  type WorkerOptions,
} from '@kinora/worker'
import { startLeaseServer, type LeaseServer } from './lease-server.ts'

const run = promisify(execFile)
const misbehaving = new URL('./misbehaving-engine.mjs', import.meta.url).href
const patient = { timeout: 25_000, interval: 20 }

let server: LeaseServer
let scratch: string
let picture: Buffer
let worker: Worker | undefined
let running: Promise<StopReason> | undefined
let events: WorkerEvent[]
let log: string

beforeAll(async () => {
  picture = await sharp({ create: { width: 160, height: 90, channels: 3, background: '#4080c0' } })
    .jpeg()
    .toBuffer()
})
beforeEach(async () => {
  server = await startLeaseServer()
  scratch = await mkdtemp(join(tmpdir(), 'kinora-worker-test-'))
  events = []
  log = ''
})
afterEach(async () => {
  worker?.stop()
  await running?.catch(() => undefined)
  worker = running = undefined
  await server.close()
  await rm(scratch, { recursive: true, force: true })
})

function start(options: Partial<WorkerOptions> = {}): void {
  const logger = pino({ level: 'debug' }, { write: (line: string) => (log += line) })
  worker = createWorker({
    apiUrl: server.url,
    workerToken: server.token,
    engine: misbehaving,
    model: 'test',
    scratchParent: scratch,
    backoff: { first: 50, most: 200 },
    logger,
    onEvent: (event) => events.push(event),
    ...options,
  })
  running = worker.run()
  running.catch(() => undefined)
}

const add = (job_id: string, prompt: string) =>
  server.add({ job_id, picture, settings: { prompt, width: 64, height: 64 } })
const lease = (job_id: string) => server.leases.find((record) => record.job_id === job_id)
const ended = (job_id: string) =>
  vi.waitFor(() => {
    const end = lease(job_id)?.end
    if (end === undefined) throw new Error(`${job_id} has not ended`)
    return end
  }, patient)
const generating = (job_id: string) =>
  vi.waitFor(() => expect(lease(job_id)?.heartbeats.some((beat) => beat.stage === 'generating')).toBe(true), patient)
const pids = () => events.flatMap((event) => (event.type === 'ready' ? [event.pid] : []))
const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a job', () => {
  test('a picture becomes a video and a poster, and the server hears of it', async () => {
    start({ engine: 'camera', model: 'camera' })
    server.add({ job_id: 'job-1', picture, settings: { prompt: 'pan left', width: 128, height: 64, fps: 8 } })
    const end = await ended('job-1')
    expect(end).toMatchObject({
      kind: 'complete',
      body: { settings: { prompt: 'pan left', width: 128, height: 64, fps: 8, num_frames: 9, seed: 1, duration: 1 } },
    })
    const { uploads, heartbeats } = lease('job-1')!
    expect(uploads.get('video')?.contentType).toBe('video/mp4')
    expect(uploads.get('poster')?.contentType).toBe('image/jpeg')
    expect(await sharp(uploads.get('poster')?.bytes).metadata()).toMatchObject({
      format: 'jpeg',
      width: 128,
      height: 64,
    })
    const file = join(scratch, 'video.mp4')
    await writeFile(file, uploads.get('video')!.bytes)
    const { stdout } = await run(
      (await findFfmpeg()).path,
      ['-v', 'error', '-i', file, '-f', 'rawvideo', '-pix_fmt', 'gray', '-'],
      {
        encoding: 'buffer',
      },
    )
    expect(stdout.length).toBe(9 * 128 * 64)
    const told = heartbeats.map((beat) => beat.progress)
    expect(told).toEqual([...told].sort((a, b) => a - b))
    await vi.waitFor(() => expect(events.at(-1)).toMatchObject({ type: 'finished', outcome: { kind: 'completed' } }))
    const stages = events.flatMap((event) => (event.type === 'progress' ? [event.stage] : []))
    expect([...new Set(stages)]).toEqual(['fetching', 'generating', 'uploading'])
    expect(server.claims[0]).toMatchObject({ model: 'camera' })
  })

  test("the engine's work is the job's progress from 10 to 90", async () => {
    start()
    add('job-1', 'none')
    await ended('job-1')
    const told = new Map(
      events.flatMap((event) => (event.type === 'progress' ? [[event.detail ?? event.stage, event.progress]] : [])),
    )
    // The engine calls frame n of 9 a progress of n / 9.
    expect(told.get('frame 3')).toBeCloseTo(10 + (80 * 3) / 9, 6)
    expect(told.get('frame 8')).toBeCloseTo(10 + (80 * 8) / 9, 6)
    const beats = lease('job-1')!.heartbeats.filter(({ stage }) => stage === 'generating')
    for (const { progress } of beats) {
      expect(progress).toBeGreaterThanOrEqual(10)
      expect(progress).toBeLessThanOrEqual(90)
    }
  })

  test('an engine of one’s own without resolve: what its defaults do not name is left aside, and the job says so', async () => {
    start()
    server.add({ job_id: 'job-1', picture, settings: { prompt: 'be good', steps: 20, guidance_scale: 3, fps: 8 } })
    const end = await ended('job-1')
    expect(end).toMatchObject({
      kind: 'complete',
      body: {
        notices: [
          'The engine misbehaving has no use for it; steps: 20 was left aside.',
          'The engine misbehaving has no use for it; guidance_scale: 3 was left aside.',
        ],
      },
    })
    expect((end.body as { settings: object }).settings).not.toHaveProperty('steps')
    expect(server.claims[0]?.abilities).toBeUndefined()
    expect(log).toContain('steps: 20 was left aside')
  })

  test('an engine that does not say that it takes several pictures gets one, and other jobs are refused', async () => {
    start({ engine: 'camera', model: 'camera' })
    const images = [
      { bytes: picture, at: 'start' as const },
      { bytes: picture, at: 'end' as const },
    ]
    server.add({ job_id: 'job-1', picture, images, settings: { width: 64, height: 64, fps: 8 } })
    expect(await ended('job-1')).toMatchObject({
      kind: 'fail',
      body: { error_code: 'invalid_settings', retryable: false, error: expect.stringContaining('first picture only') },
    })
    expect(server.claims[0]?.abilities).toMatchObject({ images: false, audio: false })
  })

  test('heartbeats keep coming while the engine computes without a pause', async () => {
    start({ hangTimeout: 4 })
    add('job-1', 'hang')
    await generating('job-1')
    const before = lease('job-1')!.heartbeats.length
    await vi.waitFor(() => expect(lease('job-1')!.heartbeats.length).toBeGreaterThan(before), patient)
  })

  test('neither token nor lease id nor signatures are in the log, and no file stays behind', async () => {
    start({ engine: 'camera', model: 'camera' })
    server.add({ job_id: 'job-1', picture, settings: { prompt: '', width: 64, height: 64, fps: 8 } })
    await ended('job-1')
    worker?.stop()
    await running
    expect(log).toContain('job-1')
    expect(log).not.toContain(server.token)
    expect(log).not.toContain('signature')
    expect(log).not.toContain(lease('job-1')!.lease_id)
    expect((await readdir(scratch)).filter((name) => name.startsWith('kinora-worker-'))).toEqual([])
  })

  test('the engine gets none of the keys to the service in its environment', async () => {
    const secrets =
      'WORKER_TOKEN API_KEY API_KEYS WEBHOOK_SECRET WEBHOOK_SIGNING_SECRET REDIS_URL DATABASE_URL R2_ACCESS_KEY R2_SECRET_KEY S3_ACCESS_KEY S3_SECRET_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN'.split(
        ' ',
      )
    const env = {
      ...process.env,
      ...Object.fromEntries(secrets.map((name) => [name, 'a secret'])),
      HF_TOKEN: 'its own',
    }
    start({ env })
    add('job-1', 'tell the environment')
    expect(await ended('job-1')).toMatchObject({ kind: 'complete' })
    const [, told = ''] = /environment: ([^"\\]+)/.exec(log) ?? []
    const names = told.split(' ')
    expect(names).toContain('HF_TOKEN')
    expect(secrets.filter((name) => names.includes(name))).toEqual([])
  })
})

describe('when the engine fails, the attempt fails with the reason and the next job runs', () => {
  test.each([
    ['crash', 'worker_crashed', /ended with code 7.*something terrible happened/, true],
    ['abort', 'worker_crashed', /ended by SIGABRT/, true],
    ['killed', 'out_of_memory', /SIGKILL.*memory/, true],
    ['hang', 'worker_hung', /said nothing for 4 s/, true],
    ['refuse', 'prompt_forbidden', /not allowed/, false],
    ['too few', 'engine_error', /made 4 frames; 9/, false],
  ])('%s', async (prompt, code, words, retryable) => {
    start({ hangTimeout: 4 })
    add('bad', prompt)
    add('good', 'be good')
    expect(await ended('bad')).toMatchObject({
      kind: 'fail',
      body: { error_code: code, error: expect.stringMatching(words), retryable },
    })
    expect(await ended('good')).toMatchObject({ kind: 'complete' })
    const dies = ['crash', 'abort', 'killed', 'hang'].includes(prompt)
    expect(new Set(pids()).size).toBe(dies ? 2 : 1)
    if (dies) expect(isRunning(pids()[0]!)).toBe(false)
  })

  test('a heap that is full is out of memory too', async () => {
    start({ env: { ...process.env, NODE_OPTIONS: '--max-old-space-size=64' } })
    add('bad', 'heap')
    expect(await ended('bad')).toMatchObject({ body: { error_code: 'out_of_memory' } })
  })

  test('a picture that is none fails the job without another attempt', async () => {
    start()
    server.add({ job_id: 'job-1', picture: Buffer.from('not a picture'), settings: {} })
    expect(await ended('job-1')).toMatchObject({ body: { error_code: 'image_invalid', retryable: false } })
  })

  test('a child that dies between jobs is replaced', async () => {
    start()
    await vi.waitFor(() => expect(pids()).toHaveLength(1), patient)
    process.kill(pids()[0]!, 'SIGKILL')
    await vi.waitFor(() => expect(isRunning(pids()[0]!)).toBe(false), patient)
    add('first', 'be good')
    await ended('first')
    add('second', 'be good')
    expect(await ended('second')).toMatchObject({ kind: 'complete' })
  })

  test('an engine that cannot start ends the worker with the reason', async () => {
    start({ engineOptions: { startsBadly: true } })
    await expect(running).rejects.toThrow(/did not start: the weights are not there/)
    start({ engine: '/nowhere/engine.js' })
    await expect(running).rejects.toThrow(/did not start: Cannot find module/)
    start({ engine: 'sora' })
    await expect(running).rejects.toThrow(/no engine named sora/)
  })
})

describe('cancel', () => {
  test('the engine is told, and the child lives on', async () => {
    start()
    add('job-1', 'slow')
    await generating('job-1')
    lease('job-1')!.cancel = true
    expect(await ended('job-1')).toMatchObject({ kind: 'fail', body: { error_code: 'canceled', retryable: false } })
    add('job-2', 'be good')
    await ended('job-2')
    expect(pids()).toHaveLength(1)
  })

  test('an engine that does not listen is killed', async () => {
    start({ cancelGrace: 0.2 })
    add('job-1', 'deaf')
    await generating('job-1')
    lease('job-1')!.cancel = true
    expect(await ended('job-1')).toMatchObject({ kind: 'fail', body: { error_code: 'canceled' } })
    add('job-2', 'be good')
    await ended('job-2')
    expect(pids()).toHaveLength(2)
  })
})

describe('stopping', () => {
  test('stop gives the job back', async () => {
    start()
    const finished = running
    add('job-1', 'slow')
    await generating('job-1')
    worker?.stop()
    expect(await finished).toBe('stopped')
    expect(lease('job-1')?.end?.kind).toBe('release')
    expect(isRunning(pids()[0]!)).toBe(false)
  })

  test('stop while waiting for work, and while the engine starts', async () => {
    start()
    const finished = running
    await vi.waitFor(() => expect(server.claims).toHaveLength(1), patient)
    worker?.stop()
    expect(await finished).toBe('stopped')
    start()
    const second = running
    worker?.stop()
    expect(await second).toBe('stopped')
  })

  test('nothing to do for MAX_IDLE_SECONDS ends it', async () => {
    start({ maxIdleSeconds: 0.5 })
    expect(await running).toBe('idle')
    expect(server.claims.length).toBeGreaterThan(0)
  })

  test('the time of idling counts from the last job', async () => {
    start({ maxIdleSeconds: 1 })
    const finished = running
    add('job-1', 'wait a little')
    await ended('job-1')
    expect(await finished).toBe('idle')
    expect(lease('job-1')?.end?.kind).toBe('complete')
  })
})

describe('a server in trouble', () => {
  test('a wrong token ends the worker with a clear message', async () => {
    start({ workerToken: 'wrong' })
    await expect(running).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringMatching(/WORKER_TOKEN/),
    })
    expect(log).not.toContain('wrong')
  })

  test.each(['hangs up', 'unavailable'] as const)(
    'it %s while a job runs: the video is delivered afterwards',
    async (trouble) => {
      start()
      add('job-1', 'wait a little')
      await generating('job-1')
      server.trouble = trouble
      const requests: string[] = []
      server.onRequest = (path) => requests.push(path)
      // The work is done and cannot be delivered.
      await vi.waitFor(
        () => expect(requests.filter((path) => path.startsWith('/storage')).length).toBeGreaterThan(2),
        patient,
      )
      server.trouble = 'none'
      expect(await ended('job-1')).toMatchObject({ kind: 'complete' })
      expect(lease('job-1')!.uploads.has('video')).toBe(true)
    },
  )

  test('it is away when the worker starts: the worker keeps asking', async () => {
    server.trouble = 'hangs up'
    start()
    await vi.waitFor(
      () => expect(events.filter((event) => event.type === 'trouble').length).toBeGreaterThan(2),
      patient,
    )
    server.trouble = 'none'
    add('job-1', 'be good')
    expect(await ended('job-1')).toMatchObject({ kind: 'complete' })
  })

  test('a lost lease: the work is dropped and the next job runs', async () => {
    start()
    add('job-1', 'slow')
    await generating('job-1')
    lease('job-1')!.lost = true
    await vi.waitFor(
      () =>
        expect(events).toContainEqual(
          expect.objectContaining({ type: 'finished', outcome: expect.objectContaining({ kind: 'lost' }) }),
        ),
      patient,
    )
    add('job-2', 'be good')
    expect(await ended('job-2')).toMatchObject({ kind: 'complete' })
    expect(lease('job-1')!.end).toBeUndefined()
  })

  test('storage that fails for a while is tried again; one that refuses fails the attempt', async () => {
    start()
    server.uploadFailures.push(503, 500, 503)
    add('job-1', 'be good')
    expect(await ended('job-1')).toMatchObject({ kind: 'complete' })
    server.uploadFailures.push(403)
    add('job-2', 'be good')
    expect(await ended('job-2')).toMatchObject({ kind: 'fail', body: { error_code: 'upload_failed', retryable: true } })
  })

  test('a picture of more than 20 MB is not read to its end', async () => {
    start()
    server.add({ job_id: 'job-1', picture: Buffer.alloc(21 * 1024 * 1024), settings: {} })
    expect(await ended('job-1')).toMatchObject({ body: { error_code: 'image_too_large', retryable: false } })
  })
})

describe('a worker in a process of its own', () => {
  const program = new URL('./run-worker.ts', import.meta.url).pathname
  const launch = (engine: string) => {
    const child = execFile(process.execPath, ['--conditions=@kinora/source', '--import', 'tsx', program], {
      env: { ...process.env, API_URL: server.url, WORKER_TOKEN: server.token, ENGINE: engine, SCRATCH: scratch },
    })
    let output = ''
    child.stdout?.on('data', (text: string) => (output += text))
    const gone = new Promise<number | null>((resolve) => child.once('close', resolve))
    return { child, gone, output: () => output }
  }
  const enginePid = (output: string) => Number(/ready (\d+)/.exec(output)?.[1])

  test.each(['SIGTERM', 'SIGINT'] as const)('%s gives the job back and ends it', async (signal) => {
    const { child, gone, output } = launch(misbehaving)
    add('job-1', 'slow')
    await generating('job-1')
    child.kill(signal)
    expect(await gone).toBe(0)
    expect(lease('job-1')?.end?.kind).toBe('release')
    expect(output()).toContain('ended: stopped')
    expect(isRunning(enginePid(output()))).toBe(false)
  })

  test.each(['slow', 'hang'])('killed with a child that is %s: neither child nor files stay', async (prompt) => {
    const { child, gone, output } = launch(misbehaving)
    add('job-1', prompt)
    await generating('job-1')
    const pid = enginePid(output())
    expect(isRunning(pid)).toBe(true)
    child.kill('SIGKILL')
    await gone
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), patient)
    await vi.waitFor(async () => expect(await readdir(scratch)).toEqual([]), patient)
    const { stdout } = await run('ps', ['-eo', 'args']).catch(() => ({ stdout: '' }))
    expect(stdout).not.toContain(scratch)
  })
})

test('the sources of this package do not import the engines into the parent', async () => {
  const source = await readFile(new URL('../src/index.ts', import.meta.url), 'utf8')
  expect(source).not.toMatch(/engines\/(camera|ltx)/)
})
