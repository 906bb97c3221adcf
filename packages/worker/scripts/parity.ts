/**
 * Runs every case of a folder of small checkpoints and prints how far each piece is from the recorded numbers.
 *
 *     npm run parity -- FOLDER [--compute float32|float16|bfloat16] [--case NAME] [--verbose]
 */

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { findCases, runCase, type PieceResult } from '../src/engines/ltx/parity/index.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    compute: { type: 'string', default: 'float32' },
    case: { type: 'string', multiple: true },
    verbose: { type: 'boolean', default: false },
  },
})
// npm runs scripts from the root; the folder is meant from where the person stands.
const folder = positionals[0] && resolve(process.env['INIT_CWD'] ?? '.', positionals[0])
const { compute } = values
if (folder === undefined || (compute !== 'float32' && compute !== 'float16' && compute !== 'bfloat16')) {
  console.error('Usage: npm run parity -- FOLDER [--compute float32|float16|bfloat16] [--case NAME] [--verbose]')
  process.exit(2)
}

let failed = 0
let compared = 0
console.log(row(['case', 'piece', 'worst', 'mean', 'relative', 'PSNR', '']))
for (const name of values.case ?? (await findCases(folder))) {
  const results = await runCase(folder, name, { compute, decodePicture }).catch((error: unknown) => {
    failed++
    console.log(
      row([name, `cannot run: ${error instanceof Error ? error.message : String(error)}`, '', '', '', '', 'FAIL']),
    )
    return []
  })
  compared += results.length
  failed += results.filter((result) => !result.pass).length
  for (const result of values.verbose ? results : summarize(results)) console.log(line(result))
}
console.log(
  failed === 0 && compared > 0
    ? `\n${compared} comparisons, all within bounds`
    : `\n${failed} of ${compared} comparisons failed`,
)
process.exit(failed === 0 && compared > 0 ? 0 : 1)

/** The worst of each group of pieces: "transformer 0: prompt" and its like count as "transformer". */
function summarize(results: readonly PieceResult[]): PieceResult[] {
  const groups = new Map<string, PieceResult>()
  for (const result of results) {
    const group = result.piece.replace(/ \d+(?=$|:)/, '').replace(/after step \d+/, 'each step')
    const worst = groups.get(group)
    const isWorse =
      worst === undefined ||
      (worst.pass && !result.pass) ||
      (worst.pass === result.pass && result.difference.relative > worst.difference.relative)
    if (isWorse) groups.set(group, { ...result, piece: group })
  }
  return [...groups.values()]
}

function line({ case: name, piece, difference, pass }: PieceResult): string {
  const { worst, mean, relative, psnr } = difference
  const decibels = psnr === Infinity ? 'equal' : `${psnr.toFixed(0)} dB`
  return row([
    name,
    piece,
    worst.toExponential(1),
    mean.toExponential(1),
    relative.toExponential(1),
    decibels,
    pass ? 'pass' : 'FAIL',
  ])
}

function row(cells: readonly string[]): string {
  const widths = [18, 34, 9, 9, 9, 8, 4]
  return cells
    .map((cell, index) => cell.padEnd(widths[index] ?? 0))
    .join(' ')
    .trimEnd()
}

async function decodePicture(bytes: Uint8Array) {
  const { data, info } = await sharp(bytes)
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, data: new Uint8Array(data) }
}
