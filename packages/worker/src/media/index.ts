/** Pictures in, videos out: decoding, encoding. */

export { decodePicture } from './decode.ts'
export { encodeArguments, encodeVideo } from './encode.ts'
export { findFfmpeg, type Ffmpeg } from './ffmpeg.ts'
export { frameToRgb } from './frame-colour.ts'
export { encodePoster } from './poster.ts'
