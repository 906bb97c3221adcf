/** Which execution provider this machine really has. */

import { runtime } from './runtime.ts'
import { graph } from './operators.ts'

/** Where graphs run. */
export type Provider = 'cpu' | 'cuda'

export interface ProviderChoice {
  readonly provider: Provider
  /** Why it is this one, for the log and for `kinora doctor`. */
  readonly reason: string
}

let found: Promise<ProviderChoice> | undefined

/** CUDA where a graph really runs on it, else CPU. Looked for once per process. */
export function detectProvider(): Promise<ProviderChoice> {
  found ??= tryCuda()
  return found
}

async function tryCuda(): Promise<ProviderChoice> {
  const listed = runtime.listSupportedBackends().some((backend) => backend.name === 'cuda')
  if (!listed)
    return {
      provider: 'cpu',
      reason: `this build of ONNX Runtime for ${process.platform} ${process.arch} has no CUDA provider`,
    }
  const probe = graph('probe')
  const x = probe.input('x', 'float32', [1])
  probe.output('y', probe.add(x, x))
  try {
    const session = await runtime.InferenceSession.create(probe.encode().bytes, {
      executionProviders: ['cuda'],
      logSeverityLevel: 4,
    })
    await session.run({ x: new runtime.Tensor('float32', Float32Array.of(1), [1]) })
    await session.release()
    return { provider: 'cuda', reason: 'a probe ran on the CUDA provider' }
  } catch (error) {
    return { provider: 'cpu', reason: `the CUDA provider did not start: ${firstLine(error)}` }
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
