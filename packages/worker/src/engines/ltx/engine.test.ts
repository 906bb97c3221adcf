import { createHash } from 'node:crypto'
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ResolvedSettings } from '@kinora/protocol'
import type { Frame } from '../../media/frame.ts'
import type { Engine, EngineRequest } from '../engine.ts'
import { createLtxEngine } from './engine.ts'

const fixtures = fileURLToPath(new URL('../../../test/fixtures/ltx', import.meta.url))
const checkpoint = (name: string) => join(fixtures, name, 'checkpoint')

function request(settings: Partial<ResolvedSettings> = {}): EngineRequest {
  const width = 100
  const height = 80
  const data = Uint8Array.from({ length: width * height * 3 }, (_, index) => (index * 7) % 256)
  const common = {
    prompt: 'A train in the snow',
    duration: 1,
    seed: 11,
    width: 64,
    height: 96,
    fps: 16,
    num_frames: 17,
    steps: 2,
  }
  return { picture: { width, height, data }, settings: { ...common, ...settings } }
}

async function frames(
  engine: Engine,
  asked: EngineRequest,
  onProgress: (fraction: number, detail?: string) => void = () => {},
  signal = new AbortController().signal,
) {
  const result: Frame[] = []
  for await (const frame of engine.generate(asked, { signal, progress: onProgress })) result.push(frame)
  return result
}

function fingerprint(video: readonly Frame[]): string {
  const hash = createHash('sha256')
  for (const frame of video) hash.update(frame.data)
  return hash.digest('hex')
}

describe.each(['v090', 'v091', 'v095'])('a job on the %s checkpoint', (name) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await createLtxEngine({ modelPath: checkpoint(name), provider: 'cpu' })
  })
  afterAll(() => engine.close())

  test('gives as many frames as asked for, of the size asked for', async () => {
    const video = await frames(engine, request())
    expect(video).toHaveLength(17)
    for (const frame of video) expect([frame.width, frame.height, frame.data.length]).toEqual([64, 96, 64 * 96 * 1.5])
  })

  test('the same seed gives the same video, another seed another one', async () => {
    const [once, again, other] = [
      await frames(engine, request()),
      await frames(engine, request()),
      await frames(engine, request({ seed: 12 })),
    ]
    expect(fingerprint(again)).toBe(fingerprint(once))
    expect(fingerprint(other)).not.toBe(fingerprint(once))
  })

  test('progress never falls, counts the steps and ends at 1', async () => {
    const seen: { fraction: number; detail: string | undefined }[] = []
    await frames(engine, request(), (fraction, detail) => seen.push({ fraction, detail }))
    expect(seen.map(({ fraction }) => fraction)).toEqual(seen.map(({ fraction }) => fraction).toSorted((a, b) => a - b))
    expect(seen.at(-1)?.fraction).toBe(1)
    expect(seen.map(({ detail }) => detail)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^step 1 of 2, about \d+ s left/),
        expect.stringMatching(/^step 2 of 2/),
      ]),
    )
  })
})

describe('the picture on its way through H.264', () => {
  afterEach(() => void vi.unstubAllEnvs())

  test('another rate makes another video, and none at all yet another', async () => {
    const engine = await createLtxEngine({ modelPath: checkpoint('v095'), provider: 'cpu' })
    const seen = new Set<string>()
    for (const image_crf of [0, 29, 51]) seen.add(fingerprint(await frames(engine, request({ image_crf }))))
    expect(seen.size).toBe(3)
    expect(seen).toContain(fingerprint(await frames(engine, request())))
    await engine.close()
  })

  test('without libx264 a video is made all the same, and it is said that the picture is still', async () => {
    vi.stubEnv('FFMPEG_PATH', '/nowhere/ffmpeg')
    const log: string[] = []
    const engine = await createLtxEngine({
      modelPath: checkpoint('v095'),
      provider: 'cpu',
      log: (line) => log.push(line),
    })
    expect(log.join()).toMatch(/cannot be sent through H\.264.*nowhere/)
    const asked = { duration: 1, seed: 11, prompt: 'snow', width: 64, height: 96, steps: 1 }
    const resolution = await engine.resolve!(asked, { width: 100, height: 80 })
    expect(resolution).toMatchObject({
      settings: { image_crf: 0 },
      notices: expect.arrayContaining([expect.stringMatching(/not sent through H\.264 \(image_crf: 29\)/)]),
    })
    expect(await frames(engine, request({ ...resolution.settings }))).toHaveLength(resolution.settings.num_frames)
    await expect(frames(engine, request({ image_crf: 29 }))).rejects.toMatchObject({ code: 'invalid_settings' })
    await engine.close()
  })
})

