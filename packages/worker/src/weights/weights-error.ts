/** What can be wrong with weights: with a file on disk, with a download, with the disk itself. */
export type WeightsErrorCode =
  /** The path, or a shard that an index names, does not exist. */
  | 'file_missing'
  /** The file ends before its header says it should. */
  | 'file_truncated'
  /** It is something else: an HTML page, a Git LFS pointer, a pickle. */
  | 'not_safetensors'
  /** The header cannot be read as the format demands. */
  | 'bad_header'
  /** Tensors overlap, leave holes, or point outside the file. */
  | 'bad_offsets'
  /** A number format that this reader has no size for, or cannot convert. */
  | 'unknown_dtype'
  /** An index that cannot be followed. */
  | 'bad_index'
  /** Several checkpoints in one folder, and nothing says which is meant. */
  | 'ambiguous'
  /** A tensor that was asked for by name is not there. */
  | 'tensor_missing'
  /** The disk has less room than what is to be written. */
  | 'disk_full'
  /** A weight that is NaN or infinite. */
  | 'not_finite'
  /** The content is not what its hash says. */
  | 'hash_mismatch'

/**
 * Weights that cannot be used. The message says what is wrong, with which file, and what to do about it.
 */
export class WeightsError extends Error {
  override readonly name = 'WeightsError'
  readonly code: WeightsErrorCode
  /** The file or folder that the error is about. */
  readonly file: string

  constructor(code: WeightsErrorCode, file: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.file = file
  }
}
