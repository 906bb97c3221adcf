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
export { float32ToBfloat16, float32ToFloat16 } from './dtype.ts'
export { WeightsError } from './weights-error.ts'
export { quantizeWeights, type Int8Weight } from './quantize.ts'
export { derivedFile, verifyDerived, type DerivedOptions } from './derived-file.ts'
export { formatBytes } from './disk-space.ts'
export { pruneDerived } from './derived-cache.ts'
