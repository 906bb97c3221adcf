/** Puts the parts together. The order of closing is the reverse of who needs whom. */
import type { Core, CoreOptions } from './core.ts'
import { startDeliveries } from './deliveries/deliver.ts'
import { DELIVERY_SCHEDULE } from './deliveries/schedule.ts'
import { createSecrets } from './deliveries/secrets.ts'
import { createEvents } from './events/events.ts'
import { createHealth } from './health.ts'
import { createAccept } from './jobs/accept.ts'
import { createCancel } from './jobs/cancel.ts'
import { createInputs } from './jobs/input.ts'
import { createJobs } from './jobs/jobs.ts'
import { createReader } from './jobs/reader.ts'
import { createRemove } from './jobs/remove.ts'
import { failWith, settle } from './jobs/settle.ts'
import { createLeases } from './leases/leases.ts'
import { createPresence } from './leases/presence.ts'
import { startMaintenance } from './maintenance.ts'
import { createQueues } from './queues.ts'
import { createMonitor } from './stores/monitor.ts'

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
  const queues = await createQueues({ store, models, leaseDuration, logger }).catch(async (error: unknown) => {
    await store.close().catch(() => undefined)
    throw error
  })
  const monitor = createMonitor(store, clock)
  const presence = createPresence(history, clock)
  const secrets = createSecrets(options.webhooks)
  const inputs = createInputs(options)
  const reader = createReader({ queues, history, storage, presence })
  const cancel = createCancel({ reader, clock, logger })
  const remove = createRemove({ queues, history, storage, reader, cancel })
  const accept = createAccept({
    queues,
    history,
    storage,
    reader,
    inputs,
    retention,
    deliveryAttempts: schedule.length,
    clock,
    refuse: async (jobId, { code, message }) => {
      const record = await reader.record(jobId)
      if (record) await settle(queues.of(record.model), jobId, failWith(code, message))
      await reader.keepEnd(jobId)
    },
  })
  const leases = createLeases({
    queues,
    history,
    storage,
    reader,
    inputs,
    presence,
    monitor,
    logger,
    clock,
    leaseDuration,
  })
  const events = createEvents({ queues, reader, history, clock, logger })
  const deliveries = await startDeliveries({ queues, reader, history, secrets, fetch, schedule, logger, clock })
  const maintenance = startMaintenance({ queues, history, reader, retention, clock, logger })
  for (const model of queues.all) {
    model.worker.on('stalled', (jobId) => {
      leases.onStalled(model, jobId).catch((error: unknown) => logger.warn({ job_id: jobId, error }, 'a dead lease'))
    })
  }

  let closing: Promise<void> | undefined
  return {
    models,
    jobs: createJobs({ history, storage, reader, accept, cancel, remove }),
    leases,
    events,
    webhookSecrets: secrets,
    health: createHealth({ queues, monitor, presence, backend: store.name, version, clock }),
    close() {
      closing ??= (async () => {
        maintenance.close()
        leases.close()
        inputs.close()
        // With the store down several of these would wait for ever.
        await within(CLOSE_WITHIN, async () => {
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
