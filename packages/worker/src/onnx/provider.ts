/** Which execution provider this machine really has. */

import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
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
  // Asked for all the same, the library would write a line of its own to stderr.
  if (!hasProviderLibraries()) {
    return { provider: 'cpu', reason: "ONNX Runtime's CUDA libraries are not installed (docs/worker.md)" }
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

/** Whether the install script has brought what every provider beside the CPU's needs; ONNX Runtime looks for it beside itself. */
function hasProviderLibraries(): boolean {
  const folder = join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')), '..', 'bin')
  return readdirSync(folder).some((version) =>
    existsSync(join(folder, version, process.platform, process.arch, 'libonnxruntime_providers_shared.so')),
  )
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
