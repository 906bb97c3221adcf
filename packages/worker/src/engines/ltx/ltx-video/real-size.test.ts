/** The graphs at the real checkpoints' sizes, built from the names and shapes of all their tensors; without the weights themselves. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { BuiltGraph, GraphOptions } from '../../../networks/network.ts'
import type { Tensors } from '../../../networks/tensors.ts'
import { missingCudaKernels, type Initializer } from '../../../onnx/index.ts'
import { readT5Config } from '../../../text/t5/config.ts'
import { buildT5Encoder } from '../../../text/t5/encoder.ts'
import { Fields } from '../../../weights/config-fields.ts'
import type { TensorEntry } from '../../../weights/index.ts'
import { buildVaeDecoder } from '../vae/decoder.ts'
import { buildVaeEncoder } from '../vae/encoder.ts'
import { buildLatentUpsampler } from '../vae/latent-upsampler.ts'
import { hostTensors } from './checkpoint.ts'
import { readTransformerConfig, readVaeConfig } from './diffusers-config.ts'
import { inferTransformer, inferVae } from './infer-config.ts'
import { readOriginalSchedule, readOriginalVaeConfig, renamedTensors } from './single-file.ts'
import { buildTransformer } from './transformer.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx/manifests', import.meta.url))

interface Manifest {
  readonly config: Fields
  readonly tensors: Map<string, TensorEntry>
}

function readManifest(name: string, rename: (name: string) => string = (same) => same): Manifest {
  const file: { config: unknown; tensors: Record<string, number[]> } = JSON.parse(
    readFileSync(`${fixtures}/${name}.json`, 'utf8'),
  )
  return {
    config: new Fields(name, file.config),
    tensors: entries(Object.entries(file.tensors).map(([key, shape]) => [rename(key), shape])),
  }
}

function entries(shapes: readonly (readonly [string, readonly number[]])[]): Map<string, TensorEntry> {
  let offset = 0
  return new Map(
    shapes.map(([name, shape]) => {
      const length = 2 * shape.reduce((product, size) => product * size, 1)
      const entry: TensorEntry = { name, file: '/models/real.safetensors', offset, length, dtype: 'BF16', shape }
      offset += length
      return [name, entry]
    }),
  )
}

type Build = (options: GraphOptions) => BuiltGraph[]

function transformer(name: string): { tensors: Tensors; build: Build } {
  const { config, tensors } = readManifest(name)
  return { tensors, build: (options) => [buildTransformer(readTransformerConfig(config), tensors, options)] }
}

function vae(name: string): { tensors: Tensors; build: Build } {
  const { config, tensors } = readManifest(name)
  const parsed = readVaeConfig(config)
  return {
    tensors,
    build: (options) => [buildVaeEncoder(parsed, tensors, options), buildVaeDecoder(parsed, tensors, options)],
  }
}

function textEncoder(): { tensors: Tensors; build: Build } {
  const { config, tensors } = readManifest('text-encoder-t5-v1_1-xxl')
  return { tensors, build: (options) => [buildT5Encoder(readT5Config(config), tensors, options)] }
}

/** The published latent upsampler: 512 channels, four blocks a stage. */
function upsampler(): { tensors: Tensors; build: Build } {
  const convolution = (name: string, outputs: number, inputs: number, ...kernel: number[]): [string, number[]][] => [
    [`${name}.weight`, [outputs, inputs, ...kernel]],
    [`${name}.bias`, [outputs]],
  ]
  const norm = (name: string): [string, number[]][] => ['weight', 'bias'].map((part) => [`${name}.${part}`, [512]])
  const block = (name: string) =>
    [1, 2].flatMap((half) => [...convolution(`${name}.conv${half}`, 512, 512, 3, 3, 3), ...norm(`${name}.norm${half}`)])
  const blocks = ['res_blocks', 'post_upsample_res_blocks'].flatMap((stage) =>
    [0, 1, 2, 3].flatMap((index) => block(`${stage}.${index}`)),
  )
  const tensors = entries([
    ...convolution('initial_conv', 512, 128, 3, 3, 3),
    ...norm('initial_norm'),
    ...blocks,
    ...convolution('upsampler.0', 2048, 512, 3, 3),
    ...convolution('final_conv', 128, 512, 3, 3, 3),
  ])
  return {
    tensors,
    build: (options) => [
      buildLatentUpsampler({ latentChannels: 128, middleChannels: 512, blocksPerStage: 4 }, tensors, options),
    ],
  }
}

