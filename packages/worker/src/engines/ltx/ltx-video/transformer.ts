/**
 * The denoiser: a transformer over latent tokens that predicts their velocity, given the text and each token's own timestep.
 * (Diffusers: `models/transformers/transformer_ltx.py`; the paper: LTX-Video, arXiv 2501.00103.)
 *
 * One picture's tokens are `[tokens, channels]`, without a batch axis: guidance runs the graph twice, which needs half the memory and no padding
 * mask, since the text is cut to its real length.
 */

import { gated, modulationRows, scaleAndShift } from '../../../networks/adaln.ts'
import { attend } from '../../../networks/attention.ts'
import type { BuiltGraph, GraphOptions } from '../../../networks/network.ts'
import { Parameters, silu } from '../../../networks/parameters.ts'
import { rotaryTables, rotate } from '../../../networks/rotary.ts'
import type { Tensors } from '../../../networks/tensors.ts'
import { embedTimestep, timestepFeatureSize } from '../../../networks/timestep.ts'
import { graph, type Graph, type Value } from '../../../onnx/index.ts'

export interface TransformerConfig {
  readonly inChannels: number
  readonly outChannels: number
  readonly heads: number
  readonly headSize: number
  readonly layers: number
  /** Width of the text embeddings. */
  readonly captionChannels: number
  readonly crossAttentionSize: number
  readonly normEpsilon: number
  readonly attentionBias: boolean
  readonly attentionOutBias: boolean
  /** What a sigma of 1 is as a timestep. */
  readonly timestepScale: number
  /** Seconds, pixels down, pixels across at which rotary positions reach their full range. */
  readonly maximumPositions: readonly [time: number, y: number, x: number]
  readonly theta: number
}

/**
 * How a block is weakened for spatio-temporal guidance; the authors' configs all say `attention-values`.
 *
 * - `attention-values`: each token gets its own value, as if it attended to itself alone
 * - `attention-skip`: each token gets what the attention was given
 * - `residual`: the self-attention adds nothing. (The authors' mode of this name looks for a shortcut inside the attention, which their blocks do not
 *   have, so that it changes nothing at all.)
 * - `transformer-block`: the block hands on what it was given
 */
export type PerturbationMode = 'attention-values' | 'attention-skip' | 'residual' | 'transformer-block'

export interface TransformerOptions extends GraphOptions {
  /** Blocks that a prediction may weaken, by number, and how. @default none */
  readonly perturbable?: { readonly mode: PerturbationMode; readonly blocks: readonly number[] }
}

/** What a timestep gives a block, in the order of its table. */
const blockRows = [
  'shiftAttention',
  'scaleAttention',
  'gateAttention',
  'shiftFeedForward',
  'scaleFeedForward',
  'gateFeedForward',
] as const
const querykeyEpsilon = 1e-5
const outputNormEpsilon = 1e-6

/** What every block sees of time and place. */
interface Conditioning {
  /** `[timesteps, 6, size]`. */
  readonly modulation: Value
  /** `[tokens]`: which of the timesteps is a token's own. */
  readonly timestepIndex: Value
  /** `[textTokens, size]`, in the compute type. */
  readonly text: Value
  readonly cos: Value
  readonly sin: Value
}

/** A block that may be weakened. */
interface Perturbed {
  readonly mode: PerturbationMode
  /** One number: 1 leaves the block as it is, 0 weakens it. */
  readonly kept: Value
}

/**
 * Inputs: `latents` `[tokens, inChannels]`, `text` `[textTokens, captionChannels]`, `timestep_features` `[timesteps, 256]` of the distinct timesteps,
 * `timestep_index` `[tokens]` int64 into them, those of `rotaryTables`, and where there are perturbable blocks `kept`, one number for each: 1, or 0 for
 * one that is weakened. Output: `velocity` `[tokens, outChannels]`. All float32 but the indices.
 */
export function buildTransformer(config: TransformerConfig, tensors: Tensors, options: TransformerOptions): BuiltGraph {
  const g = graph('transformer')
  const p = new Parameters(g, tensors, options)
  const size = config.heads * config.headSize
  const latents = g.input('latents', 'float32', ['tokens', config.inChannels])
  const text = g.input('text', 'float32', ['text_tokens', config.captionChannels])
  const features = g.input('timestep_features', 'float32', ['timesteps', timestepFeatureSize])
  const timestepIndex = g.input('timestep_index', 'int64', ['tokens'])

  const embedded = embedTimestep(p, features, 'time_embed.emb.timestep_embedder', size)
  const modulation = g.reshape(g.cast(p.linear(silu(g, embedded), 'time_embed.linear', size, 6 * size), 'float32'), [
    -1,
    6,
    size,
  ])
  const caption = p.linear(
    g.geluTanh(p.linear(text, 'caption_projection.linear_1', config.captionChannels, size)),
    'caption_projection.linear_2',
    size,
    size,
  )
  const conditioning = {
    modulation,
    timestepIndex,
    text: caption,
    ...rotaryTables(g, { innerSize: size, maximumPositions: config.maximumPositions }, config.headSize),
  }

  const perturbed = perturbedInput(g, options)
  let stream = g.cast(p.linear(latents, 'proj_in', config.inChannels, size), 'float32')
  for (let layer = 0; layer < config.layers; layer++)
    stream = block(p, config, `transformer_blocks.${layer}`, stream, conditioning, perturbed.get(layer))

  const table = p.tensor('scale_shift_table', [2, size], 'float32')
  const ends = g.add(g.unsqueeze(g.cast(embedded, 'float32'), [1]), table)
  const { shift, scale } = modulationRows(g, ends, ['shift', 'scale'], timestepIndex)
  const normed = g.layerNorm(
    stream,
    g.constant('float32', [size], new Float32Array(size).fill(1)),
    undefined,
    outputNormEpsilon,
  )
  const output = p.linear(scaleAndShift(g, normed, scale, shift), 'proj_out', size, config.outChannels)
  g.output('velocity', g.cast(output, 'float32'), ['tokens', config.outChannels])
  return { graph: g, used: p.used }
}

