/** What an engine is: the code that turns a picture and settings into frames. The child process loads one and feeds its frames to ffmpeg. */

import type { Frame, Picture } from '../media/frame.ts'

/** What a job may leave open; an engine fills the holes with its own recipe, and the contract's defaults fill the rest. */
export interface RequestedSettings {
  readonly prompt?: string | undefined
  readonly negative_prompt?: string | undefined
  /** Seconds, 1..10. */
  readonly duration: number
  /** 0..4294967295. The server always draws one, so that a second attempt makes the same video. */
  readonly seed: number
  /** Pixels, a multiple of 32. */
  readonly width?: number | undefined
  /** Pixels, a multiple of 32. */
  readonly height?: number | undefined
  /** Frames a second, 8..60. */
  readonly fps?: number | undefined
  /** Denoising steps, 1..100; engines without steps ignore it. */
  readonly steps?: number | undefined
  /** Classifier-free guidance, 0..30, 1 = off; engines without guidance ignore it. */
  readonly guidance_scale?: number | undefined
}

/** The settings a video was really made with. */
export interface ResolvedSettings {
  readonly prompt: string
  readonly negative_prompt?: string | undefined
  readonly duration: number
  readonly seed: number
  readonly width: number
  readonly height: number
  readonly fps: number
  /** floor(duration * fps / 8) * 8 + 1. */
  readonly num_frames: number
  readonly steps?: number | undefined
  readonly guidance_scale?: number | undefined
}

export interface EngineRequest {
  readonly picture: Picture
  readonly settings: ResolvedSettings
}

export interface EngineContext {
  /** Looked at between steps and frames; an engine that sees it aborted throws `signal.reason`. */
  readonly signal: AbortSignal
  /**
   * Reports how much of the generation is done.
   * @param fraction 0..1, never falling
   * @param detail what is being done, for people: "step 12 of 30, about 40 s left"
   */
  progress(fraction: number, detail?: string): void
}

export interface Engine {
  /** `camera`, `ltx`. */
  readonly name: string
  /** The execution provider that runs, as ONNX Runtime calls it: `cpu`, `cuda`. */
  readonly provider: string
  /** The recipe: what this engine (or the checkpoint in it) prefers where the request says nothing. */
  readonly defaults: Partial<Omit<ResolvedSettings, 'duration' | 'seed' | 'num_frames'>>
  /**
   * Yields exactly `settings.num_frames` frames of `settings.width` x `settings.height`, in order, as fast as the consumer takes them.
   * @throws EngineError for input or settings it cannot use, out of memory, broken weights; the signal's reason when aborted
   */
  generate(request: EngineRequest, context: EngineContext): AsyncIterable<Frame>
  /** Frees sessions and memory. Safe to call twice. */
  close(): Promise<void>
}

/** What every engine is told when it is opened. */
export interface EngineOptions {
  /** Path or hub name of the weights, for engines that have some. */
  readonly modelPath?: string | undefined
  /** Everything else is the engine's own: for `ltx` see `LtxEngineOptions`. */
  readonly [option: string]: unknown
}

/** What a module with an engine of one's own exports as `createEngine`, or as its default. */
export type CreateEngine = (options: EngineOptions & OpenContext) => Promise<Engine> | Engine

export interface OpenContext {
  /** Says what opening is at: "downloading 3 of 9 GB". */
  readonly log: (line: string) => void
  readonly signal: AbortSignal
}
