/** Who waits for work, of all models. */
import type { Leases } from '../core.ts'
import type { ModelAbilities } from '../models/abilities.ts'
import type { Presence } from '../models/presence.ts'
import type { ModelQueue, Queues } from '../queues.ts'
import { createHub, type Hub, type HubOptions } from './hub.ts'

export interface HubsOptions extends Omit<HubOptions, 'model' | 'prepare' | 'giveBack'> {
  readonly queues: Queues
  readonly presence: Presence
  readonly abilities: Pick<ModelAbilities, 'announce'>
  readonly prepare: (
    model: ModelQueue,
    ...claimed: Parameters<HubOptions['prepare']>
  ) => ReturnType<HubOptions['prepare']>
  readonly giveBack: (
    model: ModelQueue,
    ...claimed: Parameters<HubOptions['giveBack']>
  ) => ReturnType<HubOptions['giveBack']>
}

export interface Hubs {
  readonly claim: Leases['claim']
  /** Ends waiting claims with `shutting_down`. */
  close(): void
}

export function createHubs({ queues, presence, abilities, prepare, giveBack, ...options }: HubsOptions): Hubs {
  const hubs = new Map<string, Hub>()

  function hubOf(model: ModelQueue): Hub {
    let hub = hubs.get(model.model)
    if (!hub) {
      hub = createHub({
        ...options,
        model,
        prepare: (claimed) => prepare(model, claimed),
        giveBack: (claimed) => giveBack(model, claimed),
      })
      hubs.set(model.model, hub)
    }
    return hub
  }

  return {
    async claim({ model: name, worker, abilities: told, wait, signal }) {
      const model = queues.of(name)
      presence.saw(name)
      if (told) abilities.announce(name, told)
      return hubOf(model).claim(worker, wait, signal)
    },
    close() {
      for (const hub of hubs.values()) hub.close()
    },
  }
}
