/**
 * Sessions of ONNX Runtime. Opening and running block the thread (the binding works synchronously), which is why engines live in a process of
 * their own; a run cannot be interrupted.
 */

import type { InferenceSession, OnnxValue, Tensor as RuntimeTensor } from 'onnxruntime-node'
import { runtime } from './runtime.ts'
import type { EncodedGraph } from './graph.ts'
import type { Provider } from './provider.ts'
import type { Tensor } from './tensors.ts'

export interface SessionOptions {
  /** @default 'cpu' */
  readonly provider?: Provider
  /**
   * On CPU: leaves the weights in the page cache of their files, which can be dropped under pressure, instead of copying them into memory
   * of our own. Runs are a little slower (10-30 %). For half-precision weights behind Casts it is the only way that does not inflate them.
   * @default false
   */
  readonly weightsStayInFiles?: boolean
  /** Keeps freed memory for the next run. Faster for many short runs, hungrier. @default false */
  readonly arena?: boolean
  /** CPU threads. @default ONNX Runtime's own choice: the physical cores */
  readonly threads?: number
}

export interface Session {
  readonly name: string
  readonly provider: Provider
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  /** @throws SessionError that says which graph failed; its `outOfMemory` tells whether memory ran out */
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>
  /** Frees the graph and its weights. Safe to call twice. */
  close(): Promise<void>
}

/** ONNX Runtime could not open or run a graph. */
export class SessionError extends Error {
  override readonly name = 'SessionError'
  readonly outOfMemory: boolean

  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.outOfMemory = /failed to allocate|out of memory|bad_alloc|cannot allocate|CUBLAS_STATUS_ALLOC_FAILED/i.test(
      messageOf(cause),
    )
  }
}

/** @throws SessionError for a graph that ONNX Runtime refuses, missing or damaged weight files, and too little memory */
export async function openSession(graph: EncodedGraph, options: SessionOptions = {}): Promise<Session> {
  const { provider = 'cpu' } = options
  const session = await create(graph, provider, options)
  let open = true
  return {
    name: graph.name,
    provider,
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(inputs) {
      if (!open) throw new Error(`The session of ${graph.name} is closed.`)
      const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, toRuntime(tensor)]))
      try {
        const results = await session.run(feeds)
        return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromRuntime(name, value)]))
      } catch (error) {
        throw new SessionError(`The graph ${graph.name} failed on ${provider}: ${messageOf(error)}`, error)
      }
    },
    async close() {
      if (!open) return
      open = false
      await session.release()
    },
  }
}

async function create(graph: EncodedGraph, provider: Provider, options: SessionOptions): Promise<InferenceSession> {
  const stay = options.weightsStayInFiles === true && provider === 'cpu'
  const extra = {
    session: {
      model_external_initializers_file_folder_path: graph.weightsRoot,
      ...(stay && { disable_prepacking: '1' }),
    },
    ...((stay || !graph.foldConstants) && { optimization: { disable_specified_optimizers: 'ConstantFolding' } }),
  }
  try {
    return await runtime.InferenceSession.create(graph.bytes, {
      // The CPU takes what CUDA has no kernel for: the small integer arithmetic on shapes.
      executionProviders: provider === 'cuda' ? ['cuda', 'cpu'] : ['cpu'],
      enableCpuMemArena: options.arena === true,
      // Warnings name every shape node left on the CPU; errors still show.
      logSeverityLevel: 3,
      extra,
      ...(options.threads !== undefined && { intraOpNumThreads: options.threads }),
    })
  } catch (error) {
    throw new SessionError(`The graph ${graph.name} could not be loaded on ${provider}: ${messageOf(error)}`, error)
  }
}

function toRuntime(tensor: Tensor): RuntimeTensor {
  switch (tensor.dtype) {
    case 'float32':
      return new runtime.Tensor('float32', tensor.data, tensor.shape)
    case 'int64':
      return new runtime.Tensor('int64', tensor.data, tensor.shape)
    case 'int32':
      return new runtime.Tensor('int32', tensor.data, tensor.shape)
    case 'int16':
      return new runtime.Tensor('int16', tensor.data, tensor.shape)
    case 'uint8':
      return new runtime.Tensor('uint8', tensor.data, tensor.shape)
  }
}

function fromRuntime(name: string, value: OnnxValue): Tensor {
  const { data, dims: shape } = value
  if (data instanceof Float32Array) return { dtype: 'float32', shape, data }
  if (data instanceof BigInt64Array) return { dtype: 'int64', shape, data }
  if (data instanceof Int32Array) return { dtype: 'int32', shape, data }
  if (data instanceof Int16Array) return { dtype: 'int16', shape, data }
  if (data instanceof Uint8Array) return { dtype: 'uint8', shape, data }
  throw new TypeError(`The output ${name} is of type ${value.type}; cast it to float32 in the graph.`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The named float32 output of a run. @throws TypeError if there is none of that name and type */
export function float32Output(
  outputs: Readonly<Record<string, Tensor>>,
  name: string,
): Extract<Tensor, { dtype: 'float32' }> {
  const tensor = outputs[name]
  if (tensor?.dtype !== 'float32') throw new TypeError(`The run gave no float32 output named ${name}.`)
  return tensor
}

/** The named int16 output of a run. @throws TypeError if there is none of that name and type */
export function int16Output(
  outputs: Readonly<Record<string, Tensor>>,
  name: string,
): Extract<Tensor, { dtype: 'int16' }> {
  const tensor = outputs[name]
  if (tensor?.dtype !== 'int16') throw new TypeError(`The run gave no int16 output named ${name}.`)
  return tensor
}
