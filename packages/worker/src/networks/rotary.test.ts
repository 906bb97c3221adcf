import { describe, expect, test } from 'vitest'
import { float32Output, graph, openSession } from '../onnx/index.ts'
import { rotaryPositions, rotaryTables, type RotaryConfig } from './rotary.ts'

/** Every token's angles, written out in plain steps. */
function plainTables(axes: readonly Float32Array[], { innerSize, maximumPositions, theta }: RotaryConfig) {
  const float = Math.fround
  const perAxis = Math.floor(innerSize / (2 * axes.length))
  const unturned = innerSize / 2 - perAxis * axes.length
  const [cos, sin]: [number[], number[]] = [[], []]
  for (const token of axes[0]!.keys()) {
    cos.push(...Array.from({ length: unturned }, () => 1))
    sin.push(...Array.from({ length: unturned }, () => 0))
    for (let index = 0; index < perAxis; index++) {
      const frequency = float(float(float(theta ** float(index / (perAxis - 1))) * float(Math.PI)) / 2)
      for (const [axis, values] of axes.entries()) {
        const angle = float(frequency * float(float(float(values[token]! / maximumPositions[axis]!) * 2) - 1))
        cos.push(float(Math.cos(angle)))
        sin.push(float(Math.sin(angle)))
      }
    }
  }
  return { cos, sin }
}

describe.each([48, 52])('tables of a transformer %i wide', (innerSize) => {
  const config = { innerSize, maximumPositions: [20, 2048, 2048], theta: 10_000 }
  // A keyframe's tokens stand at a time of their own, in front.
  const axes = [
    Float32Array.of(1.32, 1.32, 0, 0, 0.04, 0.04, 0.36),
    Float32Array.of(0, 32, 0, 32, 0, 32, 64),
    Float32Array.of(32, 0, 0, 32, 64, 1184, 96),
  ]

  test('the graph works out every angle, to the last bit', async () => {
    const g = graph('rotary')
    for (const [name, value] of Object.entries(rotaryTables(g, config, 4))) g.output(`${name}_table`, value)
    const session = await openSession(g.encode())
    const { cos, sin, index } = rotaryPositions(axes, config)
    const outputs = await session.run({ cos, sin, rotary_index: index })
    await session.close()
    const plain = plainTables(axes, config)
    expect(float32Output(outputs, 'cos_table').shape).toEqual([(7 * innerSize) / 4, 2])
    expect([...float32Output(outputs, 'cos_table').data]).toEqual(plain.cos)
    expect([...float32Output(outputs, 'sin_table').data]).toEqual(plain.sin)
  })

  test('what is handed over grows with the positions there are, not with the tokens', () => {
    const once = rotaryPositions(axes, config)
    const twice = rotaryPositions(
      axes.map((axis) => Float32Array.of(...axis, ...axis)),
      config,
    )
    expect(twice.cos).toEqual(once.cos)
    expect(twice.index.shape).toEqual([14, 3])
  })
})
