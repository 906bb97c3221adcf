import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findFfmpeg } from './ffmpeg.ts'

const { path: bundled } = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string }

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-ffmpeg-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** An ffmpeg that lists these encoders, and can encode with those in `working`. */
async function pretend(name: string, listed: string[], working: string[]): Promise<string> {
  const path = join(folder, name)
  await writeFile(
    path,
    `#!/bin/sh
case "$*" in
  *-version*) echo 'ffmpeg version 9.9-odd Copyright' ;;
  *-encoders*) printf ' V....D %s  some encoder\\n' ${listed.join(' ')} ;;
  ${working.map((encoder) => `*"-c:v ${encoder}"*) cat >/dev/null ;;`).join('\n')}
  *) exit 1 ;;
esac
`,
  )
  await chmod(path, 0o755)
  return path
}

describe('where ffmpeg is looked for', () => {
  test('FFMPEG_PATH before PATH', async () => {
    const named = await pretend('my-ffmpeg', ['libx264'], [])
    await pretend('ffmpeg', ['libx264'], [])
    expect(await findFfmpeg({ env: { FFMPEG_PATH: named, PATH: `${folder}:/bin:/usr/bin` } })).toMatchObject({
      path: named,
      source: 'FFMPEG_PATH',
      version: '9.9-odd',
      encoder: 'libx264',
    })
  })

  test('then PATH, then the npm package, although its install script did not make it executable', async () => {
    const copy = join(folder, 'from-npm')
    await copyFile(bundled, copy)
    await chmod(copy, 0o644)
    const found = await findFfmpeg({ env: { PATH: dirname(folder) }, installed: () => copy })
    expect(found).toMatchObject({ path: copy, source: '@ffmpeg-installer/ffmpeg', encoder: 'libx264' })
  })

  test('an ffmpeg on PATH without H.264 is passed over for the next', async () => {
    await pretend('ffmpeg', ['mpeg4'], [])
    const found = await findFfmpeg({ env: { PATH: `${folder}:/bin:/usr/bin` }, installed: () => bundled })
    expect(found.path).not.toBe(join(folder, 'ffmpeg'))
  })
})

describe('odd builds', () => {
  test('without libx264 another encoder that works is taken', async () => {
    const path = await pretend('odd', ['h264_nvenc', 'libopenh264', 'h264_qsv'], ['libopenh264'])
    expect(await findFfmpeg({ env: { FFMPEG_PATH: path, PATH: '/bin:/usr/bin' } })).toMatchObject({
      encoders: ['libopenh264', 'h264_nvenc', 'h264_qsv'],
      encoder: 'libopenh264',
    })
  })

  test('an encoder that is listed but does not work here is not believed', async () => {
    const path = await pretend('odd', ['h264_nvenc'], [])
    await expect(findFfmpeg({ env: { FFMPEG_PATH: path } })).rejects.toThrow(
      /H\.264 encoders \(h264_nvenc\) works on this machine/,
    )
  })
})

test('no ffmpeg at all: the error says what was tried and how to install one', async () => {
  await expect(findFfmpeg({ env: { PATH: folder }, installed: () => undefined })).rejects.toMatchObject({
    code: 'encode_failed',
    message: expect.stringMatching(/apt install ffmpeg.*FFMPEG_PATH/),
  })
  await expect(findFfmpeg({ env: { FFMPEG_PATH: join(folder, 'gone') } })).rejects.toThrow(/gone.*does not exist/)
})
