/** Comparison with diffusers: `npm run parity -- FOLDER`. */

export { compareCase, type PieceResult } from './pieces.ts'
export { findCases, runCase, type ParityOptions } from './run.ts'
