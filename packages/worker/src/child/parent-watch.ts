/**
 * Ends this process when its parent is gone. The IPC channel says so too, but only to an event loop that runs, and ONNX Runtime blocks it for
 * minutes; so a thread of its own looks. ffmpeg needs no killing: it ends when the pipe of its frames does.
 */

import { Worker } from 'node:worker_threads'

const source = `
const { workerData: { parent, scratch, interval } } = require('node:worker_threads')
const { rmSync } = require('node:fs')
const gone = () => {
  if (process.ppid !== parent) return true
  try { process.kill(parent, 0); return false } catch (error) { return error.code === 'ESRCH' }
}
setInterval(() => {
  if (!gone()) return
  try { rmSync(scratch, { recursive: true, force: true }) } catch {}
  process.kill(process.pid, 'SIGKILL')
}, interval)
`

/**
 * @param scratch folder to remove when the parent is gone
 * @param interval milliseconds between looks
 */
export function endWithParent(scratch: string, interval = 1000): void {
  const thread = new Worker(source, {
    eval: true,
    workerData: { parent: process.ppid, scratch, interval },
    execArgv: [],
  })
  thread.unref()
}
