/**
 * The encoder of T5 v1.1, which reads the prompt. (transformers: `models/t5/modeling_t5.py`; arXiv 1910.10683, 2002.05202.)
 * Every token that is put in is read by all others; whoever does not want padding read leaves it out.
 */

import { attend } from '../../networks/attention.ts'
import type { BuiltGraph, GraphOptions } from '../../networks/network.ts'
import { Parameters } from '../../networks/parameters.ts'
import type { Tensors } from '../../networks/tensors.ts'
import { graph, type Value } from '../../onnx/index.ts'
import type { T5Config } from './config.ts'

/** The large products: the layers that bear 8 bits. */
export const t5Int8Layers =
  /^encoder\.block\.\d+\.layer\.(0\.SelfAttention\.[qkvo]|1\.DenseReluDense\.(wi_0|wi_1|wo))\.weight$/

/** Names of a tied copy of the embedding that some files carry as well. */
export const tiedEmbedding = 'encoder.embed_tokens.weight'

/**
 * Inputs: `ids` `[tokens]` int64, `buckets` `[tokens, tokens]` int64 from {@link relativeBuckets}. Output: `embeddings` `[tokens, size]`, float32.
 *
 * In half precision the residual stream and the last product of the feed-forward stay float32: at the size of XXL they leave fp16's range.
 */
export function buildT5Encoder(config: T5Config, tensors: Tensors, options: GraphOptions): BuiltGraph {
  const g = graph('text_encoder')
  const p = new Parameters(g, tensors, options)
  const wide = new Parameters(g, tensors, {
    ...options,
    compute: options.compute === 'float16' ? 'float32' : options.compute,
  })
  const ids = g.input('ids', 'int64', ['tokens'])
  const buckets = g.input('buckets', 'int64', ['tokens', 'tokens'])
  const embedding = tensors.has('shared.weight') ? 'shared.weight' : tiedEmbedding
  const biasOf = (layer: number) => positionBias(p, config, layer, buckets)
  const shared = config.positionBias === 'first layer' ? biasOf(0) : undefined

  let stream = p.rows(embedding, [config.vocabulary, config.size], ids)
  for (let layer = 0; layer < config.layers; layer++) {
    const name = `encoder.block.${layer}`
    stream = g.add(stream, g.cast(attention(p, config, `${name}.layer.0`, stream, shared ?? biasOf(layer)), 'float32'))
    stream = g.add(stream, g.cast(feedForward(p, wide, config, `${name}.layer.1`, stream), 'float32'))
  }
  g.output('embeddings', p.rmsNorm(stream, config.size, config.epsilon, 'encoder.final_layer_norm'), [
    'tokens',
    config.size,
  ])
  return { graph: g, used: new Set([...p.used, ...wide.used]) }
}

/** `[1, heads, tokens, tokens]` in the compute type: what a layer's table says of the distance from query to key. */
function positionBias(p: Parameters, config: T5Config, layer: number, buckets: Value): Value {
  const g = p.graph
  const name = `encoder.block.${layer}.layer.0.SelfAttention.relative_attention_bias.weight`
  const table = p.tensor(name, [config.buckets, config.heads], 'float32')
  return g.cast(g.unsqueeze(g.transpose(g.gather(table, buckets, 0), [2, 0, 1]), [0]), p.compute)
}

function attention(p: Parameters, config: T5Config, name: string, stream: Value, bias: Value): Value {
  const inner = config.heads * config.headSize
  const normed = p.rmsNorm(stream, config.size, config.epsilon, `${name}.layer_norm`)
  const project = (letter: string) =>
    p.linear(normed, `${name}.SelfAttention.${letter}`, config.size, inner, { bias: false })
  // T5 does not divide by the root of the head's size: its initialisation does that.
  const attended = attend(p, project('q'), project('k'), project('v'), { heads: config.heads, scale: 1, bias })
  return p.linear(attended, `${name}.SelfAttention.o`, inner, config.size, { bias: false })
}

function feedForward(p: Parameters, wide: Parameters, config: T5Config, name: string, stream: Value): Value {
  const g = p.graph
  const inside = `${name}.DenseReluDense`
  const normed = p.rmsNorm(stream, config.size, config.epsilon, `${name}.layer_norm`)
  const gate = g.geluTanh(p.linear(normed, `${inside}.wi_0`, config.size, config.feedForwardSize, { bias: false }))
  const values = p.linear(normed, `${inside}.wi_1`, config.size, config.feedForwardSize, { bias: false })
  const product = g.mul(g.cast(gate, wide.compute), g.cast(values, wide.compute))
  return wide.linear(product, `${inside}.wo`, config.feedForwardSize, config.size, { bias: false })
}

/**
 * `[tokens, tokens]`, row by row: which bucket the distance from query to key falls into. Half the buckets look back, half ahead; in each, the
 * nearer half are exact distances and the rest grow logarithmically up to `maximumDistance`.
 */
export function relativeBuckets(tokens: number, config: Pick<T5Config, 'buckets' | 'maximumDistance'>): number[] {
  const half = config.buckets / 2
  const exact = half / 2
  const bucketOf = (distance: number) => {
    const ahead = distance > 0 ? half : 0
    const far = Math.abs(distance)
    if (far < exact) return ahead + far
    const ratio = Math.fround(Math.log(Math.fround(far / exact)))
    const logarithmic =
      exact + Math.trunc(Math.fround(Math.fround(ratio / Math.log(config.maximumDistance / exact)) * (half - exact)))
    return ahead + Math.min(logarithmic, half - 1)
  }
  const byDistance = new Map<number, number>()
  for (let distance = 1 - tokens; distance < tokens; distance++) byDistance.set(distance, bucketOf(distance))
  const buckets: number[] = []
  for (let query = 0; query < tokens; query++)
    for (let key = 0; key < tokens; key++) buckets.push(byDistance.get(key - query)!)
  return buckets
}
