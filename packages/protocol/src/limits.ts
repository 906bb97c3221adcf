/** The limits and defaults that both sides of the wire know. */

/** Seconds of video: the shortest, the longest and the one a request without `duration` gets. */
export const DURATION = { min: 1, max: 10, default: 5 } as const

/** Frames a second. */
export const FPS = { min: 8, max: 60, default: 24 } as const

/** Width and height are multiples of this many pixels. */
export const SIZE_STEP = 32

/** Pixels along one side of the video. */
export const SIDE = { min: 64, max: 2048 } as const

/** Pixels of one frame, width times height: 2048x1024. */
export const MAX_FRAME_PIXELS = 2_097_152

/** The area, in pixels, of a video whose size nobody asked for. A 16:9 picture becomes exactly 1024x576. */
export const DEFAULT_FRAME_PIXELS = 1024 * 576

/** Frames of one video: 10 seconds at 60 frames a second. */
export const MAX_FRAMES = 601

/** What a request for any model is checked against, as `GET /api/v1/models` tells it. */
export const MODEL_LIMITS = {
  max_duration: DURATION.max,
  max_pixels: MAX_FRAME_PIXELS,
  max_frames: MAX_FRAMES,
  size_step: SIZE_STEP,
  fps: { min: FPS.min, max: FPS.max },
} as const

/** Denoising steps. */
export const STEPS = { min: 1, max: 100 } as const

/** Classifier-free guidance; 1 switches it off. */
export const GUIDANCE_SCALE = { min: 0, max: 30 } as const

/** H.264's constant rate factor, by which a picture is compressed before it is animated. */
export const IMAGE_CRF = { min: 0, max: 51 } as const

/** How closely a frame keeps to its picture: 1 holds it, 0 leaves it out. */
export const IMAGE_STRENGTH = { min: 0, max: 1 } as const

/** Pictures of one video, the first included. */
export const MAX_IMAGES = 8

/** Bytes of a request's `metadata` as JSON. */
export const MAX_METADATA_BYTES = 8 * 1024

/** Notices of a job, and characters of each. */
export const MAX_NOTICES = 20
export const MAX_NOTICE_LENGTH = 500

/** Seeds are unsigned 32-bit integers, so that JSON carries them exactly. */
export const MAX_SEED = 4_294_967_295

/** Characters of a prompt or negative prompt. */
export const MAX_PROMPT_LENGTH = 4000

/** Characters of an `Idempotency-Key`. */
export const MAX_IDEMPOTENCY_KEY_LENGTH = 255

/** Bytes of a picture. */
export const MAX_IMAGE_BYTES = 20 * 1024 * 1024

/** Pixels of a picture, width times height (of all pages of an animated one: the first is what counts). */
export const MAX_IMAGE_PIXELS = 50_000_000

/** Content types of pictures. HEIC is refused by servers whose image library cannot read it. */
export const IMAGE_CONTENT_TYPES = [
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/avif',
  'image/heic',
  'image/heif',
  'image/gif',
  'image/tiff',
] as const
export type ImageContentType = (typeof IMAGE_CONTENT_TYPES)[number]

/** The prompt of a request without one, and what generative models are told to avoid. */
export const DEFAULT_PROMPT = 'A smooth cinematic video'
export const DEFAULT_NEGATIVE_PROMPT = 'blurry, low quality, distorted'

/** Denoising steps where neither request nor recipe names a number. */
export const DEFAULT_STEPS = 30

/** Jobs a page of a list has, unless `limit` says otherwise. */
export const PAGE = { min: 1, max: 100, default: 20 } as const
