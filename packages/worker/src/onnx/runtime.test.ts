import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('loads ONNX Runtime without the uploader that leaves its files in the temporary folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kinora-telemetry-'))
  try {
    const program = `
      const { runtime } = await import(${JSON.stringify(new URL('./runtime.ts', import.meta.url).href)})
      await runtime.InferenceSession.create(new Uint8Array([1])).catch(() => {})`
    const { ORT_DISABLE_TELEMETRY: _, ...env } = process.env
    await promisify(execFile)(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', program],
      { env: { ...env, TMPDIR: folder } },
    )
    expect((await readdir(folder)).filter((name) => !name.startsWith('tsx-'))).toEqual([])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
