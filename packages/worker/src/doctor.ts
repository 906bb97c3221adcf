/** What `kinora doctor` asks about a machine that is to run a worker. */

import { mkdir, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'

export { findFfmpeg, H264_ENCODERS, type Ffmpeg, type FindFfmpegOptions, type H264Encoder } from './media/ffmpeg.ts'

export interface ExecutionProvider {
  /** As ONNX Runtime calls it: `cpu`, `cuda`. */
  readonly name: string
  /** Whether a graph really ran on it. */
  readonly works: boolean
  /** Why, or why not. */
  readonly reason: string
}

/**
 * The execution providers that engines may use here. A CUDA provider counts only when a graph ran on it: the library may be there without
 * driver or CUDA's own libraries.
 */
export async function listExecutionProviders(): Promise<ExecutionProvider[]> {
  const { detectProvider } = await import('./onnx/index.ts')
  const found = await detectProvider()
  const cuda = { name: 'cuda', works: found.provider === 'cuda', reason: found.reason }
  return [{ name: 'cpu', works: true, reason: 'always there' }, cuda]
}

/** Bytes free on the disk that holds the folder. @param folder made if it is missing. Default: the temporary folder, where videos are made */
export async function freeDiskSpace(folder = tmpdir()): Promise<number> {
  await mkdir(folder, { recursive: true })
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
