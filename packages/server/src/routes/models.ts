/** `GET /api/v1/models`: what can be asked for, within which limits, and whether a worker serves it now. */
import { DURATION, FPS, MAX_FRAME_PIXELS, MAX_FRAMES, ModelList, paths, SIZE_STEP } from '@kinora/protocol'
import { json, type Route, route } from './route.ts'

/** Seconds without a sign of any worker after which a model counts as not served. */
const UNSEEN_AFTER = 60

const limits = {
  max_duration: DURATION.max,
  max_pixels: MAX_FRAME_PIXELS,
  max_frames: MAX_FRAMES,
  size_step: SIZE_STEP,
  fps: { min: FPS.min, max: FPS.max },
}

export const modelRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: paths.models.pattern,
    auth: 'apiKey',
    tag: 'server',
    summary: 'List models, the default first',
    answers: { 200: json(ModelList, 'The models that requests may name') },
    async handle({ context }, { core }) {
      const { models: seen = {} } = await core.health()
      const models = core.models.map((model, index) => {
        const seconds = seen[model]?.worker_seen_seconds_ago ?? Infinity
        return { model, default: index === 0, available: seconds <= UNSEEN_AFTER, limits }
      })
      return context.json({ models } satisfies ModelList)
    },
  }),
]
