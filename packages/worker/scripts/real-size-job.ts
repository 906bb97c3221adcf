/**
 * Runs one job through networks of real size with random weights (2B transformer, T5-XXL, 0.9.0 autoencoder), as the worker would, and says what it took.
 *
 *     node --conditions=@kinora/source --import tsx packages/worker/scripts/real-size-job.ts [--folder DIR] [--width 256] [--height 160] [--frames 9] [--steps 2] [--precision fp32]
 */

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createLtxEngine } from '../src/engines/ltx/index.ts'
import { writeRandomCheckpoint } from './random-checkpoint.ts'

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: join(tmpdir(), 'kinora-random-ltx') },
    width: { type: 'string', default: '256' },
    height: { type: 'string', default: '160' },
    frames: { type: 'string', default: '9' },
    steps: { type: 'string', default: '2' },
    precision: { type: 'string', default: 'fp32' },
  },
})
const precision = values.precision === 'int8' ? 'int8' : 'fp32'
const [width, height, frames, steps] = [values.width, values.height, values.frames, values.steps].map(Number)
if (!width || !height || !frames || !steps) throw new Error('Width, height, frames and steps are numbers.')

await writeRandomCheckpoint(values.folder, { log: console.log })
const started = performance.now()
const engine = await createLtxEngine({
  modelPath: values.folder,
  provider: 'cpu',
  precision,
  cacheFolder: join(values.folder, 'int8'),
  log: console.log,
})
const settings = {
  prompt: 'waves at sunset',
  negative_prompt: 'blurry',
  duration: 1,
  seed: 1,
  width,
  height,
  fps: 8,
  num_frames: frames,
  steps,
  guidance_scale: 3,
}
const picture = { width: 640, height: 400, data: new Uint8Array(640 * 400 * 3).map((_, index) => index % 251) }
const progress = (fraction: number, detail = '') =>
  console.log(`${(fraction * 100).toFixed(0).padStart(3)} %  ${detail}`)
let count = 0
for await (const frame of engine.generate({ picture, settings }, { signal: new AbortController().signal, progress })) {
  if (frame.width === width && frame.height === height) count++
}
await engine.close()
const peak = process.resourceUsage().maxRSS / 2 ** 20
console.log(
  `${count} frames in ${((performance.now() - started) / 1000).toFixed(0)} s, at most ${peak.toFixed(1)} GiB resident, page cache of the weights included`,
)
process.exit(count === frames && peak < 20 ? 0 : 1)
