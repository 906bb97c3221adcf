// @vitest-environment edge-runtime
/**
 * A thousand jobs in bad weather: lost answers, repeated, reordered and missing webhooks, key changes, restarts of the server, deploys behind a proxy, and
 * actions of Convex that die before or after the deed, while users cancel and remove. Every job ends, nothing stays on the server, and no poll comes
 * after the end.
 */
import { convexTest } from 'convex-test'
import { afterEach, expect, test, vi } from 'vitest'
import { api } from '../src/component/_generated/api.ts'
import { isFinal } from '../src/component/job.ts'
import schema from '../src/component/schema.ts'
import { MOUNTED_SITE, SECRET } from './component.ts'
import { startDice, startUnrulyServer } from './unruly-server.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const modules = import.meta.glob(['../src/component/**/*.ts', '!**/*.test.ts'])
/** The actions that speak to the server. */
const MORTAL = { submission: 'submit', polling: 'poll', tombstones: 'tell' }

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** Deployments of twenty jobs each, all of one server: convex-test searches all documents for each query. */
const DEPLOYMENTS = 50
const JOBS = 20

test('a thousand jobs in bad weather', { timeout: 240_000 }, async () => {
  vi.useFakeTimers({ now: new Date('2026-03-14T09:26:53Z'), toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  for (const method of ['warn', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => {})
  const dice = startDice(7)
  const server = startUnrulyServer(dice, SECRET)
  vi.stubGlobal('fetch', server.fetch)
  vi.stubEnv('VIDEO_API_URL', 'https://video.example.com')
  vi.stubEnv('WEBHOOK_SECRET', SECRET)
  vi.stubEnv('CONVEX_SITE_URL', MOUNTED_SITE)
  const statuses: Record<string, number> = {}
  for (let deployment = 0; deployment < DEPLOYMENTS; deployment++) {
    for (const status of await live(`key-${deployment}`)) statuses[status] = (statuses[status] ?? 0) + 1
  }
  expect(server.jobs.size).toBe(0)
  // The weather was bad, and of every kind.
  expect(server.asked.lost).toBeGreaterThan(300)
  expect(server.asked.refused).toBeGreaterThan(300)
  expect(Object.keys(statuses).toSorted()).toEqual(['canceled', 'completed', 'failed', 'removed'])
  expect(Object.values(statuses).reduce((sum, count) => sum + count)).toBe(DEPLOYMENTS * JOBS)
  expect(statuses.completed).toBeGreaterThan(300)

  /** Twenty jobs from the first to the last, and how each ended. */
  async function live(key: string): Promise<string[]> {
    const t = convexTest({ schema, modules: withDeaths(dice) })
    server.changeKey(key)
    vi.stubEnv('VIDEO_API_KEY', key)
    /** Lets time pass, with the server's work and its messages. */
    const pass = async (time: number, steps = 1) => {
      for (let step = 0; step < steps; step++) {
        vi.advanceTimersByTime(time / steps)
        await t.finishInProgressScheduledFunctions()
        // What that has scheduled for now.
        vi.advanceTimersByTime(0)
        await t.finishInProgressScheduledFunctions()
        server.work()
        await server.deliver(async (path, init) => (await t.fetch(path, init)).status)
      }
    }
    const ids: string[] = []
    const removed = new Set<string>()
    const someone = () => ids[Math.floor(dice() * ids.length)] ?? ''

    // Six hours in which jobs come, users change their minds, and the weather turns.
    for (let turn = 0; turn < 45; turn++) {
      if (ids.length < JOBS && dice() < 0.7) {
        const imageUrl = 'https://pictures.example.com/cat.jpg'
        ids.push(await t.mutation(api.lib.create, { userId: 'ada', imageUrl }))
      }
      if (dice() < 0.2) await t.mutation(api.lib.cancel, { jobId: someone() })
      if (dice() < 0.2) {
        const jobId = someone()
        if (await t.mutation(api.lib.remove, { jobId })) removed.add(jobId)
      }
      const weather = dice()
      if (weather < 0.02) server.become('down')
      else if (weather < 0.04) server.become('deploying')
      else if (weather < 0.2) server.become('up')
      // A new key on the server, and a while later in the deployment.
      if (turn === 15) server.changeKey(`${key}-new`)
      if (turn === 22) vi.stubEnv('VIDEO_API_KEY', `${key}-new`)
      await pass(8 * MINUTE)
    }
    while (ids.length < JOBS) {
      ids.push(await t.mutation(api.lib.create, { userId: 'ada', imageUrl: 'https://pictures.example.com/dog.jpg' }))
    }

    // The weather clears a little (answers still get lost), and everything comes to an end.
    server.become('up')
    await pass(24 * HOUR, 30)
    const jobs = await t.run((ctx) => ctx.db.query('videoJobs').collect())
    expect(jobs.filter(({ status }) => !isFinal(status))).toEqual([])
    expect(jobs.length + removed.size).toBe(JOBS)
    expect(await t.run((ctx) => ctx.db.query('progress').collect())).toEqual([])

    // No clock is left, and nobody is asked any more.
    await pass(24 * HOUR, 12)
    expect(vi.getTimerCount()).toBe(0)
    expect(await t.run((ctx) => ctx.db.query('tombstones').collect())).toEqual([])
    const polls = server.asked.polls
    // What is left on the server are the videos of jobs that are still here, and goes with them.
    const kept = new Set(jobs.map(({ externalJobId }) => externalJobId))
    expect([...server.jobs.keys()].filter((id) => !kept.has(id))).toEqual([])
    while (!(await t.mutation(api.retention.removeUser, { userId: 'ada' })).isDone);
    // Messages about removed jobs may still be on their way; each has the server told once more.
    do await pass(24 * HOUR, 12)
    while (server.deliveries.length > 0)
    await pass(24 * HOUR, 12)
    expect(server.jobs.size).toBe(0)
    expect(server.asked.polls).toBe(polls)
    expect(vi.getTimerCount()).toBe(0)
    expect(server.deliveries).toEqual([])
    return [...jobs.map(({ status }) => status), ...[...removed].map(() => 'removed')]
  }
})

/** The component's modules, in which one action in twenty dies before the deed and one in twenty after it, before it can tell. */
function withDeaths(dice: () => number): typeof modules {
  const mortal = { ...modules }
  for (const [file, name] of Object.entries(MORTAL)) {
    const path = `../src/component/${file}.ts`
    const load = modules[path]
    if (load === undefined) throw new Error(`There is no module ${path}.`)
    mortal[path] = async () => {
      const module = (await load()) as Record<string, Action>
      const action = module[name]
      if (action === undefined) throw new Error(`${file} has no ${name}.`)
      return {
        ...module,
        [name]: new Proxy(action, {
          get: (target, key) => (key === '_handler' ? dying(target, dice) : Reflect.get(target, key)),
        }),
      }
    }
  }
  return mortal
}

type Handler = (ctx: { runMutation: unknown }, args: unknown) => Promise<unknown>
type Action = { _handler: Handler }

function dying(action: Action, dice: () => number): Handler {
  return async (ctx, args) => {
    const luck = dice()
    if (luck < 0.05) return null
    if (luck > 0.1) return action._handler(ctx, args)
    const death = new Error('The machine is gone.')
    const runMutation = () => Promise.reject(death)
    return action._handler({ ...ctx, runMutation }, args).catch((error: unknown) => {
      if (error !== death) throw error
      return null
    })
  }
}