const models = {
  'transformer 2B': () => transformer('transformer-2b'),
  'transformer 13B': () => transformer('transformer-13b'),
  'T5 v1.1 XXL': textEncoder,
  'VAE 0.9.0': () => vae('vae-0.9.0'),
  'VAE 0.9.1': () => vae('vae-0.9.1'),
  'VAE 0.9.5': () => vae('vae-0.9.5'),
  'latent upsampler': upsampler,
}

describe.each(Object.keys(models))('%s', (name) => {
  const { tensors, build } = models[name as keyof typeof models]()

  test('every tensor is used once, with its shape; none is left over', () => {
    const weights = build({ compute: 'float32' }).flatMap(({ graph }) => graph.model().initializers.filter(isInFile))
    const expected = [...tensors.values()].filter((entry) => !hostTensors.has(entry.name))
    const sorted = (list: readonly { name: string; shape: readonly number[] }[]) =>
      list.map((one) => `${one.name} ${one.shape.join('x')}`).toSorted()
    expect(sorted(weights)).toEqual(sorted(expected))
    const inputs = build({ compute: 'float32' }).flatMap(({ graph }) =>
      graph.model().nodes.flatMap((node) => node.inputs),
    )
    const uses = inputs.filter((input) => tensors.has(input))
    expect(uses.length).toBe(new Set(uses).size)
  })

  test('the graph is small and quickly built: the weights stay in their files', () => {
    const started = performance.now()
    for (const { graph } of build({ compute: 'bfloat16' }))
      expect(graph.encode().bytes.byteLength).toBeLessThan(16 * 2 ** 20)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test.each(['float32', 'float16', 'bfloat16'] as const)(
    'static check: CUDA has a kernel for every node of the %s graphs',
    (compute) => {
      for (const { graph } of build({ compute })) expect(missingCudaKernels(graph.model())).toEqual([])
    },
  )
})

test.each(['transformer-2b', 'transformer-13b'])('%s is known by its tensors alone', (name) => {
  const { config, tensors } = readManifest(name)
  expect(readTransformerConfig(new Fields('tensors', inferTransformer(tensors)))).toEqual(readTransformerConfig(config))
})

test.each(['float32', 'float16', 'bfloat16'] as const)(
  'static check: CUDA has a kernel for every node of the %s decoder that ends in frames',
  (compute) => {
    const { config, tensors } = readManifest('vae-0.9.5')
    const { graph } = buildVaeDecoder(readVaeConfig(config), tensors, { compute, provider: 'cuda' }, 'planes')
    expect(missingCudaKernels(graph.model())).toEqual([])
  },
)

/** The large matrices of a checkpoint in 8 bits, as the authors and others publish them. */
describe.each(['transformer-2b', 'transformer-13b'])('%s in fp8', (name) => {
  const { config, tensors } = readManifest(name)
  const isBlockMatrix = ({ name: tensor, shape }: TensorEntry) =>
    tensor.startsWith('transformer_blocks.') && tensor.endsWith('.weight') && shape.length === 2
  const eight = (dtype: string) =>
    new Map(
      [...tensors].map(([key, entry]) => [
        key,
        isBlockMatrix(entry) ? { ...entry, dtype, length: entry.length / 2 } : entry,
      ]),
    )
  const build = (dtype: string, options: GraphOptions) =>
    buildTransformer(readTransformerConfig(config), eight(dtype), options).graph

  test.each([
    ['F8_E4M3', 'bfloat16'],
    ['F8_E4M3', 'float16'],
    ['F8_E4M3', 'float32'],
    ['F8_E5M2', 'bfloat16'],
  ] as const)('static check: CUDA has a kernel for every node with %s weights in %s', (dtype, compute) => {
    const g = build(dtype, { compute, provider: 'cuda' })
    expect(missingCudaKernels(g.model())).toEqual([])
    expect(g.encode().bytes.byteLength).toBeLessThan(16 * 2 ** 20)
    const products = g.model().nodes.filter(({ type }) => type === 'MatMulBlockQuantizedFp8Weight')
    const matrices = [...tensors.values()].filter(isBlockMatrix)
    expect(products).toHaveLength(dtype === 'F8_E4M3' && compute !== 'float32' ? matrices.length : 0)
  })
})

test.each(['float32', 'float16', 'bfloat16'] as const)(
  'static check: CUDA has a kernel for every way of weakening a block, in %s',
  (compute) => {
    const { config, tensors } = readManifest('transformer-2b')
    for (const mode of ['attention-values', 'attention-skip', 'residual', 'transformer-block'] as const) {
      const perturbable = { mode, blocks: [19] }
      const { graph } = buildTransformer(readTransformerConfig(config), tensors, { compute, perturbable })
      expect(missingCudaKernels(graph.model())).toEqual([])
    }
  },
)

function isInFile(initializer: Initializer): boolean {
  return !(initializer.data instanceof Uint8Array)
}

describe("the authors' single files", () => {
  const older = { sampler: 'Uniform', shifting: 'SD3', target_shift_terminal: 0.1 }
  const newer = { sampler: 'LinearQuadratic', shifting: null }
  const resnets = (layers: number, options = {}) => ['res_x', { num_layers: layers, ...options }]
  const wide = (multiplier: number) => ['res_x_y', { multiplier }]
  const vaePart = {
    _class_name: 'CausalVideoAutoencoder',
    dims: 3,
    latent_channels: 128,
    norm_layer: 'pixel_norm',
    patch_size: 4,
    latent_log_var: 'uniform',
    use_quant_conv: false,
  }
  const oldEncoder = [
    resnets(4),
    ['compress_all', 1],
    wide(2),
    resnets(3),
    ['compress_all', 1],
    wide(2),
    resnets(3),
    ['compress_all', 1],
    resnets(3),
    resnets(4),
  ]
  const grow = ['compress_all', { residual: true, multiplier: 2 }]
  const shrink = (kind: string) => [`compress_${kind}_res`, { multiplier: 2 }]

  const versions = {
    '0.9.0': {
      scheduler: older,
      vae: {
        ...vaePart,
        blocks: undefined,
        encoder_blocks: oldEncoder,
        decoder_blocks: [
          resnets(4),
          ['compress_all', 1],
          wide(2),
          resnets(3),
          ['compress_all', 1],
          wide(2),
          resnets(3),
          ['compress_all', 1],
          resnets(3),
          resnets(4),
        ],
      },
    },
    '0.9.1': {
      scheduler: older,
      vae: {
        ...vaePart,
        timestep_conditioning: true,
        encoder_blocks: oldEncoder,
        decoder_blocks: [
          resnets(5, { inject_noise: true }),
          grow,
          resnets(6, { inject_noise: true }),
          grow,
          resnets(7, { inject_noise: true }),
          grow,
          resnets(8),
        ],
      },
    },
    '0.9.5': {
      scheduler: newer,
      vae: {
        ...vaePart,
        timestep_conditioning: true,
        encoder_blocks: [
          resnets(4),
          shrink('space'),
          resnets(6),
          shrink('time'),
          resnets(6),
          shrink('all'),
          resnets(2),
          shrink('all'),
          resnets(2),
        ],
        decoder_blocks: [resnets(5), grow, resnets(5), grow, resnets(5), grow, resnets(5)],
      },
    },
  }

  test.each(Object.entries(versions))(
    '%s: config and names lead to the graphs of the diffusers folder',
    (version, { scheduler, vae: vaeConfig }) => {
      const { config, tensors } = readManifest(`vae-${version}`)
      const named = new Map([...tensors].map(([name, entry]) => [`vae.${originalName(name, version)}`, entry]))
      const parsed = readOriginalVaeConfig(new Fields('vae', vaeConfig))
      const renamed = renamedTensors(named, 'vae')
      const options = { compute: 'float32' } as const
      const expected = readVaeConfig(config)
      // A file that lost its configuration tells the same by its tensors.
      expect(readOriginalVaeConfig(new Fields('tensors', inferVae(renamed)))).toEqual(parsed)
      const shapes = (built: BuiltGraph[]) =>
        built.map(({ graph }) =>
          graph
            .model()
            .nodes.map((node) => node.type)
            .join(),
        )
      const own = [buildVaeEncoder(parsed, renamed, options), buildVaeDecoder(parsed, renamed, options)]
      expect(shapes(own)).toEqual(
        shapes([buildVaeEncoder(expected, tensors, options), buildVaeDecoder(expected, tensors, options)]),
      )
      const used = new Set([...own.flatMap((one) => [...one.used]), ...hostTensors])
      expect([...renamed.keys()].filter((name) => !used.has(name))).toEqual([])
      expect(readOriginalSchedule(new Fields('scheduler', scheduler)).schedule.shift.kind).toBe(
        version === '0.9.5' ? 'factor' : 'by-length',
      )
    },
  )

  /** diffusers' name to the authors', as their converter has it the other way round. */
  function originalName(name: string, version: string): string {
    const numbered = (side: string, list: readonly string[]) =>
      list.map((inside, index) => [new RegExp(`^${inside.replaceAll('.', '\\.')}\\.`), `${side}.${index}.`] as const)
    const before = (level: number) => `decoder.up_blocks.${level}`
    const decoder =
      version === '0.9.0'
        ? [
            'decoder.mid_block',
            before(0),
            `${before(1)}.upsamplers.0`,
            before(1),
            `${before(2)}.conv_in`,
            `${before(2)}.upsamplers.0`,
            before(2),
            `${before(3)}.conv_in`,
            `${before(3)}.upsamplers.0`,
            before(3),
          ]
        : ['decoder.mid_block', ...[0, 1, 2].flatMap((level) => [`${before(level)}.upsamplers.0`, before(level)])]
    const down = (level: number) => `encoder.down_blocks.${level}`
    const encoder =
      version === '0.9.5'
        ? [...[0, 1, 2, 3].flatMap((level) => [down(level), `${down(level)}.downsamplers.0`]), 'encoder.mid_block']
        : [
            down(0),
            `${down(0)}.downsamplers.0`,
            `${down(0)}.conv_out`,
            down(1),
            `${down(1)}.downsamplers.0`,
            `${down(1)}.conv_out`,
            down(2),
            `${down(2)}.downsamplers.0`,
            down(3),
            'encoder.mid_block',
          ]
    const places = [...numbered('decoder.up_blocks', decoder), ...numbered('encoder.down_blocks', encoder)].toSorted(
      (a, b) => b[0].source.length - a[0].source.length,
    )
    const moved = places.find(([pattern]) => pattern.test(name))
    const placed = moved === undefined ? name : name.replace(moved[0], moved[1])
    return placed
      .replace('.resnets.', '.res_blocks.')
      .replace('.conv_shortcut.conv.', '.conv_shortcut.')
      .replace('.norm3.', '.norm3.norm.')
      .replace(/^decoder\.time_embedder\./, 'decoder.last_time_embedder.')
      .replace(/^decoder\.scale_shift_table$/, 'decoder.last_scale_shift_table')
      .replace(/^latents_mean$/, 'per_channel_statistics.mean-of-means')
      .replace(/^latents_std$/, 'per_channel_statistics.std-of-means')
  }
})
