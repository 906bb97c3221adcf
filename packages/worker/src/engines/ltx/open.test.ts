import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { float32, writeSafetensors } from '../../../test/fixtures/hub/write-safetensors.ts'
import { createLtxEngine } from './engine.ts'
import { familyOf } from './open.ts'

const fixtures = fileURLToPath(new URL('../../../test/fixtures/ltx', import.meta.url))
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-ltx-open-'))
})
afterEach(() => rm(folder, { recursive: true }))

test("LTX-Video's folders and files are known by what they say of themselves", async () => {
  expect(await familyOf(join(fixtures, 'v095', 'checkpoint'))).toBe('ltx-video')
  expect(await familyOf(join(fixtures, 'v095-single-file', 'ltxv-2b-tiny.safetensors'))).toBe('ltx-video')
})

test('an LTX-2 folder is refused by name', async () => {
  await writeFile(join(folder, 'model_index.json'), JSON.stringify({ _class_name: 'LTX2Pipeline' }))
  await expect(createLtxEngine({ modelPath: folder, provider: 'cpu' })).rejects.toMatchObject({
    code: 'unsupported_checkpoint',
    message: expect.stringMatching(/LTX-2 checkpoint, which is not supported yet/),
  })
})

test('an LTX-2 file is too', async () => {
  const file = join(folder, 'ltx-2-19b.safetensors')
  const config = { transformer: { _class_name: 'AVTransformer3DModel' }, vae: {} }
  await writeSafetensors(file, { weight: float32([1]) }, { config: JSON.stringify(config) })
  expect(await familyOf(file)).toBe('ltx-2')
})
