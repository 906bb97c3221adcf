/**
 * What each model can do, as its workers announced it last: kept in the store, so that it is known while no worker runs and to all processes. Workers of one
 * model are meant to run one checkpoint; where they do not, whoever announced last counts, and the other's refusal ends a job that it cannot do.
 */
import { type Abilities, BUILT_IN_ABILITIES, refusalOf, type WantedAbilities } from '@kinora/protocol'
import type { Logger } from 'pino'
import { ApiError } from '../api-error.ts'
import type { History } from '../stores/history.ts'

/** Milliseconds between two looks at what other processes heard. */
const READ_EVERY = 2000

export interface ModelAbilities {
  /** A worker of this model says what its checkpoint can do. */
  announce(model: string, abilities: Abilities): void
  /** Undefined while nobody has said. Never throws: the last known answer counts. */
  of(model: string): Promise<Abilities | undefined>
  /** @throws ApiError `invalid_request` where the model is known not to do it; it names those that are not known not to */
  check(model: string, wanted: WantedAbilities, path?: string): Promise<void>
}

export interface ModelAbilitiesOptions {
  readonly history: Pick<History, 'announce' | 'announced'>
  readonly models: readonly string[]
  readonly clock: () => number
  readonly logger: Logger
}

export function createModelAbilities({ history, models, clock, logger }: ModelAbilitiesOptions): ModelAbilities {
  const known = new Map<string, Abilities>(Object.entries(BUILT_IN_ABILITIES))
  let readAt = -Infinity
  let first: Promise<void> | undefined

  async function read(): Promise<void> {
    readAt = clock()
    try {
      for (const [model, abilities] of await history.announced()) known.set(model, abilities)
    } catch (error) {
      logger.debug({ error: error instanceof Error ? error.message : error }, 'abilities')
    }
  }

  /** Only the first answer is waited for; later ones come in time for the next request. */
  async function refresh(): Promise<void> {
    if (!first) return (first = read())
    if (clock() - readAt >= READ_EVERY) void read()
    return first
  }

  return {
    announce(model, told) {
      const before = known.get(model)
      if (JSON.stringify(before) === JSON.stringify(told)) return
      known.set(model, told)
      history.announce(model, told).catch((error: unknown) => {
        logger.debug({ model, error }, 'abilities could not be kept; the next claim tells them again')
        if (before) known.set(model, before)
        else known.delete(model)
      })
    },
    async of(model) {
      await refresh()
      return known.get(model)
    },
    async check(model, wanted, path) {
      await refresh()
      const refusal = refusalOf(model, wanted, models, (name) => known.get(name))
      if (!refusal) return
      const { message, sentence } = refusal
      const field = refusal.path === 'images' ? (path ?? refusal.path) : refusal.path
      throw new ApiError('invalid_request', sentence, { issues: [{ path: field, message }] })
    },
  }
}
