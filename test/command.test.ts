/** The command as a person runs it: real processes, their output, their exit codes, and what they leave behind. */
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { childrenOf } from './harness/process-tree.ts'
import { startKinora } from './harness/processes.ts'
import { countFrames } from './harness/video.ts'

const PHOTO = fileURLToPath(new URL('../examples/assets/chelsea.jpg', import.meta.url))
const SMALL = ['--duration', '1', '--width', '192', '--height', '128']

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-command-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('kinora generate', { timeout: 120_000 }, () => {
  it('makes a video all by itself, with plain lines in a pipe and the path on stdout', async () => {
    const temporary = await mkdtemp(join(folder, 'tmp-'))
    const run = startKinora(['generate', PHOTO, '--prompt', 'pan left', ...SMALL, '--output', 'first.mp4'], {
      cwd: folder,
      environment: { TMPDIR: temporary },
    })
    expect(await run.ended(), run.output()).toMatchObject({ code: 0 })
    expect(run.stdout()).toBe(`${join(folder, 'first.mp4')}\n`)
    expect(run.output()).toMatch(/^(queued|fetching|generating|uploading) \d+%/m)
    expect(await countFrames(await readFile(join(folder, 'first.mp4')))).toBe(25)
    expect((await readdir(temporary)).filter(isOurs), 'what was left behind').toEqual([])
  })

  it('answers programs with --json', async () => {
    const run = startKinora(['generate', PHOTO, ...SMALL, '--seed', '7', '--output', 'second.mp4', '--json'], {
      cwd: folder,
    })
    expect(await run.ended(), run.output()).toMatchObject({ code: 0 })
    const result: unknown = JSON.parse(run.stdout())
    expect(result).toMatchObject({
      output: join(folder, 'second.mp4'),
      job: { status: 'completed', seed: 7, width: 192 },
    })
  })

  it('does not replace a file unless told to', async () => {
    await writeFile(join(folder, 'precious.mp4'), 'precious')
    const run = startKinora(['generate', PHOTO, '--output', 'precious.mp4'], { cwd: folder })
    expect(await run.ended()).toMatchObject({ code: 2 })
    expect(run.output()).toContain('--force')
    expect(await readFile(join(folder, 'precious.mp4'), 'utf8')).toBe('precious')
  })

  it.each([
    [['generate'], "missing required argument 'photo'"],
    [['generate', 'nowhere.jpg'], 'no picture to read at nowhere.jpg'],
    [['generate', PHOTO, '--duration', 'long'], 'must be a whole number'],
    [['generate', PHOTO, '--duration', '99'], 'must be 1 to 10'],
    [['generat', PHOTO], 'Did you mean generate?'],
    [['generate', PHOTO, '--durations', '2'], 'Did you mean --duration?'],
  ])('refuses %j with code 2', async (args, words) => {
    const run = startKinora(args, { cwd: folder })
    expect(await run.ended()).toMatchObject({ code: 2 })
    expect(run.output()).toContain(words)
  })

  it('says which setting the server refuses', async () => {
    // Each within its range; only together they are too much.
    const size = ['--width', '2048', '--height', '2048']
    const run = startKinora(['generate', PHOTO, ...size, '--output', 'never.mp4'], { cwd: folder })
    expect(await run.ended()).toMatchObject({ code: 1 })
    expect(run.output()).toMatch(/width x height is 4194304 pixels/)
    await expect(access(join(folder, 'never.mp4'))).rejects.toThrow('ENOENT')
  })

  it('makes a video with a checkpoint of LTX-Video: the real engine on small random weights', async () => {
    const checkpoint = fileURLToPath(new URL('../packages/worker/test/fixtures/ltx/v095/checkpoint', import.meta.url))
    const settings = ['--model', 'ltx-video', '--duration', '1', '--width', '128', '--height', '96', '--steps', '3']
    const run = startKinora(['generate', PHOTO, ...settings, '--prompt', 'waves', '--output', 'ltx.mp4', '--json'], {
      cwd: folder,
      environment: { MODEL_PATH: checkpoint },
    })
    expect(await run.ended(), run.output()).toMatchObject({ code: 0 })
    expect(JSON.parse(run.stdout())).toMatchObject({ job: { model: 'ltx-video', steps: 3, num_frames: 25 } })
    expect(await countFrames(await readFile(join(folder, 'ltx.mp4')))).toBe(25)
  })

  it('ends when the engine cannot start, instead of waiting for ever', async () => {
    const run = startKinora(['generate', PHOTO, '--model', 'ltx-video', '--output', 'never.mp4'], {
      cwd: folder,
      environment: { MODEL_PATH: '/nowhere/at-all' },
    })
    expect(await run.ended()).toMatchObject({ code: 1 })
    expect(run.output()).toMatch(/MODEL_PATH|nowhere/)
  })

  it('cleans up after Ctrl-C', async () => {
    const temporary = await mkdtemp(join(folder, 'tmp-'))
    const run = startKinora(['generate', PHOTO, '--duration', '10', '--fps', '60', '--output', 'interrupted.mp4'], {
      cwd: folder,
      environment: { TMPDIR: temporary },
    })
    await run.prints(/generating \d+%/)
    const children = await childrenOf(run.child.pid!)
    expect(children.length).toBeGreaterThan(0)
    expect(await run.end('SIGINT')).toMatchObject({ code: 130 })
    expect((await readdir(folder)).filter((name) => name.includes('interrupted'))).toEqual([])
    expect((await readdir(temporary)).filter(isOurs), 'what was left behind').toEqual([])
    await expect.poll(() => children.filter(isAlive), { timeout: 10_000 }).toEqual([])
  })
})

