/** Real processes for tests of the whole way: the command and the examples, as people run them, from the sources. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
/** By its path, so that a program may run in any folder. */
const TSX = import.meta.resolve('tsx')

export interface RunningProcess {
  readonly child: ChildProcess
  /** What it has printed so far, stdout and stderr together. */
  output(): string
  /** What it has printed to stdout. */
  stdout(): string
  /** Waits until it has printed what matches. @throws Error when it ends before */
  prints(pattern: RegExp): Promise<RegExpExecArray>
  /** Waits until it ends by itself. */
  ended(): Promise<Ending>
  /** Sends a signal and waits until the process is gone. */
  end(signal: NodeJS.Signals): Promise<Ending>
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface StartOptions {
  /** Only these reach it, besides what programs need to start at all. */
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Starts `kinora ARGS`. */
export function startKinora(args: readonly string[], options: StartOptions = {}): RunningProcess {
  return startTypeScript(MAIN, args, options)
}

/** Starts a TypeScript file of the workspace. */
export function startTypeScript(
  file: string,
  args: readonly string[] = [],
  options: StartOptions = {},
): RunningProcess {
  return startProgram(process.execPath, ['--conditions=@kinora/source', '--import', TSX, file, ...args], options)
}

export function startProgram(
  command: string,
  args: readonly string[],
  { environment = {}, cwd = ROOT }: StartOptions = {},
): RunningProcess {
  const { PATH = '', HOME = '', TMPDIR, FFMPEG_PATH } = process.env
  const child = spawn(command, args, {
    cwd,
    env: { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), ...(FFMPEG_PATH ? { FFMPEG_PATH } : {}), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let output = ''
  const listeners = new Set<() => void>()
  function hear(chunk: string): void {
    output += chunk
    for (const listener of listeners) listener()
  }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
    hear(chunk)
  })
  child.stderr.setEncoding('utf8').on('data', hear)
  // `close` comes when the pipes have been read to their ends, unlike `exit`.
  const closed = once(child, 'close').then((): Ending => ({ code: child.exitCode, signal: child.signalCode }))

  return {
    child,
    output: () => output,
    stdout: () => stdout,
    async prints(pattern) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(output)
          if (!found) return
          listeners.delete(look)
          resolve(found)
        }
        listeners.add(look)
        look()
        void closed.then(({ code, signal }) =>
          reject(new Error(`${command} ended with ${code ?? signal} before it printed ${String(pattern)}:\n${output}`)),
        )
      })
    },
    ended: () => closed,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      return closed
    },
  }
}
