/** Comparison with diffusers: `npm run parity -- FOLDER`. */

export { compare, isWithin, type Bound, type Difference } from './compare.ts'
export { readCase, recipeOf, type DecodePicture, type GoldenCase } from './golden.ts'
export {
  colours,
  compareCase,
  decodeAll,
  float32Bounds,
  halfBounds,
  settingsOf,
  type Bounds,
  type PieceResult,
} from './pieces.ts'
export { findCases, runCase, type ParityOptions } from './run.ts'
