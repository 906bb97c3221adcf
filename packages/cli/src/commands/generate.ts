/** `kinora generate PHOTO`: one picture and a sentence in, an mp4 out; against a server, or all in this process tree when none is named. */
import { access } from 'node:fs/promises'
import { basename, extname, resolve } from 'node:path'
import type { AskedSettings } from '@kinora/protocol'
import {
  isJobCanceledError,
  isJobFailedError,
  type Job,
  Kinora,
  type PicturePosition,
  type PlacedPicture,
} from '@kinora/sdk'
import { downloadTo, fromPath } from '@kinora/sdk/node'
import type { WorkerEvent } from '@kinora/worker'
import { findRunningServer } from '../dev-server.ts'
import { CommandError, EXIT } from '../failure.ts'
import { startLocal } from '../compose.ts'
import type { Output } from '../output.ts'
import type { TypedPicture } from '../picture-flags.ts'

export interface GenerateOptions {
  readonly photo: string
  readonly output?: string | undefined
  /** Whether an existing file at `output` may be replaced. */
  readonly force?: boolean | undefined
  /** A server; without it the running `kinora dev` of `dataDir` is used, or a private one is started and ended. */
  readonly url?: string | undefined
  readonly apiKey?: string | undefined
  readonly dataDir: string
  /** Everything the wire takes beside the picture. */
  readonly settings: AskedSettings & {
    readonly model?: string | undefined
    readonly metadata?: Readonly<Record<string, string>> | undefined
  }
  /** A file or URL. */
  readonly endImage?: string | undefined
  readonly image?: readonly TypedPicture[] | undefined
  readonly environment: NodeJS.ProcessEnv
}

/** What `--json` prints. */
export interface GenerateResult {
  readonly output: string
  readonly job: Job
  /** What was left aside, changed or cut. */
  readonly notices: readonly string[]
  /** Milliseconds each stage took, as seen from here. */
  readonly stages: Readonly<Record<string, number>>
}

interface Server {
  readonly url: string
  readonly apiKey: string | undefined
  close(): Promise<void>
}

/** @throws CommandError; the signal's reason after it has canceled the job */
export async function generate(
  options: GenerateOptions,
  output: Output,
  interrupted: AbortSignal,
): Promise<GenerateResult> {
  const target = resolve(options.output ?? `${basename(options.photo, extname(options.photo))}.mp4`)
  if (!options.force && (await exists(target))) {
    throw new CommandError(
      `${target} exists already: name another --output, or allow replacing it with --force.`,
      EXIT.usage,
    )
  }
  const image = await readFile(options.photo)
  const others = await readOthers(options)

  const failed = new AbortController()
  const signal = AbortSignal.any([interrupted, failed.signal])
  const server = await findServer(options, output, (error) => failed.abort(error))
  const kinora = new Kinora({ baseUrl: server.url, apiKey: server.apiKey })
  const stages = createStopwatch()
  let job: Job | undefined
  try {
    output.progress({ label: 'uploading', percent: 0 })
    stages.enter('upload')
    const { upload_id } = await kinora.upload(image, { signal })
    const beside: PlacedPicture[] = []
    for (const { image, ...place } of others) {
      const uploads = image instanceof Blob
      beside.push(
        uploads
          ? { ...place, upload_id: (await kinora.upload(image, { signal })).upload_id }
          : { ...place, image_url: image },
      )
    }
    // Not interruptible: its answer is needed to cancel the job, and the signal is looked at right after.
    job = await kinora.generate(
      beside.length === 0
        ? { ...options.settings, upload_id }
        : { ...options.settings, images: [{ upload_id, at: 'start' }, ...beside] },
    )
    stages.enter('queued')
    const done = await kinora.wait(job.job_id, {
      signal,
      onProgress(snapshot) {
        const stage = snapshot.status === 'processing' ? (snapshot.stage ?? 'processing') : snapshot.status
        if (snapshot.status !== 'completed') stages.enter(stage)
        output.progress({ label: stage, percent: snapshot.progress ?? 0, detail: snapshot.notice })
      },
    })
    stages.enter('download')
    output.progress({ label: 'download', percent: 100 })
    await downloadTo(kinora, done.job_id, target, { signal })
    output.endProgress()
    const notices = done.notices ?? []
    for (const notice of notices) output.say(notice)
    return { output: target, job: done, notices, stages: stages.end() }
  } catch (error) {
    output.endProgress()
    if (signal.aborted && job) await cancelQuietly(kinora, job.job_id)
    if (isJobFailedError(error)) throw new CommandError(error.message, EXIT.failure, { cause: error })
    if (isJobCanceledError(error))
      throw new CommandError(`Job ${error.job.job_id} was canceled by somebody else.`, EXIT.failure, { cause: error })
    throw failed.signal.aborted && !interrupted.aborted ? failed.signal.reason : error
  } finally {
    await server.close()
  }
}

/** A picture beside the photo; a URL is the server's to fetch. */
type Other = PicturePosition & { readonly image: Blob | string; readonly strength?: number }

async function readOthers({ image = [], endImage }: GenerateOptions): Promise<Other[]> {
  const typed: TypedPicture[] = [...image]
  if (endImage !== undefined) typed.push({ source: endImage, place: { at: 'end' } })
  return Promise.all(
    typed.map(async ({ source, place, strength }) => ({
      ...place,
      image: /^https?:\/\//i.test(source) ? source : await readFile(source),
      ...(strength !== undefined && { strength }),
    })),
  )
}

async function readFile(path: string): Promise<Blob> {
  return fromPath(path).catch((cause: unknown) => {
    throw new CommandError(
      `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      EXIT.usage,
      { cause },
    )
  })
}

async function findServer(
  options: GenerateOptions,
  output: Output,
  onWorkerFailure: (error: unknown) => void,
): Promise<Server> {
  const close = async (): Promise<void> => {}
  if (options.url !== undefined) return { url: options.url, apiKey: options.apiKey, close }
  const running = await findRunningServer(options.dataDir)
  if (running) {
    output.say(`Using kinora dev at ${running.url}.`)
    return { url: running.url, apiKey: running.apiKey, close }
  }
  return startLocal({
    models: [options.settings.model ?? 'camera'],
    // What goes wrong is told in words; the log is for servers.
    serverEnvironment: { LOG_LEVEL: options.environment.LOG_LEVEL ?? 'silent' },
    workerEnvironment: options.environment,
    onWorker: (event) => showOpening(event, output),
    // Nobody else would ever take the job.
    onWorkerFailure,
  })
}

/** An engine that loads gigabytes says so. */
function showOpening(event: WorkerEvent, output: Output): void {
  if (event.type === 'opening') output.progress({ label: 'loading', percent: 0, detail: event.detail })
  if (event.type === 'trouble') output.say(event.message)
}

async function cancelQuietly(kinora: Kinora, jobId: string): Promise<void> {
  await kinora.cancel(jobId, { signal: AbortSignal.timeout(3000) }).catch(() => {})
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function createStopwatch() {
  const times: Record<string, number> = {}
  let current: { name: string; since: number } | null = null
  function enter(name: string): void {
    if (current?.name === name) return
    const now = performance.now()
    if (current) times[current.name] = Math.round((times[current.name] ?? 0) + now - current.since)
    current = { name, since: now }
  }
  return {
    enter,
    end(): Record<string, number> {
      enter('')
      return times
    },
  }
}
