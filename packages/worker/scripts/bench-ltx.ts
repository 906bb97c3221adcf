/**
 * Times each network of a real-size checkpoint with random weights, next to torch with the same weights and shapes in the same run, and says how far
 * int8 and fp16 are from fp32.
 *
 *     npm run bench:ltx -- [--folder DIR] [--python PYTHON] [--width 512] [--height 288] [--frames 25] [--runs 3]
 *       [--threads N] [--piece NAME] [--text-layers 24] [--no-quality] [--no-torch]
 *
 * PYTHON needs torch, diffusers and transformers; without it, only our own figures appear. The folder takes about 15 GB (25 GB with int8).
 */

import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measureQuality } from './bench-ltx-quality.ts'
import { writeRandomCheckpoint } from './random-checkpoint.ts'

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: join(tmpdir(), 'kinora-random-ltx') },
    python: { type: 'string', default: 'python3' },
    width: { type: 'string', default: '512' },
    height: { type: 'string', default: '288' },
    frames: { type: 'string', default: '25' },
    runs: { type: 'string', default: '3' },
    threads: { type: 'string' },
    'text-layers': { type: 'string' },
    piece: { type: 'string', multiple: true },
    'no-quality': { type: 'boolean', default: false },
    'no-torch': { type: 'boolean', default: false },
  },
})

const pieces = ['text encoder', 'transformer', 'VAE encode', 'VAE decode']
const quantizable = new Set(['text encoder', 'transformer'])
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

interface Measured {
  readonly seconds: number
  /** Of all cores together; says more than the clock on a machine that does other things too. */
  readonly cpuSeconds: number
  /** The first run, loading included. */
  readonly first: number
  readonly peakBytes: number
  /** Memory that is not the page cache of a file. */
  readonly anonymousBytes?: number
}

const textLayers = values['text-layers']
await writeRandomCheckpoint(values.folder, {
  log: (line) => console.error(line),
  ...(textLayers !== undefined && { textLayers: Number(textLayers) }),
})
const shape = {
  width: Number(values.width),
  height: Number(values.height),
  frames: Number(values.frames),
  textTokens: 128,
  runs: Number(values.runs),
}
const threads = values.threads === undefined ? {} : { threads: Number(values.threads) }
const common = { ...threads, folder: values.folder, cacheFolder: join(values.folder, 'int8'), ...shape }
console.log(
  `${shape.width}x${shape.height}, ${shape.frames} frames, ${shape.textTokens} text tokens; the fastest of ${shape.runs} runs after one to warm up\n`,
)
console.log(row(['piece', 'runner', 'seconds', 'CPU time', 'first run', 'peak memory', 'of it anonymous']))
for (const piece of values.piece ?? pieces) {
  for (const precision of quantizable.has(piece) ? ['fp32', 'int8'] : ['fp32']) {
    report(
      piece,
      `Kinora ${precision}`,
      await measure(process.execPath, ['--conditions=@kinora/source', '--import', 'tsx', here('bench-ltx-piece.ts')], {
        ...common,
        piece,
        precision,
      }),
    )
  }
  if (values['no-torch']) continue
  for (const precision of ['fp32', 'bf16'])
    report(
      piece,
      `torch ${precision}`,
      await measure(values.python, [here('bench-ltx.py')], { ...common, piece, precision }),
    )
}
if (!values['no-quality']) {
  console.log('\nVideo against fp32, 64x64, 9 frames, 2 steps, the same random weights:')
  for (const { precision, psnr } of await measureQuality(values.folder, common.cacheFolder))
    console.log(`  ${precision.padEnd(5)} ${psnr.toFixed(1)} dB PSNR`)
}

/** Runs a program with a job as its only argument and reads the last line it prints. */
async function measure(program: string, programArguments: readonly string[], job: object): Promise<Measured | string> {
  const child = spawn(program, [...programArguments, JSON.stringify(job)], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      errors += error.message
      resolve(1)
    })
    child.on('close', resolve)
  })
  if (code === 0) return JSON.parse(output.trim().split('\n').at(-1) ?? '')
  const lines = errors.trim().split('\n')
  return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? `ended with ${code ?? 'a signal'}`
}

function report(piece: string, runner: string, measured: Measured | string): void {
  if (typeof measured === 'string') return console.log(row([piece, runner, `not measured: ${measured}`]))
  const { seconds, cpuSeconds, first, peakBytes, anonymousBytes } = measured
  console.log(
    row([
      piece,
      runner,
      `${seconds.toFixed(2)} s`,
      `${cpuSeconds.toFixed(2)} s`,
      `${first.toFixed(1)} s`,
      gigabytes(peakBytes),
      anonymousBytes === undefined ? '' : gigabytes(anonymousBytes),
    ]),
  )
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`
}

function row(cells: readonly string[]): string {
  const widths = [14, 13, 10, 10, 10, 12, 0]
  return cells
    .map((cell, index) => cell.padEnd(widths[index] ?? 0))
    .join(' ')
    .trimEnd()
}
