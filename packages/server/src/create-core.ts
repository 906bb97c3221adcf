/** Puts the parts together. The order of closing is the reverse of who needs whom. */
import type { Core, CoreOptions } from './core.ts'
import { startDeliveries } from './deliveries/deliver.ts'
import { DELIVERY_SCHEDULE } from './deliveries/schedule.ts'
import { createSecrets } from './deliveries/secrets.ts'
import { createEvents } from './events/events.ts'
import { createHealth } from './health.ts'
import { deliveryOptions, DELIVERIES_KEPT, type Kept } from './jobs/delivery.ts'
import { createInputs, createUploads } from './inputs/index.ts'
import { createHubs } from './leases/hubs.ts'
import { createAdmission, createAllowed, createRates } from './limits/index.ts'
import { createLeaseBook } from './leases/lease-book.ts'
import { createReports } from './leases/reports.ts'
import { startMaintenance } from './maintenance.ts'
import { createModelAbilities } from './models/abilities.ts'
import { createPresence } from './models/presence.ts'
import { createQueues } from './queues.ts'
import { createList } from './reading/lists.ts'
import { createReader } from './reading/reader.ts'
import { createCopyVideo } from './reading/copy-video.ts'
import { createVideoUrl } from './reading/video-url.ts'
import { createMonitor } from './stores/monitor.ts'
import type { JobStates } from './stores/states.ts'
import { createEnd } from './transitions/end.ts'
import { createFollow } from './transitions/follow.ts'
import { createLine, createRefuse, createTransitions } from './transitions/index.ts'
import { isReady } from './transitions/line.ts'
import { createInputJobs } from './transitions/input-jobs.ts'
import { giveBack } from './transitions/release.ts'

/** Seconds: the original contract's. */
const RETENTION = { completed: 24 * 3600, failed: 7 * 24 * 3600 }
const LEASE_SECONDS = 30

/** Milliseconds after which closing gives up on a store that is away. */
const CLOSE_WITHIN = 8000

/**
 * Opens the store and starts what runs by itself: deliveries, the search for dead leases, the sweep.
 * @throws StoreError when the store cannot be opened; TypeError for options that cannot be
 */
export async function createCore(options: CoreOptions): Promise<Core> {
  const {
    storage,
    fetch,
    logger,
    models,
    version,
    clock = Date.now,
    deliveryDelays: schedule = DELIVERY_SCHEDULE,
  } = options
  if (models.length === 0 || new Set(models).size !== models.length) {
    throw new TypeError('"models" must name at least one model, and none twice.')
  }
  const leaseDuration = (options.leaseSeconds ?? LEASE_SECONDS) * 1000
  if (!(leaseDuration >= 1000)) throw new TypeError('"leaseSeconds" must be at least 1.')
  const retention = {
    completed: options.retention?.completed ?? RETENTION.completed,
    failed: options.retention?.failed ?? RETENTION.failed,
  }

  const store = await options.store.open({ logger, retention })
  const { history } = store
  // Each end of a job, however it comes, may be the turn of another.
  const states: JobStates = {
    ...store.states,
    async decide(place, final, fence) {
      const decided = await store.states.decide(place, final, fence)
      if (decided.kind === 'ended' && decided.mine) admission.ended(place.tenant)
      return decided
    },
  }
  const queues = await createQueues({ store, models, leaseDuration, logger }).catch(async (error: unknown) => {
    await store.close().catch(() => undefined)
    throw error
  })
  const monitor = createMonitor(store, clock)
  const presence = createPresence(history, clock)
  const abilities = createModelAbilities({ history, models, clock, logger })
  const secrets = createSecrets(options.webhooks)
  const allowed = createAllowed(options.limits)
  const rates = createRates({ counter: store.counter, allowed })
  const uploads = createUploads({ storage, inspect: options.inspectImage })
  const reader = createReader({ models, history, states, storage, presence, clock })
  const kept = keptFor(retention.completed, retention.failed)
  const deliveriesKept = keptFor(
    Math.max(retention.completed, DELIVERIES_KEPT),
    Math.max(retention.failed, DELIVERIES_KEPT),
  )
  const delivery = deliveryOptions(schedule.length, deliveriesKept)
  const follow = createFollow({ queues, history, states, reader, storage, delivery, logger })
  const end = createEnd({ states, reader, follow, clock })
  const admission = createAdmission({ allowed, history, line: createLine(queues, kept), isReady, logger })
  const inputs = await createInputs({
    bullmq: queues.bullmq,
    connection: queues.connection,
    models,
    storage,
    fetch,
    inspect: options.inspectImage,
    jobs: createInputJobs({
      history,
      line: admission.line,
      refuse: createRefuse({ end, reader }),
    }),
    limits: options.inputs,
    onFetched: rates.charge,
    logger,
  })
  const leases = createLeaseBook({ queues, history, states, reader, presence, clock, leaseDuration })
  const reports = createReports({ history, queues, reader })
  const transitions = createTransitions({
    queues,
    history,
    states,
    storage,
    reader,
    inputs,
    uploads,
    abilities,
    allowed,
    rates,
    end,
    follow,
    leases,
    reports,
    logger,
    clock,
    leaseDuration,
  })
  const hubs = createHubs({ queues, presence, abilities, monitor, logger, prepare: transitions.claim, giveBack })
  const events = createEvents({ queues, reader, history, states, logger })
  const deliveries = await startDeliveries({ queues, reader, history, secrets, fetch, schedule, logger, clock })
  const maintenance = startMaintenance({ queues, history, states, reader, inputs, end, kept, deliveriesKept, logger })
  follow.start()
  admission.start()
  for (const model of queues.all) {
    model.worker.on('stalled', (jobId) => {
      transitions.stalled(model, jobId).catch((error: unknown) => logger.warn({ job_id: jobId, error }, 'a dead lease'))
    })
  }

  let closing: Promise<void> | undefined
  return {
    models,
    abilitiesOf: (model) => abilities.of(model),
    isServed: (model) => presence.isServed(model),
    jobs: {
      accept: transitions.accept,
      get: (tenant, jobId) => reader.job(jobId, tenant),
      list: createList({ history, reader }),
      cancel: (tenant, jobId) => transitions.cancel(jobId, tenant),
      remove: transitions.remove,
      videoUrl: createVideoUrl({ storage, reader }),
      copyVideo: createCopyVideo({ storage, reader, fetch }),
      completeFromOutside: transitions.report,
    },
    leases: {
      claim: hubs.claim,
      heartbeat: transitions.heartbeat,
      complete: transitions.complete,
      fail: transitions.fail,
      release: transitions.release,
    },
    events,
    uploads,
    webhookSecrets: secrets,
    limits: { request: rates.request },
    health: createHealth({ queues, inputs, monitor, presence, backend: store.name, version, clock }),
    close() {
      closing ??= (async () => {
        maintenance.close()
        follow.close()
        admission.close()
        hubs.close()
        // With the store down several of these would wait for ever.
        await within(CLOSE_WITHIN, async () => {
          await inputs.close()
          await queues.closeWorkers()
          await deliveries.close()
          await events.close()
          await queues.closeQueues()
        })
        await within(CLOSE_WITHIN, () => store.close())
        logger.debug('the core is closed')
      })()
      return closing
    },
  }
}

function keptFor(completed: number, failed: number): Kept {
  return { removeOnComplete: { age: completed }, removeOnFail: { age: failed } }
}

async function within(milliseconds: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([
    work(),
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds)
    }),
  ])
  clearTimeout(timer)
}
