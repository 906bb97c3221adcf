/** `POST /api/v1/generate`: the request that makes a job. */
import * as z from 'zod/mini'
import { explained } from './explain.ts'
import { Id } from './job.ts'
import { MAX_FRAME_PIXELS, MAX_FRAMES } from './limits.ts'
import { frameCount, settingsFields } from './settings.ts'

/** http and https only; whether the server may reach the address is checked when it connects. */
export const HttpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .check(z.maxLength(8192, explained))

const fields = {
  ...settingsFields,
  /** The picture by URL. Exactly one of `image_url` and `upload_id`, unless the file itself comes as `image` in multipart/form-data. */
  image_url: z.optional(HttpUrl),
  /** The picture as an upload made before. */
  upload_id: z.optional(Id),
  /** Where a signed message goes when the job ends. */
  webhook_url: z.optional(HttpUrl),
  /** One of the server's models; its default when left out. */
  model: z.optional(
    z.string(explained).check(z.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be a model name such as "ltx-video"')),
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
export const GenerateFields = z.object(fields, explained).check(limits())
export type GenerateFields = z.output<typeof GenerateFields>

/** The JSON request: the picture is named by exactly one of `image_url` and `upload_id`. */
export const GenerateRequest = z.object(fields, explained).check(
  limits(),
  z.check((context) => {
    const { image_url, upload_id } = context.value
    if ((image_url === undefined) !== (upload_id === undefined)) return
    const message =
      image_url === undefined
        ? 'give the picture: "image_url", "upload_id", or the file as "image" in multipart/form-data'
        : 'give only one of "image_url" and "upload_id"'
    context.issues.push({ code: 'custom', input: context.value, message, path: ['image_url'] })
  }),
)
/** What a caller writes. */
export type GenerateRequest = z.input<typeof GenerateRequest>
/** What the server has after defaults. */
export type ParsedGenerateRequest = z.output<typeof GenerateRequest>
