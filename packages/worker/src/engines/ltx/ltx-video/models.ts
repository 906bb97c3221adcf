/** The checkpoint's networks as functions: text to embeddings, pixels to latents, latents to velocity, latents to pixels. */

import type { QuantizedWeights } from '../../../networks/int8.ts'
import type { LoraLayers } from '../../../networks/lora/index.ts'
import type { BuiltGraph, ComputeType } from '../../../networks/network.ts'
import { rotaryPositions } from '../../../networks/rotary.ts'
import { SessionCache, type LoadableGraph } from '../../../networks/session-cache.ts'
import type { Tensors } from '../../../networks/tensors.ts'
import { distinctValues, timestepFeatures } from '../../../networks/timestep.ts'
import {
  elementCount,
  float32Output,
  float32Tensor,
  int16Output,
  int64Tensor,
  type Float32Tensor,
  type Provider,
  type Tensor,
} from '../../../onnx/index.ts'
import { EmbeddingCache } from '../../../text/embedding-cache.ts'
import { buildT5Encoder, relativeBuckets } from '../../../text/t5/encoder.ts'
import { loadTokenizer } from '../../../text/t5/tokenizer.ts'
import type { Coordinates } from '../coordinates.ts'
import type { Posterior } from '../latents.ts'
import type { FrameDecoder } from '../vae/decode-frames.ts'
import type { PixelDecoder } from '../vae/decode-video.ts'
import { buildVaeDecoder } from '../vae/decoder.ts'
import { buildVaeEncoder } from '../vae/encoder.ts'
import { samplingInputs } from '../vae/frame-planes.ts'
import { buildLatentUpsampler } from '../vae/latent-upsampler.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Denoiser } from './denoise.ts'
import { buildTransformer, type TransformerOptions } from './transformer.ts'

export interface ModelOptions {
  /** @default 'cpu' */
  readonly provider?: Provider
  /** The type of matrix products and convolutions. @default 'float32' */
  readonly compute?: ComputeType
  /** int8 editions of linear layers, of transformer and text encoder. @default none */
  readonly quantized?: {
    readonly transformer?: QuantizedWeights
    readonly textEncoder?: QuantizedWeights
  }
  /** LoRAs that are computed beside the transformer's weights. @default none */
  readonly loras?: LoraLayers
  /** Blocks that predictions may weaken. @default none */
  readonly perturbable?: TransformerOptions['perturbable']
  /** Keeps every network in memory once it was used. @default false: one at a time */
  readonly keepLoaded?: boolean
  /** CPU threads. @default ONNX Runtime's own choice */
  readonly threads?: number
  /** Told before a network is loaded, which may take minutes. */
  readonly onLoad?: (network: string) => void
}

/** How long a prompt is to the text encoder. */
export interface PromptShape {
  /** Tokens that a prompt is cut or padded to. */
  readonly maximum: number
  /** Whether the text encoder reads the padding after the prompt; the transformer never does. */
  readonly paddingIsRead: boolean
}

/** Text as the transformer takes it. */
export interface EncodedText {
  /** `[tokens, width]`, without padding. */
  readonly embeddings: Float32Tensor
  /** `[maximum]`, padding included. */
  readonly ids: readonly number[]
}

export interface LtxModels extends PixelDecoder, FrameDecoder {
  readonly checkpoint: Checkpoint
  /** Tokens of a text, the end token included. */
  countTokens(text: string): number
  encodeText(text: string, shape: PromptShape): Promise<EncodedText>
  /** @param pixels `[1, 3, F, H, W]` in -1..1 */
  encodePixels(pixels: Float32Tensor): Promise<Posterior>
  /** Blocks that a prediction may weaken. */
  readonly perturbable: readonly number[]
  /** One prediction of the transformer. */
  readonly denoise: Denoiser
  /** Twice the height and width of denormalised latents. @throws Error without an upsampler in the checkpoint */
  upsample(latents: Float32Tensor): Promise<Float32Tensor>
  /** Frees everything. */
  close(): Promise<void>
}

