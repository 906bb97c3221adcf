/** `POST /api/v1/generate`: the request that makes a job. */
import * as z from 'zod/mini'
import { HttpUrl } from './http-url.ts'
import { Id } from './id.ts'
import { ImageRequests, placesProblem } from './images.ts'
import { MAX_FRAME_PIXELS, MAX_FRAMES } from './limits.ts'
import { Metadata } from './metadata.ts'
import { frameCount, settingsFields } from './settings.ts'

const fields = {
  ...settingsFields,
  /** The picture by URL. Exactly one of `image_url`, `upload_id` and `images`, unless the file itself comes as `image` in multipart/form-data. */
  image_url: z.optional(HttpUrl),
  /** The picture as an upload made before. */
  upload_id: z.optional(Id),
  /** Pictures with their places, instead of the one picture: one of them at the start. Which models take them says `GET /api/v1/models`. */
  images: z.optional(ImageRequests),
  /** The picture of the last frame, beside `image_url`, `upload_id` or the form's `image`. */
  end_image_url: z.optional(HttpUrl),
  end_upload_id: z.optional(Id),
  /** A small object of yours, echoed in the job. */
  metadata: z.optional(Metadata),
  /** Where a signed message goes when the job ends. */
  webhook_url: z.optional(HttpUrl),
  /** One of the server's models; its default when left out. */
  model: z.optional(
    z.string().check(z.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be a model name such as "ltx-video"')),
  ),
}

function withinLimits(request: {
  duration: number
  fps?: number | undefined
  width?: number | undefined
  height?: number | undefined
}): { path: string; message: string } | null {
  const { width, height, fps, duration } = request
  if (width !== undefined && height !== undefined && width * height > MAX_FRAME_PIXELS) {
    return {
      path: 'width',
      message: `width x height is ${width * height} pixels; at most ${MAX_FRAME_PIXELS} are allowed`,
    }
  }
  if (fps !== undefined && frameCount(duration, fps) > MAX_FRAMES) {
    return {
      path: 'fps',
      message: `duration x fps makes ${frameCount(duration, fps)} frames; at most ${MAX_FRAMES} are allowed`,
    }
  }
  return null
}

function limits<T extends Parameters<typeof withinLimits>[0]>() {
  return z.check<T>((context) => {
    const problem = withinLimits(context.value)
    if (problem)
      context.issues.push({ code: 'custom', input: context.value, message: problem.message, path: [problem.path] })
  })
}

/** The settings and addresses of a multipart request, whose picture is its `image` part. */
export const GenerateFields = z.object(fields).check(limits())
export type GenerateFields = z.output<typeof GenerateFields>

/** Which fields name the pictures: what is wrong with them, if anything. */
function picturesProblem(request: {
  image_url?: unknown
  upload_id?: unknown
  images?: unknown
  end_image_url?: unknown
  end_upload_id?: unknown
}): { path: string; message: string } | null {
  const { image_url, upload_id, images, end_image_url, end_upload_id } = request
  const given = [image_url, upload_id, images].filter((value) => value !== undefined).length
  if (given === 0) {
    const message =
      'give the picture: "image_url", "upload_id", "images", or the file as "image" in multipart/form-data'
    return { path: 'image_url', message }
  }
  if (given > 1) return { path: 'image_url', message: 'give only one of "image_url", "upload_id" and "images"' }
  if (end_image_url !== undefined && end_upload_id !== undefined) {
    return { path: 'end_image_url', message: 'give only one of "end_image_url" and "end_upload_id"' }
  }
  if (images !== undefined && (end_image_url !== undefined || end_upload_id !== undefined)) {
    const path = end_image_url === undefined ? 'end_upload_id' : 'end_image_url'
    return { path, message: 'stands beside "image_url" or "upload_id"; in "images" give a picture "at": "end"' }
  }
  return null
}

/** The JSON request: the picture is named by exactly one of `image_url`, `upload_id` and `images`. */
export const GenerateRequest = z.object(fields).check(
  limits(),
  z.check((context) => {
    const refuse = (path: (string | number)[], message: string): void => {
      context.issues.push({ code: 'custom', input: context.value, message, path })
    }
    const problem = picturesProblem(context.value)
    if (problem) return refuse([problem.path], problem.message)
    const misplaced = context.value.images && placesProblem(context.value.images, context.value)
    if (misplaced) refuse(['images', misplaced.index], misplaced.message)
  }),
)
/** What a caller writes. */
export type GenerateRequest = z.input<typeof GenerateRequest>
/** What the server has after defaults. */
export type ParsedGenerateRequest = z.output<typeof GenerateRequest>
