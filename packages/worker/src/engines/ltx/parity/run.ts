/** Runs every case of a folder. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openCheckpoint } from '../ltx-video/checkpoint.ts'
import { createModels, type ModelOptions } from '../ltx-video/models.ts'
import { readCase, type DecodePicture } from './golden.ts'
import { compareCase, float32Bounds, halfBounds, type PieceResult, type Report } from './pieces.ts'
import { compareUpsampler, isUpsamplerCase } from './upsampler.ts'

export interface ParityOptions extends ModelOptions {
  readonly decodePicture: DecodePicture
  readonly report?: Report
}

/** Folders of `folder` that hold a case, in alphabetical order. */
export async function findCases(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const cases: string[] = []
  for (const entry of entries) {
    if (!entry.isDirectory()) continue
    const inside = new Set(await readdir(join(folder, entry.name)))
    if (inside.has('golden') || inside.has('case.json')) cases.push(entry.name)
  }
  return cases.toSorted()
}

/** Runs one case and gives every comparison. */
export async function runCase(folder: string, name: string, options: ParityOptions): Promise<PieceResult[]> {
  const results: PieceResult[] = []
  const report: Report = (result) => {
    results.push(result)
    options.report?.(result)
  }
  const bounds = options.compute === undefined || options.compute === 'float32' ? float32Bounds : halfBounds
  const caseFolder = join(folder, name)
  const checkpointFiles = await readdir(join(caseFolder, 'checkpoint')).catch(() => [])
  if (isUpsamplerCase(new Set(checkpointFiles))) {
    await compareUpsampler(caseFolder, name, options.decodePicture, options, bounds, report)
    return results
  }
  const golden = await readCase(caseFolder, name, options.decodePicture)
  const models = await createModels(await openCheckpoint(golden.location), { keepLoaded: true, ...options })
  try {
    await compareCase(golden, models, bounds, report)
  } finally {
    await models.close()
  }
  return results
}
