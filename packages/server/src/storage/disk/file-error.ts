/** Reading what the file system says went wrong. */

export function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

export function ignoreMissing(error: unknown): null {
  if (isCode(error, 'ENOENT', 'ENOTDIR')) return null
  throw error
}
