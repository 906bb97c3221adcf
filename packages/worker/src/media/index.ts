/** Pictures in, videos out: decoding, fitting, encoding. */

export { coverPicture, coverRectangle, cropAndScale, type Rectangle, type Size } from './cover.ts'
export { decodePicture, type DecodeLimits } from './decode.ts'
export { encodeArguments, encodeVideo, type EncodeOptions } from './encode.ts'
export { findFfmpeg, H264_ENCODERS, type Ffmpeg, type FindFfmpegOptions, type H264Encoder } from './ffmpeg.ts'
export { frameToRgb } from './frame-colour.ts'
export { encodePoster } from './poster.ts'
