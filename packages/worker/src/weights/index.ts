/** Weights on disk: where each tensor of a checkpoint lies. */
export { openWeights } from './checkpoint.ts'
export {
  readSafetensors,
  readTensor,
  readTensorBytes,
  tensorNamed,
  type TensorEntry,
  type Weights,
} from './safetensors.ts'
export {
  bfloat16ToFloat32,
  bytesPerElement,
  elementCount,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
  type Dtype,
} from './dtype.ts'
export { WeightsError, type WeightsErrorCode } from './weights-error.ts'
export {
  quantizeWeights,
  verifyInt8,
  type Int8Weight,
  type QuantizeOptions,
  type QuantizeProgress,
} from './quantize.ts'
export { checkDiskSpace, formatBytes, freeBytes } from './disk-space.ts'
export { withFileLock, type FileLockOptions } from './file-lock.ts'
export { pruneInt8 } from './int8-cache.ts'
