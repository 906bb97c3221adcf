/** The content types of objects on disk: a key's ending says the usual one, a small file beside the store says any other. */
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { moveIntoPlace, writeDraft } from './object-file.ts'
import { ignoreMissing } from './file-error.ts'

const BY_ENDING: Readonly<Record<string, string>> = {
  '.jpg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.mp4': 'video/mp4',
  '.json': 'application/json',
}

const FALLBACK = 'application/octet-stream'

/** @param folder holds the files that name unusual types */
export function createContentTypes(folder: string, drafts: string) {
  const usual = (key: string): string => BY_ENDING[path.extname(key)] ?? FALLBACK
  const file = (key: string): string => path.join(folder, `${key}.type`)

  return {
    async read(key: string): Promise<string> {
      const text = await readFile(file(key), 'utf8').catch(ignoreMissing)
      return text?.trim() || usual(key)
    },

    async write(key: string, contentType: string): Promise<void> {
      if (contentType === usual(key)) return rm(file(key), { force: true })
      await mkdir(drafts, { recursive: true })
      const draft = await writeDraft(drafts, new TextEncoder().encode(contentType))
      await moveIntoPlace(draft.file, file(key))
    },

    remove: (key: string): Promise<void> => rm(file(key), { force: true }),
  }
}
