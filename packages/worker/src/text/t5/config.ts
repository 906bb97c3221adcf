/** What a T5 encoder's config.json says. Defaults are those of transformers' class. */

import type { Fields } from '../../weights/config-fields.ts'

export interface T5Config {
  readonly size: number
  readonly headSize: number
  readonly heads: number
  readonly feedForwardSize: number
  readonly layers: number
  readonly vocabulary: number
  readonly epsilon: number
  readonly buckets: number
  readonly maximumDistance: number
  /** Which layers have a table of position biases: T5's first, whose biases all use, or each its own, as umT5 does. */
  readonly positionBias: 'first layer' | 'every layer'
}

export function readT5Config(fields: Fields): T5Config {
  fields.only('model_type', 't5', 'umt5')
  fields.only('feed_forward_proj', 'gated-gelu')
  const size = fields.number('d_model')
  return {
    size,
    headSize: fields.number('d_kv'),
    heads: fields.number('num_heads'),
    feedForwardSize: fields.number('d_ff'),
    layers: fields.number('num_layers'),
    vocabulary: fields.number('vocab_size'),
    epsilon: fields.number('layer_norm_epsilon', 1e-6),
    buckets: fields.number('relative_attention_num_buckets', 32),
    maximumDistance: fields.number('relative_attention_max_distance', 128),
    positionBias: fields.string('model_type', 't5') === 'umt5' ? 'every layer' : 'first layer',
  }
}