/** Reads the tokenizer; graphs are built and loaded when they are first needed. */
export async function createModels(checkpoint: Checkpoint, options: ModelOptions = {}): Promise<LtxModels> {
  const { provider = 'cpu', compute = 'float32', quantized = {}, loras = new Map(), keepLoaded = false } = options
  const { threads, onLoad, perturbable } = options
  const room = new SessionCache({
    provider,
    keepLoaded,
    ...(threads !== undefined && { threads }),
    ...(onLoad !== undefined && { onLoad }),
  })
  const texts = new EmbeddingCache<EncodedText>()
  const tokenizer = await loadTokenizer(checkpoint.tokenizerFolder)
  const { transformer, vae, textEncoder, upsampler } = checkpoint
  const int8 = { textEncoder: quantized.textEncoder ?? new Map(), transformer: quantized.transformer ?? new Map() }
  const decoder = once(() => buildVaeDecoder(vae.config, vae.tensors, { compute, provider }))
  const load = {
    textEncoder: loadable(
      textEncoder.tensors,
      () => buildT5Encoder(textEncoder.config, textEncoder.tensors, { compute, provider, quantized: int8.textEncoder }),
      int8.textEncoder,
    ),
    transformer: loadable(
      transformer.tensors,
      () =>
        buildTransformer(transformer.config, transformer.tensors, {
          compute,
          provider,
          quantized: int8.transformer,
          loras,
          ...(perturbable !== undefined && { perturbable }),
        }),
      int8.transformer,
    ),
    vaeEncoder: loadable(vae.tensors, () => buildVaeEncoder(vae.config, vae.tensors, { compute, provider })),
    vaeDecoder: loadable(vae.tensors, decoder),
    frameDecoder: loadable(vae.tensors, () =>
      buildVaeDecoder(vae.config, vae.tensors, { compute, provider }, 'planes'),
    ),
  }
  const positions = positionsOf(checkpoint)
  const decoderInputs = (latents: Float32Tensor, timestep: number, noises: readonly Float32Tensor[]) => ({
    latents,
    ...(vae.config.decoder.timestepConditioning && {
      timestep_features: timestepFeatures([Math.fround(timestep) * checkpoint.decodeTimestepScale]),
    }),
    ...Object.fromEntries(decoder().noises.map(({ name }, index) => [name, noises[index]!])),
  })

  return {
    checkpoint,
    provider,
    perturbable: perturbable?.blocks ?? [],
    countTokens: (text) => tokenizer.encode(text).length,
    encodeText(text, { maximum, paddingIsRead }) {
      return texts.get(`${maximum} ${paddingIsRead} ${text}`, async () => {
        const { ids, mask } = tokenizer.encodePadded(text, maximum)
        const tokens = mask.filter((bit) => bit === 1).length
        // A mask over padding is the same as no padding: positions count by distance only.
        const read = paddingIsRead ? ids : ids.slice(0, tokens)
        const buckets = int64Tensor([read.length, read.length], relativeBuckets(read.length, textEncoder.config))
        const outputs = await room.run('text encoder', load.textEncoder, {
          ids: int64Tensor([read.length], read),
          buckets,
        })
        const { data } = float32Output(outputs, 'embeddings')
        const width = textEncoder.config.size
        return { ids, embeddings: float32Tensor([tokens, width], data.slice(0, tokens * width)) }
      })
    },
    async encodePixels(pixels) {
      const outputs = await room.run('VAE encoder', load.vaeEncoder, { pixels })
      return { mean: float32Output(outputs, 'mean'), logvar: float32Output(outputs, 'logvar') }
    },
    async denoise({ latents, timesteps, coordinates, text, perturbed = [] }) {
      const { distinct, index } = distinctValues(timesteps)
      const scale = transformer.config.timestepScale / 1000
      const inputs: Record<string, Tensor> = {
        latents,
        text,
        timestep_features: timestepFeatures(distinct.map((timestep) => timestep * scale)),
        timestep_index: index,
        ...positions(coordinates),
        ...keptBlocks(perturbable?.blocks ?? [], perturbed),
      }
      return float32Output(await room.run('transformer', load.transformer, inputs), 'velocity')
    },
    async upsample(latents) {
      if (upsampler === undefined) throw new Error('This checkpoint has no latent upsampler.')
      const loadUpsampler = loadable(upsampler.tensors, () =>
        buildLatentUpsampler(upsampler.config, upsampler.tensors, { compute, provider }),
      )
      return float32Output(await room.run('latent upsampler', loadUpsampler, { latents }), 'upsampled')
    },
    get decoderNoises() {
      return decoder().noises
    },
    async decodeLatents(latents, timestep, noises) {
      const inputs = decoderInputs(latents, timestep, noises)
      return float32Output(await room.run('VAE decoder to pixels', load.vaeDecoder, inputs), 'pixels')
    },
    async decodePlanes(latents, timestep, noises, sampling) {
      const inputs = { ...decoderInputs(latents, timestep, noises), ...samplingInputs(sampling) }
      const outputs = await room.run('VAE decoder', load.frameDecoder, inputs)
      return { luma: int16Output(outputs, 'luma').data, chroma: int16Output(outputs, 'chroma').data }
    },
    close: () => room.close(),
  }
}