test('a cancel is honoured between two steps', async () => {
  const engine = await createLtxEngine({ modelPath: checkpoint('v090'), provider: 'cpu' })
  const canceled = new AbortController()
  const details: (string | undefined)[] = []
  const onProgress = (_: number, detail?: string) => {
    details.push(detail)
    if (detail?.startsWith('step 1 of 9') === true) canceled.abort(new Error('canceled by its owner'))
  }
  await expect(frames(engine, request({ steps: 9 }), onProgress, canceled.signal)).rejects.toThrow(
    'canceled by its owner',
  )
  expect(details.some((detail) => detail?.startsWith('step 2 of 9'))).toBe(false)
  await engine.close()
})

test('int8 is made once and gives nearly the same video', async () => {
  const cacheFolder = await mkdtemp(join(tmpdir(), 'kinora-int8-'))
  const log: string[] = []
  const options = {
    modelPath: checkpoint('v095'),
    provider: 'cpu',
    cacheFolder,
    log: (line: string) => log.push(line),
  } as const
  try {
    const exact = await createLtxEngine({ ...options, precision: 'fp32' })
    const quantized = await createLtxEngine({ ...options, precision: 'int8' })
    expect(log.some((line) => line.includes('making the int8 transformer'))).toBe(true)
    const [expected, actual] = [await frames(exact, request()), await frames(quantized, request())]
    let squares = 0
    for (const [index, frame] of expected.entries()) {
      for (const [place, value] of frame.data.entries()) squares += (value - (actual[index]?.data[place] ?? 0)) ** 2
    }
    const psnr = 10 * Math.log10(255 ** 2 / (squares / (expected.length * 64 * 96 * 1.5)))
    expect(psnr).toBeGreaterThan(35)
    expect(fingerprint(actual)).not.toBe(fingerprint(expected))
    log.length = 0
    await createLtxEngine({ ...options, precision: 'int8' }).then((engine) => engine.close())
    expect(log.filter((line) => line.includes('making'))).toEqual([])
    await exact.close()
    await quantized.close()
  } finally {
    await rm(cacheFolder, { recursive: true })
  }
})

