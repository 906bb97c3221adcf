/**
 * LTX-Video on ONNX Runtime: from a checkpoint as its authors or diffusers publish it to frames.
 *
 *     const engine = await createLtxEngine({ modelPath: 'models/LTX-Video' })
 *     for await (const frame of engine.generate({ picture, settings }, { signal, progress })) ...
 *
 * Read in this order, in ltx-video/: checkpoint (what is it?), recipe and recipes (how is it used?), conditioning, denoise (the loop), transformer,
 * generate (all together), decode; in vae/: encoder, decoder, tiles, decode-video; then open (which family is it?), pipeline (what a
 * family is to the engine) and engine (a job). What any diffusion model is made of is in `src/networks`,
 * `src/text` and `src/flow`.
 */

export { createLtxEngine, type LtxEngineOptions } from './engine.ts'
export type { CheckpointLocation, Precision } from './pipeline.ts'
export { openCheckpoint, readModelIndex, type Checkpoint } from './ltx-video/checkpoint.ts'
export { createModels, type LtxModels, type ModelOptions } from './ltx-video/models.ts'
export { generateLatents, type GenerateHooks, type GivenPicture, type VideoSettings } from './ltx-video/generate.ts'
export { readyForDecoder } from './ltx-video/decode.ts'
export { decodeFrames, type DecodeFramesOptions } from './vae/decode-frames.ts'
export { decodeVideo } from './vae/decode-video.ts'
export type { DecodeOptions } from './vae/decoding.ts'
export { recordedDraws, seededDraws, type Draws } from '../../flow/draws.ts'
export { coverPicture, pictureToPixels, pixelsToFrames } from './picture.ts'
export { perturbableOf, type Recipe } from './ltx-video/recipe.ts'
export { chooseRecipe, recipes } from './ltx-video/recipes.ts'
export { compareCase, findCases, runCase, type ParityOptions, type PieceResult } from './parity/index.ts'
export { float32Tensor, type Float32Tensor } from '../../onnx/index.ts'
export { EngineError } from '../../failure.ts'
export type { Engine, EngineContext, EngineRequest } from '../engine.ts'
export type { Frame, Picture } from '../../media/frame.ts'
