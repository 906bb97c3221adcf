/** Finds the Chromium of this machine. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The path of a Chromium or Chrome, or null: CHROMIUM_PATH first, then PATH. */
export function findChromium(): string | null {
  const named = process.env.CHROMIUM_PATH
  const folders = (process.env.PATH ?? '').split(delimiter)
  const candidates = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'].flatMap((name) =>
    folders.map((folder) => join(folder, name)),
  )
  for (const candidate of named ? [named] : candidates) {
    try {
      accessSync(candidate, constants.X_OK)
      return candidate
    } catch {
      // The next one.
    }
  }
  return null
}
