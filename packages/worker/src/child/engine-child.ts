/** The parent's side of the process that computes: starts it, gives it jobs, and says what became of them, whatever becomes of it. */

import { fork, type ChildProcess } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Abilities, RequestedSettings } from '@kinora/protocol'
import type { Resolution } from '../engines/engine.ts'
import { describeExit } from './exit.ts'
import type { Failure } from './failure.ts'
import { Report, type Command, type JobPicture } from './messages.ts'

export interface EngineChildOptions {
  /** `camera`, `ltx`, or a module's address. */
  readonly engine: string
  /** For the engine; must survive JSON. */
  readonly engineOptions: Readonly<Record<string, unknown>>
  /** Folder for its files. */
  readonly scratch: string
  /** Milliseconds without a word from it after which it counts as hung. */
  readonly hangTimeout: number
  /** Milliseconds it has to answer a cancel before it is killed. */
  readonly cancelGrace: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** What opening is at. */
  readonly onOpening?: (detail: string) => void
  /** What it writes to stdout and stderr. */
  readonly onOutput?: (text: string) => void
  /** Stops opening. */
  readonly signal?: AbortSignal
}

export interface ChildJob {
  readonly job_id: string
  /** One of them at the start. */
  readonly pictures: readonly JobPicture[]
  readonly video: string
  readonly poster: string
  readonly settings: RequestedSettings
}

export interface ChildJobContext {
  /** When aborted, the child is told, and killed if it does not answer; `run` rejects with the reason. */
  readonly signal: AbortSignal
  /** Told once, before the work begins. */
  readonly onResolved: (resolution: Resolution) => void
  readonly onProgress: (fraction: number, detail?: string) => void
}

export interface EngineChild {
  readonly pid: number
  /** As the engine calls itself. */
  readonly engine: string
  readonly provider: string
  /** What the engine can do, if it says so. */
  readonly abilities: Abilities | undefined
  /** False once it has ended; a new one is needed then. */
  readonly alive: boolean
  /** One job at a time. @throws ChildFailure; the signal's reason */
  run(job: ChildJob, context: ChildJobContext): Promise<Resolution>
  /** Kills it and waits until it is gone. */
  end(): Promise<void>
}

/** The engine's refusal, or the end of its process, with what the job should say. */
export class ChildFailure extends Error implements Failure {
  override readonly name = 'ChildFailure'
  readonly code: string
  readonly retryable: boolean

  constructor(failure: Failure) {
    super(failure.message)
    this.code = failure.code
    this.retryable = failure.retryable
  }
}

