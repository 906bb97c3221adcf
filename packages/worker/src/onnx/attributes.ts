import type { FloatAttribute } from './model.ts'

/** Marks a number as a float: a JavaScript number cannot say whether it is an integer or a float, and ONNX cares. */
export function float(value: number): FloatAttribute {
  return { kind: 'float', value }
}
