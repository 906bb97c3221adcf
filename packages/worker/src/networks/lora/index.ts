/** LoRAs: small files that change a model's weights, and what becomes of the two together. */

export { parseLora, type LoraChoice } from './choice.ts'
export type { LoraLayers } from './layer.ts'
export { mergeLoras } from './merge.ts'
