/** The secret of the disk driver's signed URLs: made once for a folder, shared by every process that serves it. */
import { randomBytes, randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ignoreMissing, isCode } from './file-error.ts'

/** Reads `<folder>/signing-key`, or makes it. Of two processes that start together one wins, and both read the same key. */
export async function readSigningKey(folder: string): Promise<Uint8Array> {
  const file = path.join(folder, 'signing-key')
  await mkdir(folder, { recursive: true })
  const existing = await readFile(file).catch(ignoreMissing)
  if (existing && existing.length >= 32) return existing

  const draft = path.join(folder, `signing-key.${randomUUID()}`)
  await writeFile(draft, randomBytes(32).toString('base64url'), { mode: 0o600, flush: true })
  try {
    await link(draft, file)
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    await rm(draft, { force: true })
  }
  return readFile(file)
}
