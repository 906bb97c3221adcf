/** A data folder made before: the queue's tables, empty. Unpacking it takes a tenth of what Postgres' initdb takes. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseTarGzip } from 'nanotar'

/**
 * Unpacks a template where there is no data folder yet. Either the whole folder is there afterwards or none of it.
 *
 * @param template a tar.gz as PGlite's `dumpDataDir('gzip')` makes it
 * @returns whether it was unpacked: false where the folder exists
 */
export async function unpackTemplate(template: string, folder: string): Promise<boolean> {
  if (await exists(join(folder, 'PG_VERSION'))) return false
  const entries = await parseTarGzip(await readFile(template))
  const draft = `${folder}.new`
  await rm(draft, { recursive: true, force: true })
  const files = entries.filter(({ type }) => type === 'file')
  const folders = new Set([
    ...entries.filter(({ type }) => type === 'directory').map(({ name }) => join(draft, name)),
    ...files.map(({ name }) => dirname(join(draft, name))),
  ])
  for (const one of folders) await mkdir(one, { recursive: true })
  await Promise.all(files.map(({ name, data }) => writeFile(join(draft, name), data ?? '')))
  await rm(folder, { recursive: true, force: true })
  await rename(draft, folder)
  return true
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  )
}
