/** The process that computes. It loads one engine, then makes one video after the other; its parent does everything that needs the network. */

import { rmSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { ResolvedSettings } from '@kinora/protocol'
import type { Engine, Resolution } from '../engines/engine.ts'
import { openEngine } from '../engines/open-engine.ts'
import { findFfmpeg, type Ffmpeg } from '../media/index.ts'
import { describeFailure } from './failure.ts'
import { makeVideo } from './make-video.ts'
import { Command, type Report } from './messages.ts'
import { endWithParent } from './parent-watch.ts'

interface Opened {
  readonly engine: Engine
  readonly ffmpeg: Ffmpeg
}

let opened: Opened | undefined
let scratch: string | undefined
const running = new Map<string, AbortController>()

function report(message: Report): void {
  if (process.connected) process.send?.(message)
}

async function open(command: Extract<Command, { type: 'open' }>): Promise<void> {
  scratch = command.scratch
  report({ type: 'opening', detail: `loading the engine ${command.engine}` })
  endWithParent(command.scratch)
  try {
    const ffmpeg = await findFfmpeg()
    const engine = await openEngine(command.engine, command.options, {
      log: (detail) => report({ type: 'opening', detail }),
      signal: new AbortController().signal,
    })
    opened = { engine, ffmpeg }
    const { name, provider, abilities } = engine
    report({ type: 'ready', engine: name, provider, ...(abilities !== undefined && { abilities }) })
  } catch (error) {
    const { code, message } = describeFailure(error)
    report({ type: 'not_ready', code, message })
  }
}

async function run(command: Extract<Command, { type: 'run' }>): Promise<void> {
  const { job_id } = command
  const controller = new AbortController()
  running.set(job_id, controller)
  try {
    if (opened === undefined) throw new Error('A job came before the engine was ready.')
    const resolution = await makeVideo(command, {
      ...opened,
      signal: controller.signal,
      onResolved: (resolution) => report({ type: 'resolved', job_id, ...sendable(resolution) }),
      onProgress: (fraction, detail) =>
        report({ type: 'progress', job_id, stage: 'generating', fraction, ...(detail !== undefined && { detail }) }),
    })
    report({ type: 'done', job_id, ...sendable(resolution) })
  } catch (error) {
    report({ type: 'failed', job_id, ...describeFailure(error) })
  } finally {
    running.delete(job_id)
  }
}

function sendable({ settings, notices }: Resolution): { settings: ResolvedSettings; notices: string[] } {
  return { settings, notices: [...notices] }
}

class Canceled extends Error {
  override readonly name = 'Canceled'
  readonly code = 'canceled'
  readonly retryable = false
}

process.on('message', (message: unknown) => {
  const command = Command.parse(message)
  switch (command.type) {
    case 'open':
      void open(command)
      break
    case 'run':
      void run(command)
      break
    case 'cancel':
      running.get(command.job_id)?.abort(new Canceled('Canceled'))
      break
  }
})

// Ctrl-C reaches the whole process group; the parent decides what happens to the job.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

process.once('disconnect', () => {
  void leave()
})

async function leave(): Promise<void> {
  for (const controller of running.values()) controller.abort(new Canceled('The worker has ended.'))
  await setImmediate()
  if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true })
  process.exit(0)
}
