/**
 * ONNX without files: graphs are built in TypeScript, point at weights where they lie on disk, and run in ONNX Runtime.
 *
 *     const g = graph('camera')
 *     const x = g.input('x', 'float32', [1, 3, 'h', 'w'])
 *     const grid = g.input('grid', 'float32', [1, 'H', 'W', 2])
 *     g.output('y', g.gridSample(x, grid, { padding: 'border' }))
 *     const session = await openSession(g.encode())
 *     const { y } = await session.run({ x: ..., grid: ... })
 */

export { float } from './attributes.ts'
export { missingCudaKernels } from './cuda-kernels.ts'
export { elementCount, type DataType } from './data-type.ts'
export type { EncodedGraph } from './graph.ts'
export type { Initializer, Value } from './model.ts'
export { graph, Graph } from './operators.ts'
export { detectProvider, type Provider, type ProviderChoice } from './provider.ts'
export { float32Output, int16Output, openSession, SessionError, type Session } from './sessions.ts'
export {
  float32Tensor,
  int64Tensor,
  matrixSizes,
  videoSizes,
  type Float32Tensor,
  type Int64Tensor,
  type Tensor,
} from './tensors.ts'