/**
 * Whether every tensor that the networks need is there, with the shape that the configs say: builds the graphs and drops them, which takes
 * milliseconds, so that a wrong file is found before anything is loaded.
 * @throws EngineError `weights_mismatch`, `unsupported_weights`
 */
export function checkWeights({ transformer, vae, textEncoder, upsampler }: Checkpoint): void {
  const options = { compute: 'float32' } as const
  buildT5Encoder(textEncoder.config, textEncoder.tensors, options)
  buildTransformer(transformer.config, transformer.tensors, options)
  buildVaeEncoder(vae.config, vae.tensors, options)
  buildVaeDecoder(vae.config, vae.tensors, options)
  if (upsampler !== undefined) buildLatentUpsampler(upsampler.config, upsampler.tensors, options)
}

function loadable(
  tensors: Tensors,
  build: () => BuiltGraph,
  quantized: QuantizedWeights = new Map(),
): () => LoadableGraph {
  return () => {
    const { graph, used } = build()
    let inflatedBytes = 0
    for (const name of used) {
      const { shape = [0], dtype = '' } = tensors.get(name) ?? {}
      // 8-bit floats are widened one at a time, and dropped again.
      inflatedBytes += (quantized.has(name) || dtype.startsWith('F8_') ? 1 : 4) * elementCount(shape)
    }
    return { graph: graph.encode(), inflatedBytes }
  }
}

/** Which of the blocks that may be weakened are left as they are. */
function keptBlocks(perturbable: readonly number[], perturbed: readonly number[]): { kept?: Float32Tensor } {
  const unknown = perturbed.filter((block) => !perturbable.includes(block))
  if (unknown.length > 0)
    throw new RangeError(
      `Blocks ${unknown.join(', ')} cannot be weakened: the graph was built for [${perturbable.join(', ')}].`,
    )
  if (perturbable.length === 0) return {}
  return {
    kept: float32Tensor(
      [perturbable.length],
      Float32Array.from(perturbable, (block) => (perturbed.includes(block) ? 0 : 1)),
    ),
  }
}

/** Angles are computed once for each set of coordinates: they are the same at every step. */
function positionsOf({ transformer: { config } }: Checkpoint): (coordinates: Coordinates) => Record<string, Tensor> {
  const known = new WeakMap<Coordinates, Record<string, Tensor>>()
  return (coordinates) => {
    const found = known.get(coordinates)
    if (found !== undefined) return found
    const { cos, sin, index } = rotaryPositions([coordinates.time, coordinates.y, coordinates.x], {
      innerSize: config.heads * config.headSize,
      maximumPositions: config.maximumPositions,
      theta: config.theta,
    })
    const inputs = { cos, sin, rotary_index: index }
    known.set(coordinates, inputs)
    return inputs
  }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}
