/** Looks at the disk's free space before gigabytes are written to it. */
import { mkdir, statfs } from 'node:fs/promises'
import { WeightsError } from './weights-error.ts'

/** What is left free for everything else on the disk. */
const MARGIN_BYTES = 256 * 1024 * 1024

/** Bytes that a user without privileges may still write on a folder's disk. */
export async function freeBytes(folder: string): Promise<number> {
  await mkdir(folder, { recursive: true })
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/**
 * @param needed bytes about to be written into the folder
 * @param measure stands in for the disk in tests
 * @throws WeightsError `disk_full`
 */
export async function checkDiskSpace(
  folder: string,
  needed: number,
  measure: (folder: string) => Promise<number> = freeBytes,
): Promise<void> {
  const free = await measure(folder)
  if (needed === 0 || free >= needed + MARGIN_BYTES) return
  throw diskFull(folder, `${formatBytes(needed)} are needed and ${formatBytes(free)} are free`)
}

/** The error for a disk that is too full, before writing or in the midst of it. */
export function diskFull(folder: string, problem: string, cause?: unknown): WeightsError {
  return new WeightsError(
    'disk_full',
    folder,
    `The disk of ${folder} is too full: ${problem}. Free some space (\`kinora models remove\`), or name a folder on a larger disk in MODEL_CACHE.`,
    { cause },
  )
}

/** `1.5 GB`: decimal units, as disks and downloads are sold. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[power]}`
}