describe('kinora dev', () => {
  it('serves, is found by generate, refuses a second one, and survives kill -9', { timeout: 120_000 }, async () => {
    const dataDir = join(folder, 'data')
    const args = ['dev', '--port', '0', '--data-dir', dataDir]
    const first = startKinora(args)
    const [, url] = await first.prints(/Kinora runs at\s+(\S+)/)
    const [, key] = await first.prints(/API key\s+(\S+)/)

    const generated = startKinora(['generate', PHOTO, ...SMALL, '--data-dir', dataDir, '--output', 'from-dev.mp4'], {
      cwd: folder,
    })
    expect(await generated.ended(), generated.output()).toMatchObject({ code: 0 })
    expect(generated.output()).toContain(`Using kinora dev at ${url}`)

    const second = startKinora(args)
    expect(await second.ended()).toMatchObject({ code: 1 })
    expect(second.output()).toContain(String(first.child.pid))

    const doctor = startKinora(['doctor', '--data-dir', dataDir])
    expect(await doctor.ended(), doctor.output()).toMatchObject({ code: 0 })

    await first.end('SIGKILL')
    const third = startKinora(args)
    const [, again] = await third.prints(/Kinora runs at\s+(\S+)/)
    expect((await third.prints(/API key\s+(\S+)/))[1], 'the key stays the same').toBe(key)
    const jobs = await fetch(`${again}/api/v1/jobs`, { headers: { authorization: `Bearer ${key}` } })
    expect(await jobs.json(), 'jobs stay').toMatchObject({ jobs: [{ status: 'completed' }] })

    expect(await third.end('SIGINT'), third.output()).toMatchObject({ code: 0 })
    expect(await readdir(dataDir)).not.toContain('dev-server.json')
  })
})

describe('kinora serve and worker', { timeout: 60_000 }, () => {
  it('name everything that is missing in one line', async () => {
    const server = startKinora(['serve'], { environment: { NODE_ENV: 'production' } })
    expect(await server.ended()).toMatchObject({ code: 2 })
    expect(server.output().trim().split('\n')).toHaveLength(1)
    for (const name of ['API_KEY', 'WEBHOOK_SECRET', 'WORKER_TOKEN', 'PUBLIC_URL', 'REDIS_URL'])
      expect(server.output()).toContain(name)

    const worker = startKinora(['worker'])
    expect(await worker.ended()).toMatchObject({ code: 2 })
    expect(worker.output().trim().split('\n')).toHaveLength(1)
    for (const name of ['API_URL', 'WORKER_TOKEN']) expect(worker.output()).toContain(name)
  })
})

describe('kinora doctor', { timeout: 60_000 }, () => {
  it('finds this machine in order', async () => {
    const run = startKinora(['doctor', '--json', '--data-dir', join(folder, 'doctor')])
    expect(await run.ended(), run.output()).toMatchObject({ code: 0 })
    const report: unknown = JSON.parse(run.stdout())
    expect(report).toMatchObject({ healthy: true })
    for (const name of ['Node', 'ffmpeg', 'ONNX Runtime', 'queue', 'storage', 'disk']) {
      expect(report).toMatchObject({ findings: expect.arrayContaining([expect.objectContaining({ name })]) })
    }
  })

  it('says how to mend what is wrong', async () => {
    const environment = { FFMPEG_PATH: '/nowhere/ffmpeg', REDIS_URL: 'redis://127.0.0.1:1' }
    const run = startKinora(['doctor', '--data-dir', join(folder, 'doctor')], { environment })
    expect(await run.ended()).toMatchObject({ code: 1 })
    expect(run.output()).toMatch(/FAIL {2}ffmpeg .*apt install ffmpeg/)
    expect(run.output()).toMatch(/FAIL {2}queue /)
  })
})

/** tsx, which runs the sources here, keeps a cache of its own. */
function isOurs(name: string): boolean {
  return !name.startsWith('tsx-')
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
