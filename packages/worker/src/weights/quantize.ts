/**
 * Makes an int8 edition of a checkpoint's linear layers, once, into a file of its own (see `derived-file.ts`). For each weight `name` of shape
 * [outputs, inputs] it holds
 * - `name`, I8 [inputs, outputs]: the integers, transposed, as ONNX Runtime's int8 product wants its right side;
 * - `name.scale`, F32 [outputs]: weight[o, i] ≈ integer[i, o] * scale[o], with scale[o] = max |weight[o, ·]| / 127.
 */
import { derivedFile, type DerivedOptions, type DerivedPart } from './derived-file.ts'
import { quantizeTensor } from './quantize-tensor.ts'
import { readSafetensors, type TensorEntry } from './safetensors.ts'

/** One layer's int8 edition, where it lies. */
export interface Int8Weight {
  /** I8 [inputs, outputs]. */
  readonly values: TensorEntry
  /** F32 [outputs]. */
  readonly scales: TensorEntry
}

export interface QuantizeOptions extends DerivedOptions {
  /** The weights, each `[outputs, inputs]`, in any floating-point format. */
  readonly tensors: readonly TensorEntry[]
}

const SCALE_SUFFIX = '.scale'

/**
 * Returns the int8 edition of the weights, from the cache or made now: streaming (one tensor's integers are in memory, and a part of its source),
 * resumed after an interruption, by one process at a time, and under its final name only when it is whole.
 * @throws WeightsError `disk_full` before anything is written; `not_finite` for a weight with NaN or infinity; `hash_mismatch` when `verify` finds damage
 */
export async function quantizeWeights({
  tensors,
  ...options
}: QuantizeOptions): Promise<ReadonlyMap<string, Int8Weight>> {
  if (tensors.length === 0) return new Map()
  const parts = tensors.map(int8Part)
  return openInt8(await derivedFile({ format: 'kinora-int8-1', from: tensors, parts }, options))
}

function int8Part(entry: TensorEntry): DerivedPart {
  const [outputs, inputs] = matrixShape(entry)
  return {
    tensors: [
      { name: entry.name + SCALE_SUFFIX, dtype: 'F32', shape: [outputs] },
      { name: entry.name, dtype: 'I8', shape: [inputs, outputs] },
    ],
    async make() {
      const { scales, values } = await quantizeTensor(entry)
      return [new Uint8Array(scales.buffer), new Uint8Array(values.buffer)]
    },
  }
}

async function openInt8(file: string): Promise<ReadonlyMap<string, Int8Weight>> {
  const { tensors } = await readSafetensors(file)
  const weights = new Map<string, Int8Weight>()
  for (const [name, values] of tensors) {
    const scales = tensors.get(name + SCALE_SUFFIX)
    if (values.dtype === 'I8' && scales) weights.set(name, { values, scales })
  }
  return weights
}

function matrixShape(entry: TensorEntry): readonly [outputs: number, inputs: number] {
  const [outputs, inputs, ...rest] = entry.shape
  if (outputs !== undefined && inputs !== undefined && rest.length === 0) return [outputs, inputs]
  throw new RangeError(
    `${entry.name} is [${entry.shape.join(', ')}], but only matrices [outputs, inputs] are quantized`,
  )
}
