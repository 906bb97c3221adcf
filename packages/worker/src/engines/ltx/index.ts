/**
 * LTX-Video on ONNX Runtime: from a checkpoint as its authors or diffusers publish it to frames.
 *
 *     const engine = await createLtxEngine({ modelPath: 'models/LTX-Video' })
 *     for await (const frame of engine.generate({ picture, settings }, { signal, progress })) ...
 *
 * Read in this order: checkpoint (what is it?), recipe and recipes (how is it used?), schedule, conditioning, denoise and guidance (the loop),
 * transformer, text-encoder, vae-encoder, vae-decoder (the networks), decode and tiles, generate (all together), engine (a job).
 */

export { createLtxEngine, type LtxEngineOptions, type Precision } from './engine.ts'
export {
  openCheckpoint,
  readModelIndex,
  type Checkpoint,
  type CheckpointKind,
  type CheckpointLocation,
} from './checkpoint.ts'
export { createModels, type LtxModels, type ModelOptions } from './models.ts'
export { generateLatents, type GenerateHooks, type GivenPicture, type VideoSettings } from './generate.ts'
export { decodeVideo, type DecodeOptions } from './decode.ts'
export { recordedDraws, seededDraws, type Draws } from './draws.ts'
export { coverPicture, pictureToPixels, pixelsToFrames } from './picture.ts'
export type { Recipe } from './recipe.ts'
export { chooseRecipe, recipes } from './recipes.ts'
export { compareCase, findCases, runCase, type ParityOptions, type PieceResult } from './parity/index.ts'
export { float32Tensor, type Float32Tensor } from '../../onnx/index.ts'
export {
  EngineError,
  type Engine,
  type EngineContext,
  type EngineRequest,
  type Frame,
  type Picture,
} from '../engine.ts'
