/** What a family of LTX models is to the engine: opened once, then a video for each request. */

import type { Abilities, RequestedSettings } from '@kinora/protocol'
import type { Frame } from '../../media/frame.ts'
import type { LoraChoice } from '../../networks/lora/index.ts'
import type { Provider } from '../../onnx/index.ts'
import type { Engine, EngineRequest, PictureSize, Resolution } from '../engine.ts'

/** The numbers that products and convolutions are computed in. `int8` is for CPUs, and for the large layers only. */
export type Precision = 'fp32' | 'fp16' | 'bf16' | 'int8'

export interface CheckpointLocation {
  /** A folder with model_index.json, or a `.safetensors` file of the authors'. */
  readonly path: string
  /** Default: `text_encoder` beside the file, or in the folder. */
  readonly textEncoder?: string
  /** Default: `tokenizer` beside the file, or in the folder. */
  readonly tokenizer?: string
  /** A folder or file with a VAE, in place of the checkpoint's. Default: its own; for a file with a transformer only, `vae` beside it. */
  readonly vae?: string
  /** A folder or file with a latent upsampler. Default: `latent_upsampler` there, if it exists. */
  readonly latentUpsampler?: string
  /** What recipes are chosen by. Default: the name of the folder or file. */
  readonly name?: string
}

export interface PipelineOptions {
  readonly location: CheckpointLocation
  readonly provider: Provider
  readonly precision: Precision
  /** A recipe of the family's. @default the one that fits the checkpoint */
  readonly recipe?: string
  /** Keeps networks in memory between stages and videos. */
  readonly keepLoaded: boolean
  /** LoRAs that are added to the transformer. @default none */
  readonly loras?: readonly LoraChoice[]
  /** Folder for int8 editions and merged weights. */
  readonly cacheFolder: string
  /** Bytes that decoding may take at once. @default the family's, by provider */
  readonly decodeMemory?: number
  /** CPU threads. @default ONNX Runtime's own choice */
  readonly threads?: number
  /** Stops opening. */
  readonly signal?: AbortSignal
  readonly log: (line: string) => void
}

export interface Pipeline {
  /** For the log: the checkpoint and the recipe. */
  readonly description: string
  readonly provider: Provider
  readonly defaults: Engine['defaults']
  /** What the checkpoint can do. */
  readonly abilities: Abilities
  /** The settings that a video will be made with, and sentences about what was left aside. Computes nothing yet. */
  resolve(asked: RequestedSettings, picture: PictureSize): Resolution
  /**
   * Looks a request over and plans its video; computes nothing yet.
   * @throws EngineError `invalid_settings`
   */
  prepare(request: EngineRequest): PreparedVideo
  /** Frees everything. */
  close(): Promise<void>
}

/** What a video goes through: steps of each pass, with what one of them costs against one of the first pass. */
export interface PassPlan {
  readonly steps: number
  readonly cost: number
}

export interface PreparedVideo {
  readonly passes: readonly PassPlan[]
  /** Pixels of all frames that are decoded. */
  readonly pixels: number
  /** Exactly the frames that were asked for, at the size that was asked for, as they are done. */
  frames(hooks: VideoHooks): AsyncGenerator<Frame>
}

export type Stage = 'text' | 'encode' | 'denoise' | 'upsample' | 'decode'

/** What happens on the way, for progress and cancelling. Each that is waited for may throw to stop. */
export interface VideoHooks {
  readonly onStage: (stage: Stage) => void
  readonly beforeStep: (step: number, pass: number) => Promise<void>
  readonly afterStep: (step: number, pass: number) => void
  /** Before each tile. @param part 0..1 of the decoding that is done */
  readonly onDecode: (part: number) => Promise<void>
}
