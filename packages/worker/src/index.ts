/**
 * The worker: leases jobs over HTTP and turns pictures into videos.
 *
 *     const worker = createWorker({ apiUrl, workerToken, engine: 'camera' })
 *     process.once('SIGTERM', () => worker.stop())
 *     await worker.run()
 *
 * Nothing here loads ONNX Runtime into your process; engines live in a child of the worker.
 */

export {
  createWorker,
  WorkerError,
  type StopReason,
  type Worker,
  type WorkerEvent,
  type WorkerLogger,
  type WorkerOptions,
} from './worker.ts'
export { stopOnSignals } from './stop-on-signals.ts'
export type { Outcome } from './run-lease.ts'
export type { Failure } from './child/failure.ts'
export { EngineError } from './failure.ts'
export type { Engine, EngineContext, EngineRequest, Keyframe, PictureSize, Resolution } from './engines/engine.ts'
export type { Abilities, Recipe, RequestedSettings, ResolvedSettings } from '@kinora/protocol'
export type { Frame, FrameFormat, Picture } from './media/frame.ts'
export type { CreateEngine, EngineOptions, OpenContext } from './engines/engine.ts'
export {
  detectProvider,
  findFfmpeg,
  freeDiskSpace,
  H264_ENCODERS,
  listExecutionProviders,
  ONNX_RUNTIME_VERSION,
  type ExecutionProvider,
  type Ffmpeg,
  type FindFfmpegOptions,
  type H264Encoder,
} from './doctor.ts'
export type { ProviderChoice } from './onnx/index.ts'
export { describeLora } from './networks/lora/read.ts'
export * from './weights/hub/index.ts'
export { formatBytes, WeightsError } from './weights/index.ts'
