/** What an engine is: the code that turns a picture and settings into frames. The child process loads one and feeds its frames to ffmpeg. */

import type { Abilities, Recipe, RequestedSettings, ResolvedSettings } from '@kinora/protocol'
import type { Frame, Picture } from '../media/frame.ts'

export type PictureSize = Pick<Picture, 'width' | 'height'>

/** A picture beside the first one, and its place in the video. */
export interface Keyframe {
  readonly picture: Picture
  /** 1..num_frames - 1; no two are at one. */
  readonly frame: number
  /** 0..1: how closely that frame keeps to the picture. */
  readonly strength: number
}

export interface EngineRequest {
  /** The picture of frame 0; `settings.image_strength` says how closely that frame keeps to it. */
  readonly picture: Picture
  /** Pictures of other frames, only for engines whose abilities say `images: true`. @default none */
  readonly keyframes?: readonly Keyframe[]
  readonly settings: ResolvedSettings
}

/** What will be done with a request. */
export interface Resolution {
  /** What the video is made with. A setting that has no part in it is not there. */
  readonly settings: ResolvedSettings
  /** Sentences for people: what was left aside, changed or cut. */
  readonly notices: readonly string[]
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
  readonly defaults: Recipe
  /** What it can do; the server checks requests against it. @default unknown, and the first picture only */
  readonly abilities?: Abilities
  /**
   * Settles what a video will be made with, before any heavy work. What it answers is what the job tells, so it has to be what {@link generate} does.
   * @param asked the request's own words, and a seed
   * @param picture the first picture's size in pixels
   * @default the request first, then `defaults`, then the contract; a notice for each setting that `defaults` do not name
   * @throws EngineError `invalid_settings` for what it cannot make
   */
  resolve?(asked: RequestedSettings, picture: PictureSize): Resolution | Promise<Resolution>
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