/** The input `kept`, taken apart for the blocks that it is about. */
function perturbedInput(g: Graph, { perturbable }: TransformerOptions): ReadonlyMap<number, Perturbed> {
  if (perturbable === undefined || perturbable.blocks.length === 0) return new Map()
  const { mode, blocks } = perturbable
  const kept = g.input('kept', 'float32', [blocks.length])
  return new Map(blocks.map((layer, index) => [layer, { mode, kept: g.slice(kept, 0, index, index + 1) }]))
}

/** a where `kept` is 1, b where it is 0. */
function keptOr(g: Graph, kept: Value, a: Value, b: Value): Value {
  const weight = g.cast(kept, a.dtype)
  return g.add(g.mul(a, weight), g.mul(b, g.sub(g.scalar(a.dtype, 1), weight)))
}

function block(
  p: Parameters,
  config: TransformerConfig,
  name: string,
  stream: Value,
  conditioning: Conditioning,
  perturbed?: Perturbed,
): Value {
  const g = p.graph
  const size = config.heads * config.headSize
  const table = p.tensor(`${name}.scale_shift_table`, [6, size], 'float32')
  const rows = modulationRows(g, g.add(conditioning.modulation, table), blockRows, conditioning.timestepIndex)

  const attended = scaleAndShift(
    g,
    p.rmsNorm(stream, size, config.normEpsilon),
    rows.scaleAttention,
    rows.shiftAttention,
  )
  const self = gated(
    g,
    attention(p, config, `${name}.attn1`, attended, undefined, conditioning, perturbed),
    rows.gateAttention,
  )
  const changed = perturbed?.mode === 'residual' ? g.mul(self, perturbed.kept) : self
  let next = g.add(stream, changed)
  // The text attention takes the stream as it is: no norm, no modulation, no gate.
  next = g.add(
    next,
    g.cast(attention(p, config, `${name}.attn2`, saturated(p, next), conditioning.text, conditioning), 'float32'),
  )
  const modulated = scaleAndShift(
    g,
    p.rmsNorm(next, size, config.normEpsilon),
    rows.scaleFeedForward,
    rows.shiftFeedForward,
  )
  const hidden = g.geluTanh(p.linear(modulated, `${name}.ff.net.0.proj`, size, 4 * size))
  next = g.add(next, gated(g, p.linear(hidden, `${name}.ff.net.2`, 4 * size, size), rows.gateFeedForward))
  return perturbed?.mode === 'transformer-block' ? keptOr(g, perturbed.kept, next, stream) : next
}

/** Self-attention with rotary positions, or attention to the text without them. */
function attention(
  p: Parameters,
  config: TransformerConfig,
  name: string,
  x: Value,
  text: Value | undefined,
  { cos, sin }: Conditioning,
  perturbed?: Perturbed,
): Value {
  const g = p.graph
  const size = config.heads * config.headSize
  const source = text ?? x
  const sourceSize = text === undefined ? size : config.crossAttentionSize
  const bias = { bias: config.attentionBias }
  let query = p.rmsNorm(p.linear(x, `${name}.to_q`, size, size, bias), size, querykeyEpsilon, `${name}.norm_q`)
  let key = p.rmsNorm(p.linear(source, `${name}.to_k`, sourceSize, size, bias), size, querykeyEpsilon, `${name}.norm_k`)
  const value = p.linear(source, `${name}.to_v`, sourceSize, size, bias)
  if (text === undefined) {
    query = rotate(g, query, cos, sin, config.heads, config.headSize)
    key = rotate(g, key, cos, sin, config.heads, config.headSize)
  }
  const attended = weakened(g, attend(p, query, key, value, { heads: config.heads }), { value, input: x }, perturbed)
  return p.linear(attended, `${name}.to_out.0`, size, size, { bias: config.attentionOutBias })
}

function weakened(
  g: Graph,
  attended: Value,
  { value, input }: { value: Value; input: Value },
  perturbed: Perturbed | undefined,
): Value {
  if (perturbed?.mode === 'attention-values') return keptOr(g, perturbed.kept, attended, g.cast(value, attended.dtype))
  if (perturbed?.mode === 'attention-skip') return keptOr(g, perturbed.kept, attended, g.cast(input, attended.dtype))
  return attended
}

/** The stream may grow beyond what a half can hold; at its end it then stays finite. */
function saturated(p: Parameters, x: Value): Value {
  return p.compute === 'float16' ? p.graph.clip(x, -65504, 65504) : x
}
