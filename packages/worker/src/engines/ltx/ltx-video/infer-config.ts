/**
 * The authors' configuration of a file that lost it, told from the names and shapes of its tensors. What shapes do not say is as in every published
 * checkpoint of that generation.
 */

import type { Tensors } from '../../../networks/tensors.ts'

/** Heads of both published sizes, 2B and 13B. */
const publishedHeads = 32
const publishedSizes: readonly number[] = [2048, 4096]

export type InferredConfig = Readonly<Record<string, unknown>>

/**
 * The part `transformer` of a configuration. The number of heads does not show in any shape: of sizes that were never published it is left out.
 * @param tensors of the transformer, under the names that our graphs use
 */
export function inferTransformer(tensors: Tensors): InferredConfig {
  const size = sizeOf(tensors, 'transformer_blocks.0.attn1.to_q.weight', 0)
  return {
    ...(publishedSizes.includes(size) && {
      num_attention_heads: publishedHeads,
      attention_head_dim: size / publishedHeads,
    }),
    num_layers: countOf(tensors, 'transformer_blocks'),
    in_channels: sizeOf(tensors, 'proj_in.weight', 1),
    out_channels: sizeOf(tensors, 'proj_out.weight', 0),
    caption_channels: sizeOf(tensors, 'caption_projection.linear_1.weight', 1),
    cross_attention_dim: sizeOf(tensors, 'transformer_blocks.0.attn2.to_k.weight', 1),
    attention_bias: tensors.has('transformer_blocks.0.attn1.to_q.bias'),
    attention_out_bias: tensors.has('transformer_blocks.0.attn1.to_out.0.bias'),
  }
}

/** What goes with an autoencoder of a generation: how sigmas are spaced, and whether a latent frame's time is that of its first picture. */
export function inferSchedule(isNewer: boolean): { scheduler: InferredConfig; causalCoordinates: boolean } {
  return isNewer
    ? { scheduler: { sampler: 'LinearQuadratic' }, causalCoordinates: true }
    : { scheduler: { sampler: 'Uniform', shifting: 'SD3', target_shift_terminal: 0.1 }, causalCoordinates: false }
}

/**
 * The part `vae`.
 * @param tensors of the autoencoder, under the names that our graphs use
 */
export function inferVae(tensors: Tensors): InferredConfig {
  const pictureChannels = 3
  const base = sizeOf(tensors, 'decoder.conv_out.conv.weight', 1)
  return {
    in_channels: pictureChannels,
    latent_channels: sizeOf(tensors, 'decoder.conv_in.conv.weight', 1),
    patch_size: Math.sqrt(sizeOf(tensors, 'encoder.conv_in.conv.weight', 1) / pictureChannels),
    encoder_base_channels: sizeOf(tensors, 'encoder.conv_in.conv.weight', 0),
    encoder_blocks: encoderBlocks(tensors, sizeOf(tensors, 'encoder.conv_out.conv.weight', 1)),
    decoder_base_channels: base,
    // Listed from the pixels inwards.
    decoder_blocks: decoderBlocks(tensors, base).toReversed(),
    timestep_conditioning: tensors.has('decoder.time_embedder.timestep_embedder.linear_1.weight'),
  }
}

type Block = readonly [type: string, options: InferredConfig]

function encoderBlocks(tensors: Tensors, last: number): Block[] {
  return blocksOf(tensors, 'encoder.down_blocks', last, (name, inputs, outputs) => {
    const convolved = sizeOf(tensors, `${name}.conv.conv.weight`, 0)
    if (convolved > 0) return [`compress_${strideName(outputs / convolved)}_res`, { multiplier: outputs / inputs }]
    return inputs === outputs ? ['compress_all', {}] : ['compress_all_x_y', { multiplier: outputs / inputs }]
  })
}

function decoderBlocks(tensors: Tensors, last: number): Block[] {
  return blocksOf(tensors, 'decoder.up_blocks', last, (name, inputs, outputs) => {
    const multiplier = inputs / outputs
    const stride = strideName(sizeOf(tensors, `${name}.conv.conv.weight`, 0) / outputs)
    return [`compress_${stride}`, { multiplier, residual: multiplier > 1 }]
  })
}

/**
 * The blocks of one half, in the order of their numbers.
 * @param last channels after the last one
 * @param resampler what a block is that is neither of the residual ones
 */
function blocksOf(
  tensors: Tensors,
  list: string,
  last: number,
  resampler: (name: string, inputs: number, outputs: number) => Block,
): Block[] {
  const names = Array.from({ length: countOf(tensors, list) }, (_, index) => `${list}.${index}`)
  const inputs = names.map((name) =>
    Math.max(
      ...['resnets.0.conv1.conv', 'conv1.conv', 'conv.conv', 'conv'].map((layer) =>
        sizeOf(tensors, `${name}.${layer}.weight`, 1),
      ),
    ),
  )
  return names.map((name, index) => {
    const outputs = inputs[index + 1] ?? last
    const layers = countOf(tensors, `${name}.resnets`)
    if (layers > 0)
      return ['res_x', { num_layers: layers, inject_noise: tensors.has(`${name}.resnets.0.per_channel_scale1`) }]
    const before = inputs[index] ?? last
    if (!tensors.has(`${name}.conv1.conv.weight`)) return resampler(name, before, outputs)
    const multiplier = Math.max(before / outputs, outputs / before)
    return ['res_x_y', { multiplier, inject_noise: tensors.has(`${name}.per_channel_scale1`) }]
  })
}

/** By how many neighbours become channels. */
function strideName(volume: number): string {
  return { 2: 'time', 4: 'space', 8: 'all' }[volume] ?? `by_${volume}`
}

/** 0 where there is no such tensor: whoever reads the configuration then says what is missing. */
function sizeOf(tensors: Tensors, name: string, axis: number): number {
  return tensors.get(name)?.shape[axis] ?? 0
}

/** How many `list.0`, `list.1`, ... there are. */
function countOf(tensors: Tensors, list: string): number {
  const start = `${list}.`
  const numbers = new Set<string>()
  for (const name of tensors.keys())
    if (name.startsWith(start)) numbers.add(name.slice(start.length).split('.')[0] ?? '')
  return numbers.size
}
