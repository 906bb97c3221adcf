/** What a tenant may: what stands in the options, and what the host says of this one. */
import type { LimitOptions, TenantLimits } from '../core.ts'

/** Jobs that have not ended, of one tenant and of all. */
const QUEUED = 10_000
const QUEUE_TOTAL = 100_000

/** Each 0 where there is no limit. */
export type Allowed = { readonly [Name in keyof TenantLimits]-?: number }

export interface AllowedBook {
  readonly queueTotal: number
  /** @throws TypeError where the host's own function answers what is no limit */
  of(tenant: string): Promise<Allowed>
}

/** @throws TypeError for what is no limit */
export function createAllowed({ queueTotal = QUEUE_TOTAL, of, ...everybody }: LimitOptions = {}): AllowedBook {
  const common = read({ queued: QUEUED, running: 0, requestsPerMinute: 0, bytesPerDay: 0 }, everybody)
  read({ queueTotal }, {})
  return {
    queueTotal,
    async of(tenant) {
      const own = await of?.(tenant)
      return own ? read(common, own) : common
    },
  }
}

function read<Limits extends object>(common: Limits, own: Partial<Record<keyof Limits, number | undefined>>): Limits {
  const given = Object.fromEntries(Object.entries(own).filter(([, limit]) => limit !== undefined))
  const all = { ...common, ...given }
  for (const [name, limit] of Object.entries(all)) {
    if (Number.isSafeInteger(limit) && Number(limit) >= 0) continue
    throw new TypeError(`The limit "${name}" is ${String(limit)}; give a whole number, or 0 for none.`)
  }
  return all
}
