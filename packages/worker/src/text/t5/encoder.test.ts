import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { float32Output, int64Tensor, openSession } from '../../onnx/index.ts'
import { readFields } from '../../weights/config-fields.ts'
import { openWeights } from '../../weights/index.ts'
import { readT5Config, type T5Config } from './config.ts'
import { buildT5Encoder, relativeBuckets } from './encoder.ts'

const folder = fileURLToPath(new URL('../../../test/fixtures/umt5', import.meta.url))
const recorded: { ids: number[]; embeddings: number[] } = JSON.parse(
  await readFile(join(folder, 'transformers.json'), 'utf8'),
)
const { tensors } = await openWeights(folder)
const config = readT5Config(await readFields(join(folder, 'config.json')))

async function encode(chosen: T5Config): Promise<Float32Array> {
  const session = await openSession(buildT5Encoder(chosen, tensors, { compute: 'float32' }).graph.encode())
  const { length } = recorded.ids
  const outputs = await session.run({
    ids: int64Tensor([length], recorded.ids),
    buckets: int64Tensor([length, length], relativeBuckets(length, chosen)),
  })
  await session.close()
  return float32Output(outputs, 'embeddings').data
}

function worst(actual: Float32Array): number {
  return Math.max(...actual.map((value, index) => Math.abs(value - recorded.embeddings[index]!)))
}

describe('position biases', () => {
  test('umT5: every layer has its own, as transformers computes it', async () => {
    expect(config.positionBias).toBe('every layer')
    expect(worst(await encode(config))).toBeLessThan(1e-4)
  })

  test("T5: the first layer's are shared, which is another text encoder", async () => {
    expect(worst(await encode({ ...config, positionBias: 'first layer' }))).toBeGreaterThan(1e-2)
  })
})
