/** A private Redis or Postgres for one test file: on a free port, in a temporary folder, stopped by its process id. */
import type { ChildProcess } from 'node:child_process'

export interface Service {
  readonly url: string
  /** Of the process that runs now. */
  readonly pid: number
  /** kill -9, as if the machine had gone. */
  kill(): Promise<void>
  /** On the same port and data, after {@link kill}. */
  start(): Promise<void>
  /** Stops it and removes its data. */
  dispose(): Promise<void>
}

/** Ends a process and waits until it has. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await exited
}

/** Asks again until it works. */
export async function until(check: () => Promise<unknown>, what: string, milliseconds = 20_000): Promise<void> {
  const deadline = Date.now() + milliseconds
  for (;;) {
    try {
      await check()
      return
    } catch (cause) {
      if (Date.now() > deadline) throw new Error(`${what} did not come up`, { cause })
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