describe('what it cannot do, it says before any work', () => {
  test('no such folder', async () => {
    await expect(createLtxEngine({ modelPath: join(fixtures, 'nowhere') })).rejects.toThrow(
      /nowhere does not exist.*kinora models pull/,
    )
  })

  describe('a damaged copy of a checkpoint', () => {
    let copy: string
    beforeEach(async () => {
      copy = await mkdtemp(join(tmpdir(), 'kinora-ltx-'))
      await cp(checkpoint('v095'), copy, { recursive: true })
    })
    afterEach(() => rm(copy, { recursive: true }))

    async function changeConfig(part: string, change: Record<string, unknown>) {
      const file = join(copy, part, 'config.json')
      await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...change }))
    }

    test('a file that was cut short', async () => {
      await truncate(join(copy, 'transformer', 'diffusion_pytorch_model.safetensors'), 50_000)
      await expect(createLtxEngine({ modelPath: copy })).rejects.toMatchObject({
        code: 'model_broken',
        message: expect.stringMatching(/cut short.*kinora models pull/s),
      })
    })

    test('weights that are not those of the config', async () => {
      await changeConfig('transformer', { num_layers: 4 })
      await expect(createLtxEngine({ modelPath: copy })).rejects.toThrow(
        /no tensor transformer_blocks\.3\..*different models/,
      )
      await changeConfig('transformer', { num_layers: 3, attention_head_dim: 8 })
      await expect(createLtxEngine({ modelPath: copy })).rejects.toThrow(/has the shape \[32.*but the config says \[16/)
    })

    test('a config that it does not know', async () => {
      await changeConfig('transformer', { qk_norm: 'layer_norm' })
      await expect(createLtxEngine({ modelPath: copy })).rejects.toThrow(
        /qk_norm = "layer_norm", which the ltx engine does not know/,
      )
    })

    test('a missing part', async () => {
      await rm(join(copy, 'vae'), { recursive: true })
      await expect(createLtxEngine({ modelPath: copy })).rejects.toThrow(
        /vae.config\.json does not exist.*kinora models pull/,
      )
    })
  })

  test('an unknown recipe', async () => {
    await expect(createLtxEngine({ modelPath: checkpoint('v090'), recipe: 'fast' })).rejects.toThrow(
      /no recipe fast\. Known are 2b-0\.9\.8-distilled/,
    )
  })

  test('bf16 on a CPU', async () => {
    await expect(
      createLtxEngine({ modelPath: checkpoint('v090'), provider: 'cpu', precision: 'bf16' }),
    ).rejects.toThrow(/no bf16 on CPUs.*int8/)
  })

  test('a size that is not made of 32s', async () => {
    const engine = await createLtxEngine({ modelPath: checkpoint('v090'), provider: 'cpu' })
    await expect(frames(engine, request({ width: 70 }))).rejects.toMatchObject({ code: 'invalid_settings' })
    await engine.close()
  })
})

describe('a single file with a text encoder and an upsampler from elsewhere, in two passes', () => {
  const log: string[] = []
  let engine: Engine
  beforeAll(async () => {
    const other = checkpoint('v095')
    engine = await createLtxEngine({
      modelPath: join(fixtures, 'v095-single-file', 'ltxv-2b-tiny.safetensors'),
      parts: {
        textEncoder: join(other, 'text_encoder'),
        tokenizer: join(other, 'tokenizer'),
        latentUpsampler: join(checkpoint('latent-upsampler'), 'latent_upsampler'),
      },
      recipe: '2b-0.9.8-distilled',
      provider: 'cpu',
      log: (line) => log.push(line),
    })
  })
  afterAll(() => engine.close())

  /** The networks that a job had to load. */
  async function loads(asked: EngineRequest): Promise<string[]> {
    log.length = 0
    await frames(engine, asked)
    return log.flatMap((line) => /^ltx: loading the (.+)$/.exec(line)?.[1] ?? [])
  }

  test('both passes run, and the video has the size asked for', async () => {
    expect(engine.defaults).toEqual({ steps: 7, image_crf: 29, image_strength: 1 })
    const details: (string | undefined)[] = []
    const video = await frames(engine, request({ width: 128, height: 96 }), (_, detail) => details.push(detail))
    expect(video).toHaveLength(17)
    expect(video[0]).toMatchObject({ width: 128, height: 96 })
    expect(details).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^pass 1, step 7 of 7/),
        'upsampling',
        expect.stringMatching(/^pass 2, step 3 of 3/),
      ]),
    )
  })

  test('the picture is encoded for both passes before the transformer is loaded, and a known prompt not again', async () => {
    const rest = ['VAE encoder', 'transformer', 'latent upsampler', 'transformer', 'VAE decoder']
    const asked = { width: 128, height: 96, prompt: 'A train nobody has asked for yet' }
    expect(await loads(request(asked))).toEqual(['text encoder', ...rest])
    expect(await loads(request({ ...asked, seed: 12 }))).toEqual(rest)
  })
})
