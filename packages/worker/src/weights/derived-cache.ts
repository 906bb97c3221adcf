/** Keeps the folder of derived files (int8 editions, merged LoRAs) from growing with what nobody can use any more. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readSafetensors } from './safetensors.ts'

/** A file that another was made from, as it was then. */
export interface DerivedSource {
  readonly file: string
  readonly size: number
  /** Modification time, milliseconds. */
  readonly modified: number
}

/** An interrupted file that nobody has gone on with for so long is given up. */
const PART_LIFETIME = 7 * 24 * 3600_000

/**
 * Deletes the files whose sources are gone or have been replaced, and parts that were left lying.
 * @param folder does not have to exist
 * @returns bytes that are free now
 */
export async function pruneDerived(folder: string, now: number = Date.now()): Promise<number> {
  let freed = 0
  for (const name of await readdir(folder).catch(() => [])) {
    const file = join(folder, name)
    const found = await stat(file).catch(() => undefined)
    const stale = name.endsWith('.safetensors')
      ? await isOrphan(file)
      : name.endsWith('.part') && found !== undefined && now - found.mtimeMs > PART_LIFETIME
    if (!found || !stale) continue
    await rm(file, { force: true })
    freed += found.size
  }
  return freed
}

async function isOrphan(file: string): Promise<boolean> {
  const sources = await readSafetensors(file).then(
    ({ metadata }) => parseSources(metadata.sources),
    () => [],
  )
  for (const { file: source, size, modified } of sources) {
    const found = await stat(source).catch(() => undefined)
    if (found?.size !== size || found.mtimeMs !== modified) return true
  }
  return false
}

function parseSources(text: string | undefined): DerivedSource[] {
  const parsed: unknown = JSON.parse(text ?? '[]')
  return Array.isArray(parsed) ? parsed.filter(isSource) : []
}

function isSource(value: unknown): value is DerivedSource {
  const { file, size, modified }: Partial<Record<string, unknown>> =
    typeof value === 'object' && value !== null ? { ...value } : {}
  return typeof file === 'string' && typeof size === 'number' && typeof modified === 'number'
}
