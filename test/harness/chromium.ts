/** Finds the Chromium of this machine. */
import { findProgram } from '../../packages/server/test/services/binaries.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The path of a Chromium or Chrome, or null: CHROMIUM_PATH first, then PATH. */
export function findChromium(): string | null {
  return process.env.CHROMIUM_PATH || (NAMES.map(findProgram).find((path) => path !== null) ?? null)
}