/** Starts a child and waits until its engine is ready. @throws ChildFailure when it cannot be; the signal's reason */
export async function startEngineChild(options: EngineChildOptions): Promise<EngineChild> {
  const link = new Link(options)
  const { engine, engineOptions, scratch, signal } = options
  const stop = () => link.kill(undefined)
  signal?.addEventListener('abort', stop)
  try {
    signal?.throwIfAborted()
    link.send({ type: 'open', engine, options: { ...engineOptions }, scratch })
    const ready = await link.until((report) => {
      if (report.type === 'opening') options.onOpening?.(report.detail)
      if (report.type === 'not_ready') throw new ChildFailure({ ...report, retryable: false })
      return report.type === 'ready' ? report : undefined
    })
    return new RunningChild(link, ready, options)
  } catch (error) {
    await link.end()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

class RunningChild implements EngineChild {
  readonly engine: string
  readonly provider: string
  readonly abilities: Abilities | undefined
  readonly #link: Link
  readonly #options: EngineChildOptions

  constructor(link: Link, ready: Extract<Report, { type: 'ready' }>, options: EngineChildOptions) {
    this.#link = link
    this.engine = ready.engine
    this.provider = ready.provider
    this.abilities = ready.abilities
    this.#options = options
  }

  get pid(): number {
    return this.#link.process.pid ?? -1
  }

  get alive(): boolean {
    return this.#link.alive
  }

  async run(job: ChildJob, context: ChildJobContext): Promise<Resolution> {
    const { signal } = context
    const { job_id } = job
    let grace: NodeJS.Timeout | undefined
    const cancel = () => {
      this.#link.send({ type: 'cancel', job_id })
      grace = setTimeout(() => this.#link.kill(undefined), this.#options.cancelGrace)
    }
    signal.throwIfAborted()
    signal.addEventListener('abort', cancel)
    try {
      this.#link.send({ type: 'run', ...job, pictures: [...job.pictures] })
      const done = await this.#link.until((report) => {
        if (!('job_id' in report) || report.job_id !== job_id) return undefined
        if (report.type === 'resolved') context.onResolved(report)
        if (report.type === 'progress') context.onProgress(report.fraction, report.detail)
        if (report.type === 'failed') throw new ChildFailure(report)
        return report.type === 'done' ? report : undefined
      })
      return { settings: done.settings, notices: done.notices }
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      clearTimeout(grace)
      signal.removeEventListener('abort', cancel)
    }
  }

  end(): Promise<void> {
    return this.#link.end()
  }
}

/** The process and the messages to and from it. */
class Link {
  readonly process: ChildProcess
  alive = true
  readonly #hangTimeout: number
  readonly #gone: Promise<Failure>
  #words = ''
  /** Why this process killed it, if it did. */
  #verdict: Failure | undefined

  constructor(options: EngineChildOptions) {
    const { path, execArgv } = childEntry()
    this.#hangTimeout = options.hangTimeout
    this.process = fork(path, [], {
      execArgv,
      env: { ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'json',
    })
    const listen = (text: string) => {
      this.#words = (this.#words + text).slice(-4000)
      options.onOutput?.(text)
    }
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => options.onOutput?.(text))
    this.process.stderr?.setEncoding('utf8').on('data', listen)
    this.#gone = new Promise((resolve) => {
      this.process.once('error', (error) => {
        this.alive = false
        resolve({ code: 'worker_crashed', message: `The engine's process: ${error.message}`, retryable: true })
      })
      // Closed, not exited: its last words come in between.
      this.process.once('close', (code, signal) => {
        this.alive = false
        resolve(this.#verdict ?? describeExit({ code, signal, words: this.#words }))
      })
    })
  }

  send(command: Command): void {
    // A child that has just ended is noticed by its exit, which says more than a failed send.
    if (this.process.connected) this.process.send(command, () => undefined)
  }

  /** Listens until `take` returns something or throws. @throws ChildFailure when the child ends or hangs meanwhile */
  async until<T>(take: (report: Report) => T | undefined): Promise<T> {
    let hang: NodeJS.Timeout | undefined
    const watch = () => {
      clearTimeout(hang)
      hang = setTimeout(() => this.kill(hung(this.#hangTimeout)), this.#hangTimeout)
    }
    let onMessage: ((message: unknown) => void) | undefined
    try {
      return await new Promise<T>((resolve, reject) => {
        onMessage = (message) => {
          watch()
          try {
            const taken = take(Report.parse(message))
            if (taken !== undefined) resolve(taken)
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)))
          }
        }
        watch()
        this.process.on('message', onMessage)
        void this.#gone.then((failure) => reject(new ChildFailure(failure)))
      })
    } finally {
      clearTimeout(hang)
      if (onMessage !== undefined) this.process.off('message', onMessage)
    }
  }

  kill(verdict: Failure | undefined): void {
    this.#verdict ??= verdict
    this.process.kill('SIGKILL')
  }

  async end(): Promise<void> {
    if (this.alive) this.kill(undefined)
    await this.#gone
  }
}

function hung(milliseconds: number): Failure {
  return {
    code: 'worker_hung',
    message: `The engine said nothing for ${Math.round(milliseconds / 1000)} s and was stopped.`,
    retryable: true,
  }
}

/**
 * The child's entry: a .ts file while this runs from its sources, else the built one. This file is bundled into dist's root, beside the folder
 * child.
 */
function childEntry(): { path: string; execArgv: string[] } {
  if (!import.meta.url.endsWith('.ts')) {
    return { path: fileURLToPath(new URL('./child/main.js', import.meta.url)), execArgv: [] }
  }
  return {
    path: fileURLToPath(new URL('./main.ts', import.meta.url)),
    execArgv: [
      '--conditions=@kinora/source',
      '--import',
      pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href,
    ],
  }
}
