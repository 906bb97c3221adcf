/** Finds programs that only some tests need. */
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian keeps Postgres out of PATH, one folder a version. */
function postgresFolders(): string[] {
  try {
    return readdirSync('/usr/lib/postgresql')
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => join('/usr/lib/postgresql', version, 'bin'))
  } catch {
    return []
  }
}

/** The program's path, or null. */
export function findProgram(name: string): string | null {
  for (const folder of [...postgresFolders(), ...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin']) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Look on.
    }
  }
  return null
}
