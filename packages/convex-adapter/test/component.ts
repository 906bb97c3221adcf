/** The component as the root of a test, and its clock. */
import { convexTest } from 'convex-test'
import { vi } from 'vitest'
import { api } from '../src/component/_generated/api.ts'
import type { Doc, Id } from '../src/component/_generated/dataModel.ts'
import type { VideoJob } from '../src/component/job.ts'
import schema from '../src/component/schema.ts'

const modules = import.meta.glob(['../src/component/**/*.ts', '!**/*.test.ts'])

/** The site of a deployment that has the component mounted at /api/webhooks/. */
export const MOUNTED_SITE = 'https://happy-otter-123.convex.site/api/webhooks'
export const SECRET = 'a-secret-of-the-tests'

export type Component = ReturnType<typeof startComponent>

/** @param env overrides; an empty text is a variable that is not set */
export function startComponent(serverUrl: string, env: Record<string, string> = {}) {
  const all = {
    VIDEO_API_URL: serverUrl,
    VIDEO_API_KEY: 'key',
    WEBHOOK_SECRET: SECRET,
    WEBHOOK_SECRET_PREVIOUS: '',
    CONVEX_SITE_URL: MOUNTED_SITE,
    ...env,
  }
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value)
  return convexTest({ schema, modules })
}

/** Lets time pass, and waits for all that is due meanwhile, real HTTP included. Milliseconds. */
export async function pass(t: Pick<Component, 'finishInProgressScheduledFunctions'>, milliseconds = 0): Promise<void> {
  const until = Date.now() + milliseconds
  const step = Math.max(100, milliseconds / 50)
  await finishDue(t)
  while (Date.now() < until) {
    vi.advanceTimersByTime(Math.min(step, until - Date.now()))
    await finishDue(t)
  }
}

/** A mutation may schedule an action, whose mutation schedules a callback: as many rounds as that chain is long. */
async function finishDue(t: Pick<Component, 'finishInProgressScheduledFunctions'>): Promise<void> {
  for (let round = 0; round < 5; round++) {
    vi.advanceTimersByTime(0)
    await t.finishInProgressScheduledFunctions()
  }
}

/** Makes a job by URL of a public picture. */
export async function createJob(t: Component, args: Partial<Parameters<typeof create>[1]> = {}): Promise<string> {
  return create(t, { userId: 'ada', imageUrl: 'https://pictures.example.com/cat.jpg', ...args })
}

function create(t: Component, args: (typeof api.lib.create)['_args']): Promise<string> {
  return t.mutation(api.lib.create, args)
}

export async function getJob(t: Component, jobId: string): Promise<VideoJob> {
  const job = await t.query(api.lib.get, { jobId })
  if (job === null) throw new Error(`There is no job ${jobId}.`)
  return job
}

/** Puts a job in place that the server has accepted. */
export async function insertJob(t: Component, fields: Partial<Doc<'videoJobs'>> = {}): Promise<Id<'videoJobs'>> {
  return t.run((ctx) =>
    ctx.db.insert('videoJobs', { ...bareJob(), status: 'queued', externalJobId: 'job_1', ...fields }),
  )
}

/** Puts a job in place whose submission is under way. */
export async function insertUnsentJob(t: Component): Promise<Id<'videoJobs'>> {
  return t.run((ctx) => ctx.db.insert('videoJobs', bareJob()))
}

function bareJob() {
  return {
    userId: 'ada',
    sourceImageUrl: 'https://pictures.example.com/cat.jpg',
    imageDelivery: 'auto',
    durationSeconds: 5,
    settings: {},
    status: 'uploading',
    createdAt: Date.now(),
    attempt: 1,
    maxAttempts: 3,
  } as const
}
