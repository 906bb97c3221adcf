/** An engine of one's own, for tests: the prompt says how it behaves. A module like this is also what users write. */

import { EngineError } from '@kinora/worker'

export async function createEngine({ startsBadly, log }) {
  log('reading the manual')
  if (startsBadly) throw new Error('the weights are not there')
  return {
    name: 'misbehaving',
    provider: 'cpu',
    defaults: { width: 64, height: 64, fps: 8 },
    async *generate({ settings }, { signal, progress }) {
      const { width, height, num_frames, prompt } = settings
      const data = new Uint8Array(width * height * 3)
      for (let index = 0; index < num_frames; index++) {
        signal.throwIfAborted()
        progress(index / num_frames, `frame ${index}`)
        if (index === 2) await misbehave(prompt, signal)
        yield { width, height, data }
        if (prompt === 'too few' && index === 3) return
      }
    },
    async close() {},
  }
}

async function misbehave(prompt, signal) {
  switch (prompt) {
    case 'crash':
      console.error('something terrible happened')
      process.exit(7)
    case 'abort':
      return process.abort()
    case 'hang':
      for (;;);
    case 'killed':
      process.kill(process.pid, 'SIGKILL')
      return new Promise(() => {})
    case 'heap':
      for (const hoard = []; ;) hoard.push(Array.from({ length: 1e6 }, () => ({})))
    case 'tell the environment':
      return console.error(`environment: ${Object.keys(process.env).join(' ')}`)
    case 'refuse':
      throw new EngineError('prompt_forbidden', 'That prompt is not allowed.', { retryable: false })
    case 'slow':
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 60_000)
        signal.addEventListener('abort', () => (clearTimeout(timer), resolve()))
      })
      return signal.throwIfAborted()
    case 'wait a little':
      return new Promise((resolve) => setTimeout(resolve, 1500))
    case 'deaf':
      return new Promise((resolve) => setTimeout(resolve, 60_000))
  }
}
