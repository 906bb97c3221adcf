/** Weights on disk: where each tensor of a checkpoint lies. Models from the hub are in `hub/`. */
export { openWeights } from './checkpoint.ts'
export {
  readSafetensors,
  readTensor,
  readTensorBytes,
  tensorNamed,
  type TensorEntry,
  type Weights,
} from './safetensors.ts'
export { float32ToBfloat16 } from './dtype.ts'
export { WeightsError } from './weights-error.ts'
export { quantizeWeights, verifyInt8, type Int8Weight } from './quantize.ts'
export { formatBytes } from './disk-space.ts'
export { pruneInt8 } from './int8-cache.ts'
