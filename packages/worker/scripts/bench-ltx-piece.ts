/** Times one network of a checkpoint in a process of its own, so that its peak memory is its own. Prints one line of JSON. */

import { readFileSync } from 'node:fs'
import { gridCoordinates } from '../src/engines/ltx/coordinates.ts'
import { openCheckpoint } from '../src/engines/ltx/ltx-video/checkpoint.ts'
import { createModels, type LtxModels, type ModelOptions } from '../src/engines/ltx/ltx-video/models.ts'
import { quantizeCheckpoint } from '../src/engines/ltx/ltx-video/quantize-checkpoint.ts'
import { createGenerator } from '../src/flow/torch-random.ts'
import { elementCount, float32Tensor, type Float32Tensor } from '../src/onnx/index.ts'

interface Job {
  readonly folder: string
  readonly cacheFolder: string
  readonly piece: 'text encoder' | 'transformer' | 'VAE encode' | 'VAE decode'
  readonly precision: 'fp32' | 'int8'
  readonly width: number
  readonly height: number
  readonly frames: number
  readonly textTokens: number
  readonly runs: number
  /** Both runners use as many; one each gives CPU times that other work on the machine hardly moves. */
  readonly threads?: number
}

const job: Job = JSON.parse(process.argv[2] ?? '{}')
const checkpoint = await openCheckpoint({ path: job.folder })
const options: ModelOptions =
  job.precision === 'int8' ? { quantized: await quantizeCheckpoint(checkpoint, { folder: job.cacheFolder }) } : {}
const models = await createModels(checkpoint, {
  ...options,
  keepLoaded: true,
  ...(job.threads !== undefined && { threads: job.threads }),
})
const size = { frames: (job.frames - 1) / 8 + 1, height: job.height / 32, width: job.width / 32 }
const run = runOf(models)
const times: number[] = []
const cpuTimes: number[] = []
const loadStarted = performance.now()
await run()
const first = (performance.now() - loadStarted) / 1000
for (let index = 0; index < job.runs; index++) {
  const started = performance.now()
  const cpu = process.cpuUsage()
  await run()
  times.push((performance.now() - started) / 1000)
  const { user, system } = process.cpuUsage(cpu)
  cpuTimes.push((user + system) / 1e6)
}
console.log(
  JSON.stringify({
    seconds: Math.min(...times),
    cpuSeconds: Math.min(...cpuTimes),
    first,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    anonymousBytes: memoryOf('RssAnon'),
  }),
)
process.exit(0)

function runOf(ltx: LtxModels): () => Promise<unknown> {
  const { config } = checkpoint.transformer
  switch (job.piece) {
    case 'text encoder':
      // As many words as fill it: padding is read as well.
      return () => ltx.encodeText('waves at sunset', { maximum: job.textTokens, paddingIsRead: true })
    case 'transformer': {
      const coordinates = gridCoordinates(size, checkpoint.vae.config.compression, 25, { causal: false })
      const tokens = coordinates.time.length
      const latents = noise([tokens, config.inChannels])
      const text = noise([job.textTokens, config.captionChannels])
      const timesteps = new Float32Array(tokens).fill(500)
      return () => ltx.denoise({ latents, text, coordinates, timesteps })
    }
    case 'VAE encode': {
      const pixels = noise([1, 3, 1, job.height, job.width])
      return () => ltx.encodePixels(pixels)
    }
    case 'VAE decode': {
      const latents = noise([1, checkpoint.vae.config.latentChannels, size.frames, size.height, size.width])
      return () => ltx.decodeLatents(latents, 0.05, [])
    }
  }
}

function noise(shape: readonly number[]): Float32Tensor {
  return float32Tensor(shape, createGenerator(1).normal(elementCount(shape)))
}

/** Linux: bytes of a line of /proc/self/status. */
function memoryOf(line: string): number | undefined {
  try {
    const found = new RegExp(`^${line}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
    return found?.[1] === undefined ? undefined : Number(found[1]) * 1024
  } catch {
    return undefined
  }
}
