/** What `kinora doctor` asks about a machine that is to run a worker. */

import { mkdir, statfs } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import type { ProviderChoice } from './onnx/index.ts'

export { findFfmpeg, H264_ENCODERS, type Ffmpeg, type FindFfmpegOptions, type H264Encoder } from './media/ffmpeg.ts'

/** The version of the package onnxruntime-node that engines run on. */
export const ONNX_RUNTIME_VERSION: string = readVersion()

function readVersion(): string {
  const found: unknown = createRequire(import.meta.url)('onnxruntime-node/package.json')
  const known = typeof found === 'object' && found !== null && 'version' in found && typeof found.version === 'string'
  return known ? String(found.version) : 'unknown'
}

/** Where engines run on this machine: CUDA counts only when a graph really ran on it. Loads ONNX Runtime into this process. */
export async function detectProvider(): Promise<ProviderChoice> {
  const onnx = await import('./onnx/index.ts')
  return onnx.detectProvider()
}

export interface ExecutionProvider {
  /** As ONNX Runtime calls it. */
  readonly name: 'cpu' | 'cuda'
  /** Whether a graph really ran on it. */
  readonly works: boolean
  /** Why, or why not. */
  readonly reason: string
}

/** The execution providers that engines may use. The library of one may be there without its driver or libraries; `works` is the truth. */
export async function listExecutionProviders(): Promise<ExecutionProvider[]> {
  const { provider, reason } = await detectProvider()
  return [
    { name: 'cpu', works: true, reason: 'always there' },
    { name: 'cuda', works: provider === 'cuda', reason },
  ]
}

/** Bytes free on the disk that holds the folder. @param folder made if it is missing. Default: the temporary folder, where videos are made */
export async function freeDiskSpace(folder = tmpdir()): Promise<number> {
  await mkdir(folder, { recursive: true })
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
